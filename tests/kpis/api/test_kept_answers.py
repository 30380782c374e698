"""The matrix is kept until anything that it shows has changed, and is never older than what was committed."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.cache import caches
from django.db import connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kpis.api.views import results
from kpis.choices import Grain
from kpis.engine.catalogue import CATALOGUE
from kpis.models import (
    DimensionMember,
    FactStream,
    KpiEvent,
    KpiNode,
    KpiTree,
    ManualEntry,
    MeasureBlock,
    Metric,
    MetricVersion,
    Period,
    Person,
    ShownChange,
    Target,
    Team,
    TeamLeader,
)
from kpis.models.resources import MODELS
from kpis.selectors import kept
from kpis.services.catalogue import add_from_catalogue
from kpis.services.definitions import update_metric
from kpis.services.entries import enter_value
from kpis.services.facts import upsert_facts
from kpis.services.periods import close_period
from kpis.services.recompute import recompute
from kpis.services.shown_changes import fold_changes
from kpis.services.streams import record_stream
from kpis.services.targets import TargetEntry, set_target
from kpis.services.trees import create_node, update_node
from kpis.tasks import fold_shown_changes
from tenants.context import public_context, tenant_context
from tenants.models import DueSync
from tenants.services.provisioning import existing_tables
from tenants.settings.models import CompanySettings
from tests.kpis.api.conftest import CLOSED, count_of
from tests.remembering import remembered

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 10, 3, tzinfo=UTC)
AUTUMN = {"grain": "month", "from": "2026-10-01", "to": "2026-12-01"}
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def send(resource: str, *records: dict[str, Any]) -> None:
    assert not upsert_facts(resource=resource, source="crm", records=records, now=NOW).rejected


def won(name: str, owner: str, amount: int) -> dict[str, Any]:
    dates = {"created_on": "2026-09-01", "closed_on": "2026-10-05"}
    return {"external_id": name, "owner": owner, "amount": amount, "outcome": "won", **dates}


@pytest.fixture
@remembered
def sales(api, plan, alice, bob, in_acme):
    """Alice leads North with Bob, Carl is in South; Bob won 100, Carl 300; bookings have targets, visits are typed."""
    send("teams", *({"external_id": name, "name": name.title()} for name in ("north", "south")))
    people = {"alice": "north", "bob": "north", "carl": "south"}
    send("people", *({"external_id": name, "name": name.title(), "team": team} for name, team in people.items()))
    send("deals", won("D1", "bob", 100), won("D2", "carl", 300))
    recompute(now=NOW)
    record_stream(source="crm", fact="deals", last_success_at=NOW, expected_every=timedelta(days=1))
    Person.objects.filter(external_id="alice").update(user=alice)
    Person.objects.filter(external_id="bob").update(user=bob)
    TeamLeader.objects.create(team=Team.objects.get(name="North"), person=Person.objects.get(name="Alice"))
    typed = {"code": "visits", "name": "Visits", "unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}}
    api.made("metrics/", typed)
    api.made("nodes/", {"tree": plan["tree"], "level": "kpi", "metric": "visits"})
    enter_value(metric=Metric.objects.get(code="visits"), period_start=OCTOBER, value=Decimal(5), actor=None, now=NOW)
    aim = TargetEntry(KpiNode.objects.get(metric__code="bookings"), OCTOBER, Decimal(500))
    set_target(entry=aim, actor=None, now=NOW)
    return plan


@pytest.fixture
def ask(api, sales) -> Callable[..., Any]:
    """`ask()`: the autumn of the plan, without when it was read."""

    def shown(caller: Any = api, **change: Any) -> Any:
        answer = caller.shown("matrix/", **{"tree": sales["tree"], **AUTUMN, **change})
        return {name: value for name, value in answer.items() if name != "generated_at"}

    return shown


def tables_of(queries: CaptureQueriesContext) -> list[str]:
    """What was read, one query after another."""
    return [name for query in queries for name in re.findall(r'^SELECT .*? FROM "(\w+)"', query["sql"])]


def all_of(ask: Callable[..., Any]) -> list[Any]:
    """Where every change of this module shows."""
    return [ask(), ask(dimension="team"), ask(grain="quarter")]


def forget() -> None:
    """What was kept is not found any more."""
    caches["default"].key_prefix = uuid.uuid4().hex


def node(code: str) -> KpiNode:
    return KpiNode.objects.get(metric__code=code)


class TestKept:
    def test_is_read_once_while_nothing_changes(self, api, sales, clock):
        asked = {"tree": sales["tree"], "dimension": "team", **AUTUMN}
        first = api.get("matrix/", **asked)
        clock.shift(60)
        with CaptureQueriesContext(connection) as queries:
            second = api.get("matrix/", **asked)
        assert second.content == first.content
        assert second.headers["Content-Type"] == "application/json"
        assert tables_of(queries) == ["tenants_domain", "integrations_apikey", "kpis_shownchange"]

    def test_of_a_person_too(self, signed_in, dave, sales):
        caller, asked = signed_in(dave), {"tree": sales["tree"], **AUTUMN}
        first = caller.get("matrix/", **asked)
        with CaptureQueriesContext(connection) as queries:
            assert caller.get("matrix/", **asked).content == first.content
        assert tables_of(queries) == [
            "tenants_domain",
            "django_session",
            "accounts_user",
            "auth_group",
            "kpis_shownchange",
        ]

    def test_who_has_it_is_told_so(self, api, sales):
        asked = {"tree": sales["tree"], **AUTUMN}
        etag = api.get("matrix/", **asked).headers["ETag"]
        again = api.get("matrix/", headers={"if-none-match": etag}, **asked)
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
        KpiNode.objects.filter(pk=node("bookings").pk).update(name="Orders")
        changed = api.get("matrix/", headers={"if-none-match": etag}, **asked)
        assert (changed.status_code, changed.headers["ETag"] != etag) == (200, True)

    def test_what_is_wrong_is_refused_each_time(self, api, sales):
        for _call in range(2):
            assert api.get("matrix/", tree=sales["tree"], **{**AUTUMN, "to": "2026-01-01"}).status_code == 400

    def test_a_tree_that_is_gone_is_not_found(self, api, in_acme):
        tree = KpiTree.objects.create(name="Empty", fiscal_year=2026)
        asked = {"tree": str(tree.public_id), **AUTUMN}
        assert api.get("matrix/", **asked).status_code == 200
        tree.delete()
        assert api.get("matrix/", **asked).status_code == 400

    def test_every_parameter_is_another_question(self, ask):
        """Each differs from the first in what it shows, asked after it."""
        first = ask()
        for change in (
            {"grain": "quarter"},
            {"to": "2026-11-01"},
            {"from": "2026-09-01"},
            {"dimension": "person"},
            {"nodes": "bookings"},
            {"line": "budget"},
        ):
            found = ask(**change)
            assert found != first, change
            forget()
            assert found == ask(**change), change

    def test_one_that_is_too_large_is_not_kept(self, api, sales, clock, monkeypatch):
        monkeypatch.setattr(kept, "LARGEST_ANSWER", 100)
        before = api.shown("matrix/", tree=sales["tree"], **AUTUMN)["generated_at"]
        clock.shift(60)
        assert api.shown("matrix/", tree=sales["tree"], **AUTUMN)["generated_at"] > before


def _set_target() -> None:
    set_target(entry=TargetEntry(node("bookings"), OCTOBER, Decimal(700)), actor=None, now=NOW)


def _enter() -> None:
    enter_value(metric=Metric.objects.get(code="visits"), period_start=OCTOBER, value=Decimal(6), actor=None, now=NOW)


def _define() -> None:
    won_deals = Metric.objects.get(code="won_deals")
    update_metric(metric=won_deals, spec={**count_of(CLOSED), "min_count": 9}, actor=None, now=NOW)


def _recompute() -> None:
    send("deals", won("D3", "bob", 7))
    recompute(now=NOW)


def _deliver() -> None:
    record_stream(source="crm", fact="deals", last_success_at=NOW + timedelta(minutes=1), expected_every=None)


BY_SERVICE: dict[str, Callable[[], object]] = {
    "a target": _set_target,
    "a typed value": _enter,
    "the name of a node": lambda: update_node(node=node("bookings"), name="Orders", actor=None, now=NOW),
    "a definition": _define,
    "a closed period": lambda: close_period(
        period=Period.objects.get(grain="month", start_date=OCTOBER), actor=None, now=NOW
    ),
    "the name of a team": lambda: send("teams", {"external_id": "north", "name": "Northern"}),
    "a delivery": _deliver,
    "the values": _recompute,
}
# What is changed, where, and to what, by one statement.
BY_STATEMENT: dict[str, tuple[type, str, object, str]] = {
    "a target": (Target, "value", 700, "line = 'target'"),
    "a typed value": (ManualEntry, "value", 6, "dimension = 'company'"),
    "the name of a node": (KpiNode, "name", "Orders", "code = 'bookings'"),
    "a definition": (MetricVersion, "number", 4, "number = 1"),
    "a closed period": (Period, "state", "closed", "start_date = '2026-10-01'"),
    "the name of a team": (DimensionMember, "name", "Northern", "code = 'north'"),
    "a delivery": (FactStream, "last_success_at", NOW - timedelta(hours=2), "fact = 'deals'"),
    "the unit of a metric": (Metric, "unit", "count", "code = 'bookings'"),
    "the name of a tree": (KpiTree, "name", "Plan B", "name = 'Plan'"),
    "the currency": (CompanySettings, "currency", "EUR", "id = 1"),
    "the names of years": (CompanySettings, "year_name_style", "fy", "id = 1"),
}


def by_queryset(model: Any, field: str, value: object, where: str) -> None:
    assert model.objects.extra(where=[where]).update(**{field: value})


def by_sql(model: Any, field: str, value: object, where: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {field} = %s WHERE {where}", [value])
        assert cursor.rowcount


class TestChanged:
    @pytest.mark.parametrize("what", BY_SERVICE)
    def test_by_a_service_is_shown_at_once(self, ask, what):
        before = all_of(ask)
        BY_SERVICE[what]()
        self._is_another_one(ask, before)

    @pytest.mark.parametrize("write", [by_queryset, by_sql])
    @pytest.mark.parametrize("what", BY_STATEMENT)
    def test_by_one_statement_is_shown_at_once(self, ask, what, write):
        before = all_of(ask)
        write(*BY_STATEMENT[what])
        self._is_another_one(ask, before)

    def _is_another_one(self, ask, before):
        """And it is what is read where nothing is kept."""
        shown = all_of(ask)
        assert shown != before
        forget()
        assert shown == all_of(ask)

    def test_what_was_rolled_back_is_not_shown(self, ask):
        """Somebody sees his own changes before they are undone; a later change is not taken for them."""
        before = ask()
        with transaction.atomic():
            Target.objects.update(value=600)
            undone = ask()
            transaction.set_rollback(True)
        Target.objects.update(value=700)
        shown = ask()
        assert undone != before
        assert shown not in (before, undone)
        forget()
        assert shown == ask()


class TestOwn:
    """What one reader is shown is never another's."""

    def codes(self, shown: Any) -> set[str]:
        return {member["code"] for member in shown["members"]}

    def test_each_sees_what_is_in_sight(self, ask, signed_in, dave, alice, bob, vera):
        seen = {
            user.username: self.codes(ask(signed_in(user), dimension="person")) for user in (dave, alice, bob, vera)
        }
        assert seen == {
            "dave": {"alice", "bob", "carl", "unassigned"},
            "alice": {"alice", "bob"},
            "bob": {"bob"},
            "vera": set(),
        }

    def test_another_sight_is_seen_at_once(self, ask, signed_in, bob):
        caller = signed_in(bob)
        assert self.codes(ask(caller, dimension="person")) == {"bob"}
        CompanySettings.objects.update(visibility="team")
        assert self.codes(ask(caller, dimension="person")) == {"alice", "bob"}
        Person.objects.filter(external_id="bob").update(user=None)
        Person.objects.filter(external_id="carl").update(user=bob)
        assert self.codes(ask(caller, dimension="person")) == {"carl"}

    def test_who_may_not_read_results_is_refused_though_they_are_kept(self, ask, signed_in, hana, sales):
        ask()
        assert signed_in(hana).get("matrix/", tree=sales["tree"], **AUTUMN).status_code == 403

    def test_languages_have_answers_of_their_own(self, api, sales):
        asked = {"tree": sales["tree"], **AUTUMN}
        english = api.get("matrix/", **asked).json()["periods"][0]["label"]
        japanese = api.get("matrix/", headers={"accept-language": "ja"}, **asked).json()["periods"][0]["label"]
        assert (english, japanese) == ("Oct 2026", "2026年10月")

    def test_companies_share_nothing(self, acme, globex):
        for company in (acme, globex):
            with tenant_context(company):
                ShownChange.objects.all().delete()
                ShownChange.objects.create(number=1)
                answer = kept.read_answer("the same", company.slug.encode, now=NOW)
                assert answer.body == company.slug.encode()


