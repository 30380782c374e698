"""Typed values beside automatic ones, month by month, until the automatic ones may take their place."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from kpis.engine.values import Value

# Decimals to which people type at least, whatever zeros stand at the end: a rate of 20.0 % was not typed as a fifth.
PLACES = {"percent": 3, "ratio": 2, "score": 1}


class Verdict(StrEnum):
    """What a month says about the automatic source."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_TYPED = "not_typed"  # nobody has typed the month yet
    INCOMPLETE = "incomplete"  # the source has not been read since the end of the month


@dataclass(frozen=True, slots=True)
class Compared:
    """One month: what was typed (None = nothing yet) and what the source says; the difference where both are numbers.

    `difference` is automatic − typed, the automatic value as exactly as the other was typed.
    """

    typed: Value | None
    automatic: Value
    difference: Decimal | None
    verdict: Verdict


def compare(
    typed: Value | None, automatic: Value, *, unit: str, tolerance: Decimal, is_complete: bool = True
) -> Compared:
    """Set a typed value beside an automatic one; `is_complete`: the source was read since the end of the month.

    A source that has not been read differs from nothing: what is missing in it is not known yet.

    >>> compare(Decimal("0.234"), Decimal("0.23428"), unit="percent", tolerance=Decimal(0)).verdict.value
    'equal'
    >>> found = compare(Decimal(12), Decimal(15), unit="count", tolerance=Decimal(2))
    >>> found.verdict.value, found.difference
    ('different', Decimal('3'))
    >>> from kpis.engine.values import Absence
    >>> compare(Absence.NO_DENOMINATOR, Absence.NO_DENOMINATOR, unit="percent", tolerance=Decimal(0)).verdict.value
    'equal'
    """
    difference = None
    if isinstance(typed, Decimal) and isinstance(automatic, Decimal):
        difference = _rounded_as(automatic, typed, unit) - typed
    if typed is None:
        verdict = Verdict.NOT_TYPED
    elif not is_complete:
        verdict = Verdict.INCOMPLETE
    elif difference is not None:
        verdict = Verdict.EQUAL if abs(difference) <= tolerance else Verdict.DIFFERENT
    else:
        verdict = Verdict.EQUAL if typed == automatic else Verdict.DIFFERENT
    return Compared(typed, automatic, difference, verdict)


def equal_months(verdicts: Iterable[Verdict]) -> int:
    """How many months in a row are equal up to the latest that says anything; `verdicts` latest first.

    A month that is still to be typed or delivered waits at the head; further back it ends the row.

    >>> equal_months([Verdict.NOT_TYPED, Verdict.EQUAL, Verdict.EQUAL, Verdict.DIFFERENT, Verdict.EQUAL])
    2
    """
    count = 0
    for verdict in verdicts:
        if verdict is Verdict.EQUAL:
            count += 1
        elif count or verdict is Verdict.DIFFERENT:
            break
    return count


def _rounded_as(automatic: Decimal, typed: Decimal, unit: str) -> Decimal:
    """The automatic value with as many decimals as the other was typed with."""
    exponent = typed.normalize().as_tuple().exponent
    typed_places = max(-exponent, 0) if isinstance(exponent, int) else 0
    places = max(typed_places, PLACES.get(unit, 0))
    return automatic.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
