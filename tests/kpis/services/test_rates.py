"""A rate of a longer period is Σ numerator ÷ Σ denominator of its months or weeks, never a mean of their rates.

Whole weeks lie across months: what they hold is counted from the facts, one record at a time.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import count

import pytest
from django.db import connection, transaction
from django.db.models import Min
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kpis.models import (
    Activity,
    CalendarRule,
    Contract,
    Deal,
    DealLine,
    ExchangeRate,
    KpiNode,
    KpiTree,
    Lead,
    LeadExclusion,
    Metric,
    MetricVersion,
    Order,
    RevenueLine,
    SurveyResponse,
)
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.calendar import set_rule
from kpis.services.facts import upsert_facts
from kpis.services.measured import mark_groups, measured_terms
from kpis.services.recompute import recompute
from tenants.models import Company
from tests.kpis.services.test_incremental import BEGINNING, CHANGES, NOW, TIDIED_EVERY, begin, days, record, simple

WON = {"filters": [{"field": "outcome", "op": "eq", "value": "won"}]}
AMOUNT = {"aggregate": "sum", "field": "amount"}
RATES = {
    "win_rate": {"kind": "formula", "expression": "won / closed"},
    "win_rate_amount": {
        "kind": "ratio",
        "numerator": simple("deals", "closed_on", **AMOUNT, **WON),
        "denominator": simple("deals", "closed_on", **AMOUNT),
    },
    "calls_a_lead": {
        "kind": "ratio",
        "numerator": simple("activities", "happened_on"),
        "denominator": simple("leads", "created_on"),
    },
    "margin": {
        "kind": "ratio",
        "numerator": simple("revenues", "recognized_on", aggregate="sum", field="gross_profit"),
        "denominator": simple("revenues", "recognized_on", **AMOUNT),
    },
    "cycle": simple("deals", "closed_on", aggregate="average", days_between=["created_on", "closed_on"], **WON),
    "order_size": simple("orders", "ordered_on", aggregate="average", field="amount"),
    "cohort": {"kind": "conversion", "from": "created", "to": "sql", "window_days": 60},
    "deal_cohort": {
        "kind": "conversion",
        "fact": "deals",
        "from": "created",
        "to": "won",
        "origin": ["unknown"],
        "window_days": 60,
    },
    "sql_of_mql": {"kind": "conversion", "from": "mql", "to": "sql", "basis": "period"},
    "renewal": {"kind": "retention", "measure": "renewal_rate"},
    "renewal_amount": {"kind": "retention", "measure": "renewal_rate", "weight": "amount"},
    "nps": {"kind": "score", "survey": "nps"},
    "csat": {"kind": "score", "survey": "csat"},
}
COUNTS = {"won": simple("deals", "closed_on", **WON), "closed": simple("deals", "closed_on")}
SUMS = {"booked": simple("deals", "closed_on", **AMOUNT, **WON), "ordered": simple("orders", "ordered_on", **AMOUNT)}
READ = (
    *("deals", "contracts", "revenues", "orders", "activities", "leads", "lead-stage-events"),
    *("deal-credits", "memberships", "teams", "exchange-rates"),
)
SURVEYS = record(
    [f"Q{n}" for n in range(8)],
    kind=st.sampled_from(["nps", "csat"]),
    score=st.integers(0, 10),
    answered_on=days,
    owner=st.sampled_from(["P0", "P1", None]),
)
facts = st.sampled_from([*READ, "surveys"]).flatmap(
    lambda resource: st.tuples(
        st.just(resource),
        st.lists(SURVEYS if resource == "surveys" else CHANGES[resource], min_size=1, max_size=6),
    )
)

LOST = {"created_on": "2026-10-01", "closed_on": "2026-10-15", "outcome": "lost", "amount": None, "currency": "USD"}
NO_RATE = ("exchange-rates", [{"external_id": "U0", "deleted": True}])
LOST_WITHOUT_AMOUNT = [NO_RATE, ("deals", [{"external_id": "D1"} | LOST])]
DUE = {"external_id": "K0", "currency": "USD", "mrr": 0, "renewal_due_on": "2026-06-12", "renewed": False}
DUE_IN_DOLLARS = [NO_RATE, ("contracts", [DUE | {"starts_on": "2026-03-01", "account": "A0"}])]
LOST_WITH_A_LINE = [NO_RATE, ("deals", [{"external_id": "D0"} | LOST])]


@pytest.fixture
def company(committed_db: None, in_acme: Company) -> tuple[KpiTree, count]:
    """The small company of the incremental test with every kind of rate, committed once; and a count of examples."""
    with transaction.atomic():
        begin()
        tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
        for code, spec in (COUNTS | SUMS | RATES).items():
            unit, accumulation = ("percent", "rate") if code in RATES else ("count", "sum")
            metric = Metric.objects.create(code=code, name=code, unit=unit, accumulation=accumulation)
            MetricVersion.objects.create(metric=metric, number=1, spec=spec)
            KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric)
        mark_groups(measured_terms())
        recompute(now=NOW)
    return tree, count(1)


@given(
    changes=st.lists(facts, min_size=1, max_size=8),
    grain=st.sampled_from(["month", "quarter", "half", "year"]),
    dimension=st.sampled_from(["company", "team"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_longer_periods_add_up_their_parts(
    company: tuple[KpiTree, count], changes: list[tuple], grain: str, dimension: str
) -> None:
    tree, _examples = company
    with changed(company, changes):
        parts = "week" if grain == "month" else "month"
        check(read(tree, parts, dimension, RATES), read(tree, grain, dimension, RATES))


@pytest.fixture
def with_whole_weeks(company: tuple[KpiTree, count]) -> None:
    """Weeks from Sunday to Saturday, whatever month these lie in."""
    rule = CalendarRule.objects.get()
    weeks = {"weeks": "whole", "week_start": 6}
    months = {name: getattr(rule, name) for name in ("effective_from", "start_month", "closing_day")}
    with transaction.atomic():
        set_rule(**months, **weeks, actor=None, now=NOW)
        recompute(now=NOW)


@pytest.mark.usefixtures("with_whole_weeks")
@given(changes=st.lists(facts, min_size=1, max_size=8))
@example(changes=LOST_WITHOUT_AMOUNT)
@example(changes=LOST_WITH_A_LINE)
@example(changes=DUE_IN_DOLLARS)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_weeks_count_the_facts_of_their_days(company: tuple[KpiTree, count], changes: list[tuple]) -> None:
    tree, _examples = company
    with changed(company, changes):
        check_weeks(read(tree, "week", "company", COUNTED))
        check_all_weeks(read(tree, "week", "company", RATES), read(tree, "month", "company", RATES))


@contextmanager
def changed(company: tuple[KpiTree, count], changes: list[tuple]) -> Iterator[None]:
    """Inside the block the changes are made and computed; behind it they are undone."""
    if next(company[1]) % TIDIED_EVERY == 0:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
    with transaction.atomic():
        for resource, records in changes:
            upsert_facts(resource=resource, source="crm", records=records, now=BEGINNING)
        recompute(now=NOW)
        yield
        transaction.set_rollback(True)


def read(tree: KpiTree, grain: str, dimension: str, codes: Iterable[str]) -> KpiMatrix:
    query = MatrixQuery(tree, grain, date(2025, 4, 1), date(2027, 4, 1), dimension=dimension, codes=list(codes))
    return build_matrix(query, now=NOW)


Sides = tuple[Decimal, Decimal | int]
"""Numerator and denominator; of a sum the denominator is 1."""


def closed_deals(start: date, end: date, *outcomes: str) -> list[Deal]:
    inside = Deal.objects.filter(deleted_at=None, closed_on__gte=start, closed_on__lt=end)
    return list(inside.filter(outcome__in=outcomes or ("won", "lost", "no_decision")))


def in_yen(deal: Deal) -> Decimal:
    """A deal without an amount is worth its lines, if it has any; nothing needs no rate."""
    lines = [line.amount for line in DealLine.objects.filter(deal=deal, deleted_at=None) if line.amount is not None]
    parts = lines if deal.amount is None else [deal.amount]
    rate = rate_of(deal) if parts and deal.currency else Decimal(1)
    return sum(((part * rate).quantize(Decimal(1), ROUND_HALF_UP) for part in parts), Decimal(0))


class NoRateError(Exception):
    """A deal is worth something, and nobody knows how much in yen."""


def rate_of(deal: Deal) -> Decimal:
    known = ExchangeRate.objects.filter(deleted_at=None, currency=deal.currency, starts_on__lte=deal.closed_on)
    rate = known.order_by("-starts_on").values_list("rate", flat=True).first()
    if rate is None:
        raise NoRateError
    return rate


def total(values: Iterable[Decimal | int | None]) -> Decimal:
    return sum((Decimal(value) for value in values if value is not None), Decimal(0))


def win_rate(start: date, end: date) -> Sides:
    return Decimal(len(closed_deals(start, end, "won"))), len(closed_deals(start, end))


def win_rate_amount(start: date, end: date) -> Sides:
    won, closed = closed_deals(start, end, "won"), closed_deals(start, end)
    return total(map(in_yen, won)), total(map(in_yen, closed))


def calls_a_lead(start: date, end: date) -> Sides:
    calls = Activity.objects.filter(deleted_at=None, happened_on__gte=start, happened_on__lt=end)
    kept_out = LeadExclusion.objects.filter(is_out=True).values("lead")
    leads = Lead.objects.filter(deleted_at=None, created_on__gte=start, created_on__lt=end).exclude(pk__in=kept_out)
    return Decimal(calls.count()), leads.count()


def margin(start: date, end: date) -> Sides:
    lines = RevenueLine.objects.filter(deleted_at=None, recognized_on__gte=start, recognized_on__lt=end)
    return total(line.gross_profit for line in lines), total(line.amount for line in lines)


def cycle(start: date, end: date) -> Sides:
    known = [deal for deal in closed_deals(start, end, "won") if deal.created_on]
    return total((deal.closed_on - deal.created_on).days for deal in known), len(known)


def order_size(start: date, end: date) -> Sides:
    orders = Order.objects.filter(deleted_at=None, ordered_on__gte=start, ordered_on__lt=end)
    return total(order.amount for order in orders), len(orders)


def answers(kind: str, start: date, end: date) -> list[Decimal]:
    inside = SurveyResponse.objects.filter(deleted_at=None, kind=kind, answered_on__gte=start, answered_on__lt=end)
    return list(inside.values_list("score", flat=True))


def nps(start: date, end: date) -> Sides:
    scores = answers("nps", start, end)
    return Decimal(100 * (sum(score >= 9 for score in scores) - sum(score <= 6 for score in scores))), len(scores)


def csat(start: date, end: date) -> Sides:
    scores = answers("csat", start, end)
    return Decimal(sum(score >= 4 for score in scores)), len(scores)


COUNTED: dict[str, Callable[[date, date], Sides]] = {
    "win_rate": win_rate,
    "win_rate_amount": win_rate_amount,
    "calls_a_lead": calls_a_lead,
    "margin": margin,
    "cycle": cycle,
    "order_size": order_size,
    "nps": nps,
    "csat": csat,
    "won": lambda start, end: (win_rate(start, end)[0], 1),
    "closed": lambda start, end: (Decimal(win_rate(start, end)[1]), 1),
    "booked": lambda start, end: (win_rate_amount(start, end)[0], 1),
    "ordered": lambda start, end: (order_size(start, end)[0], 1),
}


DATED = (
    (Deal, "closed_on"),
    (Activity, "happened_on"),
    (Lead, "created_on"),
    (RevenueLine, "recognized_on"),
    (Order, "ordered_on"),
    (SurveyResponse, "answered_on"),
)


def nothing(code: str) -> Sides:
    """What a week comes to in which no fact lies."""
    return Decimal(0), int(code in COUNTS | SUMS)


def check_weeks(weeks: KpiMatrix) -> None:
    """Every week says what the records of its days come to, or why it cannot."""
    assert any(period.start.day > period.end.day > 1 for period in weeks.periods), "no week lies across months"
    told = {day for model, field in DATED for day in model.objects.values_list(field, flat=True) if day}
    for n, node in enumerate(weeks.nodes):
        code = node.row.code
        for p, period in enumerate(weeks.periods):
            place, value, absence = (code, period.start), weeks.value[n][0][p], weeks.absence[n][0][p]
            if absence == "no_rate":
                assert any(deal.currency for deal in closed_deals(period.start, period.end)), place
                continue
            is_told = any(period.start <= day < period.end for day in told)
            try:
                above, below = COUNTED[code](period.start, period.end) if is_told else nothing(code)
            except NoRateError:  # of two sides that cannot be told, the cell says why of the first
                assert (value, absence) == (None, "missing"), place
                continue
            if absence is None:
                assert below and value is not None and abs(value - above / below) < Decimal("1e-15"), place
            elif absence != "missing" or code not in {"nps", "csat"}:  # as in `check`
                assert value is None and not (above and below), (place, absence)


def check_all_weeks(weeks: KpiMatrix, months: KpiMatrix) -> None:
    """All weeks together count what all months do: both hold every day of the facts."""
    for n, node in enumerate(weeks.nodes):
        absences = {each.value for grid in (weeks, months) for each in grid.absence[n][0] if each}
        if "no_rate" in absences or node.row.code in {"nps", "csat"}:  # as in `check`
            continue
        for side in ("numerator", "denominator"):
            of_weeks, of_months = (total(getattr(grid, side)[n][0]) for grid in (weeks, months))
            # As in `check`: what a cell lacks beside a side that is missing may be the rate of the other.
            assert of_weeks == of_months or ("missing" in absences and lacks_rates()), (node.row.code, side)


def lacks_rates() -> bool:
    """Whether some day of an amount in another currency lies before every exchange rate."""
    first = ExchangeRate.objects.filter(deleted_at=None).aggregate(first=Min("starts_on"))["first"]
    return any(
        first is None or day < first
        for model, field in ((Contract, "starts_on"), (Contract, "renewal_due_on"), *DATED)
        if hasattr(model, "currency")
        for day in model.objects.filter(deleted_at=None).exclude(currency="").values_list(field, flat=True)
        if day
    )


def check(shorter: KpiMatrix, longer: KpiMatrix) -> None:
    """Every cell of a longer period is made of the sides of the shorter ones in it, or says why it cannot be."""
    assert [member.code for member in shorter.members] == [member.code for member in longer.members]
    for n, node in enumerate(longer.nodes):
        for m in range(len(longer.members)):
            for p, period in enumerate(longer.periods):
                inside = [i for i, each in enumerate(shorter.periods) if period.start <= each.start < period.end]
                place = (node.row.code, longer.members[m].code, longer.grain, period.start)
                absence = longer.absence[n][m][p]
                parts = {absent.value for i in inside if (absent := shorter.absence[n][m][i])}
                if absence == "no_rate":
                    assert parts & {"no_rate", "missing"}, place
                    continue
                assert "no_rate" not in parts, place
                if "missing" in parts and node.row.code in {"nps", "csat"}:
                    continue  # behind what was told a period without praise has no score, and so no sides
                above, below = (
                    sum((grid[n][m][i] or Decimal(0) for i in inside), Decimal(0))
                    for grid in (shorter.numerator, shorter.denominator)
                )
                for told, summed in ((longer.numerator[n][m][p], above), (longer.denominator[n][m][p], below)):
                    # Where one side is missing, the other may lack a rate, which then is not what the cell says first.
                    assert (told or 0) == summed or (told is None and absence == "missing" in parts), place
                value = longer.value[n][m][p]
                if absence is None:
                    factor = 100 if node.row.code == "nps" else 1
                    assert value is not None and abs(value - above / below * factor) < Decimal("1e-15"), place
                else:
                    assert value is None and (not below or absence in {"maturing", "missing"}), (place, absence)