class TestTime:
    def stale(self, ask) -> bool:
        return next(each["stale"] for each in ask()["nodes"] if each["code"] == "bookings")

    def test_a_source_is_late_at_its_time(self, ask, clock):
        FactStream.objects.update(expected_every=timedelta(hours=1), last_success_at=NOW)
        clock.move_to(NOW + timedelta(minutes=70))
        assert self.stale(ask) is False
        clock.move_to(NOW + timedelta(minutes=75))
        assert self.stale(ask) is False
        clock.move_to(NOW + timedelta(minutes=75, seconds=1))
        assert self.stale(ask) is True
        assert self.stale(ask) is True

    def test_a_day_begins_at_midnight_of_the_company(self, api, sales, clock):
        def read() -> str:
            return api.shown("matrix/", tree=sales["tree"], **AUTUMN)["generated_at"]

        clock.move_to(datetime(2026, 11, 10, 14, 50, tzinfo=UTC))
        before = read()
        clock.shift(300)
        assert read() == before
        clock.move_to(datetime(2026, 11, 10, 15, 0, tzinfo=UTC))
        assert read() > before

    def test_nothing_is_kept_for_longer_than_half_an_hour(self, in_acme):
        assert kept.shown_until(NOW) == NOW + timedelta(minutes=30)
        FactStream.objects.create(
            source="a", fact="deals", expected_every=timedelta(hours=1), last_success_at=NOW - timedelta(minutes=65)
        )
        assert kept.shown_until(NOW) == NOW + timedelta(minutes=10)
        FactStream.objects.create(
            source="b", fact="leads", expected_every=timedelta(hours=1), last_success_at=NOW - timedelta(days=9)
        )
        assert kept.shown_until(NOW) == NOW + timedelta(minutes=10)


