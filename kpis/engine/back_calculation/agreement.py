"""Whether the targets of a tree still lead to the target of its goal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kpis.engine.back_calculation.funnel import Link, work_back

TOLERANCE = Decimal("0.05")  # of what the goal asks for; a single unit is never too much (numbers are rounded up)


@dataclass(frozen=True, slots=True)
class Deviation:
    """A stage whose target is not what the goal asks for; `share` is target ÷ needed."""

    stage: str
    share: Decimal


def deviations(
    links: Sequence[Link],
    start: str,
    goal: Decimal,
    rates: Mapping[str, Decimal],
    targets: Mapping[str, Decimal],
) -> tuple[Deviation, ...]:
    """The stages whose targets miss by more than 5 % and one unit what `goal` asks for at the targeted rates.

    >>> from kpis.engine.back_calculation.funnel import funnel
    >>> given = {"average_deal_size": Decimal(10), "win_rate": Decimal("0.5")}
    >>> found = deviations(funnel(has_mql=True), "goal", Decimal(1000), given, {"closed_deals": Decimal(220)})
    >>> [(each.stage, str(each.share)) for each in found]
    [('closed_deals', '1.1')]
    """
    needed = work_back(links, start, goal, rates)
    return tuple(
        Deviation(str(stage), targets[stage] / number)
        for stage, number in needed.items()
        if stage in targets and abs(targets[stage] - number) > max(number * TOLERANCE, Decimal(1))
    )
