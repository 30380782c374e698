"""One cell to one value: dates, numbers and words as Japanese and Western exports write them. Nothing is guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from zoneinfo import ZoneInfo

from integrations.connectors.errors import BadValueError

Cell = str | int | float | Decimal | bool | date | datetime | time | timedelta | None

EXCEL_EPOCH = date(1899, 12, 30)
# A bare number is read as an Excel day only between 1954 and 2119; anything else in a date column is a mistake.
EXCEL_SERIALS = range(20_000, 80_000)
# What a spreadsheet shows where it has no value: never a value itself, not even of a text.
EXCEL_ERRORS = frozenset({"#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"})
# Names among date formats: seconds or milliseconds since 1970.
EPOCHS = {"epoch": 1, "epoch_ms": 1000}
ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925}
TRUE_WORDS = frozenset({"true", "yes", "y", "1", "on", "はい", "有", "あり", "○", "〇", "済"})
FALSE_WORDS = frozenset({"false", "no", "n", "0", "off", "いいえ", "無", "なし", "×", "未"})

_YEAR_FIRST = re.compile(
    r"(?P<y>\d{4})(?:[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})|年\s*(?P<jm>\d{1,2})月\s*(?P<jd>\d{1,2})日)(?P<rest>.*)"
)
_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})")
_ERA = re.compile(r"(?P<era>令和|平成|昭和|[RHS])\s*(?P<y>\d{1,2}|元)[年.](?P<m>\d{1,2})[月.](?P<d>\d{1,2})日?")
_MORE_THAN_DIGITS = re.compile("[²³¹¼-¾⁰-₉⅐-↉①-⓿❶-➓㉈-㉏㉑-㉟㊀-㊉㊱-㊿]")
_WEEKDAY = re.compile(r"\s*\([日月火水木金土A-Za-z]{1,3}\)")
_AFTER_A_DAY = frozenset({"", "T", " "})
_SIGN = "[-+−‐–△▲]"
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>{_SIGN})?(?:¥|\\|\$|€|JPY|USD)?(?P<inner_sign>{_SIGN})?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?P<percent>%)?(?:円|JPY|USD)?(?P<close>\))?"
)


def text_of(cell: Cell) -> str:
    """The cell as the person sees it, without outer blanks; an empty cell is ''.

    >>> text_of(12.0), text_of(" 山田　太郎 "), text_of(None)
    ('12', '山田　太郎', '')
    """
    if type(cell) is str:
        return cell.strip()
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()


def normalise(text: str) -> str:
    """Full width to half width, upper to lower: for comparing headings and words, never for storing.

    >>> normalise("　ＧＴＸ　Pro ")
    'gtx pro'
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(plain.split()).casefold()


def parse_date(cell: Cell, *, formats: Sequence[str] = (), zone: ZoneInfo) -> date | None:
    """The business date of a cell; a moment with an offset counts in `zone`. Blank is None. Raises BadValueError.

    >>> tokyo = ZoneInfo("Asia/Tokyo")
    >>> [parse_date(text, zone=tokyo).day for text in ("2026/11/24", "２０２６年１１月２４日", "R8.11.24", 46350)]
    [24, 24, 24, 24]
    >>> parse_date("2026-11-23T20:00:00Z", zone=tokyo).isoformat()
    '2026-11-24'
    """
    if type(cell) is str and not formats and (day := _iso_day(cell)) is not None:
        return day
    moment = parse_moment(cell, formats=formats, zone=zone)
    try:
        return None if moment is None else moment.astimezone(zone).date()
    except OverflowError:  # the last hours of the year 9999, elsewhere
        raise BadValueError("bad_date", value=text_of(cell)) from None


