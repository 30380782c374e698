"""Why a rate moved: because its parts moved, or because the weights between them did (構成比の影響・率の影響).

Midpoint weights (Marshall-Edgeworth), so that nothing is left over: with share w and rate r of each segment and R of
the whole, means over both periods written ¯: rate effect = w̄·Δr, mix effect = Δw·(r̄ − R̄), and Σ (mix + rate) = ΔR.
A total N·R moves also by volume: ΔN·R̄, shared out by w̄; mix and rate count N̄ times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Part:
    """One segment in one period: what came of how many cases, as won of closed deals."""

    result: Decimal
    cases: Decimal


@dataclass(frozen=True, slots=True)
class SegmentEffect:
    """What one segment did to the whole, in its units; `volume` only where a total is explained."""

    code: str
    mix: Decimal
    rate: Decimal
    volume: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.volume + self.mix + self.rate


def rate_effects(before: Mapping[str, Part], now: Mapping[str, Part]) -> tuple[SegmentEffect, ...]:
    """The change of Σ result ÷ Σ cases by segment; empty where either period has no cases.

    A segment without cases in one of the periods has the rate of the other one: it came or went, its rate did not move.

    >>> before = {"east": Part(Decimal(5), Decimal(10)), "west": Part(Decimal(1), Decimal(10))}
    >>> now = {"east": Part(Decimal(5), Decimal(10)), "west": Part(Decimal(3), Decimal(30))}
    >>> [(each.code, str(each.mix), str(each.rate)) for each in rate_effects(before, now)]
    [('east', '-0.0625', '0.0000'), ('west', '-0.0375', '0.0000')]
    """
    return _effects(before, now, is_total=False)


def total_effects(before: Mapping[str, Part], now: Mapping[str, Part]) -> tuple[SegmentEffect, ...]:
    """The change of Σ result by segment: by more or fewer cases, another mix of them, another result per case.

    >>> before, now = {"east": Part(Decimal(50), Decimal(10))}, {"east": Part(Decimal(44), Decimal(11))}
    >>> [(str(each.volume), str(each.mix), str(each.rate)) for each in total_effects(before, now)]
    [('4.5', '0.00', '-10.5')]
    """
    return _effects(before, now, is_total=True)


def gap_effects(told: Mapping[str, tuple[Decimal | None, Decimal]]) -> tuple[SegmentEffect, ...]:
    """Σ actual − Σ target by segment, each (actual, target): exactly its own difference, told as `volume`.

    A segment whose actual is absent has none: absence is not zero.

    >>> told = {"east": (Decimal(3), Decimal(5)), "west": (None, Decimal(1))}
    >>> [(each.code, str(each.total)) for each in gap_effects(told)]
    [('east', '-2')]
    """
    return tuple(
        SegmentEffect(code, mix=ZERO, rate=ZERO, volume=actual - target)
        for code, (actual, target) in told.items()
        if actual is not None
    )


def _effects(before: Mapping[str, Part], now: Mapping[str, Part], *, is_total: bool) -> tuple[SegmentEffect, ...]:
    sides = (before, now)
    cases = [sum((part.cases for part in side.values()), ZERO) for side in sides]
    if not all(cases):
        return ()
    whole = _mean(
        [sum((part.result for part in side.values()), ZERO) / n for side, n in zip(sides, cases, strict=True)]
    )
    scale = _mean(cases) if is_total else Decimal(1)
    growth = (cases[1] - cases[0]) * whole if is_total else ZERO
    effects = []
    for code in dict.fromkeys([*before, *now]):
        pair = [side.get(code, Part(ZERO, ZERO)) for side in sides]
        weights = [part.cases / n for part, n in zip(pair, cases, strict=True)]
        rates = _rates(pair)
        effects.append(
            SegmentEffect(
                code,
                mix=scale * (weights[1] - weights[0]) * (_mean(rates) - whole),
                rate=scale * _mean(weights) * (rates[1] - rates[0]),
                volume=growth * _mean(weights),
            )
        )
    return tuple(effects)


def _rates(pair: Sequence[Part]) -> list[Decimal]:
    told = [part.result / part.cases for part in pair if part.cases]
    return [told[0], told[-1]] if told else [ZERO, ZERO]


def _mean(pair: Sequence[Decimal]) -> Decimal:
    return (pair[0] + pair[1]) / 2
