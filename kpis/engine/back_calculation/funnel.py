"""The way from a goal back to what must come before it, and forward again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from enum import StrEnum

GOAL = "goal"
DEAL_SIZE, WIN_RATE, LEAD_SHARE = "average_deal_size", "win_rate", "lead_share"
OPPORTUNITY_RATE, MQL_RATE = "opportunity_rate", "mql_rate"
PER_DEAL = "_per_deal"  # the suffix of how many activities of a kind a closed deal takes
_PRECISE = Context(prec=50)
_KEPT = Decimal("1E-8")  # decimals with which targets are stored


class Stage(StrEnum):
    """What is counted on the way, from the order back to the first contact."""

    WON = "won_deals"
    CLOSED = "closed_deals"
    OPPORTUNITIES = "opportunities"
    SQL = "sql"
    MQL = "mql"
    LEADS = "new_leads"


@dataclass(frozen=True, slots=True)
class Link:
    """One step back: `stage` is needed for `after`.

    The number needed is that of `after` divided by the rate, or times it where `is_multiplied`; without a rate it is
    the same number.
    """

    stage: str
    after: str
    rate: str | None = None
    is_multiplied: bool = False

    @property
    def is_activity(self) -> bool:
        """Activities stand beside the way back, they are no station of it."""
        return self.rate is not None and self.rate.endswith(PER_DEAL)


def funnel(
    *, has_mql: bool, has_sql: bool = True, has_lead_share: bool = False, activities: Sequence[str] = ()
) -> tuple[Link, ...]:
    """The links of a company, each after the one it builds on (DOMAIN §1: lead → MQL → SQL → deal → order).

    Where a company has no MQL stage the opportunity rate leads from leads to opportunities. The share of opportunities
    that come from leads matters only where it is known; without it every one does. `activities` are codes of what is
    done on deals.

    >>> [str(link.stage) for link in funnel(has_mql=False, has_sql=False)]
    ['won_deals', 'closed_deals', 'opportunities', 'new_leads']
    """
    links = [
        Link(Stage.WON, GOAL, DEAL_SIZE),
        Link(Stage.CLOSED, Stage.WON, WIN_RATE),
        Link(Stage.OPPORTUNITIES, Stage.CLOSED),
    ]
    last: str = Stage.OPPORTUNITIES
    if has_sql or has_lead_share:
        links.append(Link(Stage.SQL, last, LEAD_SHARE if has_lead_share else None, is_multiplied=True))
        last = Stage.SQL
    if has_mql:
        links += [Link(Stage.MQL, last, OPPORTUNITY_RATE), Link(Stage.LEADS, Stage.MQL, MQL_RATE)]
    else:
        links.append(Link(Stage.LEADS, last, OPPORTUNITY_RATE))
    return (*links, *(Link(code, Stage.CLOSED, code + PER_DEAL, is_multiplied=True) for code in activities))


def work_back(links: Sequence[Link], start: str, value: Decimal, rates: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """Stage → the exact number needed for `value` of `start` (GOAL or a stage), as far as the rates reach.

    `start` itself is among them. Rates must not be zero.

    >>> rates = {"opportunity_rate": Decimal("0.2")}
    >>> needed = work_back(funnel(has_mql=True), "opportunities", Decimal(34), rates)
    >>> int(needed["sql"]), int(needed["mql"])
    (34, 170)
    """
    needed = {start: value}
    with localcontext(_PRECISE):
        for link in links:
            if link.after in needed and (link.rate is None or link.rate in rates) and link.stage not in needed:
                needed[link.stage] = _back(link, needed[link.after], rates)
    return needed


def run_forward(
    links: Sequence[Link], stage: str, value: Decimal, rates: Mapping[str, Decimal]
) -> Mapping[str, Decimal]:
    """Everything that `value` of `stage` leads to, up to the goal, as far as the rates reach: the inverse of work_back.

    >>> rates = {"opportunity_rate": Decimal("0.2"), "win_rate": Decimal("0.5"), "average_deal_size": Decimal(100)}
    >>> str(kept(run_forward(funnel(has_mql=True), "mql", Decimal(170), rates)["goal"]))
    '1700'
    """
    reached = {stage: value}
    with localcontext(_PRECISE):
        for link in reversed(links):
            rate = Decimal(1) if link.rate is None else rates.get(link.rate)
            if link.stage in reached and link.after not in reached and rate:
                number = reached[link.stage]
                reached[link.after] = number / rate if link.is_multiplied else number * rate
    return reached


def kept(value: Decimal) -> Decimal:
    """A number as it is stored: what is beyond its eight decimals is noise of a division.

    >>> str(kept(Decimal("0.30000000000000000000000000004")))
    '0.3'
    """
    with localcontext(_PRECISE):
        rounded = value.quantize(_KEPT)
        whole = rounded.to_integral_value()
        return whole if whole == rounded else rounded.normalize()


def whole_up(value: Decimal) -> Decimal:
    """The least whole number that is enough.

    >>> str(whole_up(Decimal("30.000000000000000000001"))), str(whole_up(Decimal("30.2")))
    ('30', '31')
    """
    return kept(value).to_integral_value(ROUND_CEILING)


def _back(link: Link, number: Decimal, rates: Mapping[str, Decimal]) -> Decimal:
    if link.rate is None:
        return number
    return number * rates[link.rate] if link.is_multiplied else number / rates[link.rate]
