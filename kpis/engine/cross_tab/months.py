"""Headings of columns: months in the forms that Japanese sheets use, years above them, and totals between them."""

import re
from dataclasses import dataclass

from kpis.engine.cross_tab.shapes import Kind
from kpis.engine.cross_tab.words import KINDS, plain

_ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ERAS = {"令和": 2018, "r": 2018, "平成": 1988, "h": 1988}
_YEAR = (
    r"(?:(?P<y>(?:19|20)\d\d)年(?P<fy>度)?|'?(?P<yy>\d\d)年(?P<fyy>度)?"
    r"|fy'?(?P<en>(?:20)?\d\d)[/\-]?|(?P<era>令和|平成|r|h)(?P<ey>\d{1,2}|元)(?:年(?P<fey>度)?|[./]))"
)
_M = r"(?P<m>1[0-2]|0?[1-9])"
_MONTH = re.compile(rf"{_YEAR}?{_M}月(?:度|分|末|期)?")
_ERA_SHORT = re.compile(rf"(?P<era>r|h)(?P<ey>\d{{1,2}})[./]{_M}")
_ISO = re.compile(rf"(?P<y>(?:19|20)\d\d)[/\-]{_M}(?:[/\-](?:0?[1-9]|[12]\d|3[01]))?(?:t?00:00(?::00)?)?")
_ENGLISH_MONTH = re.compile(
    rf"(?:(?P<yy1>(?:20)?\d\d)[\-/ ])?(?P<name>{'|'.join(_ENGLISH)})[a-z]{{0,6}}\.?(?:[\-/',]*(?P<yy2>(?:20)?\d\d))?"
)
# What may as well be a number: only a run of months that follow each other makes it a heading.
_DOUBTFUL = re.compile(rf"(?P<y>(?:20)?\d\d)[./]{_M}|(?P<cy>20\d\d)(?P<cm>0[1-9]|1[0-2])")
_FISCAL = re.compile(
    r"(?P<y>(?:19|20)\d\d)年度|'?(?P<yy>\d\d)年度|fy'?(?P<en>(?:20)?\d\d)|(?P<era>令和|平成|r|h)(?P<ey>\d{1,2}|元)年?度"
)
_CALENDAR = re.compile(r"(?P<y>(?:19|20)\d\d)年?|'?(?P<yy>\d\d)年|(?P<era>令和|平成)(?P<ey>\d{1,2}|元)年")
_TERM = re.compile(r"第?(?P<n>\d{1,3})期")
_TOTAL_END = r"(?:の?(?:累計|合計|計|実績))?"
_QUARTER = re.compile(rf"(?:第?(?P<a>[1-4])(?:四半期|q)|q(?P<b>[1-4])){_TOTAL_END}")
_HALF = re.compile(rf"(?:(?P<first>上期|上半期|1h|h1)|(?P<second>下期|下半期|2h|h2)){_TOTAL_END}")
_WHOLE = re.compile(
    rf"(?:通期|年間|通年){_TOTAL_END}|(?:年|年度)(?:累計|合計|計)|合計|計|総計|小計|累計|total|ttl|トータル|期計|ytd"
)
_KIND = "|".join(re.escape(word) for word in sorted(KINDS, key=len, reverse=True))
_WITH_KIND = re.compile(rf"(?P<stem>.+?)[(\[]?(?P<kind>{_KIND})[)\]]?")
_AVERAGE = re.compile(r"(?:月|年間|年|月次)?平均|avg\.?|ave\.?|average")


@dataclass(frozen=True, slots=True)
class MonthName:
    """A month as a heading names it; `is_fiscal`: its year is a fiscal one. `is_doubtful`: it may be a number."""

    month: int
    year: int | None = None
    is_fiscal: bool = False
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class YearName:
    """A year as a heading names it; a term (第15期) has no year before somebody says when the first one was."""

    year: int | None
    is_fiscal: bool
    term: int | None = None


@dataclass(frozen=True, slots=True)
class TotalName:
    """What a column adds up: `quarter` or `half` with its number, the `whole`, or the `average`."""

    span: str
    number: int = 0


