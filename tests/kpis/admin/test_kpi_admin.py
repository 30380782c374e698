"""Every model of the KPI floor in the admin site: who sees it, that lists stay quick, that writes are the services'."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.forms import model_to_dict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from kpis.models import (
    CalendarRule,
    CompanyHoliday,
    Deal,
    Dimension,
    DimensionMember,
    FactChange,
    KpiNode,
    KpiTree,
    ManualEntry,
    Metric,
    Period,
    Person,
    Target,
    Team,
    TeamLeader,
    TeamMembership,
)
from kpis.services.calendar import ensure_fiscal_year, set_holiday
from kpis.services.definitions import create_metric, update_metric
from kpis.services.entries import enter_value
from kpis.services.facts import upsert_facts
from kpis.services.targets import TargetEntry, set_target
from kpis.services.trees import create_node, create_tree, update_node

MODELS = sorted(apps.get_app_config("kpis").get_models(), key=lambda model: model._meta.model_name)
READ_ONLY = {
    *(
        "account",
        "activity",
        "backcalculation",
        "benchmarkreview",
        "calendarday",
        "contract",
        "deal",
        "dealcredit",
        "dealline",
        "dealstageevent",
    ),
    *("dirtyfact", "dirtyrange", "exchangerate", "externalidentity", "factchange", "factstream", "fiscalyear"),
    *("forecastcall", "inputreminder", "metricsnapshot", "parallelcheck"),
    *(
        "kpievent",
        "kpifinding",
        "lead",
        "leadexclusion",
        "leadlink",
        "leadstageevent",
        "lockedcell",
        "measureblock",
        "openrestatement",
        "order",
        "period",
        "periodtocompare",
        "periodtransition",
        "personlink",
        "restatementdecision",
        "templateuse",
    ),
    *("product", "revenueline", "shownchange", "surveyresponse", "unresolvedreference", "valuesversion"),
    *("targetrequest", "targetrequestcell", "targetrequestdecision", "targetrevision"),
}
WON = {
    "kind": "simple",
    "fact": "deals",
    "date": "closed_on",
    "aggregate": "count",
    "filters": [{"field": "outcome", "op": "in", "value": ["won"]}],
}
NOW = timezone.now


def url(model: type, page: str, *args: Any) -> str:
    return reverse(f"admin:kpis_{model._meta.model_name}_{page}", args=args, urlconf="config.urls.company")


def send(resource: str, *records: dict[str, Any]) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW())
    assert not result.rejected


@pytest.fixture
def owner(client_for, dave, acme) -> Client:
    return client_for(dave, acme)


@pytest.fixture
def metric(in_acme) -> Metric:
    return create_metric(code="won", name="Won", unit="count", accumulation="sum", spec=WON, actor=None, now=NOW())


@pytest.fixture
def tree(in_acme) -> KpiTree:
    return create_tree(name="Plan", fiscal_year=2026, actor=None, now=NOW())


@pytest.fixture
def node(tree, metric) -> KpiNode:
    return create_node(tree=tree, level="kgi", metric=metric, actor=None, now=NOW())


class TestAccess:
    @pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
    def test_the_owner_sees_every_model_and_types_only_what_people_type(self, owner, model):
        page = owner.get(url(model, "changelist"))
        assert page.status_code == 200
        is_typed = model not in (Dimension, DimensionMember) and model._meta.model_name not in READ_ONLY
        assert page.context["has_add_permission"] is is_typed

    @pytest.mark.parametrize(("name", "status"), [("alice", 302), ("bob", 302), ("vera", 302), ("hana", 403)])
    def test_others_do_not_see_deals(self, client_for, request, acme, name, status):
        client = client_for(request.getfixturevalue(name), acme)
        assert client.get(url(Deal, "changelist")).status_code == status

    def test_hr_sees_people_and_locked_cells(self, client_for, hana, acme):
        client = client_for(hana, acme)
        seen = {model._meta.model_name for model in MODELS if client.get(url(model, "changelist")).status_code == 200}
        assert seen == {
            "person",
            "team",
            "teammembership",
            "teamleader",
            "lockedcell",
            "openrestatement",
            "restatementdecision",
        }

    def test_the_console_has_no_company_models(self, client_for, olivia, console):
        client = client_for(olivia, console)
        page = client.get("/admin/")
        assert page.status_code == 200
        assert "/admin/kpis/deal/" not in page.content.decode()
        assert client.get("/admin/kpis/deal/").status_code in (403, 404)


class TestLists:
    def test_every_model_is_registered_with_a_useful_list(self):
        for model in MODELS:
            shown = admin.site._registry[model]
            assert len(shown.list_display) > 1, model

    def test_a_longer_list_needs_no_more_queries(self, owner, in_acme, tree, metric):
        def grow(first: int, last: int) -> None:
            ids = range(first, last)
            send("teams", *({"external_id": f"T{i}", "name": f"T{i}"} for i in ids))
            send("people", *({"external_id": f"P{i}", "name": f"P{i}", "team": f"T{i}"} for i in ids))
            send("accounts", *({"external_id": f"A{i}", "name": f"A{i}", "owner": f"P{i}"} for i in ids))
            deal = {"created_on": "2026-10-01", "amount": 5}
            send("deals", *({**deal, "external_id": f"D{i}", "owner": f"P{i}", "account": f"A{i}"} for i in ids))
            for i in ids:
                level = "kgi" if i == 0 else "kpi"
                create_node(tree=tree, level=level, code=f"n{i}", metric=metric, actor=None, now=NOW())

        models = (Deal, Person, TeamMembership, KpiNode, DimensionMember)
        grow(0, 2)
        few = [self._queries(owner, in_acme, model) for model in models]
        grow(2, 9)
        assert [self._queries(owner, in_acme, model) for model in models] == few

    def _queries(self, client: Client, company, model: type) -> int:
        client.get(url(model, "changelist"))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url(model, "changelist")).status_code == 200
        connection.set_tenant(company)
        return len(queries)


class TestTreeActions:
    def test_a_tree_is_put_in_force_with_its_facts_only(self, owner, tree, node):
        factor = create_node(tree=tree, level="ksf", parent=node, name="Growth", actor=None, now=NOW())
        calls = create_metric(
            code="calls", name="Calls", unit="count", accumulation="sum", spec={"kind": "manual"}, actor=None, now=NOW()
        )
        create_node(tree=tree, level="kpi", parent=factor, metric=calls, actor=None, now=NOW())
        asked = {"action": "activate", "_selected_action": [tree.pk]}
        page = owner.post(url(KpiTree, "changelist"), asked, follow=True)
        said = " ".join(str(message) for message in page.context["messages"])
        for place in ("Won", "Calls"):
            assert f"{place}の責任者が決まっていません" in said
            assert f"{place}にこの年度の目標がありません" in said
        tree.refresh_from_db()
        assert tree.status == "draft"


class TestDataFaults:
    @pytest.mark.parametrize(
        ("fault", "found"),
        [
            ("no_created_on", "D-unknown"),
            ("overdue", "D-overdue"),
            ("no_amount", "D-free"),
            ("no_account", "D-unknown"),
            ("closed_before_created", "D-early"),
        ],
    )
    def test_finds_faulty_deals(self, owner, in_acme, fault, found):
        yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
        send("accounts", {"external_id": "A", "name": "A"})
        base = {"created_on": "2026-01-10", "account": "A", "amount": 1}
        send(
            "deals",
            {**base, "external_id": "D-fine"},
            {"external_id": "D-unknown", "created_on": None, "amount": 1},
            {**base, "external_id": "D-overdue", "expected_close_on": yesterday},
            {**base, "external_id": "D-free", "outcome": "won", "closed_on": "2026-02-01", "amount": None},
            {**base, "external_id": "D-early", "outcome": "lost", "closed_on": "2026-01-01"},
        )
        page = owner.get(url(Deal, "changelist"), {"fault": fault})
        assert [deal.external_id for deal in page.context["cl"].result_list] == [found]

    def test_finds_unmatched_references_and_tombstones(self, owner, in_acme):
        deal = {"created_on": "2026-01-10"}
        send("deals", {**deal, "external_id": "D1", "owner": "nobody"}, {**deal, "external_id": "D2"})
        send("deals", {"external_id": "D2", "deleted": True})

        def shown(**filters: str) -> list[str]:
            page = owner.get(url(Deal, "changelist"), filters)
            return sorted(deal.external_id for deal in page.context["cl"].result_list)

        assert shown(unmatched="owner") == shown(unmatched="any") == ["D1"]
        assert shown(unmatched="account") == []
        assert shown() == ["D1"]
        assert shown(deleted="only") == ["D2"]
        assert shown(deleted="with") == ["D1", "D2"]


def row_of(found: Any) -> dict[str, Any]:
    """What is stored of a row, without its keys."""
    return {name: value for name, value in model_to_dict(found).items() if name not in ("id", "metric", "node", "tree")}


def post(client: Client, address: str, data: dict[str, Any], *, inline: str | None = None) -> Any:
    if inline:
        data = {**data, f"{inline}-TOTAL_FORMS": 0, f"{inline}-INITIAL_FORMS": 0}
    response = client.post(address, data)
    assert response.status_code == 302, response.context["adminform"].form.errors
    return response


class TestWrites:
    """The same input through the admin and through the service leaves the same rows."""

    def test_metric_and_version(self, owner, in_acme):
        fields = {"name": "Deals", "unit": "count", "direction": "down", "accumulation": "sum"}
        fields |= {"achievement_formula": "ratio"}
        spec = '{"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}'
        create_metric(code="service", spec={**WON, "filters": []}, **fields, actor=None, now=NOW())
        post(owner, url(Metric, "add"), {"code": "form", "spec": spec, **fields}, inline="versions")
        by_form, by_service = Metric.objects.get(code="form"), Metric.objects.get(code="service")
        assert {**row_of(by_form), "code": ""} == {**row_of(by_service), "code": ""}
        assert row_of(by_form.versions.get()) == {**row_of(by_service.versions.get()), "created_by": by_form_id(owner)}

        start = Period.objects.filter(grain="month").last().start_date
        change = {**fields, "spec": WON, "effective_from": start}
        update_metric(metric=by_service, **change, actor=None, now=NOW())
        again = spec.replace("}", ', "filters": [{"field": "outcome", "op": "in", "value": ["won"]}]}')
        data = {**change, "spec": again}
        post(owner, url(Metric, "change", by_form.pk), data, inline="versions")
        newest = [metric.versions.order_by("-number").first() for metric in (by_form, by_service)]
        assert newest[0].number == newest[1].number == 2
        assert newest[0].spec == newest[1].spec

    def test_what_the_service_refuses_is_an_error_beside_the_field(self, owner, in_acme):
        data = {"code": "sum of all", "name": "x", "unit": "count", "direction": "up", "accumulation": "sum"}
        data |= {"achievement_formula": "difference"}
        spec = '{"kind": "formula", "expression": "nothing_known / 2"}'
        data |= {"code": "broken", "spec": spec, "versions-TOTAL_FORMS": 0, "versions-INITIAL_FORMS": 0}
        page = owner.post(url(Metric, "add"), data)
        assert page.status_code == 200
        assert "nothing_known" in str(page.context["adminform"].form.errors["spec"])
        assert not Metric.objects.filter(code="broken").exists()

    def test_tree_and_node(self, owner, in_acme, tree, metric, node):
        data = {"name": "Plan", "fiscal_year": 2026, "style": "", "official_line": "target"}
        post(owner, url(KpiTree, "add"), data)
        by_form = KpiTree.objects.exclude(pk=tree.pk).get()
        assert row_of(by_form) == row_of(tree)
        data = {"level": "kgi", "metric": metric.pk, "frequency": "month", "link": "influence", "position": 0}
        post(owner, url(KpiNode, "add"), {**data, "tree": by_form.pk, "controllable_by": "{}"})
        assert row_of(by_form.nodes.get()) == row_of(node)

        update_node(node=node, name="Another", reason="because", actor=None, now=NOW())
        changed = by_form.nodes.get()
        data |= {"code": "won", "name": "Another", "reason": "because", "controllable_by": "{}"}
        post(owner, url(KpiNode, "change", changed.pk), data)
        assert row_of(by_form.nodes.get()) == row_of(KpiNode.objects.get(pk=node.pk))

    def test_target_with_its_revision(self, owner, in_acme, tree, metric, node):
        start = Period.objects.get(grain="month", fiscal_year__start_year=2026, ordinal=1).start_date
        second = create_node(tree=tree, level="kpi", code="second", metric=metric, actor=None, now=NOW())
        set_target(entry=TargetEntry(node=second, period_start=start, value=7, reason="plan"), actor=None, now=NOW())
        data = {"period_start": start, "dimension": "company", "line": "target", "value": 7, "reason": "plan"}
        post(owner, url(Target, "add"), {**data, "node": node.pk}, inline="revisions")
        by_form, by_service = Target.objects.get(node=node), Target.objects.get(node=second)
        assert row_of(by_form) == row_of(by_service)
        assert by_form.revisions.get().reason == by_service.revisions.get().reason == "plan"

    def test_a_rate_is_typed_and_shown_in_percent(self, owner, in_acme, tree):
        fields = {"unit": "percent", "accumulation": "rate", "spec": {"kind": "manual"}}
        rate = create_metric(code="win_rate", name="Win rate", **fields, actor=None, now=NOW())
        node = create_node(tree=tree, level="kpi", code="win_rate", metric=rate, actor=None, now=NOW())
        start = Period.objects.get(grain="month", fiscal_year__start_year=2026, ordinal=1).start_date
        data = {"period_start": start, "dimension": "company", "line": "target", "value": "23.5", "node": node.pk}
        post(owner, url(Target, "add"), data, inline="revisions")
        target = Target.objects.get()
        assert target.value == Decimal("0.235")
        assert "23.5%" in owner.get(url(Target, "changelist")).content.decode()
        assert 'value="23.5"' in owner.get(url(Target, "change", target.pk)).content.decode()
        post(owner, url(Target, "change", target.pk), {"value": "25", "reason": "plan"}, inline="revisions")
        target.refresh_from_db()
        assert target.value == Decimal("0.25")

        data = {"metric": rate.pk, "grain": "month", "period_start": start, "dimension": "company", "value": "20"}
        post(owner, url(ManualEntry, "add"), data)
        assert ManualEntry.objects.get().value == Decimal("0.2")

    def test_entered_value(self, owner, in_acme):
        fields = {"name": "x", "unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}}
        first = create_metric(code="first", **fields, actor=None, now=NOW())
        second = create_metric(code="second", **fields, actor=None, now=NOW())
        start = Period.objects.filter(grain="month").last().start_date
        enter_value(metric=first, period_start=start, value=3, actor=None, now=NOW())
        data = {"metric": second.pk, "grain": "month", "period_start": start, "dimension": "company", "value": 3}
        post(owner, url(ManualEntry, "add"), data)
        assert ManualEntry.objects.get(metric=first).value == ManualEntry.objects.get(metric=second).value
        assert ManualEntry.objects.get(metric=second).entered_by_id == by_form_id(owner)

    def test_holiday_moves_the_business_days(self, owner, in_acme):
        ensure_fiscal_year(start_year=2026)
        set_holiday(day=date(2026, 6, 3), name="Founded", actor=None, now=NOW())
        post(owner, url(CompanyHoliday, "add"), {"day": "2026-06-10", "name": "Founded"})
        by_service, by_form = CompanyHoliday.objects.order_by("day")
        assert (by_service.name, by_service.is_business_day) == (by_form.name, by_form.is_business_day)
        days = {day.day: day for day in apps.get_model("kpis", "CalendarDay").objects.filter(month="2026-06-01")}
        assert not days[date(2026, 6, 10)].is_business_day
        assert days[date(2026, 6, 30)].business_day_number == 20
        owner.post(url(CompanyHoliday, "delete", by_form.pk), {"post": "yes"})
        assert apps.get_model("kpis", "CalendarDay").objects.get(day="2026-06-10").is_business_day

    def test_calendar_rule_that_cannot_be_is_refused(self, owner, in_acme):
        data = {"effective_from": "2027-05-05", "start_month": 1, "closing_day": 31, "named_by": "last"}
        page = owner.post(url(CalendarRule, "add"), {**data, "weeks": "cut", "week_start": 0})
        assert page.status_code == 200
        assert page.context["adminform"].form.non_field_errors()
        assert CalendarRule.objects.count() == 1

    def test_person_team_and_membership_are_records_of_their_own_source(self, owner, in_acme, bob):
        send("people", {"external_id": "P1", "name": "Crm", "hired_on": "2026-04-01"})
        post(
            owner, url(Person, "add"), {"external_id": "P1", "name": "Typed", "hired_on": "2026-04-01", "user": bob.pk}
        )
        post(owner, url(Team, "add"), {"external_id": "T1", "name": "North"})
        typed, team = Person.objects.get(source="manual"), Team.objects.get()
        assert typed.user == bob
        assert typed.member.name == "Typed"
        assert team.member.dimension.code == "team"
        data = {"external_id": "M1", "person": typed.pk, "team": team.pk, "starts_on": "2026-04-01", "credited": "on"}
        post(owner, url(TeamMembership, "add"), data)
        assert typed.memberships.get().team == team

        delivered = Person.objects.get(source="crm")
        post(owner, url(Person, "change", delivered.pk), {"name": "Corrected", "hired_on": "2026-04-01"})
        delivered.refresh_from_db()
        assert (delivered.name, delivered.external_id, delivered.member.name) == ("Corrected", "P1", "Corrected")
        assert FactChange.objects.get(fact="people", fact_id=delivered.pk).actor_id == by_form_id(owner)

    def test_an_impossible_membership_is_refused_in_words(self, owner, in_acme):
        send("people", {"external_id": "P1", "name": "P"})
        send("teams", {"external_id": "T1", "name": "T"})
        data = {"external_id": "M", "person": Person.objects.get().pk, "team": Team.objects.get().pk}
        page = owner.post(url(TeamMembership, "add"), {**data, "starts_on": "2026-04-01", "ends_on": "2026-03-01"})
        assert page.status_code == 200
        assert page.context["adminform"].form.errors
        assert not TeamMembership.objects.exists()

    def test_leader(self, owner, in_acme):
        send("people", {"external_id": "P1", "name": "P"})
        send("teams", {"external_id": "T1", "name": "T"})
        data = {"person": Person.objects.get().pk, "team": Team.objects.get().pk, "starts_on": "2026-04-01"}
        post(owner, url(TeamLeader, "add"), data)
        assert TeamLeader.objects.get().person.name == "P"
        assert owner.post(url(TeamLeader, "add"), data).status_code == 200
        assert owner.post(url(TeamLeader, "add"), {**data, "starts_on": "2026-05-01", "ends_on": "2026-04-30"}).context
        assert TeamLeader.objects.count() == 1

    def test_names_of_dimensions_and_members(self, owner, in_acme):
        send("deals", {"external_id": "D", "created_on": "2026-01-10", "region": "kanto"})
        dimension = Dimension.objects.get(code="region")
        post(owner, url(Dimension, "change", dimension.pk), {"name": "Area"})
        member = DimensionMember.objects.create(dimension=dimension, code="kanto", name="kanto")
        post(owner, url(DimensionMember, "change", member.pk), {"name": "Kanto"})
        dimension.refresh_from_db()
        member.refresh_from_db()
        assert (str(dimension), member.name, member.code) == ("Area", "Kanto", "kanto")


def by_form_id(client: Client) -> int:
    return int(client.session["_auth_user_id"])
