"""The form of a metric's definition: every kind made and changed without JSON, looked at as one types."""

import re
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from kpis.engine import specs
from kpis.engine.catalogue import CATALOGUE
from kpis.forms.definitions import DefinitionForm, typed_of
from kpis.models import KpiNode, LockedCell, Metric
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.recompute import recompute
from tests.kpis.pages.conftest import NOW, World, send
from tests.remembering import remembered

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true", "accept-language": "en"}
ENGLISH = {"accept-language": "en"}
COHORT = {"kind": "conversion", "fact": "leads", "from": "mql", "to": "sql", "basis": "cohort", "window_days": "20"}
ABM = {
    "filters-0-field": "account.attributes.ABM対象",
    "filters-0-op": "eq",
    "filters-0-value": "はい",
}
BASICS = {"name": "Rate", "unit": "percent", "direction": "up", "accumulation": "rate", "since": "first", "act": "save"}
REVENUES = {"kind": "simple", "fact": "revenues", "aggregate": "sum", "field": "amount", "date": "recognized_on"}
VISITS = {"kind": "simple", "fact": "activities", "aggregate": "count", "date": "happened_on"}
MADE = {"created_on": "2026-09-05"}
DEALS = {"kind": "simple", "fact": "deals", "aggregate": "count", "date": "closed_on", "credit": "revenue"}


@pytest.fixture
def owner(client_for, dave, acme):
    return client_for(dave, acme)


@pytest.fixture
@remembered
def leads(world) -> World:
    """In September three MQLs of ABM accounts, of which two became SQL, and five others, none of which did."""
    marks = [("abm", "はい"), ("other", "いいえ")]
    send("accounts", *({"external_id": each, "name": each, "attributes": {"ABM対象": mark}} for each, mark in marks))
    for number in range(8):
        is_abm = number < 3
        lead = {"external_id": f"L{number}", "account": "abm" if is_abm else "other", "created_on": "2026-09-10"}
        reached = {"sql_on": "2026-09-20"} if number < 2 else {}
        send("leads", lead | {"mql_on": "2026-09-11"} | reached)
    recompute(now=NOW)
    return world


def at(name: str, *args) -> str:
    return reverse(name, args=args, urlconf="config.urls.company")


def page_of(metric: Metric) -> str:
    return at("metric-definition", metric.public_id)


def shown(client, address: str, status: int = 200, **options) -> str:
    response = client.get(address, **{"headers": ENGLISH, **options})
    assert response.status_code == status, response.content.decode()[:500]
    return response.content.decode()


def sent(client, address: str, body: dict, status: int = 200, headers: dict = ENGLISH) -> str:
    response = client.post(address, body, headers=headers)
    assert response.status_code == status, response.content.decode()[:3000]
    return response.content.decode()


def said(page: str, field: str) -> str:
    """What stands beside a field."""
    found = re.search(rf'<div id="said-{re.escape(field)}"[^>]*>(.*?)</div>', page, re.S)
    assert found, field
    return re.sub(r"<[^>]+>", "", found[1]).strip()


def values(world: World, metric: Metric) -> dict[date, Decimal | None]:
    if not KpiNode.objects.filter(metric=metric).exists():
        KpiNode.objects.create(
            tree=world.tree, parent=world.factor, level="kpi", code=metric.code, name=metric.name, metric=metric
        )
    recompute(now=NOW)
    query = MatrixQuery(world.tree, "month", date(2026, 9, 1), date(2026, 12, 1), codes=[metric.code])
    found = build_matrix(query, now=NOW)
    return {period.start: value for period, value in zip(found.periods, found.value[0][0], strict=True)}


