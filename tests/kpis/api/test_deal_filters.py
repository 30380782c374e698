"""Revenues, activities and stage events narrowed by what their deal says, from the metric's definition to its value."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection

from kpis.engine import specs
from kpis.models import KpiEvent, MeasureBlock
from kpis.services.recompute import recompute, recompute_all
from tests.kpis.api.test_matrix import OCTOBER, send
from tests.remembering import remembered

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
AGENT = {
    "sales_channel": "代理店",
    "lead_source": "Web",
    "customer_type": "new",
    "partner": "P商事",
    "region": "east",
    "product": "A",
    "origin": "partner",
    "attributes": {"案件種別": "新規", "規模": 300},
}
DIRECT = {
    "sales_channel": "直販",
    "lead_source": "展示会",
    "customer_type": "existing",
    "region": "west",
    "product": "B",
    "origin": "existing",
    "attributes": {"案件種別": "更新", "規模": 40},
}
# Deal → how many records each fact has of it, so that every sum says whose records were counted; "" is without a deal.
COUNTS = {"agent": 1, "direct": 2, "bare": 4, "": 8}
SUM_OF_REVENUES = {"fact": "revenues", "date": "recognized_on", "aggregate": "sum", "field": "amount"}
ACTIVITIES = {"fact": "activities", "date": "happened_on", "aggregate": "count"}
STAGES = {"fact": "deal-stage-events", "date": "entered_at", "aggregate": "count"}
WITH_A_DEAL = {"agent", "direct", "bare"}


@pytest.fixture
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
@remembered
def dealt(frozen, api, plan, in_acme):
    """Three deals, of which one says nothing of itself, with records of October; some records have no deal."""
    send(api, "products", *({"external_id": each, "name": each} for each in "AB"))
    deals = {"agent": AGENT, "direct": DIRECT, "bare": {}}
    send(api, "deals", *({"external_id": each, "created_on": "2026-09-01", **said} for each, said in deals.items()))
    records = [(deal, f"{deal}{n}") for deal, count in COUNTS.items() for n in range(count)]
    of = [{"external_id": name, **({"deal": deal} if deal else {})} for deal, name in records]
    send(api, "revenues", *({**each, "recognized_on": "2026-10-05", "amount": 1} for each in of))
    send(api, "activities", *({**each, "happened_on": "2026-10-05", "kind": "visit"} for each in of))
    moment = {"entered_at": "2026-10-05T10:00:00+09:00", "phase": "提案"}
    send(api, "deal-stage-events", *({**each, **moment} for each in of if "deal" in each))
    return plan


def narrowed(field, op, value):
    return {"filters": [{"field": field, "op": op, "value": value}]}


def value(api, plan, spec):
    """What a metric that was just defined says of October."""
    metric = {"code": "narrowed", "name": "Narrowed", "unit": "count", "accumulation": "sum"}
    api.made("metrics/", {**metric, "spec": {"kind": "simple", **spec}})
    api.made("nodes/", {"tree": plan["tree"], "parent": plan["bookings"], "level": "kpi", "metric": "narrowed"})
    recompute(now=NOW)
    return october(api, plan)


def october(api, plan):
    shown = api.shown("matrix/", tree=plan["tree"], nodes="narrowed", **OCTOBER)
    return shown["cells"]["value"][0][0][0]


FILTERS = [
    (("sales_channel", "eq", "代理店"), {"agent"}),
    (("sales_channel", "eq", "直販"), {"direct"}),
    (("sales_channel", "in", ["代理店", "直販"]), {"agent", "direct"}),
    (("sales_channel", "is_null", True), {"bare", ""}),
    (("sales_channel", "contains", "代理"), {"agent"}),
    (("lead_source", "eq", "展示会"), {"direct"}),
    (("customer_type", "eq", "new"), {"agent"}),
    (("customer_type", "eq", "existing"), {"direct"}),
    (("customer_type", "is_null", False), {"agent", "direct"}),
    (("partner", "eq", "P商事"), {"agent"}),
    (("region", "eq", "west"), {"direct"}),
    (("product", "eq", "A"), {"agent"}),
    (("deal.origin", "in", ["partner", "unknown"]), {"agent", "bare"}),
    (("deal.attributes.案件種別", "eq", "更新"), {"direct"}),
    (("deal.attributes.規模", "gte", 100), {"agent"}),
]


@pytest.mark.parametrize("spec", [SUM_OF_REVENUES, ACTIVITIES, STAGES], ids=lambda spec: spec["fact"])
@pytest.mark.parametrize(("condition", "kept"), FILTERS)
def test_counts_the_records_of_deals_that_say_so(api, dealt, spec, condition, kept):
    """Without a deal a record is of no channel: it is in none of them, only among those where none is known."""
    of = kept & WITH_A_DEAL if spec is STAGES else kept
    assert value(api, dealt, {**spec, **narrowed(*condition)}) == sum(COUNTS[deal] for deal in of)


def test_lists_the_records_that_were_counted(api, dealt):
    value(api, dealt, {**SUM_OF_REVENUES, **narrowed("deal.attributes.案件種別", "eq", "更新")})
    asked = {"tree": dealt["tree"], "node": "narrowed", "period_start": "2026-10-01", "grain": "month"}
    rows = api.shown("records/", **asked)["results"]
    assert {row["external_id"] for row in rows} == {"direct0", "direct1"}


def test_a_revenue_with_a_product_of_its_own_is_of_that(api, dealt):
    own = {"external_id": "own", "deal": "agent", "product": "B"}
    send(api, "revenues", {**own, "recognized_on": "2026-10-06", "amount": 16})
    assert value(api, dealt, {**SUM_OF_REVENUES, **narrowed("product", "eq", "B")}) == 16 + COUNTS["direct"]


def test_a_visit_of_a_lead_alone_has_the_source_of_the_lead_and_no_channel(api, dealt):
    send(api, "leads", {"external_id": "L", "created_on": "2026-10-01", "lead_source": "Web"})
    visit = {"external_id": "lead", "lead": "L", "happened_on": "2026-10-06", "kind": "visit"}
    send(api, "activities", visit)
    filters = narrowed("lead_source", "eq", "Web")["filters"]
    assert value(api, dealt, {**ACTIVITIES, "filters": filters}) == COUNTS["agent"] + 1
    both = [*filters, *narrowed("sales_channel", "is_null", True)["filters"]]
    made = next(row for row in api.shown("metrics/")["results"] if row["code"] == "narrowed")
    spec = {"kind": "simple", **ACTIVITIES, "filters": both}
    assert api.patch(f"metrics/{made['id']}/", {"spec": spec}).status_code == 200
    recompute(now=NOW)
    assert october(api, dealt) == 1


class TestADealThatChanges:
    @pytest.mark.parametrize("spec", [SUM_OF_REVENUES, ACTIVITIES, STAGES], ids=lambda spec: spec["fact"])
    @pytest.mark.parametrize(
        ("condition", "change"),
        [
            (("sales_channel", "eq", "直販"), {"sales_channel": "直販"}),
            (("lead_source", "eq", "展示会"), {"lead_source": "展示会"}),
            (("customer_type", "eq", "existing"), {"customer_type": "existing"}),
            (("product", "eq", "B"), {"product": "B"}),
            (("deal.origin", "eq", "existing"), {"origin": "existing"}),
            (("deal.attributes.案件種別", "eq", "更新"), {"attributes": {"案件種別": "更新"}}),
        ],
    )
    def test_takes_its_records_along(self, api, dealt, spec, condition, change):
        before = value(api, dealt, {**spec, **narrowed(*condition)})
        send(api, "deals", {"external_id": "agent", "created_on": "2026-09-01", **change})
        assert (before, october(api, dealt)) == (COUNTS["direct"], COUNTS["direct"] + COUNTS["agent"])
        assert_as_computed_anew()

    def test_that_comes_after_its_revenue_says_of_which_channel_it_was(self, api, dealt):
        revenue = {"external_id": "early", "deal": "late", "recognized_on": "2026-10-06", "amount": 64}
        send(api, "revenues", revenue)
        assert value(api, dealt, {**SUM_OF_REVENUES, **narrowed("sales_channel", "eq", "代理店")}) == 1
        send(api, "deals", {"external_id": "late", "created_on": "2026-09-01", **AGENT})
        assert october(api, dealt) == 65
        assert_as_computed_anew()


def test_agrees_with_plain_sql(api, dealt):
    found = value(api, dealt, {**SUM_OF_REVENUES, **narrowed("customer_type", "ne", "new")})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(r.amount) FROM kpis_revenueline r LEFT JOIN kpis_deal d ON d.id = r.deal_id"
            " WHERE r.recognized_on BETWEEN '2026-10-01' AND '2026-10-31' AND d.customer_type IS DISTINCT FROM 'new'"
        )
        assert found == cursor.fetchone()[0] == sum(COUNTS.values()) - COUNTS["agent"]


def test_gross_profit_to_date_of_customers_of_a_channel(api, dealt):
    """A customer value reads its window by the same conditions."""
    deals = [{"external_id": each, "created_on": "2026-09-01", "account": "ax"} for each in ("agent", "direct")]
    send(api, "accounts", {"external_id": "ax", "name": "AX"})
    send(api, "deals", *deals)
    day = {"recognized_on": "2026-10-07", "amount": 100}
    profits = {"agent": 30, "direct": 50}
    for deal, profit in profits.items():
        send(api, "revenues", {"external_id": f"{deal}0", "deal": deal, "gross_profit": profit, **day})
    spec = {"kind": "clv", "formula": "historic", **narrowed("sales_channel", "eq", "代理店")}
    assert value(api, dealt, spec) == profits["agent"]


@pytest.mark.parametrize(
    ("spec", "name", "others"),
    [
        ({"fact": "orders", "date": "ordered_on"}, "sales_channel", "deals, deal-stage-events, activities, revenues"),
        ({"fact": "contracts", "date": "starts_on"}, "customer_type", "deals, deal-stage-events, activities, revenues"),
        ({"fact": "surveys", "date": "answered_on"}, "deal.origin", "deal-stage-events, activities, revenues"),
        ({"fact": "leads", "date": "created_on"}, "deal.attributes.x", "deal-stage-events, activities, revenues"),
    ],
)
def test_what_belongs_to_no_deal_says_which_records_do(api, spec, name, others):
    body = {"code": "x", "name": "x", "unit": "count", "accumulation": "sum"}
    spec = {"kind": "simple", "aggregate": "count", **spec, **narrowed(name, "eq", "x")}
    (error,) = api.post("metrics/", {**body, "spec": spec}).json()["errors"]
    assert (error["field"], error["code"]) == ("spec.filters.0.field", "unknown")
    assert f"{spec['fact']} has no field {name}; only these have it: {others}." in error["message"]
    assert "account, " in error["message"]


def test_a_customer_type_that_there_is_not_is_refused(api):
    body = {"code": "x", "name": "x", "unit": "count", "accumulation": "sum"}
    spec = {"kind": "simple", **ACTIVITIES, **narrowed("customer_type", "eq", "old")}
    (error,) = api.post("metrics/", {**body, "spec": spec}).json()["errors"]
    assert (error["field"], error["message"]) == (
        "spec.filters.0.value",
        "There is no value old. Use one of existing, new.",
    )


def test_what_a_record_does_not_have_itself_is_not_aggregated(api):
    body = {"code": "x", "name": "x", "unit": "count", "accumulation": "sum"}
    spec = {"kind": "simple", "fact": "activities", "date": "happened_on", "aggregate": "distinct", "field": "product"}
    (error,) = api.post("metrics/", {**body, "spec": spec}).json()["errors"]
    assert error["field"] == "spec.field"


class TestFields:
    """`metric-fields/`: what a filter may name, for whoever writes a spec by the API."""

    def test_tell_what_the_deal_says_beside_the_record_itself(self, api, dealt):
        rows = {row["field"]: row for row in api.shown("metric-fields/", fact="activities")["results"]}
        of_deal = {name for name, row in rows.items() if row["group"] == "Deal"}
        assert of_deal == {name for (name, _op, _value), _kept in FILTERS}
        assert (rows["kind"]["group"], rows["kind"]["is_closed"]) == ("Activity", True)
        assert rows["sales_channel"] == {
            "field": "sales_channel",
            "name": "Sales channel",
            "group": "Deal",
            "type": "text",
            "operators": ["eq", "ne", "in", "not_in", "is_null", "contains"],
            "is_closed": False,
            "values": None,
        }
        assert "sales_channel" not in {row["field"] for row in api.shown("metric-fields/", fact="orders")["results"]}

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("sales_channel", ["代理店", "直販"]),
            ("lead_source", ["Web", "展示会"]),
            ("customer_type", ["existing", "new"]),
            ("product", ["A", "B"]),
            ("deal.attributes.案件種別", ["更新", "新規"]),
        ],
    )
    def test_tell_the_values_that_can_be_filtered_by(self, api, dealt, field, values):
        (row,) = api.shown("metric-fields/", fact="activities", field=field)["results"]
        assert sorted(each["value"] for each in row["values"]) == sorted(values)

    def test_call_the_values_as_people_do(self, api, dealt):
        asked = {"fact": "revenues", "field": "customer_type", "headers": {"accept-language": "ja"}}
        (row,) = api.shown("metric-fields/", **asked)["results"]
        assert (row["name"], row["group"]) == ("顧客区分", "商談")
        assert row["values"] == [{"value": "existing", "name": "既存顧客"}, {"value": "new", "name": "新規顧客"}]

    def test_are_those_that_a_spec_may_name(self, api, dealt):
        for fact in specs.FACTS:
            for row in api.shown("metric-fields/", fact=fact)["results"]:
                assert specs.field_of(row["field"], specs.FACTS[fact]), (fact, row["field"])

    @pytest.mark.parametrize(
        ("asked", "field"),
        [({}, "fact"), ({"fact": "wishes"}, "fact"), ({"fact": "orders", "field": "sales_channel"}, "field")],
    )
    def test_of_what_there_is_not_are_refused(self, api, asked, field):
        answer = api.get("metric-fields/", **asked)
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]


def assert_as_computed_anew():
    """What followed the change is what all facts together come to."""
    columns = [field.attname for field in KpiEvent._meta.concrete_fields if field.name != "id"]

    def stored():
        blocks = {
            (row.group, row.grain, row.period_start, *cell)
            for row in MeasureBlock.objects.all()
            for cell in row.cells()
        }
        return sorted(KpiEvent.objects.values_list(*columns), key=repr), blocks

    found = stored()
    recompute_all(now=NOW)
    assert stored() == found
