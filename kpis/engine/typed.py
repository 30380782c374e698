"""Numbers as people type, paste and keep them in files, read by the unit that the number is of."""

import re
import unicodedata
from decimal import Decimal

from kpis.engine.issues import gettext_noop

SCALES = {
    "": 1,
    "円": 1,
    "千円": 1_000,
    "千": 1_000,
    "万円": 10_000,
    "万": 10_000,
    "百万円": 1_000_000,
    "百万": 1_000_000,
    "億円": 100_000_000,
    "億": 100_000_000,
    "k": 1_000,
    "m": 1_000_000,
    "JPY": 1,
    "USD": 1,
    "件": 1,
    "日": 1,
    "人": 1,
}
_NEGATIVE = "-−△▲"  # the hyphen first: it stands in a class of characters
_NUMBER = re.compile(
    rf"(?P<open>\()?(?P<sign>[{_NEGATIVE}+])?[¥\\$€]?"
    r"(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?P<close>\))?(?P<suffix>.*)"
)
_LARGEST = Decimal(10) ** 18


class TypedNumberError(ValueError):
    """What was typed is not this number; `code`, and the sentence with its parameters for the reader."""

    def __init__(self, code: str, template: str, **params: object) -> None:
        self.code = code
        self.template = template
        self.params = params
        super().__init__(template % params)


def read_number(text: str, unit: str, *, scale: int = 1, in_percent: bool = False) -> Decimal | None:
    """The exact value of what was typed for a metric of `unit`; None for a blank.

    Full-width digits, thousands separators, △ ▲ − and brackets for negatives, ¥, 千円, 百万円, 億円 and % are read.
    A plain amount counts in `scale`; one that names its own scale does not. A rate needs its % unless it is a fraction
    up to 1: 25 could be 25 % or a slip for 0.25. `in_percent` is for a field that says it is in percent: there 25 is
    25 %, and what could be a fraction needs the sign. Raises TypedNumberError.

    >>> [str(read_number(text, "amount")) for text in ("１，２３４", "△1,200", "(300)", "2百万円", "¥20千円")]
    ['1234', '-1200', '-300', '2000000', '20000']
    >>> read_number("12", "amount", scale=1000), read_number("25%", "percent"), read_number("0.25", "percent")
    (Decimal('12000'), Decimal('0.25'), Decimal('0.25'))
    >>> read_number("２５", "percent", in_percent=True)
    Decimal('0.25')
    """
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    if not plain:
        return None
    found = _NUMBER.fullmatch(plain)
    if found is None or bool(found["open"]) != bool(found["close"]):
        raise _not_a_number(text)
    value = Decimal(found["digits"].replace(",", ""))
    if found["open"] or (found["sign"] or "+") in _NEGATIVE:
        value = -value
    value = _scaled(value, found["suffix"], unit, scale, text, in_percent=in_percent)
    if abs(value) >= _LARGEST:
        raise TypedNumberError("too_large", gettext_noop("“%(text)s” is too large to be a target."), text=text)
    return value


def _scaled(value: Decimal, suffix: str, unit: str, scale: int, text: str, *, in_percent: bool) -> Decimal:
    if suffix == "%":
        if unit not in {"percent", "ratio"}:
            raise TypedNumberError(
                "percent", gettext_noop("“%(text)s” is a percentage, but this KPI is not a rate."), text=text
            )
        return value / 100
    if suffix not in SCALES:
        raise _not_a_number(text)
    if unit == "percent" and in_percent:
        if suffix or 0 < abs(value) <= 1:
            fault = gettext_noop("“%(text)s” could be a percentage or a fraction. Add the percent sign.")
            raise TypedNumberError("percent_or_fraction", fault, text=text)
        return value / 100
    if unit == "percent":
        if abs(value) > 1 or suffix:
            raise TypedNumberError(
                "percent_or_fraction",
                gettext_noop(
                    "“%(text)s” could be a percentage or a fraction. Add the percent sign, or write a fraction up to 1."
                ),
                text=text,
            )
        return value
    if suffix:
        return value * SCALES[suffix]
    return value * scale if unit == "amount" else value


def _not_a_number(text: str) -> TypedNumberError:
    return TypedNumberError("not_a_number", gettext_noop("“%(text)s” is not a number."), text=text)
