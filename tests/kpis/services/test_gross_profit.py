"""Gross profit: a record without a cost leaves it missing, and says how many there are."""

from datetime import date
from decimal import Decimal

import pytest

from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.recompute import recompute
from tests.kpis.pages.conftest import NOW, World, frozen, send, world  # noqa: F401 - fixtures

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]
PROFIT = {"kind": "simple", "fact": "revenues", "date": "recognized_on", "aggregate": "sum", "field": "gross_profit"}
REVENUE = PROFIT | {"field": "amount"}
SPECS = {
    "profit": PROFIT,
    "revenue": REVENUE,
    "margin": {"kind": "formula", "expression": "profit / revenue"},
    "ratio": {"kind": "ratio", "numerator": PROFIT, "denominator": REVENUE},
    "mean": PROFIT | {"aggregate": "average"},
    "clv": {"kind": "clv", "formula": "historic"},
}


@pytest.fixture
def tree() -> KpiTree:
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = Metric.objects.create(code=code, name=code, unit="amount", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, position=position)
    send("people", *({"external_id": each, "name": each} for each in ("P1", "P2")))
    send("revenues", line("1", "2026-09-10", 30), line("2", "2026-10-10", 40), line("3", "2026-10-11", 20, "P2"))
    return tree


def line(external_id: str, day: str, profit: int | None, owner: str = "P1") -> dict:
    found = {"external_id": external_id, "recognized_on": day, "amount": 100, "gross_profit": profit}
    return found | {"account": "A", "owner": owner}


def read(tree: KpiTree, grain: str = "month", dimension: str = "company") -> KpiMatrix:
    recompute(now=NOW)
    query = MatrixQuery(tree, grain, date(2026, 7, 1), date(2026, 11, 1), dimension=dimension)
    return build_matrix(query, now=NOW)


def last(found: KpiMatrix, member: int = 0) -> dict[str, object]:
    """Code → the value, or the absence with how many records lack a cost, of the last period."""
    p = len(found.periods) - 1
    told = {}
    for n, code in enumerate(SPECS):
        value = found.value[n][member][p]
        told[code] = value if value is not None else (found.absence[n][member][p], found.cases.get((n, member, p), 0))
    return told


def test_one_line_without_a_cost_leaves_all_that_needs_it_missing(tree: KpiTree) -> None:
    send("accounts", {"external_id": "A", "name": "A"})
    told = {"profit": 60, "revenue": 200, "margin": Decimal("0.3"), "ratio": Decimal("0.3"), "mean": 30, "clv": 90}
    assert last(read(tree)) == told
    send("revenues", line("4", "2026-10-12", None), line("5", "2026-10-13", None))
    missing = ("missing", 2)
    assert last(read(tree)) == {
        "profit": missing,
        "revenue": 400,
        "margin": missing,
        "ratio": missing,
        "mean": missing,
        "clv": missing,
    }


def test_comes_back_with_the_cost(tree: KpiTree) -> None:
    send("revenues", line("4", "2026-10-12", None))
    assert last(read(tree))["profit"] == ("missing", 1)
    send("revenues", line("4", "2026-10-12", 0))
    assert last(read(tree))["profit"] == 60


def test_other_periods_and_members_keep_theirs(tree: KpiTree) -> None:
    send("revenues", line("4", "2026-10-12", None))
    found = read(tree)
    assert [found.value[0][0][p] for p in (2, 3)] == [30, None]
    by_person = read(tree, dimension="person")
    codes = {member.code: m for m, member in enumerate(by_person.members)}
    assert last(by_person, codes["P2"])["profit"] == 20
    assert last(by_person, codes["P1"])["profit"] == ("missing", 1)


def test_a_quarter_counts_those_of_its_months(tree: KpiTree) -> None:
    send("revenues", line("4", "2026-07-12", None), line("5", "2026-09-13", None))
    found = read(tree, grain="quarter")
    assert (found.absence[0][0][0], found.cases[0, 0, 0]) == ("missing", 2)
    assert found.value[0][0][1] == 60


def test_a_line_that_is_left_out_by_a_condition_lacks_nothing(tree: KpiTree) -> None:
    recurring = PROFIT | {"filters": [{"field": "kind", "op": "eq", "value": "recurring"}]}
    MetricVersion.objects.filter(metric__code="profit").update(spec=recurring)
    send("revenues", line("4", "2026-10-12", None), line("5", "2026-10-12", 7) | {"kind": "recurring"})
    assert last(read(tree))["profit"] == 7


def test_a_shared_deal_is_one_record(tree: KpiTree) -> None:
    won = PROFIT | {"fact": "deals", "date": "closed_on"}
    MetricVersion.objects.filter(metric__code="profit").update(spec=won)
    deal = {"created_on": "2026-09-01", "closed_on": "2026-10-12", "outcome": "won", "amount": 100}
    send("deals", deal | {"external_id": "D"}, deal | {"external_id": "E", "gross_profit": 10})
    credit = {"deal": "D", "kind": "revenue"}
    send(
        "deal-credits",
        credit | {"external_id": "C1", "person": "P1", "share": 0.7},
        credit | {"external_id": "C2", "person": "P2", "share": 0.3},
    )
    assert last(read(tree))["profit"] == ("missing", 1)


def test_pages_say_how_many(world: World, client_for, dave, acme) -> None:  # noqa: F811 - the fixture
    metric = Metric.objects.create(code="profit", name="粗利額", unit="amount", accumulation="sum")
    MetricVersion.objects.create(metric=metric, number=1, spec=PROFIT)
    node = KpiNode.objects.create(
        tree=world.tree, parent=world.factor, level="kpi", code="profit", name="粗利額", metric=metric
    )
    send("revenues", line("1", "2026-11-10", 30), line("2", "2026-11-11", None))
    recompute(now=NOW)
    owner = client_for(dave, acme)
    for address in (f"/kpis/{node.public_id}/", "/kpis/?view=list"):
        page = owner.get(address, headers={"accept-language": "en"}).content.decode()
        assert "(1 without a cost)" in page, address