class TestMake:
    def test_the_opportunity_rate_of_some_accounts(self, leads, owner):
        sent(owner, "/metrics/new/", {**BASICS, **COHORT, **ABM, "name": "商談化率（ABM）", "code": "abm_rate"}, 302)
        metric = Metric.objects.get(code="abm_rate")
        assert (metric.name, metric.unit, metric.accumulation) == ("商談化率（ABM）", "percent", "rate")
        assert values(leads, metric)[date(2026, 9, 1)] == Decimal(2) / 3

    def test_offers_the_fields_and_values_that_the_data_has(self, leads, owner):
        page = shown(owner, "/metrics/new/?entry=opportunity_rate")
        assert "ABM対象" not in page, "no condition yet"
        page = sent(owner, "/metrics/new/", {**COHORT, "act": "more:", **ABM})
        assert 'value="account.attributes.ABM対象" selected' in page
        assert '<option value="いいえ">' in page
        assert page.count("Remove condition") == 2

    def test_a_condition_is_taken_away(self, leads, owner):
        source = {"filters-1-field": "lead_source", "filters-1-op": "is_null"}
        page = sent(owner, "/metrics/new/", {**COHORT, **ABM, **source, "act": "less:filters-0-"})
        assert page.count("Remove condition") == 1
        assert 'value="lead_source" selected' in page

    def test_without_a_code_takes_one_from_the_name(self, world, owner):
        for name in ("ABM rate", "商談化率"):
            sent(owner, "/metrics/new/", {**BASICS, **DEALS, "name": name}, 302)
        assert set(Metric.objects.exclude(pk__lte=world.rate.metric_id).values_list("code", flat=True)) == {
            "abm_rate",
            "metric",
        }

    def test_takes_several_values_one_per_line(self, world, owner):
        names = {"filters-0-field": "name", "filters-0-op": "in", "filters-0-value": "Deal d1\r\nDeal d3\r\n"}
        sent(owner, "/metrics/new/", {**BASICS, **DEALS, **names, "code": "some"}, 302)
        assert values(world, Metric.objects.get(code="some"))[date(2026, 10, 1)] == 1

    def test_the_revenue_of_a_channel_is_told_by_the_deals(self, world, owner):
        send("deals", *({"external_id": each, "sales_channel": "代理店"} | MADE for each in ("d1", "d2")))
        revenue = {"recognized_on": "2026-10-20"}
        send("revenues", *({"external_id": f"r{n}", "deal": f"d{n}", "amount": n} | revenue for n in range(1, 4)))
        recompute(now=NOW)
        channel = {"filters-0-field": "sales_channel", "filters-0-op": "eq", "filters-0-value": "代理店"}
        page = sent(owner, "/metrics/new/", {**REVENUES, **channel, "act": "show"})
        of_deal = page.partition('<optgroup label="Deal">')[2].partition("</optgroup>")[0]
        assert re.findall(r">\s*([^<>]+?)\s*</option>", of_deal) == [
            *("Lead source", "Sales channel", "Partner", "Region", "Customer type", "Origin of the deal"),
        ]
        assert '<option value="代理店">' in page
        basics = {**BASICS, "unit": "amount", "accumulation": "sum", "code": "of_agents", "name": "代理店経由の売上額"}
        sent(owner, "/metrics/new/", {**basics, **REVENUES, **channel}, 302)
        assert values(world, Metric.objects.get(code="of_agents"))[date(2026, 10, 1)] == 3

    def test_offers_the_closed_lists_and_own_fields_of_the_deal_in_words(self, world, owner):
        send("deals", {"external_id": "d1", "attributes": {"案件種別": "新規"}, **MADE})
        types = {"filters-0-field": "customer_type", "filters-0-op": "in"}
        origin = {"filters-1-field": "deal.origin", "filters-1-op": "eq"}
        own = {"filters-2-field": "deal.attributes.案件種別", "filters-2-op": "eq", "filters-2-value": ""}
        body = {**VISITS, **types, **origin, **own, "act": "show"}
        page = sent(owner, "/metrics/new/", body, headers={"accept-language": "ja"})
        assert re.findall(r'type="checkbox"[^>]*value="(\w+)"', page) == ["existing", "new"]
        for words in ("既存顧客", "商談の発生元", "営業自身の開拓", "商談の案件種別", '<option value="新規">'):
            assert words in page, words

    def test_an_empty_condition_is_no_fault_while_one_types(self, world, owner):
        name = {"filters-1-field": "name", "filters-1-op": "eq", "filters-1-value": ""}
        part = sent(owner, "/metrics/check/", {**DEALS, "filters-0-field": "", **name}, headers=HTMX)
        assert said(part, "filters-0-field") == ""
        assert said(part, "filters-1-value"), "beside the row it is about, not the first"

    def test_a_closed_list_is_ticked(self, world, owner):
        outcomes = {"filters-0-field": "outcome", "filters-0-op": "in"}
        page = sent(owner, "/metrics/new/", {**DEALS, **outcomes, "act": "show"})
        assert 'type="checkbox"' in page
        body = {**BASICS, **DEALS, **outcomes, "filters-0-value": ["won", "lost"], "code": "done"}
        sent(owner, "/metrics/new/", body, 302)
        assert values(world, Metric.objects.get(code="done"))[date(2026, 11, 1)] == 3

    def test_an_amount_range_reads_what_people_type(self, world, owner):
        large = {"filters-0-field": "amount", "filters-0-op": "gte", "filters-0-value": "３00,000"}
        sent(owner, "/metrics/new/", {**BASICS, **DEALS, **large, "code": "large"}, 302)
        assert Metric.objects.get(code="large").versions.get().spec["filters"][0]["value"] == 300_000

    def test_begins_without_a_complaint(self, world, owner):
        page = shown(owner, "/metrics/new/")
        assert '<option value="up" selected>' in page
        assert "このフィールドは必須です" not in page.split('id="id_direction"')[1][:600]

    def test_begins_with_another_metric(self, world, owner):
        page = shown(owner, f"/metrics/new/?like={Metric.objects.get(code='won_deals').public_id}")
        assert 'value="closed_on" selected' in page
        assert 'value="outcome" selected' in page

    def test_the_usual_unit_follows_the_kind(self, world, owner):
        headers = {**HTMX, "hx-target": "definition-fields", "hx-trigger-name": "kind"}
        part = sent(owner, "/metrics/new/", {"kind": "retention", "unit": "count", "act": "show"}, headers=headers)
        assert "<html" not in part
        assert '<option value="percent" selected>' in part


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_definition_survives_being_taken_apart(in_acme, code: str) -> None:
    spec = CATALOGUE[code].metric.spec
    form = DefinitionForm(typed_of(specs.to_data(spec)), metric=None, today=timezone.localdate(), address="/")
    assert specs.canonical(specs.parse_spec(form.spec())) == specs.canonical(spec)