class TestFolding:
    def test_keeps_the_version(self, api, sales, acme, clock):
        asked = {"tree": sales["tree"], **AUTUMN}
        before, version = api.get("matrix/", **asked).content, kept.answers_version()
        assert ShownChange.objects.count() > 5
        with public_context():
            fold_shown_changes(company_id=str(acme.pk))
        assert (ShownChange.objects.count(), kept.answers_version()) == (1, version)
        clock.shift(60)
        assert api.get("matrix/", **asked).content == before
        due = DueSync.objects.get(company_id=acme.pk, kind="folding")
        assert due.next_run_at == timezone.now() + timedelta(minutes=59)

    def test_of_nothing_adds_nothing(self, in_acme):
        ShownChange.objects.all().delete()
        fold_changes()
        assert (ShownChange.objects.count(), kept.answers_version()) == (0, "0")


class TestAway:
    def test_without_the_cache_it_is_read_each_time(self, ask):
        before = ask()
        away = {"default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/redis.sock"}}
        with override_settings(CACHES=away):
            assert ask() == before
            Target.objects.update(value=700)
            assert ask() != before


class TestWatched:
    """The triggers, and that nothing is read which none of them watches."""

    @pytest.mark.parametrize("slug", ["acme", "globex"])
    def test_every_table_of_the_list_has_its_trigger_for_all_that_can_be_done_to_it(self, request, slug):
        company = request.getfixturevalue(slug)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT t.relname, g.tgtype, g.tgenabled, f.pronamespace = t.relnamespace FROM pg_trigger g"
                " JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_proc f ON f.oid = g.tgfoid"
                " WHERE g.tgname = 'kpis_shown_change' AND t.relnamespace = %s::regnamespace",
                [company.schema_name],
            )
            found = cursor.fetchall()
        insert_delete_update_truncate = 4 + 8 + 16 + 32
        assert sorted(found) == [(table, insert_delete_update_truncate, "O", True) for table in sorted(kept.WATCHED)]

    def test_a_change_is_noted_in_its_own_company_wherever_it_comes_from(self, acme, globex):
        versions = {}
        for moment in ("before", "after"):
            for company in (acme, globex):
                with tenant_context(company):
                    versions[company.slug, moment] = kept.answers_version()
            with tenant_context(acme), connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {globex.schema_name}.kpis_target")
        assert versions["acme", "before"] == versions["acme", "after"]
        assert versions["globex", "before"] != versions["globex", "after"]

    def test_all_that_is_read_is_watched(self, api, sales, acme, monkeypatch):
        """Every metric there is, in every grain, and whatever else may be asked for."""
        tree = KpiTree.objects.get(name="Plan")
        for code in CATALOGUE:
            metric = add_from_catalogue(code=code, language="en", actor=None, now=NOW)
            if not KpiNode.objects.filter(tree=tree, metric=metric).exists():
                create_node(tree=tree, level="kpi", metric=metric, actor=None, now=NOW)
        Target.objects.bulk_create(
            Target(node=each, period_start=NOVEMBER, value=5, initial_value=5, line="target")
            for each in tree.nodes.all()
        )
        Period.objects.filter(start_date=OCTOBER).update(state="closed")
        team = Team.objects.get(name="North")
        team.successors.add(Team.objects.get(name="South"))
        recompute(now=NOW)
        sent: list[str] = []
        read = kept.read_answer

        def noted(asked: object, render: Callable[[], bytes], **options: Any) -> kept.Answer:
            def render_noting() -> bytes:
                with CaptureQueriesContext(connection) as queries:
                    body = render()
                sent.extend(query["sql"] for query in queries)
                return body

            return read(asked, render_noting, **options)

        monkeypatch.setattr(results, "read_answer", noted)
        for change in (
            *({"grain": grain} for grain in Grain.values),
            *({"dimension": each} for each in ("team", "person", "product", "seg1")),
            {"dimension": "team", "org": "now"},
            {"live": "true"},
            {"line": "stretch"},
        ):
            api.shown("matrix/", **{"tree": sales["tree"], **AUTUMN, **change})
        text = "\n".join(sent)
        tables = {each for each in existing_tables(company=acme) if re.search(rf"\b{each}\b", text)}
        # These change with the values, whose version is watched.
        of_values = {model._meta.db_table for model in (*MODELS.values(), MeasureBlock, KpiEvent)}
        unwatched = tables - of_values - kept.WATCHED
        assert not unwatched, (
            f"The matrix reads {', '.join(sorted(unwatched))}, and nothing notes when it changes, so old answers would"
            " be shown. Name it in kpis.selectors.kept.WATCHED and give it its trigger by a migration"
            " (kpis.migrations._watching.watch)."
        )
        unread = kept.WATCHED - tables - {"kpis_valuesversion"}
        assert not unread, f"{', '.join(sorted(unread))}: watched, and never read here."
