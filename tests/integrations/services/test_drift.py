"""A source that is no longer as it was mapped says so, with the KPIs that it hurts; nothing new is guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import stamina
from django.urls import reverse
from django.utils import timezone

from integrations.choices import RunState, describe_problem
from integrations.connectors.base import SourceField
from integrations.connectors.drift import drift_of, emptied, filled_in, seen_of
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, SyncRun
from integrations.selectors.connections import quota_of
from integrations.selectors.drift import drift_warnings, warnings_for
from integrations.services.connections import add_value, save_mapping
from integrations.services.drift import LOOK_EVERY, look_for_drift, refresh_calculated
from integrations.services.inspection import check_source
from kpis.engine import specs
from kpis.engine.specs.uses import fields_used
from kpis.models import Deal, DealStageEvent, FactStream, Metric, MetricVersion
from kpis.selectors.field_uses import metrics_by_field
from tests.fakes.hubspot import HubSpotFake, _property
from tests.fakes.server import served
from tests.integrations.sources import connect, sync

STAGE_RULES = (
    FieldRule("external_id", template="{id}-{history.dealstage.at}"),
    FieldRule("deal", column="id"),
    FieldRule("phase", column="history.dealstage.value"),
    FieldRule("entered_at", column="history.dealstage.at"),
)
TODAY = date(2026, 11, 24)
MAPPING = StreamMapping(
    "deals",
    "deals",
    10,
    "deals",
    (
        FieldRule("external_id", column="id"),
        FieldRule("created_on", column="createdate"),
        FieldRule("closed_on", column="createdate"),
        FieldRule("amount", column="amount"),
        FieldRule("outcome", column="dealstage", values={"qualified": "open", "won": "won", "lost": "lost"}),
    ),
)


@pytest.fixture
def fake() -> Iterator[HubSpotFake]:
    made = HubSpotFake("deals")
    with served(made), stamina.set_testing(True, attempts=2, cap=True):
        made.world.now = made.now() - timedelta(days=1)
        yield made


@pytest.fixture
def connection(in_acme, fake) -> Connection:
    made = connect(
        fake, MAPPING, name="HubSpot", kind="hubspot", source="hs", carries="both", description=fake.description()
    )
    fake.world.put("1", dealname="案件", amount="900", dealstage="won")
    return made


def synced(connection: Connection) -> SyncRun:
    run = sync(connection)
    connection.refresh_from_db()
    look_for_drift(connection=connection, report={}, now=timezone.now(), is_due=True)
    connection.refresh_from_db()
    return run


def said(run: SyncRun) -> dict[str, Any]:
    """What the import says of its stream."""
    problem = run.report["streams"][0]["problem"]
    return {"code": problem["code"], "params": problem["params"]}


def codes(connection: Connection) -> list[tuple[str, str]]:
    return [(each["code"], each["field"]) for each in connection.drift]


class TestStages:
    def test_13_a_new_stage_is_unmapped_and_never_guessed(self, connection, fake):
        synced(connection)
        assert connection.drift == []
        fake.stages = (*fake.stages, ("review", "稟議中", "0.5", "false"))
        fake.world.tick(hours=1)
        fake.world.put("2", amount="5", dealstage="review")
        run = synced(connection)
        assert codes(connection) == [("word_new", "outcome")]
        assert (run.state, run.report["streams"][0]["unmapped"]) == (
            RunState.PARTLY,
            [{"field": "outcome", "value": "review", "count": 1}],
        )
        assert not Deal.objects.filter(external_id="2").exists()
        add_value(
            connection=connection, stream="deals", field="outcome", word="review", meaning="open", now=timezone.now()
        )
        synced(connection)
        assert connection.drift == []
        assert Deal.objects.get(external_id="2").outcome == "open"

    def test_13_a_stage_that_is_called_otherwise_keeps_its_meaning(self, connection, fake):
        synced(connection)
        fake.stages = [(id, "成約" if id == "won" else label, *rest) for id, label, *rest in fake.stages]
        run = synced(connection)
        assert codes(connection) == [("word_renamed", "outcome")]
        assert run.state == RunState.SUCCEEDED
        assert Deal.objects.get().outcome == "won"
        synced(connection)
        assert codes(connection) == [("word_renamed", "outcome")]

    def test_13_a_stage_that_is_gone_leaves_what_it_meant(self, connection, fake):
        synced(connection)
        fake.stages = [stage for stage in fake.stages if stage[0] != "lost"]
        for _ in range(2):
            synced(connection)
            assert codes(connection) == [("word_gone", "outcome")]

    def test_13_words_that_the_source_never_had_and_those_of_parts_are_no_change(self, connection, fake):
        fake.extra["deals"] = [_property("hs_is_closed", "閉", "bool", [("true", "True"), ("false", "False")])]
        known = {"won": "won", "lost": "lost", "qualified": "open", "closedwon": "won"}
        rules = [replace(rule, values=known) if rule.field == "outcome" else rule for rule in MAPPING.rules]
        parts = FieldRule("lost_reason", template="{hs_is_closed}/{dealname}", values={"true/案件": "済"})
        save_mapping(connection=connection, mapping=replace(MAPPING, rules=(*rules, parts)), now=timezone.now())
        synced(connection)
        assert connection.drift == []


class TestFields:
    def test_11_a_field_that_is_gone_is_told_with_the_kpis_it_hurts(self, connection, fake):
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "sum", "field": "amount"}
        hurt = _metric("bookings", spec)
        _metric("leads", {"kind": "simple", "fact": "leads", "date": "created_on", "aggregate": "count"})
        formula = _metric("double", {"kind": "formula", "expression": "bookings * 2"})
        synced(connection)
        rows = fake._properties
        fake._properties = lambda call, kind: _without(rows(call, kind), "amount")
        run = sync(connection)
        assert run.state == RunState.PARTLY
        connection.refresh_from_db()
        assert codes(connection) == [("field_gone", "amount")]
        found = drift_warnings(connections=[connection], day=TODAY)
        assert [metric.code for metric in found[0].metrics] == ["bookings", "double"]
        assert "amount" in found[0].sentence
        assert [len(warnings_for(metric=metric, day=TODAY)) for metric in (hurt, formula)] == [1, 1]

    def test_11_the_stream_goes_on_without_it_and_what_changed_meanwhile_comes_when_it_is_back(self, connection, fake):
        synced(connection)
        rows = fake._properties
        fake._properties = lambda call, kind: _without(rows(call, kind), "amount")
        for amount in ("1000", "1100"):
            fake.world.tick(hours=1)
            fake.world.put("1", amount=amount, dealstage="lost")
            fake.world.put(amount, amount=amount, dealstage="won")
            run = sync(connection)
            assert run.state == RunState.PARTLY
            assert "amount" in describe_problem(**said(run))
        told = {each.external_id: (each.outcome, each.amount) for each in Deal.objects.all()}
        assert told == {"1": ("lost", 900), "1000": ("won", None), "1100": ("won", None)}
        assert FactStream.objects.get(fact="deals").last_success_at is not None
        fake._properties = rows
        assert sync(connection).state == RunState.SUCCEEDED
        assert dict(Deal.objects.values_list("external_id", "amount")) == {"1": 1100, "1000": 1000, "1100": 1100}
        fake.calls.clear()
        assert sync(connection).state == RunState.SUCCEEDED
        asked = [call.json()["filterGroups"][0]["filters"][0] for call in fake.calls if call.path.endswith("/search")]
        last = max(thing.updated_at for thing in fake.world)
        assert [int(each["value"]) for each in asked] == [int((last - timedelta(minutes=10)).timestamp() * 1000)]

    @pytest.mark.parametrize("name", ["dealstage", "createdate"])
    def test_11_without_what_says_how_a_deal_stands_or_when_it_began_nothing_is_read(self, connection, fake, name):
        synced(connection)
        rows = fake._properties
        fake._properties = lambda call, kind: _without(rows(call, kind), name)
        run = sync(connection)
        assert (run.state, run.problem_code) == (RunState.FAILED, "missing_fields")

    def test_11_of_two_mappings_of_a_stream_the_one_that_can_goes_on(self, connection, fake):
        stages = StreamMapping("stages", "deal-stage-events", 20, "deals", STAGE_RULES, each="history.dealstage")
        rules = tuple(rule for rule in MAPPING.rules if rule.field != "outcome")
        save_mapping(connection=connection, mapping=replace(MAPPING, rules=rules), now=timezone.now())
        save_mapping(connection=connection, mapping=stages, now=timezone.now())
        synced(connection)
        assert DealStageEvent.objects.count() == 1
        rows = fake._properties
        fake._properties = lambda call, kind: _without(rows(call, kind), "dealstage")
        fake.world.tick(hours=1)
        fake.world.put("1", amount="5")
        run = sync(connection)
        problems = {each["stream"]: bool(each["problem"]) for each in run.report["streams"]}
        assert (run.state, problems) == (RunState.PARTLY, {"deals": False, "stages": True})
        assert Deal.objects.get().amount == 5

    def test_is_shown_on_the_page(self, connection, fake, client_for, acme, dave):
        _metric("won", {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"})
        synced(connection)
        fake.stages = (*fake.stages, ("review", "稟議中", "0.5", "false"))
        synced(connection)
        page = reverse("connection", args=[connection.public_id])
        shown = client_for(dave, acme).get(page).content.decode()
        assert "稟議中" in shown
        assert "KPI won" in shown
        assert "稟議中 (review)" in shown

    def test_is_shown_on_the_pages_of_the_kpis_it_hurts(self, connection, plan, client_for, acme, dave):
        gone = {"code": "field_gone", "stream": "deals", "resource": "deals", "field": "amount", "column": "amount"}
        Connection.objects.update(drift=[{**gone, "params": {}}])
        client, english = client_for(dave, acme), {"accept-language": "en"}

        def shown(code: str) -> str:
            return client.get(reverse("kpi", args=[plan[code]]), headers=english).content.decode()

        assert "this number may be wrong" in shown("bookings")
        assert "this number may be wrong" not in shown("won_deals")
        assert reverse("connection", args=[connection.public_id]) in shown("bookings")

    def test_a_source_is_not_asked_every_minute(self, connection, fake):
        synced(connection)
        asked = len(fake.calls)
        now = timezone.now()
        look_for_drift(connection=connection, report={}, now=now + LOOK_EVERY - timedelta(minutes=1))
        assert len(fake.calls) == asked
        look_for_drift(connection=connection, report={}, now=now + LOOK_EVERY + timedelta(minutes=1))
        assert len(fake.calls) > asked

    def test_11_a_field_that_is_suddenly_empty_is_told_where_nothing_describes_it(self):
        filled = filled_in(MAPPING, {"read": 30, "blank": {"amount": 29, "closed_on": 30}})
        assert "amount" in filled
        now = {"read": 30, "blank": {"amount": 30, "closed_on": 30}}
        assert [(each.code, each.field) for each in emptied(MAPPING, now, filled)] == [("field_empty", "amount")]
        assert emptied(MAPPING, {"read": 19, "blank": {"amount": 19}}, filled) == []

    def test_another_kind(self):
        before = seen_of([MAPPING], [SourceField("amount", "金額", "number")])
        described = [SourceField(name, name) for name in ("id", "createdate", "amount", "dealstage")]
        found = drift_of(MAPPING, described, before)
        assert [(each.code, each.field, dict(each.params)) for each in found] == [
            ("field_retyped", "amount", {"before": "number", "now": "text"})
        ]


class TestCalculated:
    def test_09_fields_that_the_source_computes_are_read_whole_every_night(self, connection, fake):
        fake.extra["deals"].append({"name": "score", "label": "点数", "type": "number", "calculated": True})
        rules = (*MAPPING.rules, FieldRule("attributes.score", column="score"))
        mapping = StreamMapping("deals", "deals", 10, "deals", rules)
        save_mapping(connection=connection, mapping=mapping, now=timezone.now())
        fake.world.put("1", score="1")
        synced(connection)
        stamp = fake.world.things["1"].updated_at
        fake.world.tick(hours=12)
        fake.world.put("3", amount="1", dealstage="won")
        fake.world.put("1", at=stamp - timedelta(days=1), score="2")
        sync(connection)
        assert Deal.objects.get(external_id="1").attributes["score"] == "1"
        assert refresh_calculated(connection=connection, now=timezone.now()) == ["deals"]
        sync(connection)
        assert Deal.objects.get(external_id="1").attributes["score"] == "2"

    def test_09_without_such_fields_nothing_is_read_again(self, connection):
        synced(connection)
        assert refresh_calculated(connection=connection, now=timezone.now()) == []

    def test_10_owners_and_their_teams_are_read_whole_at_every_run(self, connection, fake):
        rules = (
            FieldRule("external_id", column="id"),
            FieldRule("name", column="lastName"),
            FieldRule("team", column="teams.0.id", optional=True),
        )
        teams = (FieldRule("external_id", column="id"), FieldRule("name", column="name"))
        save_mapping(
            connection=connection, mapping=StreamMapping("people", "people", 5, "owners", rules), now=timezone.now()
        )
        save_mapping(
            connection=connection, mapping=StreamMapping("teams", "teams", 4, "teams", teams), now=timezone.now()
        )
        east, west = {"id": "1", "name": "東"}, {"id": "2", "name": "西"}
        owner = {"id": "7", "userId": 70, "lastName": "青木", "teams": [east]}
        fake.owners = [owner, {"id": "8", "userId": 80, "lastName": "井上", "teams": [west]}]
        sync(connection)
        # Nothing of an owner says when it changed.
        owner["teams"] = [west]
        run = sync(connection)
        assert run.updated_count == 1


class TestQuota:
    def test_what_the_source_said_last_is_on_the_page(self, connection, fake, client_for, acme, dave):
        fake.daily = (250_000, 45_000)
        check_source(connection=connection, today=TODAY)
        connection.refresh_from_db()
        found = quota_of(connection=connection)
        assert (found.used, found.limit, found.percent, found.is_short) == (205_000, 250_000, 82, True)
        page = reverse("connection", args=[connection.public_id])
        shown = client_for(dave, acme).get(page, headers={"accept-language": "en"}).content.decode()
        assert "205,000 of 250,000 (82 %)" in shown
        assert "Few calls are left" in shown

    def test_a_source_that_says_nothing_has_none(self, connection):
        assert quota_of(connection=connection) is None


class TestUses:
    @pytest.mark.parametrize(
        ("spec", "use"),
        [
            ({"kind": "conversion", "from": "mql", "to": "sql"}, ("lead-stage-events", "stage")),
            ({"kind": "conversion", "fact": "deals", "from": "step1", "to": "won"}, ("deals", "phase")),
            ({"kind": "retention", "measure": "nrr"}, ("contracts", "mrr")),
            ({"kind": "repeat", "fact": "orders"}, ("orders", "ordered_on")),
            ({"kind": "clv", "formula": "historic"}, ("revenues", "gross_profit")),
            ({"kind": "score", "survey": "nps"}, ("surveys", "score")),
        ],
    )
    def test_each_kind_names_what_it_reads(self, spec, use):
        assert use in fields_used(specs.parse_spec(spec))

    def test_a_formula_that_names_itself_ends(self, in_acme):
        _metric("a", {"kind": "formula", "expression": "b + 1"})
        _metric("b", {"kind": "formula", "expression": "a + 1"})
        assert metrics_by_field(day=TODAY) == {}


def _metric(code: str, spec: dict[str, Any]) -> Metric:
    made = Metric.objects.create(code=code, name=f"KPI {code}", unit="count", accumulation="sum")
    MetricVersion.objects.create(metric=made, number=1, spec=spec)
    return made


def _without(reply: Any, name: str) -> Any:
    reply.body["results"] = [each for each in reply.body["results"] if each["name"] != name]
    return reply