def parse_moment(cell: Cell, *, formats: Sequence[str] = (), zone: ZoneInfo) -> datetime | None:
    """The moment of a cell, aware; without an offset it is local to `zone`, a date is its midnight."""
    if type(cell) is str and not formats and (moment := _iso(cell)) is not None:
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    if isinstance(cell, datetime):
        return cell if cell.tzinfo else cell.replace(tzinfo=zone)
    if isinstance(cell, date):
        return datetime.combine(cell, time(), zone)
    text = text_of(cell)
    if not text:
        return None
    plain = _plain(text)
    found = (
        _by_formats(plain, formats)
        or _iso(plain)
        or _excel_serial(cell, plain)
        or _year_first(plain)
        or _compact(plain)
        or _era(plain)
    )
    if found is None:
        raise BadValueError("bad_date", value=text)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def parse_number(cell: Cell) -> Decimal | None:
    """An exact number: thousands separators, ￥, full-width digits, △ ▲ and brackets as negatives, % as hundredths.

    >>> [str(parse_number(t)) for t in ("￥１，２３４", "△1,200", "▲5", "(300)", "12.5%", "1,000円")]
    ['1234', '-1200', '-5', '-300', '0.125', '1000']
    """
    if isinstance(cell, bool):
        raise BadValueError("bad_number", value=text_of(cell))
    text = text_of(cell)
    if isinstance(cell, int | float | Decimal):
        if not isfinite(cell):
            raise BadValueError("bad_number", value=text)
        return Decimal(str(cell))
    if not text:
        return None
    found = _NUMBER.fullmatch(_plain(text).replace(" ", ""))
    if found is None or (found["sign"] and found["inner_sign"]) or bool(found["open"]) != bool(found["close"]):
        raise BadValueError("bad_number", value=text)
    value = Decimal(found["digits"].replace(",", ""))
    value = value / 100 if found["percent"] else value
    sign = found["sign"] or found["inner_sign"] or ("-" if found["open"] else "+")
    return value if sign == "+" else -value


def parse_integer(cell: Cell) -> int | None:
    """A whole number; 3.5 is refused rather than rounded."""
    number = parse_number(cell)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise BadValueError("bad_integer", value=text_of(cell))
    return int(number)


def parse_bool(cell: Cell) -> bool | None:
    """Yes or no in the usual English and Japanese words.

    >>> parse_bool("はい"), parse_bool("×"), parse_bool("")
    (True, False, None)
    """
    if isinstance(cell, bool):
        return cell
    word = normalise(text_of(cell))
    if not word:
        return None
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise BadValueError("bad_bool", value=text_of(cell))


def _plain(text: str) -> str:
    """In half width; a digit that stands for more than itself (②, ⁵, ½) stays what it is.

    >>> _plain("１０"), _plain("10²")
    ('10', '10²')
    """
    if text.isascii():
        return text
    return text if _MORE_THAN_DIGITS.search(text) else unicodedata.normalize("NFKC", text)


def _by_formats(text: str, formats: Sequence[str]) -> datetime | None:
    for pattern in formats:
        try:
            if pattern in EPOCHS:
                return datetime.fromtimestamp(float(text) / EPOCHS[pattern], UTC)
            return datetime.strptime(text, pattern)  # noqa: DTZ007 - parse_moment gives it the company's zone
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _excel_serial(cell: Cell, text: str) -> datetime | None:
    if isinstance(cell, bool) or not (isinstance(cell, int | float) or re.fullmatch(r"\d{5}(?:\.\d+)?", text)):
        return None
    days = float(text)
    if not isfinite(days) or int(days) not in EXCEL_SERIALS:
        return None
    return datetime.combine(EXCEL_EPOCH, time()) + timedelta(seconds=round(days * 86_400))


def _iso_day(text: str) -> date | None:
    if len(text) != 10 or text[4] != "-" or text[7] != "-":
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _iso(text: str) -> datetime | None:
    """What interfaces write, and most files: read before all else, since there is so much of it."""
    if text[4:5] != "-" or text[7:8] != "-" or text[10:11] not in _AFTER_A_DAY:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _year_first(text: str) -> datetime | None:
    found = _YEAR_FIRST.fullmatch(text)
    if not found:
        return None
    year, month, day = found["y"], found["m"] or found["jm"], found["d"] or found["jd"]
    rest = _WEEKDAY.sub("", found["rest"]).replace("時", ":").replace("分", "").strip()
    try:
        clock = f"T{_two_digit_hour(rest.lstrip('T'))}" if rest else ""
        return datetime.fromisoformat(f"{year}-{int(month):02d}-{int(day):02d}{clock}")
    except ValueError:
        return None


def _two_digit_hour(clock: str) -> str:
    return f"0{clock}" if re.match(r"\d:", clock) else clock


def _compact(text: str) -> datetime | None:
    found = _COMPACT.fullmatch(text)
    return _safe_date(int(found["y"]), int(found["m"]), int(found["d"])) if found else None


def _era(text: str) -> datetime | None:
    found = _ERA.fullmatch(text)
    if not found:
        return None
    year = 1 if found["y"] == "元" else int(found["y"])
    return _safe_date(ERAS[found["era"]] + year, int(found["m"]), int(found["d"]))


def _safe_date(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime.combine(date(year, month, day), time())
    except ValueError:
        return None
