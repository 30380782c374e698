"""A target over periods: spread by accumulation and weights, prorated, carried forward, compared with its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

ONE = Decimal(1)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Spread:
    """One value per period, in order; `remainder` is what rounding left over and the last period therefore holds."""

    parts: tuple[Decimal, ...]
    remainder: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Gap:
    """A target from above and the sum of those below it; `difference` is above − below, positive = not allocated."""

    top_down: Decimal
    bottom_up: Decimal

    @property
    def difference(self) -> Decimal:
        """What nobody below has taken on (negative: they took on more)."""
        return self.top_down - self.bottom_up


def spread_target(
    accumulation: str,
    value: Decimal,
    weights: Sequence[Decimal],
    *,
    step: Decimal = ONE,
    opening: Decimal | None = None,
) -> Spread:
    """The target of a whole stretch as targets of its periods, `weights` one per period (their sum above zero).

    A sum is divided by the weights into whole `step`s that add up to it. A rate or average holds in every period. A
    stock goes from `opening` (the level before the first period) to `value` at the end of the last, the weights being
    the share of the way; without an opening it holds in every period. Raises ValueError without a positive weight.

    >>> spread_target("sum", Decimal(100), [Decimal(1)] * 3)
    Spread(parts=(Decimal('33'), Decimal('33'), Decimal('34')), remainder=Decimal('1'))
    >>> spread_target("rate", Decimal("0.2"), [Decimal(1)] * 2).parts
    (Decimal('0.2'), Decimal('0.2'))
    >>> [str(level) for level in spread_target("stock", Decimal(80), [Decimal(1)] * 4, opening=Decimal(40)).parts]
    ['50', '60', '70', '80']
    """
    if any(weight < 0 for weight in weights) or not sum(weights):
        raise ValueError("A spread needs at least one period with a weight above zero, and none below.")
    if accumulation == "sum":
        return _divided(value, weights, step)
    if accumulation == "stock" and opening is not None:
        return Spread(_reached(value - opening, weights, step, base=opening))
    return Spread((value,) * len(weights))


def seasonal_weights(years: Sequence[Sequence[Decimal | None]]) -> tuple[Decimal, ...] | None:
    """The mean share of each period in its year, from whole past years (one value per period, in order).

    A year with a gap, with a negative period or without a positive total says nothing and is left out; None where no
    year is left.

    >>> seasonal_weights([[Decimal(10), Decimal(30)], [Decimal(20), None]])
    (Decimal('0.25'), Decimal('0.75'))
    >>> seasonal_weights([[None, Decimal(1)]]) is None
    True
    """
    whole = [[value for value in year if value is not None and value >= 0] for year in years]
    usable = [kept for kept, year in zip(whole, years, strict=True) if len(kept) == len(year) and sum(kept) > 0]
    if not usable or len({len(year) for year in usable}) != 1:
        return None
    shares = [[value / sum(year) for value in year] for year in usable]
    return tuple(sum(column, ZERO) / len(shares) for column in zip(*shares, strict=True))


def prorate(accumulation: str, value: Decimal, worked: int, total: int, *, step: Decimal = ONE) -> Decimal:
    """The target of somebody who is there for `worked` of the period's `total` business days.

    A sum by the share of business days, rounded down to a whole `step`; every other target holds as it is.

    >>> prorate("sum", Decimal(1_000_000), 5, 20), prorate("rate", Decimal("0.2"), 5, 20)
    (Decimal('250000'), Decimal('0.2'))
    """
    if accumulation != "sum" or worked >= total:
        return value
    return (value * worked / total / step).quantize(ONE, ROUND_FLOOR) * step


def carry_forward(
    shortfall: Decimal, targets: Sequence[Decimal], weights: Sequence[Decimal], *, step: Decimal = ONE
) -> Spread:
    """Remaining targets of a sum with what is missing so far (negative: what is ahead) added, divided by the weights.

    The total grows by exactly the shortfall; no target falls below zero unless what is ahead exceeds them all.

    >>> carry_forward(Decimal(10), [Decimal(50), Decimal(60)], [Decimal(1), Decimal(1)]).parts
    (Decimal('55'), Decimal('65'))
    """
    extra = _divided(abs(shortfall), weights, step)
    sign = -1 if shortfall < 0 else 1
    return Spread(
        tuple(target + sign * part for target, part in zip(targets, extra.parts, strict=True)), sign * extra.remainder
    )


def gap_between(top: Decimal | None, parts: Mapping[object, Decimal | None]) -> Gap | None:
    """A target against the sum of its parts; None where there is no target above, or not one below.

    A part without a target counts nothing: what it was not asked for stays in the difference.

    >>> gap_between(Decimal(100), {"east": Decimal(60), "west": None}).difference
    Decimal('40')
    >>> gap_between(None, {"east": Decimal(60)}) is None
    True
    """
    given = [value for value in parts.values() if value is not None]
    return Gap(top, sum(given, ZERO)) if top is not None and given else None


def _divided(amount: Decimal, weights: Sequence[Decimal], step: Decimal) -> Spread:
    """Parts in whole steps, each within a step of its exact share; the last one takes what is left."""
    parts = _reached(amount, weights, step)
    share = (amount * weights[-1] / sum(weights, ZERO) / step).quantize(ONE, ROUND_FLOOR) * step
    return Spread(parts, parts[-1] - share)


def _reached(
    way: Decimal, weights: Sequence[Decimal], step: Decimal, *, base: Decimal | None = None
) -> tuple[Decimal, ...]:
    """Where the way stands after each period, or (without `base`) what each period adds; the last one ends it."""
    total = sum(weights, ZERO)
    gone, levels = ZERO, []
    for weight in weights:
        gone += weight
        levels.append((way * gone / total / step).quantize(ONE, ROUND_FLOOR) * step)
    levels[-1] = way
    if base is not None:
        return tuple(base + level for level in levels)
    return tuple(after - before for before, after in zip([ZERO, *levels[:-1]], levels, strict=True))
