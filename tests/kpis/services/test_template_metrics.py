"""What the templates count on one varied month: every number by hand, and no rate whose two sides are the same."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kpis.engine import specs
from kpis.engine.templates import TEMPLATES, TemplateMetric
from kpis.models import DealPhase, KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.wording import definition_words
from kpis.services.facts import upsert_facts
from kpis.services.phases import set_phase
from kpis.services.recompute import recompute
from tests.remembering import remembered

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)
METRICS: Mapping[str, TemplateMetric] = {
    metric.code: metric
    for template in TEMPLATES.values()
    for metric in (*template.metrics, *(driver.metric for driver in template.drivers))
}
COMPUTED = {code: metric for code, metric in METRICS.items() if not isinstance(metric.spec, specs.Manual)}
DRIVERS = {
    "deal_cycle_days": Decimal(21),  # (18 + 24) ÷ 2 days
    "qualified_deals": Decimal(2),  # the first, and the won one that says nothing of its phases
    "proposals": Decimal(1),
    "calls": Decimal(5),
    "connection_rate": Decimal(2) / 5,
    "qualified_deal_rate": Decimal(1) / 4,
    "dormant_customers": Decimal(1),
    "gross_margin": Decimal(50) / 150,
}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


def send(resource: str, *records: dict) -> None:
    numbered = [{"external_id": f"{resource}-{number}"} | record for number, record in enumerate(records)]
    result = upsert_facts(resource=resource, source="crm", records=numbered, now=NOW)
    assert not result.rejected, result.rejected


def deal(name: str, day: int, outcome: str = "open", **more: object) -> dict:
    return {"external_id": name, "created_on": f"2026-06-{day:02}", "outcome": outcome, "origin": "lead"} | more


def entered(name: str, phase: str, day: str) -> dict:
    return {"deal": name, "phase": phase, "entered_at": f"{day}T03:00:00+00:00"}


@pytest.fixture
@remembered
def tree() -> KpiTree:
    """A month in which nothing is as usual: late, skipped, void, referred, churned, unanswered."""
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, each in enumerate(COMPUTED.values()):
        metric = Metric.objects.create(
            code=each.code, name=each.name.english, unit=each.unit, accumulation=each.accumulation
        )
        MetricVersion.objects.create(metric=metric, number=1, spec=each.data)
        KpiNode.objects.create(tree=tree, level="kpi", code=each.code, name=each.code, metric=metric, position=position)
    for phase, step in (("訪問", 1), ("ヒアリング", 2), ("提案", 3)):
        set_phase(code=phase, step=step, actor=None, now=NOW)
    send("accounts", *({"external_id": name, "name": name} for name in "ABCD"))
    send(
        "leads",
        *({"created_on": "2026-06-02"} for _ in range(3)),
        *({"created_on": "2026-06-03", "mql_on": "2026-06-10"} for _ in range(2)),
        *({"created_on": "2026-06-03", "mql_on": "2026-06-10", "sql_on": "2026-06-20"} for _ in range(2)),
    )
    send(
        "deals",
        deal("qualified", 2, "won", closed_on="2026-06-20", amount=100),
        deal("lost at once", 3, "lost", closed_on="2026-06-25", amount=50),
        deal("late", 4),
        deal("untouched", 5),
        deal("void", 6, "void"),
        deal("referred", 5, "won", closed_on="2026-06-29", amount=80, origin="referral"),
        deal("referred and lost", 6, "lost", closed_on="2026-06-29", origin="referral"),
    )
    send(
        "deal-stage-events",
        entered("qualified", "訪問", "2026-06-02"),
        entered("qualified", "提案", "2026-06-10"),
        entered("lost at once", "訪問", "2026-06-03"),
        entered("late", "訪問", "2026-06-04"),
        entered("late", "ヒアリング", "2026-09-01"),
        entered("void", "ヒアリング", "2026-06-07"),
    )
    send(
        "activities",
        *({"kind": "call", "happened_on": "2026-06-05", "outcome": "connected"} for _ in range(2)),
        *({"kind": "call", "happened_on": "2026-06-05", "outcome": "no answer"} for _ in range(3)),
        {"kind": "proposal", "happened_on": "2026-06-10"},
        {"kind": "visit", "happened_on": "2026-06-10"},
    )
    begun = {"starts_on": "2024-01-01", "renewal_due_on": "2026-06-15"}
    send(
        "contracts",
        {"account": "A", "subscription": "a", "mrr": 100, **begun, "renewed": True},
        {"account": "B", "subscription": "b", "mrr": 50, **begun, "renewed": False, "ends_on": "2026-06-15"},
        {"account": "C", "subscription": "c", "mrr": 30, "starts_on": "2024-01-01"},
    )
    send(
        "orders",
        *({"account": "A", "ordered_on": day, "amount": 10} for day in ("2026-06-01", "2026-06-20")),
        {"account": "B", "ordered_on": "2026-06-02", "amount": 10},
        {"account": "D", "ordered_on": "2024-06-02", "amount": 10},
    )
    send(
        "revenues",
        {"account": "A", "recognized_on": "2026-06-10", "amount": 100, "gross_profit": 40},
        {"account": "B", "recognized_on": "2026-06-11", "amount": 50, "gross_profit": 10},
    )
    send(
        "surveys",
        *({"kind": "nps", "score": score, "answered_on": "2026-06-10"} for score in (10, 9, 7, 3)),
        *({"kind": "csat", "score": score, "answered_on": "2026-06-10"} for score in (5, 4, 2)),
    )
    recompute(now=NOW)
    return tree


def june(tree: KpiTree, code: str) -> tuple[Decimal | None, Decimal | None, Decimal | None, str | None]:
    """Value, numerator, denominator and absence of the month."""
    found = build_matrix(MatrixQuery(tree, "month", JUNE, JULY, codes=[code]), now=NOW)
    return found.value[0][0][0], found.numerator[0][0][0], found.denominator[0][0][0], found.absence[0][0][0]


@pytest.mark.parametrize("code", COMPUTED)
def test_no_rate_has_the_same_above_and_below(tree: KpiTree, code: str) -> None:
    value, above, below, absence = june(tree, code)
    assert value is not None, absence
    assert value != 0
    if COMPUTED[code].accumulation in {"rate", "average"} and below is not None:
        assert above != below
        assert value != 1


@pytest.mark.parametrize("code", DRIVERS)
def test_a_driver_counts_what_it_says(tree: KpiTree, code: str) -> None:
    assert june(tree, code)[0] == DRIVERS[code]


def test_revenue_is_its_customers_times_what_each_brings(tree: KpiTree) -> None:
    assert june(tree, "customers_with_revenue")[0] == 2
    assert june(tree, "revenue_per_customer")[:3] == (75, 150, 2)


def test_qualified_are_not_the_deals_that_were_created(tree: KpiTree) -> None:
    assert june(tree, "created_deals")[0] == 6
    assert june(tree, "qualified_deal_rate")[:3] == (Decimal("0.25"), 1, 4)


def test_every_driver_that_is_counted_is_proven() -> None:
    drivers = {driver.metric.code for template in TEMPLATES.values() for driver in template.drivers}
    assert drivers & set(COMPUTED) == set(DRIVERS)


@pytest.mark.parametrize("code", ["qualified_deals", "qualified_deal_rate"])
def test_without_numbered_steps_nobody_knows(tree: KpiTree, code: str) -> None:
    for phase in DealPhase.objects.all():
        set_phase(code=phase.code, name=phase.name, step=None, actor=None, now=NOW)
    recompute(now=NOW)
    assert june(tree, code)[3] == "missing"


def test_the_definition_names_the_phase(tree: KpiTree) -> None:
    version = MetricVersion.objects.get(metric__code="qualified_deals")
    assert "ヒアリング" in " ".join(definition_words(version))
