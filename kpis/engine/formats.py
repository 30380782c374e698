"""How numbers, amounts and dates are written, in Japanese and English; words for units are the caller's."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

SCALES = {"one": 1, "thousand": 1_000, "million": 1_000_000}
NEGATIVE = {"ja": "△", "en": "−"}
WEEKDAYS = {"ja": "月火水木金土日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
Number = Decimal | float | int


@dataclass(frozen=True)
class Written:
    """A number as text, and the code of the unit that stands small beside it ("" = none)."""

    text: str
    unit: str


def as_decimal(value: Number) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def grouped(value: Number, *, places: int, language: str, signed: bool = False) -> str:
    """Thousands separated by commas, rounded half up, △ before negatives in Japanese.

    >>> grouped(Decimal("1234567.5"), places=0, language="ja")
    '1,234,568'
    >>> grouped(-8800, places=0, language="ja"), grouped(-8800, places=0, language="en")
    ('△8,800', '−8,800')
    >>> grouped(-0.001, places=1, language="ja"), grouped(3, places=1, language="en", signed=True)
    ('0.0', '+3.0')
    """
    rounded = as_decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    digits = f"{abs(rounded):,f}"
    if rounded < 0:
        return NEGATIVE.get(language, "−") + digits
    return ("+" if signed and rounded > 0 else "") + digits


def default_scale(currency: str) -> str:
    """Yen are read in thousands, other currencies as they are.

    >>> default_scale("JPY"), default_scale("USD")
    ('thousand', 'one')
    """
    return "thousand" if currency == "JPY" else "one"


def amount_places(value: Decimal, *, currency: str, scale: str) -> int:
    """Decimals of an amount: yen and thousands of yen have none; at most two anywhere."""
    if currency == "JPY":
        return 1 if scale == "million" else 0
    if scale == "one":
        return 0 if abs(value) >= 1_000 or value == value.to_integral_value() else 2
    return 1 if scale == "thousand" else 2


def count_places(value: Decimal) -> int:
    """Shared deals make part counts (0.7); whole counts stay whole."""
    if value == value.to_integral_value():
        return 0
    return 1 if value * 10 == (value * 10).to_integral_value() else 2


def expected(value: Number, unit: str) -> Number:
    """What is shown of a forecast: of things that are counted, whole ones; everything else as it is.

    >>> expected(Decimal("162.48"), "count"), expected(Decimal("162.5"), "count"), expected(Decimal("0.75"), "percent")
    (Decimal('162'), Decimal('163'), Decimal('0.75'))
    """
    return as_decimal(value).to_integral_value(ROUND_HALF_UP) if unit == "count" else value


def expected_distance(distance: Number, value: Number, unit: str) -> Decimal:
    """How far a forecast of `value` lies from its target, by the number that is shown of it; none stays none.

    >>> expected_distance(Decimal("-17.5"), Decimal("162.5"), "count")
    Decimal('-17.0')
    """
    shown = as_decimal(distance)
    return shown + as_decimal(expected(value, unit)) - as_decimal(value) if shown else shown


def write_number(
    value: Number, *, unit: str, currency: str = "JPY", scale: str = "one", language: str = "ja", signed: bool = False
) -> Written:
    """A value of one of the metric units (count, amount, percent, days, score, ratio) as it is shown.

    >>> write_number(12_400_000, unit="amount", scale="thousand")
    Written(text='12,400', unit='thousand JPY')
    >>> write_number(-8_800_000, unit="amount", scale="million")
    Written(text='△8.8', unit='million JPY')
    >>> write_number(Decimal("2345678.4"), unit="amount", currency="USD", scale="one")
    Written(text='2,345,678', unit='one USD')
    >>> write_number(0.75, unit="percent"), write_number(Decimal("0.7"), unit="count")
    (Written(text='75.0', unit='percent'), Written(text='0.7', unit='count'))
    >>> write_number(47.85, unit="days"), write_number(-12, unit="score")
    (Written(text='47.9', unit='days'), Written(text='△12.0', unit='score'))
    """
    number = as_decimal(value)
    if unit == "amount":
        places = amount_places(number, currency=currency, scale=scale)
        text = grouped(number / SCALES[scale], places=places, language=language, signed=signed)
        return Written(text, f"{scale} {currency}")
    if unit == "percent":
        return Written(grouped(number * 100, places=1, language=language, signed=signed), "percent")
    places = count_places(number.quantize(Decimal("0.01"), ROUND_HALF_UP)) if unit == "count" else 1
    if unit == "ratio":
        places = 2
    return Written(grouped(number, places=places, language=language, signed=signed), unit)


def write_difference(
    value: Number, *, unit: str, currency: str = "JPY", scale: str = "one", language: str = "ja"
) -> Written:
    """A difference of two values: signed; of two rates in points.

    >>> write_difference(0.021, unit="percent")
    Written(text='+2.1', unit='points')
    """
    written = write_number(value, unit=unit, currency=currency, scale=scale, language=language, signed=True)
    return Written(written.text, "points") if unit == "percent" else written


def write_date(day: date, *, language: str = "ja", short: bool = False) -> str:
    """A date with its weekday.

    >>> write_date(date(2026, 11, 24)), write_date(date(2026, 11, 24), short=True)
    ('2026/11/24(火)', '11/24(火)')
    >>> write_date(date(2026, 11, 24), language="en"), write_date(date(2026, 11, 4), language="en", short=True)
    ('Tue 24 Nov 2026', 'Wed 4 Nov')
    """
    weekday = WEEKDAYS.get(language, WEEKDAYS["en"])[day.weekday()]
    if language == "ja":
        return f"{day.month}/{day.day}({weekday})" if short else f"{day.year}/{day.month}/{day.day}({weekday})"
    text = f"{weekday} {day.day} {MONTHS[day.month - 1]}"
    return text if short else f"{text} {day.year}"


def write_moment(moment: datetime, *, language: str = "ja") -> str:
    """A local date and time without year; the caller has already brought it into company time.

    >>> write_moment(datetime(2026, 11, 24, 8, 50)), write_moment(datetime(2026, 11, 24, 8, 5), language="en")
    ('11/24 8:50', '24 Nov 8:05')
    """
    clock = f"{moment.hour}:{moment.minute:02}"
    if language == "ja":
        return f"{moment.month}/{moment.day} {clock}"
    return f"{moment.day} {MONTHS[moment.month - 1]} {clock}"


def sparkline_points(values: list[Number | None], *, width: int = 96, height: int = 24) -> list[tuple[float, float]]:
    """Points of a small line in a box: left to right, the lowest value (or zero) at the bottom; gaps left out.

    >>> sparkline_points([0, 5, None, 10], width=90, height=20)
    [(0.0, 20.0), (30.0, 10.0), (90.0, 0.0)]
    >>> sparkline_points([None, None])
    []
    """
    known = [float(value) for value in values if value is not None]
    if not known:
        return []
    low, high = min(0.0, *known), max(0.0, *known)
    span = (high - low) or 1.0
    step = width / max(len(values) - 1, 1)
    return [
        (round(index * step, 1), round(height - (float(value) - low) / span * height, 1))
        for index, value in enumerate(values)
        if value is not None
    ]
