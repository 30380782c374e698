"""Targets of people who join or leave within a period: prorated once, however often it is asked for."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from kpis.engine.spreading import ONE, ZERO, prorate


@dataclass(frozen=True, slots=True)
class Proration:
    """How a target came about: `whole` before proration, `kept` for the days the person is there.

    `handed` is how much of the difference somebody else took over; the rest of it nobody has.
    """

    whole: Decimal
    kept: Decimal
    handed: Decimal = ZERO

    @property
    def rest(self) -> Decimal:
        """What nobody has taken over; negative where more was taken over than is now left."""
        return self.whole - self.kept - self.handed

    def handing(self, amount: Decimal) -> "Proration":
        """The same once somebody else has taken over `amount`."""
        return replace(self, handed=self.handed + amount)

    def data(self) -> dict[str, str]:
        """Exact text, to be stored."""
        return {name: f"{value.normalize():f}" for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class ProratedTarget:
    """A target as it is to be, and how it came about."""

    value: Decimal
    proration: Proration


def stored_proration(data: Mapping[str, str] | None) -> Proration | None:
    """What `data` stored; None for a target that is not prorated.

    >>> stored_proration({"whole": "1900", "kept": "900", "handed": "0"}).rest
    Decimal('1000')
    """
    return Proration(**{name: Decimal(text) for name, text in data.items()}) if data else None


def prorate_target(
    accumulation: str,
    value: Decimal,
    before: Proration | None,
    *,
    worked: int,
    total: int,
    step: Decimal = ONE,
) -> ProratedTarget:
    """The target of somebody who is there for `worked` of `total` business days.

    A target that was prorated before is counted from its whole again, so that asking twice changes nothing and another
    day of leaving gives what it would have given at first. What came on top of it since (taken over from somebody else)
    stays in full.

    >>> once = prorate_target("sum", Decimal(1900), None, worked=9, total=19)
    >>> once.value, once.proration.rest
    (Decimal('900'), Decimal('1000'))
    >>> prorate_target("sum", once.value, once.proration, worked=9, total=19) == once
    True
    >>> prorate_target("sum", once.value + 50, once.proration, worked=19, total=19).value
    Decimal('1950')
    """
    whole, handed, on_top = value, ZERO, ZERO
    if before is not None:
        whole, handed, on_top = before.whole, before.handed, value - before.kept
    kept = prorate(accumulation, whole, worked, total, step=step)
    return ProratedTarget(kept + on_top, Proration(whole, kept, handed))