class TestChange:
    def test_shows_the_newest_definition(self, world, owner):
        page = shown(owner, page_of(Metric.objects.get(code="bookings")))
        assert 'value="sum" selected' in page
        assert 'value="amount" selected' in page
        assert "Version 1" in page

    def test_achievement_where_lower_is_better_is_chosen_and_stays(self, world, owner):
        metric = Metric.objects.get(code="closed_deals")
        assert 'value="difference" selected' in shown(owner, page_of(metric))
        chosen = {"name": "決着", "direction": "down", "achievement_formula": "ratio", "since": "first"}
        sent(owner, page_of(metric), {**BASICS, **DEALS, **chosen}, 302)
        assert 'value="ratio" selected' in shown(owner, page_of(metric))
        sent(owner, page_of(metric), {**BASICS, **DEALS, "name": "決着", "since": "first"}, 302)
        metric.refresh_from_db()
        assert metric.achievement_formula == "ratio"

    def test_holds_from_a_month_on(self, world, owner):
        metric = Metric.objects.get(code="closed_deals")
        lost = {"filters-0-field": "outcome", "filters-0-op": "eq", "filters-0-value": "lost"}
        sent(owner, page_of(metric), {**BASICS, **DEALS, **lost, "name": "決着", "since": "2026-11-01"}, 302)
        assert list(metric.versions.values_list("number", "effective_from")) == [(1, None), (2, date(2026, 11, 1))]
        found = values(world, metric)
        assert (found[date(2026, 10, 1)], found[date(2026, 11, 1)]) == (2, 2)

    def test_a_closed_period_keeps_what_it_was_computed_by(self, world, owner):
        metric = Metric.objects.get(code="closed_deals")
        LockedCell.objects.create(
            node=KpiNode.objects.get(metric=metric),
            metric_version=metric.versions.get(),
            grain="month",
            period_start=date(2026, 10, 1),
            dimension="company",
            value=2,
            status="none",
            locked_at=NOW,
        )
        leads = {"kind": "simple", "fact": "leads", "aggregate": "count", "date": "created_on"}
        basics = {**BASICS, "unit": "count", "accumulation": "sum"}
        page = sent(owner, page_of(metric), {**basics, **leads, "since": "first"}, 422)
        assert "Say from which period the new one holds" in said(page, "since")
        page = sent(owner, page_of(metric), {**basics, **leads, "unit": "amount", "since": "2026-11-01"}, 422)
        assert "Make a new metric of another code" in said(page, "unit")
        assert metric.versions.count() == 1
        sent(owner, page_of(metric), {**basics, **leads, "since": "2026-11-01"}, 302)
        assert [version.spec["fact"] for version in metric.versions.order_by("number")] == ["deals", "leads"]
        assert LockedCell.objects.get().metric_version.number == 1

    def test_is_reached_from_where_one_looks_for_it(self, world, owner):
        metric = world.rate.metric
        assert page_of(metric) in shown(owner, at("kpi", world.rate.public_id))
        editor = shown(owner, f"{at('tree-edit', world.tree.public_id)}?node=win_rate")
        assert page_of(metric) in editor
        assert at("metric-catalogue") in editor
        assert at("metric-new") in editor
        assert at("metric-catalogue") in shown(owner, at("trees"))
        catalogue = shown(owner, at("metric-catalogue"))
        assert page_of(metric) in catalogue
        assert f"{at('metric-new')}?entry=nps" in catalogue


