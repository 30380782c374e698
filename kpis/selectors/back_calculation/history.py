"""What the company's own last twelve months say: its rates, with the band of their quarters, and its lags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Count, Q
from django.utils import timezone

from kpis.choices import Grain, Origin, Outcome, Unit
from kpis.engine.back_calculation import (
    DEAL_SIZE,
    LEAD_SHARE,
    MQL_RATE,
    OPPORTUNITY_RATE,
    WIN_RATE,
    Band,
    Stage,
)
from kpis.engine.close_profile import CloseProfile
from kpis.engine.values import Absence
from kpis.models import Deal, Period
from kpis.selectors.back_calculation.lags import read_lags
from kpis.selectors.back_calculation.places import Places, per_deal
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix

MONTHS, QUARTER = 12, 3
FEWEST = 5  # cases without which a quarter's rate is chance

Pair = tuple[Decimal, Decimal]  # numerator and denominator of one month


@dataclass(frozen=True, slots=True)
class OwnRate:
    """Σ numerator ÷ Σ denominator over the months, the band of its quarters (None: too few cases), and the cases."""

    value: Decimal
    band: Band | None
    cases: Decimal


@dataclass(frozen=True, slots=True)
class History:
    """The company's own rates by code, and how long before the order each stage lies; only what is known.

    `profiles` are the close profiles behind which enough cases stand, `lead_days` the median days.
    """

    rates: Mapping[str, OwnRate]
    profiles: Mapping[str, CloseProfile]
    lead_days: Mapping[str, int]


def read_history(places: Places, *, now: datetime) -> History:
    """The last twelve months that are over, closed or not."""
    today = timezone.localdate(now)
    months = Period.objects.filter(grain=Grain.MONTH, end_date__lte=today).order_by("-start_date")[:MONTHS]
    starts = sorted(month.start_date for month in months)
    if not starts:
        return History({}, {}, {})
    end = max(month.end_date for month in months)
    nodes = [*places.nodes.values(), *([places.goal] if places.goal else [])]
    codes = list(dict.fromkeys(node.code for node in nodes))
    query = MatrixQuery(places.tree, Grain.MONTH, starts[0], end, codes=codes)
    columns = _Columns(places, build_matrix(query, now=now))
    rates = {code: _own_rate(pairs) for code, pairs in _pairs(places, columns).items()}
    share = _lead_share(starts[0], end)
    known = {code: rate for code, rate in {**rates, LEAD_SHARE: share}.items() if rate is not None}
    profiles, lead_days = read_lags(places, starts[0], end)
    return History(known, profiles, lead_days)


class _Columns:
    """The company's column of every node, month by month."""

    def __init__(self, places: Places, matrix: KpiMatrix) -> None:
        self.places = places
        self.matrix = matrix
        self.at = {node.row.pk: place for place, node in enumerate(matrix.nodes)}

    def values(self, part: str) -> Sequence[Decimal | None]:
        """The values of a stage, an activity, or ("goal") the KGI; empty without a node."""
        node = self.places.goal if part == "goal" else self.places.node_of(part)
        return [] if node is None else self.matrix.value[self.at[node.pk]][0]

    def sides(self, rate: str) -> list[Pair | None]:
        """Numerator and denominator of a rate's own node; empty where it has none or no sides.

        A month whose cohort may still convert says nothing yet: its rate is too low so far.
        """
        node = self.places.node_of(rate)
        if node is None:
            return []
        at = self.at[node.pk]
        sides = _joined(self.matrix.numerator[at][0], self.matrix.denominator[at][0])
        absences = self.matrix.absence[at][0]
        return [None if absence == Absence.MATURING else pair for pair, absence in zip(sides, absences, strict=True)]

    def quotient(self, above: str, below: str) -> list[Pair | None]:
        """One stage over another."""
        return _joined(self.values(above), self.values(below))


def _joined(above: Sequence[Decimal | None], below: Sequence[Decimal | None]) -> list[Pair | None]:
    """Months in which one side is missing count on neither."""
    return [None if top is None or bottom is None else (top, bottom) for top, bottom in zip(above, below, strict=False)]


def _pairs(places: Places, columns: _Columns) -> dict[str, list[Pair | None]]:
    """Rate → its months. A rate's own node comes first, then the stages it joins.

    A deal is worth what the goal got from it, so that a goal of revenue or gross profit works back as well.
    """
    before = Stage.MQL if places.has_mql else Stage.LEADS
    is_amount = places.goal is not None and places.goal.metric is not None and places.goal.metric.unit == Unit.AMOUNT
    size = columns.quotient("goal", Stage.WON) if is_amount else []
    pairs = {
        DEAL_SIZE: size or columns.sides(DEAL_SIZE),
        WIN_RATE: columns.sides(WIN_RATE) or columns.quotient(Stage.WON, Stage.CLOSED),
        OPPORTUNITY_RATE: columns.sides(OPPORTUNITY_RATE) or columns.quotient(Stage.SQL, before),
        MQL_RATE: (columns.sides(MQL_RATE) or columns.quotient(Stage.MQL, Stage.LEADS)) if places.has_mql else [],
    }
    return {**pairs, **{per_deal(code): columns.quotient(code, Stage.CLOSED) for code in places.kinds}}


def _own_rate(months: Sequence[Pair | None]) -> OwnRate | None:
    told = [pair for pair in months if pair is not None]
    value, cases = _quotient(told)
    if value is None:
        return None
    quarters = [
        _quotient([pair for pair in months[first : first + QUARTER] if pair is not None])
        for first in range(0, len(months), QUARTER)
    ]
    seen = [rate for rate, count in quarters if rate is not None and count >= FEWEST]
    return OwnRate(value, Band(min(seen), max(seen)) if len(seen) > 1 else None, cases)


def _quotient(pairs: Sequence[Pair]) -> tuple[Decimal | None, Decimal]:
    """Σ ÷ Σ with its cases; a rate of nothing leads nowhere and counts as not known."""
    above = sum((pair[0] for pair in pairs), Decimal(0))
    below = sum((pair[1] for pair in pairs), Decimal(0))
    return (above / below if above > 0 and below > 0 else None), below


def _lead_share(first: date, end: date) -> OwnRate | None:
    """The share of the deals created in the months that came from leads; deals of unknown origin say nothing."""
    deals = Deal.objects.filter(deleted_at=None, created_on__gte=first, created_on__lt=end)
    known = deals.exclude(origin=Origin.UNKNOWN).exclude(outcome=Outcome.VOID)
    counted = known.aggregate(of_leads=Count("pk", filter=Q(origin=Origin.LEAD)), all=Count("pk"))
    if not counted["of_leads"]:
        return None
    return OwnRate(Decimal(counted["of_leads"]) / counted["all"], None, Decimal(counted["all"]))
