"""What every connector must get right, tried on a faithful fake of its source.

The numbers in the names of the tests are the rows of the table of failures in docs/connectors.md. A copy is kept as
the sync core keeps one: records by id, deletions and merges taken out; it must equal what is true at the source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import stamina

from integrations.connectors.base import INCOMPLETE, Connector, begun_anew
from integrations.connectors.document import read_document
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Http, NoBudget
from integrations.connectors.hubspot import HubSpotConnector, read_hubspot
from integrations.connectors.hubspot import auth_of as hubspot_auth
from integrations.connectors.kintone import KintoneConnector
from integrations.connectors.kintone_description import read_description as read_kintone
from integrations.connectors.rest import RestConnector, auth_of
from integrations.connectors.salesforce import SalesforceConnector, open_instance, read_description
from tests.fakes.hubspot import MODIFIED as HUBSPOT_OBJECTS
from tests.fakes.hubspot import HubSpotFake
from tests.fakes.kintone import KintoneFake
from tests.fakes.rest import AUTHS, PAGING, RestFake
from tests.fakes.salesforce import SalesforceFake
from tests.fakes.server import FakeServer, Reply, served

LOOPBACK = Guard(allows_loopback=True)


class Case:
    """A connector, the fake it reads, and the copy that is kept of one stream."""

    def __init__(self, fake: Any, connect: Callable[[Any], Connector], stream: str) -> None:
        self.fake = fake
        self.world = fake.world
        self.connect = connect
        self.connector = connect(fake)
        self.stream = stream
        # What the source calls a name and an amount.
        self.columns: Mapping[str, str] = getattr(fake, "columns", {"name": "name", "amount": "amount"})
        self.position: Mapping[str, Any] = {}
        self.copy: dict[str, Mapping[str, Any]] = {}
        self.aliases: dict[str, str] = {}

    def reconnect(self) -> None:
        """Another process goes on, with what was saved alone."""
        self.connector.http.close()
        self.connector = self.connect(self.fake)

    def sync(self, *, pages: int | None = None) -> int:
        """Read to the end, or as many pages as a worker lived; returns how many records came."""
        read, wanted = 0, tuple(self.columns.values())
        for number, page in enumerate(self.connector.pages(self.stream, self.position, wanted), 1):
            for record in page.records:
                read += 1
                id = self.fake.world_id(record.external_id)
                if record.is_deleted or record.merged_into:
                    self.copy.pop(id, None)
                    if record.merged_into:
                        self.aliases[id] = self.fake.world_id(record.merged_into)
                else:
                    self.copy[id] = {ours: record.values.get(theirs) for ours, theirs in self.columns.items()}
            self.position = page.position
            if number == pages:
                break
        return read

    def existing(self) -> set[str]:
        """What the source says exists."""
        return {self.fake.world_id(id) for part in self.connector.ids(self.stream, {}) for id in part.ids}

    def existing_in_parts(self) -> set[str]:
        """The same, where every part is asked for by itself, as a comparison does that has to go on later."""
        found: set[str] = set()
        resume: Any = {}
        while resume is not None:
            part = next(iter(self.connector.ids(self.stream, json.loads(json.dumps(resume)))))
            found |= {self.fake.world_id(id) for id in part.ids}
            resume = part.resume
        return found

    def needs_deletions(self) -> None:
        """Skip what cannot be asked of a source that does not tell what was deleted or merged."""
        if not self.connector.stream(self.stream).tells_deletions:
            pytest.skip("this source does not tell deletions: reconciling by its ids finds them")

    def is_complete(self) -> bool:
        return self.copy == {id: {"name": v.get("name"), "amount": v.get("amount")} for id, v in self.truth().items()}

    def truth(self) -> Mapping[str, Mapping[str, Any]]:
        return self.world.alive()

    def fill(self, count: int, *, first: int = 1, minutes_apart: int = 10) -> None:
        for number in range(first, first + count):
            self.world.tick(minutes=minutes_apart)
            self.world.put(f"D{number:03}", name=f"案件{number}", amount=number * 1000)


def rest(fake: RestFake) -> Connector:
    document = read_document(fake.document())
    http = Http(fake.url, guard=LOOPBACK)
    http.auth = auth_of(document.auth, fake.secrets(), lambda url: Http(url, guard=LOOPBACK))
    return RestConnector(http, document)


def salesforce(fake: SalesforceFake, *, job_above: int = 10_000) -> Connector:
    description = read_description(fake.description())
    http = open_instance(description, fake.secrets(), lambda url: Http(url, guard=LOOPBACK))
    return SalesforceConnector(http, description, job_above=job_above, pause=lambda seconds: None)


def hubspot(fake: HubSpotFake) -> Connector:
    source, kept = read_hubspot(fake.description()), fake.__dict__.setdefault("kept", fake.secrets())
    http = Http(fake.url, guard=LOOPBACK)

    def exchange(change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Mapping[str, str]:
        kept.update(change(dict(kept)))
        return dict(kept)

    http.auth = hubspot_auth(source, kept, exchange, http)
    return HubSpotConnector(http, source)


def kintone(fake: KintoneFake) -> Connector:
    described = read_kintone(fake.description())
    return KintoneConnector.of(described, fake.secrets(), guard=LOOPBACK, budget=NoBudget(), page_size=3)


CASES: dict[str, Callable[[], tuple[FakeServer, Callable[[Any], Connector], str]]] = {
    **{f"rest-{paging}": lambda paging=paging: (RestFake(paging), rest, "deals") for paging in PAGING},
    **{f"rest-{auth}": lambda auth=auth: (RestFake("keyset", auth), rest, "deals") for auth in AUTHS[1:]},
    "salesforce": lambda: (SalesforceFake(), salesforce, "Account"),
    "salesforce-jwt": lambda: (SalesforceFake("jwt"), salesforce, "Account"),
    "salesforce-job": lambda: (SalesforceFake(), partial(salesforce, job_above=1), "Account"),
    **{f"hubspot-{stream}": lambda stream=stream: (HubSpotFake(stream), hubspot, stream) for stream in HUBSPOT_OBJECTS},
    "hubspot-oauth": lambda: (HubSpotFake("contacts", "oauth"), hubspot, "contacts"),
    "kintone": lambda: (KintoneFake(), kintone, "deals"),
}


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=5, cap=True):
        yield


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    fake, connect, stream = CASES[request.param]()
    with ExitStack() as stack:
        stack.enter_context(served(fake))
        made = Case(fake, connect, stream)
        made.world.now = fake.now() - timedelta(days=1)
        yield made
        made.connector.http.close()


class TestReading:
    def test_the_first_load_brings_everything_that_exists(self, case):
        case.fill(10)
        assert case.sync() >= 10
        assert case.is_complete()

    def test_the_next_run_reads_only_what_changed(self, case):
        case.fill(10)
        case.sync()
        case.world.tick(hours=1)
        case.world.put("D003", amount=1)
        case.world.put("D011", name="新規", amount=5)
        assert case.sync() < 10
        assert case.is_complete()

    def test_a_run_without_changes_changes_nothing_and_keeps_its_place(self, case):
        case.fill(4)
        case.sync()
        place = case.position
        case.world.tick(hours=2)
        case.sync()
        assert case.is_complete()
        assert case.position == place

    def test_an_empty_source_is_no_error(self, case):
        assert case.sync() == 0
        case.fill(2)
        case.sync()
        assert case.is_complete()

    def test_goes_on_behind_the_last_page_in_another_process(self, case):
        case.fill(11)
        case.sync(pages=2)
        assert "resume" in case.position
        case.reconnect()
        case.sync()
        assert case.is_complete()


class TestTwentyWaysItGoesWrong:
    def test_01_more_records_than_a_page_share_one_moment(self, case):
        case.fill(2)
        case.sync()
        case.world.tick(hours=1)
        case.fill(10, first=3, minutes_apart=0)
        case.sync()
        assert case.is_complete()

    def test_03_records_change_while_pages_are_read(self, case):
        case.fill(9)

        def edit(call: int) -> None:
            case.world.tick(seconds=1)
            case.world.put("D001", amount=call)

        case.fake.before = edit
        case.world.now = case.fake.now()
        case.sync()
        case.fake.before = lambda call: None
        case.sync()
        assert case.is_complete()

    def test_04_a_late_commit_lies_below_the_mark(self, case):
        case.fill(3)
        case.sync()
        case.world.put("D009", name="遅れて確定", amount=9, at=case.world.now - timedelta(seconds=30))
        case.sync()
        assert case.is_complete()

    def test_04_a_stamp_of_the_future_hides_nothing(self, case):
        case.world.now = case.fake.now() - timedelta(minutes=1)
        case.fill(3)
        case.world.put("D004", name="未来", amount=4, at=case.fake.now() + timedelta(days=400))
        case.sync()
        case.world.now = case.fake.now()
        case.world.put("D001", amount=77)
        case.sync()
        assert case.is_complete()

    @pytest.mark.parametrize("minutes", [-30, 30])
    def test_04_the_clock_of_the_source_differs(self, case, minutes):
        case.fake.clock_ahead = timedelta(minutes=minutes)
        case.world.now = case.fake.now()
        case.fill(3)
        case.fake.before = lambda call: case.world.put("D002", at=case.fake.now(), amount=call)
        case.sync()
        case.fake.before = lambda call: None
        case.world.put("D001", at=case.fake.now(), amount=5)
        case.sync()
        assert case.is_complete()

    def test_05_the_boundary_is_read_again(self, case):
        case.fill(3)
        case.sync()
        case.world.put("D004", name="同じ瞬間", amount=4)
        case.sync()
        assert case.is_complete()

    def test_06_fewer_records_than_the_source_counts_are_no_complete_stream(self, case):
        case.fill(5)
        case.sync()
        case.world.tick(hours=1)
        case.fill(4, first=6)
        case.fake.swallowed = {"D008"}
        with pytest.raises(ConnectorError) as caught:
            case.sync()
        assert (caught.value.code, caught.value.permanent) == (INCOMPLETE, False)
        case.fake.swallowed = set()
        case.position = begun_anew(case.position)
        case.sync()
        assert case.is_complete()

    def test_07_a_deleted_record_leaves(self, case):
        case.needs_deletions()
        case.fill(5)
        case.sync()
        case.world.tick(hours=1)
        case.world.delete("D002")
        case.sync()
        assert "D002" not in case.copy
        assert case.is_complete()

    def test_07_the_ids_tell_what_exists(self, case):
        case.fill(7)
        case.world.delete("D003")
        assert case.existing() == case.existing_in_parts() == set(case.truth())

    def test_07_reconciling_by_the_ids_finds_what_no_change_told(self, case):
        case.fill(7)
        case.sync()
        case.world.tick(hours=1)
        case.world.delete("D003")
        gone = set(case.copy) - case.existing()
        assert gone == {"D003"}
        for name in gone:
            del case.copy[name]
        assert case.is_complete()

    def test_08_a_merged_record_names_who_took_it_over(self, case):
        case.needs_deletions()
        case.fill(5)
        case.sync()
        case.world.tick(hours=1)
        case.world.merge("D002", "D004")
        case.sync()
        assert case.is_complete()
        assert case.aliases == {"D002": "D004"}

    def test_15_a_token_that_ends_in_the_middle_is_replaced(self, case):
        if not hasattr(case.fake, "expire_token"):
            pytest.skip("this source has no tokens that end")
        case.fill(9)
        case.fake.before = lambda call: case.fake.expire_token() if call == 3 else None
        case.sync()
        assert case.is_complete()

    def test_16_a_source_that_asks_for_patience_gets_it(self, case):
        case.fill(9)
        case.fake.fail(None, Reply(429, {"message": "slow down"}, {"Retry-After": "0"}), Reply(503, None))
        case.sync()
        assert case.is_complete()

    def test_16_longer_patience_than_a_task_has_is_handed_up(self, case):
        case.fake.fail(*[Reply(429, {"message": "tomorrow"}, {"Retry-After": "7200"})] * 9)
        with pytest.raises(ConnectorError) as caught:
            case.sync()
        assert (caught.value.kind, caught.value.permanent, caught.value.wait) == ("rate_limit", False, 7200)

    def test_17_an_answer_that_is_no_data_is_no_empty_page(self, case):
        case.fill(3)
        case.fake.fail(*[Reply(200, None, {"Content-Type": "text/html"}, b"<html>maintenance</html>")] * 9)
        with pytest.raises(ConnectorError) as caught:
            case.sync()
        assert caught.value.kind == "data"
        assert case.position == {}

    def test_a_server_that_stays_away_is_said_to_be_away(self, case):
        case.fake.fail(*[Reply(502, None)] * 30)
        with pytest.raises(ConnectorError) as caught:
            case.sync()
        assert (caught.value.kind, caught.value.permanent) == ("remote", False)


class TestCheck:
    def test_finds_the_streams_in_order(self, case):
        case.fill(3)
        assert [each for each in case.connector.check() if each.is_bad] == []

    def test_names_the_fields(self, case):
        case.fill(3)
        names = {each.name for each in case.connector.fields(case.stream)}
        assert set(case.columns.values()) <= names

    def test_wrong_credentials_are_said_without_showing_them(self, case):
        if getattr(case.fake, "auth", "") == "none":
            pytest.skip("this source asks for none")
        case.fake.faults = [Reply(401, {"message": f"no: {' '.join(case.connector.http.auth.secrets())}"})] * 9
        with pytest.raises(ConnectorError) as caught:
            case.connector.check()
        assert (caught.value.kind, caught.value.permanent) == ("auth", True)
        for secret in case.connector.http.auth.secrets():
            assert secret not in str(caught.value)
            assert secret not in repr(caught.value.params)

    def test_tells_of_a_clock_that_is_far_off(self, case):
        case.fake.clock_ahead = timedelta(minutes=10)
        case.fill(1)
        assert "clock_differs" in {each.code for each in case.connector.check()}


class TestRepair:
    def test_reads_single_records_as_they_are_now(self, case):
        case.fill(5)
        case.world.delete("D002")
        one, gone = (case.fake.external_id(name) for name in ("D001", "D002"))
        found = {each.external_id: each.is_deleted for each in case.connector.read(case.stream, [one, gone], ())}
        assert found == {one: False, gone: True}