class TestFaults:
    @pytest.mark.parametrize(
        ("typed", "field", "words"),
        [
            ({"kind": "conversion", "from": "sql", "to": "mql"}, "to", "MQL does not come after SQL"),
            ({**COHORT, "window_days": "lots"}, "window_days", "whole number from 1 to 1100"),
            ({**COHORT, "window_days": "0"}, "window_days", "Within how many days"),
            ({"kind": "conversion", "fact": "deals", "from": "created", "to": "won"}, "origin", "list out of"),
            ({"kind": "formula", "expression": "won_deals /"}, "expression", ""),
            ({"kind": "formula", "expression": "nobody / won_deals"}, "expression", "nobody"),
            ({"kind": "retention", "measure": "nrr", "window_months": "99"}, "window_months", "from 1 to 36"),
            ({"kind": "clv", "formula": "frequency", "years": "x"}, "years", "Years at most"),
            ({"kind": "score", "survey": "nps", "min_count": "-1"}, "min_count", "at least 1"),
            ({**DEALS, "date": "mql_on"}, "date", "has no date"),
            ({**DEALS, "filters-0-field": "", "filters-0-op": "eq"}, "filters-0-field", "Choose the field"),
            (
                {**DEALS, "filters-3-field": "amount", "filters-3-op": "gt", "filters-3-value": "viel"},
                "filters-3-value",
                "viel is not a value of type number",
            ),
            (
                {**DEALS, "filters-0-field": "name", "filters-0-op": "eq", "filters-0-value": ""},
                "filters-0-value",
                "Say which value",
            ),
            (
                {
                    "kind": "ratio",
                    "denominator-fact": "deals",
                    "denominator-filters-0-field": "closed_on",
                    "denominator-filters-0-op": "gte",
                }
                | {"denominator-filters-0-value": "soon"},
                "denominator-filters-0-value",
                "soon",
            ),
            (
                {"kind": "simple", "fact": "orders", "aggregate": "count", "date": "ordered_on"}
                | {"filters-0-field": "sales_channel", "filters-0-op": "eq", "filters-0-value": "Agent"},
                "filters-0-field",
                "no field Sales channel; only these have it: Deals, Deal stage events, Activities, Revenue lines",
            ),
            ({**DEALS, "name": " "}, "name", "Name the metric"),
            ({**DEALS, "code": "won_deals"}, "code", "already"),
        ],
    )
    def test_stand_beside_their_field(self, world, owner, typed: dict, field: str, words: str):
        page = sent(owner, "/metrics/new/", {**BASICS, **typed}, 422)
        assert said(page, field), field
        assert words in said(page, field)
        assert Metric.objects.count() == 4

    def test_are_said_while_one_types(self, world, owner):
        part = sent(owner, "/metrics/check/", {**COHORT, "window_days": "0"}, headers=HTMX)
        assert "<html" not in part
        assert 'id="said-window_days" hx-swap-oob="true"' in part
        assert "whole number" in said(part, "window_days")
        assert said(part, "from") == ""

    def test_a_formula_may_not_name_itself(self, world, owner):
        body = {**BASICS, "kind": "formula", "expression": "win_rate * 2"}
        assert "win_rate" in said(sent(owner, page_of(world.rate.metric), body, 422), "expression")


class TestLook:
    def test_tells_the_last_months_without_saving(self, leads, owner):
        part = sent(owner, "/metrics/check/", {**COHORT, **ABM, "unit": "percent"}, headers=HTMX)
        assert "66.7" in part
        assert "ABM対象" in part
        assert Metric.objects.count() == 4

    def test_beside_the_present_definition(self, world, owner):
        won = {"filters-0-field": "outcome", "filters-0-op": "eq", "filters-0-value": "won"}
        metric = Metric.objects.get(code="closed_deals")
        part = sent(owner, "/metrics/check/", {**DEALS, **won, "metric": metric.public_id}, headers=HTMX)
        november = part.rpartition("<tr>")[2]
        assert re.findall(r'class="num">(\d+)<', november) == ["1", "3"]

    def test_says_when_there_is_nothing_to_count(self, world, owner):
        assert "once it is saved" in sent(owner, "/metrics/check/", {"kind": "manual"}, headers=HTMX)


@pytest.mark.parametrize("who", ["bob", "alice", "vera"])
def test_is_not_for_others(world, client_for, acme, who: str, request: pytest.FixtureRequest):
    client = client_for(request.getfixturevalue(who), acme)
    metric = Metric.objects.get(code="won_deals")
    shown(client, page_of(metric), 403)
    shown(client, "/metrics/new/", 403)
    for address in (page_of(metric), "/metrics/new/", "/metrics/check/"):
        sent(client, address, {**BASICS, **DEALS}, 403)
    assert page_of(metric) not in shown(client, at("kpi", world.goal.public_id))
    assert metric.versions.count() == 1
