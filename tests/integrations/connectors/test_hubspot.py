"""What is HubSpot's own: a search that ends and lags, histories, rotation, scopes, limits by policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import stamina

from integrations.choices import PROBLEMS, describe_problem
from integrations.connectors.auth import MARGIN_SECONDS
from integrations.connectors.base import Record
from integrations.connectors.changes import changes_of
from integrations.connectors.document import DocumentError
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Http, NoBudget
from integrations.connectors.hubspot import VERSION, HubSpotConnector, auth_of, read_hubspot
from integrations.connectors.hubspot.connector import MAX_QUERY_BYTES
from integrations.connectors.mapping import FieldRule, StreamMapping, Tally
from tests.fakes.hubspot import SECRET, HubSpotFake, limited, refused
from tests.fakes.server import Reply, served

STAGE_EVENTS = StreamMapping(
    stream="stages",
    resource="deal-stage-events",
    position=10,
    reads="deals",
    each="history.dealstage",
    rules=(
        FieldRule("external_id", template="{id}-{history.dealstage.at}"),
        FieldRule("deal", column="id"),
        FieldRule("phase", column="history.dealstage.value"),
        FieldRule("entered_at", column="history.dealstage.at"),
    ),
)
COLUMNS = ("dealname", "amount")


OPENED: list[Http] = []


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def fake() -> Iterator[HubSpotFake]:
    made = HubSpotFake("deals")
    with served(made):
        made.world.now = made.now() - timedelta(days=1)
        yield made


@pytest.fixture
def oauth() -> Iterator[HubSpotFake]:
    made = HubSpotFake("deals", "oauth")
    with served(made):
        yield made


class Store:
    """Where the credentials of one connection lie, as the services keep them."""

    def __init__(self, fake: HubSpotFake) -> None:
        self.kept: Mapping[str, str] = fake.secrets()
        self.before_writing: Callable[[], None] = lambda: None

    def exchange(self, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Mapping[str, str]:
        changed = change(self.kept)
        self.before_writing()
        self.kept = changed
        return changed


def connect(fake: HubSpotFake, store: Store | None = None, **description: Any) -> HubSpotConnector:
    source = read_hubspot({**fake.description(), **description})
    store = store or Store(fake)
    http = Http(fake.url, guard=Guard(allows_loopback=True))
    OPENED.append(http)
    http.auth = auth_of(source, store.kept, store.exchange, http)
    return HubSpotConnector(http, source)


def read_all(
    fake: HubSpotFake, stream: str, position: Mapping[str, Any], columns: tuple[str, ...] = COLUMNS
) -> tuple[list[Record], Mapping[str, Any]]:
    """A stream to its end by a new process, and where the next run begins."""
    records: list[Record] = []
    for page in connect(fake).pages(stream, position, columns):
        records += page.records
        position = page.position
    return records, position


def called(fake: HubSpotFake, end: str) -> list[Any]:
    return [call.json() for call in fake.calls if call.path.endswith(end)]


class TestSearch:
    def test_06_reads_a_window_with_more_results_than_search_gives(self, fake):
        fake.ceiling = 12
        _, position = read_all(fake, "deals", {})
        for number in range(1, 41):
            fake.world.put(str(number), dealname=f"案件{number}")
        records, _ = read_all(fake, "deals", {"since": (fake.world.now - timedelta(hours=1)).isoformat()})
        assert [record.external_id for record in records] == [str(number) for number in range(1, 41)]
        assert position == {}

    def test_asks_behind_the_last_id_of_one_window_in_their_order(self, fake):
        for number in (9, 10, 99, 100, 1000):
            fake.world.put(str(number), dealname="案件")
        since = {"since": (fake.world.now - timedelta(hours=1)).isoformat()}
        records, _ = read_all(fake, "deals", since)
        assert [record.external_id for record in records] == ["9", "10", "99", "100", "1000"]
        asked = called(fake, "/search")
        assert [each["filterGroups"][0]["filters"][-1]["value"] for each in asked] == ["0", "99"]
        assert len({str(each["filterGroups"][0]["filters"][:-1]) for each in asked}) == 1
        assert not any("after" in each for each in asked)

    def test_the_total_is_of_the_whole_window(self, fake):
        for number in range(1, 8):
            fake.world.put(str(number), dealname="案件")
        since = {"since": (fake.world.now - timedelta(hours=1)).isoformat()}
        totals = [page.total for page in connect(fake).pages("deals", since, COLUMNS)]
        assert totals == [None, 7, 7, None]

    def test_02_what_search_did_not_show_yet_comes_with_the_next_run(self, fake):
        fake.lag = timedelta(minutes=4)
        fake.world.now = fake.now() - timedelta(hours=1)
        fake.world.put("1", dealname="古い")
        _, position = read_all(fake, "deals", {})
        fake.world.now = fake.now() - timedelta(minutes=3)
        fake.world.put("2", dealname="まだ見えない")
        fake.world.now = fake.now()
        fake.world.put("3", dealname="削除")
        fake.world.delete("3")
        hidden, position = read_all(fake, "deals", position)
        assert {record.external_id for record in hidden} == {"1", "3"}
        fake.clock_ahead = timedelta(minutes=5)
        seen, _ = read_all(fake, "deals", position)
        assert "2" in {record.external_id for record in seen if not record.is_deleted}

    def test_contacts_say_by_another_name_when_they_changed(self, fake):
        fake.worlds["contacts"].put("1", at=fake.now() - timedelta(minutes=30), name="青木")
        since = {"since": (fake.now() - timedelta(hours=1)).isoformat()}
        records, _ = read_all(fake, "contacts", since, ("name",))
        assert [record.external_id for record in records] == ["1"]


class TestArchive:
    def test_07_only_what_was_archived_since_then_comes_again(self, fake):
        for number in range(1, 6):
            fake.world.put(str(number), dealname="案件")
        fake.world.delete("1")
        fake.world.tick(hours=1)
        fake.world.put("6", dealname="新しい")
        _, position = read_all(fake, "deals", {})
        fake.world.tick(hours=1)
        fake.world.delete("2")
        records, _ = read_all(fake, "deals", position)
        assert {record.external_id for record in records if record.is_deleted} == {"2"}

    def test_08_both_of_a_merge_may_go_on_under_a_new_id(self, fake):
        for number in range(1, 3):
            fake.world.put(str(number), dealname=f"案件{number}")
        _, position = read_all(fake, "deals", {})
        fake.world.tick(hours=1)
        fake.world.merge_into_new("1", "2", "9")
        records, _ = read_all(fake, "deals", position)
        ends = {record.external_id: record.merged_into for record in records if not record.is_deleted}
        assert ends == {"9": "", "1": "9", "2": "9"}

    def test_08_a_chain_of_merges_ends_at_who_is_left(self, fake):
        for number in range(1, 4):
            fake.world.put(str(number), dealname="案件")
        fake.world.merge("1", "2")
        fake.world.merge("2", "3")
        records, _ = read_all(fake, "deals", {})
        ends = {record.external_id: record.merged_into for record in records}
        assert ends == {"1": "3", "2": "3", "3": ""}


class TestHistory:
    def moved(self, fake: HubSpotFake) -> None:
        for stage in ("qualified", "qualified", "lost", "", "won"):
            fake.world.tick(hours=1)
            fake.world.put("7", dealname="案件", dealstage=stage)

    @pytest.mark.parametrize("is_first", [True, False])
    def test_becomes_events_with_each(self, fake, is_first):
        start = fake.world.now
        self.moved(fake)
        position = {} if is_first else {"since": start.isoformat()}
        records, _ = read_all(fake, "deals", position, STAGE_EVENTS.columns)
        tally = Tally()
        decisions = changes_of(STAGE_EVENTS, records, {}, zone=ZoneInfo("Asia/Tokyo"), tally=tally)
        told = [(each.record["deal"], each.record["phase"], each.record["entered_at"]) for each in decisions]
        hours = {"qualified": 1, "lost": 3, "won": 5}
        exact = start.replace(microsecond=start.microsecond // 1000 * 1000)
        assert told == [("7", stage, exact + timedelta(hours=passed)) for stage, passed in hours.items()]
        assert tally.refused == 0

    def test_of_two_values_at_one_moment_the_later_one_counts(self, fake):
        for stage in ("qualified", "lost", "won"):
            fake.world.put("7", dealstage=stage)
        records, _ = read_all(fake, "deals", {}, STAGE_EVENTS.columns)
        assert [each["value"] for each in records[0].values["history"]["dealstage"]] == ["won"]

    def test_an_event_that_history_no_longer_tells_is_withdrawn(self, fake):
        self.moved(fake)
        before, position = read_all(fake, "deals", {}, STAGE_EVENTS.columns)
        fake.world.history["7"]["dealstage"].pop(0)
        fake.world.put("7", dealname="直した")
        after, _ = read_all(fake, "deals", position, STAGE_EVENTS.columns)
        decisions = changes_of(
            STAGE_EVENTS, after, {"7": before[-1].values}, zone=ZoneInfo("Asia/Tokyo"), tally=Tally()
        )
        assert [bool(each.record.get("deleted")) for each in decisions] == [False, False, True]

    def test_asks_for_no_more_than_fifty_with_history(self, fake):
        fake.page_size = 200
        for number in range(1, 121):
            fake.world.put(str(number), dealstage="won")
        records, _ = read_all(fake, "deals", {}, STAGE_EVENTS.columns)
        assert len(records) == 120
        since = {"since": (fake.world.now - timedelta(hours=1)).isoformat()}
        changed, _ = read_all(fake, "deals", since, STAGE_EVENTS.columns)
        assert [record.values["history"]["dealstage"][0]["value"] for record in changed] == ["won"] * 120
        assert [len(each["inputs"]) for each in called(fake, "/batch/read")] == [50, 50, 20]


class TestAssociations:
    COLUMNS = ("dealname", "associations.contact", "associations.companies")

    @pytest.fixture
    def three(self, fake):
        """An open deal of one contact and two companies, an open one without, and a won one; read once."""
        for number, stage in enumerate(("qualified", "qualified", "won"), start=1):
            fake.world.put(
                str(number), at=fake.now() - timedelta(hours=number), dealname=f"案件{number}", dealstage=stage
            )
        fake.associate("deals", "1", "contacts", "71")
        fake.associate("deals", "1", "companies", "81", "82")
        return read_all(fake, "deals", {}, self.COLUMNS)

    def test_the_only_one_has_a_name_and_of_several_none_is_guessed(self, three):
        records, _ = three
        found = {record.external_id: record.values["associations"] for record in records}
        assert found["1"] == {"contacts": ["71"], "contact": "71", "companies": ["81", "82"], "company": None}
        assert found["2"] == found["3"] == {"contacts": [], "contact": None, "companies": [], "company": None}

    def test_10_a_change_that_leaves_no_stamp_is_seen_while_a_deal_is_open(self, fake, three):
        _, position = three
        fake.associate("deals", "2", "contacts", "72")
        fake.associate("deals", "3", "contacts", "73")
        records, _ = read_all(fake, "deals", position, self.COLUMNS)
        found = {record.external_id: record.values["associations"]["contact"] for record in records}
        assert found == {"1": "71", "2": "72"}

    def test_are_asked_for_only_where_a_mapping_reads_them(self, fake, three):
        fake.calls.clear()
        read_all(fake, "deals", three[1], ("dealname",))
        assert not any("associations" in call.path for call in fake.calls)
        assert len(called(fake, "/search")) == 1

    def test_come_with_a_record_that_is_read_by_its_id(self, fake, three):
        (record,) = connect(fake).read("deals", ["1"], self.COLUMNS)
        assert record.values["associations"]["contact"] == "71"

    def test_are_fields_of_deals_where_the_other_side_is_read(self, fake):
        names = [field.name for field in connect(fake).fields("deals") if field.name.startswith("associations.")]
        assert names == [f"associations.{each}" for each in ("contacts", "contact", "companies", "company")]
        alone = connect(fake, objects=["deals", "contacts"]).fields("deals")
        assert "associations.company" not in {field.name for field in alone}


class TestProperties:
    def test_12_more_names_than_an_address_holds_go_in_a_body(self, fake):
        names = tuple(f"a_rather_long_property_name_{number}" for number in range(300))
        fake.extra["deals"] = [{"name": name, "label": name, "type": "string"} for name in names]
        fake.world.put("1", dealname="案件", **{names[-1]: "x"})
        records, _ = read_all(fake, "deals", {}, names)
        assert [record.values[names[-1]] for record in records] == ["x"]
        assert len(called(fake, "/batch/read")) == 1
        assert sum(map(len, names)) > MAX_QUERY_BYTES

    def test_11_one_that_is_gone_is_named(self, fake):
        fake.world.put("1", dealname="案件")
        with pytest.raises(ConnectorError) as caught:
            read_all(fake, "deals", {}, ("dealname", "rank", "history.route.value"))
        assert (caught.value.kind, caught.value.code) == ("config", "missing_fields")
        assert caught.value.params["fields"] == "rank, route"

    def test_are_listed_with_their_kinds_options_and_the_dates_of_stages(self, fake):
        found = {each.name: each for each in connect(fake).fields("deals")}
        assert found["amount"].kind == "number"
        assert ("won", "受注") in found["dealstage"].choices
        assert found["hs_v2_date_entered_won"].kind == "moment"
        assert found["history.dealstage.value"].choices == found["dealstage"].choices

    def test_stages_and_pipelines_have_their_names_from_the_pipelines(self, fake):
        fake.stages = [("1", "提案", "0.2", "false"), ("2", "受注", "1.0", "true")]
        fake.further_pipelines = {
            ("p2", "更新"): [("3", "受注", "1.0", "true"), ("4", "見送り", "0.5", "true"), ("5", "失注", "0.0", "true")]
        }
        found = {each.name: each for each in connect(fake).fields("deals")}
        assert found["pipeline"].choices == (("default", "新規"), ("p2", "更新"))
        named = {"1": "提案", "2": "受注 (新規)", "3": "受注 (更新)", "4": "見送り", "5": "失注"}
        assert dict(found["dealstage"].choices) == named
        assert found["history.dealstage.value"].choices == found["dealstage"].choices
        assert dict(found["dealstage"].meanings) == {"1": "open", "2": "won", "3": "won", "5": "lost"}
        assert not found["pipeline"].meanings

    def test_21_every_path_has_the_version(self, fake):
        fake.world.put("1", dealname="案件", dealstage="won")
        for stream in ("owners", "teams", "pipelines", "deals"):
            read_all(fake, stream, {})
        assert all(f"/{VERSION}" in call.path for call in fake.calls)


class TestOwnersAndStages:
    @pytest.fixture(autouse=True)
    def _people(self, fake):
        sales, marketing = {"id": "11", "name": "営業一課", "primary": True}, {"id": "12", "name": "マーケ"}
        fake.owners = [
            {"id": str(number), "userId": number + 500, "lastName": f"社員{number}", "teams": [sales]}
            for number in range(1, 6)
        ] + [{"id": "6", "userId": None, "lastName": "退職者", "archived": True, "teams": [marketing]}]

    def test_who_has_left_keeps_a_name(self, fake):
        records, position = read_all(fake, "owners", {})
        assert {record.external_id: record.values["archived"] for record in records} == {
            **dict.fromkeys("12345", False),
            "6": True,
        }
        assert not any(record.is_deleted for record in records)
        assert position == {}

    def test_teams_are_told_once(self, fake):
        records, _ = read_all(fake, "teams", {})
        assert [record.values for record in records] == [
            {"id": "11", "name": "営業一課"},
            {"id": "12", "name": "マーケ"},
        ]

    def test_stages_say_by_words_whether_they_close_and_win(self, fake):
        fake.stages = [
            ("a", "提案", "0.2", "false"),
            ("b", "最終", "1.0", "false"),
            ("c", "受注", "1.0", "true"),
            ("d", "失注", "0.0", "true"),
        ]
        records, _ = read_all(fake, "pipelines", {})
        told = {each.external_id: [each.values[f"is_{word}"] for word in ("closed", "won", "lost")] for each in records}
        assert told == {
            "a": [False, False, False],
            "b": [False, False, False],
            "c": [True, True, False],
            "d": [True, False, True],
        }
        assert {each.values["pipeline"]["label"] for each in records} == {"新規"}


class TestRotation:
    def test_15_each_exchange_is_kept_before_its_token_is_used(self, oauth):
        store = Store(oauth)
        with connect(oauth, store).http as http:
            http.get(f"crm/owners/{VERSION}")
        assert store.kept["refresh_token"] == oauth.refresh_token != oauth.secrets()["refresh_token"]
        assert store.kept["access_token"] == oauth.access_token

    def test_a_worker_that_dies_after_keeping_loses_nothing(self, oauth):
        store = Store(oauth)
        connector = connect(oauth, store)
        with connector.http as http:
            http.auth.headers()
        # The worker died before its first call; another one takes up what was kept.
        with connect(oauth, store).http as http:
            assert http.get(f"crm/owners/{VERSION}").status == 200
        assert oauth.exchanges == 1

    def test_a_worker_that_dies_before_keeping_needs_a_person(self, oauth):
        store = Store(oauth)
        store.before_writing = lambda: (_ for _ in ()).throw(SystemExit)
        with connect(oauth, store).http as http, pytest.raises(SystemExit):
            http.get(f"crm/owners/{VERSION}")
        store.before_writing = lambda: None
        with connect(oauth, store).http as http, pytest.raises(ConnectorError) as caught:
            http.get(f"crm/owners/{VERSION}")
        assert (caught.value.kind, caught.value.code, caught.value.permanent) == ("auth", "reconnect", True)
        for secret in (SECRET, *store.kept.values()):
            assert secret not in str(caught.value.params)

    def test_one_that_was_connected_anew_meanwhile_goes_on(self, oauth):
        store = Store(oauth)
        stale = {**store.kept, "refresh_token": "long-dead"}
        given = [stale]

        class Late(Store):
            def exchange(self, change):
                self.kept = given.pop() if given else {**stale, "refresh_token": "refresh-0"}
                return super().exchange(change)

        with connect(oauth, Late(oauth)).http as http:
            assert http.get(f"crm/owners/{VERSION}").status == 200

    def test_15_another_workers_token_is_used_instead_of_a_second_exchange(self, oauth):
        store = Store(oauth)
        with connect(oauth, store).http as first, connect(oauth, store).http as second:
            first.get(f"crm/owners/{VERSION}")
            second.get(f"crm/owners/{VERSION}")
        assert oauth.exchanges == 1

    def test_the_end_of_a_token_is_seen_before_it_comes(self, oauth):
        store = Store(oauth)
        with connect(oauth, store).http as http:
            http.get(f"crm/owners/{VERSION}")
        store.kept = {**store.kept, "access_until": str(datetime.now(UTC).timestamp() + MARGIN_SECONDS / 2)}
        oauth.calls.clear()
        with connect(oauth, store).http as http:
            http.get(f"crm/owners/{VERSION}")
        assert [call.path for call in oauth.calls] == [f"/oauth/{VERSION}/token", f"/crm/owners/{VERSION}"]

    def test_a_refused_token_is_renewed_once(self, oauth):
        with connect(oauth).http as http:
            http.get(f"crm/owners/{VERSION}")
            oauth.fail(refused(401, "expired", "EXPIRED_AUTHENTICATION"))
            assert http.get(f"crm/owners/{VERSION}").status == 200
            assert oauth.exchanges == 2
            oauth.fail(*[refused(401, "expired", "EXPIRED_AUTHENTICATION"), None] * 2)
            with pytest.raises(ConnectorError, match="not_authorised"):
                http.get(f"crm/owners/{VERSION}")


class TestCheck:
    def test_missing_scopes_are_named_stream_by_stream(self, fake):
        fake.scopes -= {"crm.objects.deals.read", "crm.objects.owners.read"}
        bad = [each for each in connect(fake).check() if each.is_bad]
        assert {(each.code, each.params["stream"], each.params["scopes"]) for each in bad} == {
            ("missing_scopes", "owners", "crm.objects.owners.read"),
            ("missing_scopes", "pipelines", "crm.objects.deals.read"),
            ("missing_scopes", "deals", "crm.objects.deals.read"),
        }
        assert "crm.objects.deals.read" in describe_problem(bad[-1].code, bad[-1].params)

    def test_a_stream_without_its_scope_leaves_the_others(self, fake):
        fake.scopes -= {"crm.objects.deals.read"}
        fake.worlds["companies"].put("1", name="会社")
        with pytest.raises(ConnectorError) as caught:
            read_all(fake, "deals", {})
        assert (caught.value.kind, caught.value.permanent, caught.value.wait) == ("config", True, None)
        assert len(read_all(fake, "companies", {}, ("name",))[0]) == 1

    def test_tells_what_is_left_of_the_day(self, fake):
        fake.daily = (250_000, 1_234)
        finding = next(each for each in connect(fake).check() if each.code == "quota_left")
        assert (finding.is_bad, finding.params) == (False, {"left": 1_234, "most": 250_000})
        assert "1234" in describe_problem(finding.code, finding.params)


class TestFailures:
    @pytest.mark.parametrize(
        ("policy", "headers", "seconds"),
        [
            ("SECONDLY", {}, 1),
            ("TEN_SECONDLY_ROLLING", {}, 10),
            ("TEN_SECONDLY_ROLLING", {"Retry-After": "3"}, 3),
            ("DAILY", {"Retry-After": "60"}, 60),
        ],
    )
    def test_a_limit_waits_as_its_policy_says(self, fake, policy, headers, seconds):
        fake.fail(*[limited(policy, headers)] * 3)
        assert self.failure(fake).wait == seconds

    def test_16_limits_that_are_really_kept_are_waited_out(self, fake):
        for number in range(1, 41):
            fake.world.put(str(number), dealname=f"案件{number}")
        fake.keep_rates()

        def pass_time(call: int) -> None:
            fake.clock_ahead += timedelta(milliseconds=150)

        fake.before = pass_time
        with stamina.set_testing(True, attempts=10, cap=True):
            since = {"since": (fake.world.now - timedelta(hours=1)).isoformat()}
            records, _ = read_all(fake, "deals", since)
        assert [record.external_id for record in records] == [str(number) for number in range(1, 41)]
        assert fake.refusals > 0

    def test_16_a_day_that_is_used_up_by_others_is_put_off(self, fake):
        fake.keep_rates(daily=2)
        with connect(fake).http as http, pytest.raises(ConnectorError) as caught:
            for _ in range(4):
                http.budget = NoBudget()
                http.get(f"crm/owners/{VERSION}")
        assert (caught.value.code, caught.value.params["message"]) == (
            "too_many_calls",
            "You have reached your daily limit. (correlationId c0ffee-4711)",
        )

    def test_16_four_fifths_of_the_day_are_the_most_it_takes(self, fake):
        fake.world.put("1", dealname="案件")
        fake.daily = (1000, 199)
        with pytest.raises(ConnectorError) as caught:
            read_all(fake, "deals", {})
        assert (caught.value.kind, caught.value.code, caught.value.permanent) == ("rate_limit", "budget_spent", False)
        assert 0 < caught.value.wait <= 25 * 3600
        assert len([call for call in fake.calls if call.method != "HEAD"]) == 1
        assert not any(each.is_bad for each in connect(fake).check())
        fake.daily = (1000, 201)
        assert len(read_all(fake, "deals", {})[0]) == 1

    @pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
    def test_the_daily_limit_waits_until_midnight_of_the_account(self, fake, zone):
        fake.zone = zone
        fake.fail(None, *[limited("DAILY")] * 3)
        with pytest.raises(ConnectorError) as caught:
            read_all(fake, "deals", {})
        wait = caught.value.wait
        end = (datetime.now(UTC) + timedelta(seconds=wait)).astimezone(ZoneInfo(zone))
        assert 0 < wait <= 25 * 3600
        assert abs(end - end.replace(hour=0, minute=0, second=0, microsecond=0)) < timedelta(seconds=5) or (
            end.hour == 23 and end.minute == 59
        )
        assert (caught.value.kind, caught.value.permanent) == ("rate_limit", False)

    def test_where_the_zone_is_not_known_the_day_is_looked_at_again_in_an_hour(self, fake):
        fake.zone = "Mars/Olympus"
        fake.fail(None, limited("DAILY"))
        with pytest.raises(ConnectorError) as caught:
            read_all(fake, "deals", {})
        assert caught.value.wait == 3600

    @pytest.mark.parametrize(
        ("status", "headers", "wait"),
        [
            (423, {}, 2),
            (423, {"Retry-After": "5"}, 5),
            (477, {"Retry-After": "9"}, 9),
            (502, {}, None),
            (503, {}, None),
            (504, {}, None),
            (524, {}, None),
        ],
    )
    def test_a_busy_source_is_asked_again(self, fake, status, headers, wait):
        busy = Reply(status, refused(status, "busy", "X").body, headers)
        fake.fail(busy, None)
        with connect(fake).http as http:
            assert http.get(f"crm/owners/{VERSION}").status == 200
        fake.fail(*[busy] * 3)
        failure = self.failure(fake)
        assert (failure.kind, failure.permanent, failure.wait) == ("remote", False, wait)

    def test_a_batch_that_was_answered_in_part_is_asked_again(self, fake):
        fake.world.put("1", dealname="案件")
        broken = {"status": "COMPLETE", "results": [], "errors": [{"category": "INTERNAL", "message": "shard away"}]}
        fake.fail(Reply(207, broken))
        assert [each.is_deleted for each in connect(fake).read("deals", ["1", "2"], COLUMNS)] == [False, True]

    def test_its_words_and_the_id_of_the_call_are_kept(self, fake):
        fake.fail(refused(400, "Property “x” does not exist", "VALIDATION_ERROR"))
        params = self.failure(fake).params
        assert "Property “x” does not exist" in params["message"]
        assert "c0ffee-4711" in params["message"]
        assert params["correlation_id"] == "c0ffee-4711"

    def test_every_code_has_its_sentence(self):
        assert {"reconnect", "missing_scopes", "missing_fields", "unexpected_answer", "quota_left"} <= set(PROBLEMS)

    def test_an_answer_without_results_is_no_empty_page(self, fake):
        fake.fail(None, None, Reply(200, {"status": "ok"}))
        with pytest.raises(ConnectorError) as caught:
            read_all(fake, "deals", {})
        assert (caught.value.code, caught.value.permanent) == ("unexpected_answer", False)

    def failure(self, fake: HubSpotFake) -> ConnectorError:
        with connect(fake).http as http, pytest.raises(ConnectorError) as caught:
            http.get(f"crm/owners/{VERSION}")
        return caught.value


class TestDescription:
    GOOD: Mapping[str, Any] = {"auth": "service_key", "objects": ["deals"]}

    def test_says_what_is_read_and_where(self):
        source = read_hubspot(self.GOOD)
        assert (source.objects, source.base_url) == (("deals",), "https://api.hubapi.com/")
        assert read_hubspot({"auth": "oauth"}).objects == ("contacts", "companies", "deals")

    def test_without_deals_there_are_no_stages(self, fake):
        names = [each.name for each in connect(fake, objects=["contacts"]).streams()]
        assert names == ["owners", "teams", "contacts"]

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"auth": "password"}, {"auth": "invalid"}),
            ({"objects": []}, {"objects": "invalid"}),
            ({"objects": "deals"}, {"objects": "invalid"}),
            ({"objects": ["tickets"]}, {"objects": "invalid"}),
            ({"objects": [["deals"]]}, {"objects": "invalid"}),
            ({"base_url": ""}, {"base_url": "required"}),
            ({"token": "pat-x"}, {"token": "unknown"}),
            ({"auth": None, "objects": None, "zone": 1}, {"auth": "invalid", "objects": "invalid", "zone": "unknown"}),
        ],
    )
    def test_names_the_place_of_every_fault(self, changes, expected):
        with pytest.raises(DocumentError) as caught:
            read_hubspot({**self.GOOD, **changes})
        assert {issue.field: issue.code for issue in caught.value.issues} == expected

    @pytest.mark.parametrize("description", [None, [], "x"])
    def test_refuses_what_is_no_description(self, description):
        with pytest.raises(DocumentError):
            read_hubspot(description)