def read_month(text: str) -> MonthName | None:
    """The month that a heading names.

    >>> [read_month(text).month for text in ("4月", "４月度", "2025年4月", "2025/04", "25.4", "Apr-25", "R7.4")]
    [4, 4, 4, 4, 4, 4, 4]
    >>> read_month("2025年度1月"), read_month("2025-04-01").year, read_month("受注額")
    (MonthName(month=1, year=2025, is_fiscal=True, is_doubtful=False), 2025, None)
    """
    word = plain(text)
    if found := (_MONTH.fullmatch(word) or _ERA_SHORT.fullmatch(word) or _ISO.fullmatch(word)):
        parts = found.groupdict()
        is_fiscal = bool(parts.get("fy") or parts.get("fyy") or parts.get("en") or parts.get("fey"))
        return MonthName(int(parts["m"]), _year(parts), is_fiscal)
    if found := _ENGLISH_MONTH.fullmatch(word):
        year = found["yy1"] or found["yy2"]
        return MonthName(_ENGLISH.index(found["name"]) + 1, _full(year) if year else None)
    if found := _DOUBTFUL.fullmatch(word):
        year, month = found["y"] or found["cy"], found["m"] or found["cm"]
        return MonthName(int(month), _full(year), is_doubtful=True)
    return None


def read_year(text: str) -> YearName | None:
    """The year that a heading above months names.

    >>> read_year("2025年度"), read_year("FY25").year, read_year("令和7年度").year, read_year("2025年").is_fiscal
    (YearName(year=2025, is_fiscal=True, term=None), 2025, 2025, False)
    >>> read_year("第15期").term, read_year("4月")
    (15, None)
    """
    word = plain(text)
    if found := _FISCAL.fullmatch(word):
        return YearName(_year(found.groupdict()), is_fiscal=True)
    if found := _CALENDAR.fullmatch(word):
        return YearName(_year(found.groupdict()), is_fiscal=False)
    if found := _TERM.fullmatch(word):
        return YearName(None, is_fiscal=True, term=int(found["n"]))
    return None


def year_within(text: str) -> YearName | None:
    """The fiscal year that a title names somewhere.

    >>> year_within("2025年度 営業KPI管理表").year, year_within("営業KPI管理表")
    (2025, None)
    """
    word = plain(text)
    found = _FISCAL.search(word)
    if found:
        return YearName(_year(found.groupdict()), is_fiscal=True)
    term = re.search(r"第(?P<n>\d{1,3})期", word)
    return YearName(None, is_fiscal=True, term=int(term["n"])) if term else None


def read_total(text: str) -> TotalName | None:
    """What a heading says that its column adds up.

    >>> read_total("第1四半期計"), read_total("下期"), read_total("合計").span, read_total("月平均").span
    (TotalName(span='quarter', number=1), TotalName(span='half', number=2), 'whole', 'average')
    """
    word = plain(text)
    word = re.sub(r"^(?:(?:19|20)\d\d年度?|fy'?(?:20)?\d\d|\d\d年度)(?=.)", "", word)
    if found := _QUARTER.fullmatch(word):
        return TotalName("quarter", int(found["a"] or found["b"]))
    if found := _HALF.fullmatch(word):
        return TotalName("half", 1 if found["first"] else 2)
    if _WHOLE.fullmatch(word):
        return TotalName("whole")
    return TotalName("average") if _AVERAGE.fullmatch(word) else None


def split_heading(text: str) -> tuple[str, Kind | None]:
    """A heading without the kind that it carries: 4月実績, 年間目標, 4月（予算）.

    >>> split_heading("4月実績"), split_heading("年間目標"), split_heading("4月（予算）")
    (('4月', <Kind.ACTUAL: 'actual'>), ('年間', <Kind.TARGET: 'target'>), ('4月', <Kind.BUDGET: 'budget'>))
    """
    word = plain(text)
    found = _WITH_KIND.fullmatch(word)
    if found and (read_month(found["stem"]) or read_total(found["stem"])):
        return found["stem"], KINDS[found["kind"]]
    return word, None


def _year(parts: dict[str, str | None]) -> int | None:
    if era := parts.get("era"):
        number = parts.get("ey")
        return _ERAS[era] + (1 if number == "元" else int(number or 0))
    written = parts.get("y") or parts.get("yy") or parts.get("en")
    return _full(written) if written else None


def _full(year: str) -> int:
    return int(year) if len(year) == 4 else 2000 + int(year)
