"""A rate of a quarter, half or year is Σ numerator ÷ Σ denominator of its months, never a mean of their rates."""

from datetime import date
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
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


@pytest.fixture
def company(committed_db: None, in_acme: Company) -> tuple[KpiTree, count]:
    """The small company of the incremental test with every kind of rate, committed once; and a count of examples."""
    with transaction.atomic():
        begin()
        tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
        for code, spec in (COUNTS | RATES).items():
            metric = Metric.objects.create(code=code, name=code, unit="percent", accumulation="rate")
            MetricVersion.objects.create(metric=metric, number=1, spec=spec)
            if code in RATES:
                KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric)
        mark_groups(measured_terms())
        recompute(now=NOW)
    return tree, count(1)


@given(
    changes=st.lists(facts, min_size=1, max_size=8),
    grain=st.sampled_from(["quarter", "half", "year"]),
    dimension=st.sampled_from(["company", "team"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_longer_periods_add_up_their_months(
    company: tuple[KpiTree, count], changes: list[tuple], grain: str, dimension: str
) -> None:
    tree, examples = company
    if next(examples) % TIDIED_EVERY == 0:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
    with transaction.atomic():
        for resource, records in changes:
            upsert_facts(resource=resource, source="crm", records=records, now=BEGINNING)
        recompute(now=NOW)
        check(read(tree, "month", dimension), read(tree, grain, dimension))
        transaction.set_rollback(True)


def read(tree: KpiTree, grain: str, dimension: str) -> KpiMatrix:
    query = MatrixQuery(tree, grain, date(2025, 4, 1), date(2027, 4, 1), dimension=dimension)
    return build_matrix(query, now=NOW)


def check(months: KpiMatrix, longer: KpiMatrix) -> None:
    """Every cell of a longer period is made of the sides of its months, or says why it cannot be."""
    assert [member.code for member in months.members] == [member.code for member in longer.members]
    for n, node in enumerate(longer.nodes):
        for m in range(len(longer.members)):
            for p, period in enumerate(longer.periods):
                inside = [i for i, each in enumerate(months.periods) if period.start <= each.start < period.end]
                place = (node.row.code, longer.members[m].code, longer.grain, period.start)
                absence = longer.absence[n][m][p]
                parts = {absent.value for i in inside if (absent := months.absence[n][m][i])}
                if absence == "no_rate":
                    assert parts & {"no_rate", "missing"}, place
                    continue
                assert "no_rate" not in parts, place
                if "missing" in parts and node.row.code in {"nps", "csat"}:
                    continue  # behind what was told a month without praise has no score, and so no sides
                above, below = (
                    sum((grid[n][m][i] or Decimal(0) for i in inside), Decimal(0))
                    for grid in (months.numerator, months.denominator)
                )
                assert (longer.numerator[n][m][p] or 0, longer.denominator[n][m][p] or 0) == (above, below), place
                value = longer.value[n][m][p]
                if absence is None:
                    factor = 100 if node.row.code == "nps" else 1
                    assert value is not None and abs(value - above / below * factor) < Decimal("1e-15"), place
                else:
                    assert value is None and (not below or absence in {"maturing", "missing"}), (place, absence)
