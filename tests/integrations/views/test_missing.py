"""What was rejected stays in sight until it is mended, whichever import refused it and however many came since."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.choices import RunState, Trigger
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, SyncRun
from integrations.services.comparing import request_comparison
from integrations.services.connections import save_mapping, set_keep_days
from integrations.services.retention import forget_received
from integrations.services.sync import run_sync
from tests.integrations.services.test_pulling import LINES
from tests.integrations.services.test_remapping import DEALS
from tests.integrations.services.test_sync import DEALS as FILE
from tests.integrations.services.test_sync import PEOPLE
from tests.integrations.sources import connect, fill
from tests.integrations.sources import sync as read

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

EN = {"accept-language": "en"}


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def client(caller, key_for):
    return caller(key_for("read", "write"))


@pytest.fixture
def source(fake) -> Connection:
    """A source with five deals, of which two have a stage that nobody has mapped, read once."""
    made = connect(fake, DEALS)
    fill(fake, 5)
    fake.world.put("D002", stage="内示")
    fake.world.put("D004", stage="内示")
    fake.world.tick(hours=1)
    fake.world.put("D005", name="追加")
    assert read(made).rejected_count == 2
    return made


class Seen:
    """What people and programs see of a connection."""

    def __init__(self, owner, client, connection) -> None:
        self._owner, self._client, self._connection = owner, client, connection

    def page(self, name: str = "connection", **query: str) -> str:
        address = reverse(name, args=[self._connection.public_id])
        return unescape(self._owner.get(address, query, headers=EN).content.decode())

    def overview(self) -> str:
        return unescape(self._owner.get(reverse("connections"), headers=EN).content.decode())

    def missing(self) -> list[str]:
        """The external ids that are still not imported, by the API; every other place has to say the same."""
        root = f"/api/v1/connections/{self._connection.public_id}/"
        rows = self._client.get(f"{root}rejected/").json()["results"]
        told = self._client.get(root).json()
        number = len(rows)
        assert told["rejected_count"] == number
        assert told["health"] == ("incomplete" if rows else "healthy")
        assert all(row["standing"] for row in rows)
        words = f"{number} record{'' if number == 1 else 's'} not imported"
        for page in (self.page(), self.overview()):
            assert (words in page) == bool(rows), words
            assert ("Up to date" in page) == (not rows)
        listed = self.page("missing")
        assert all(row["external_id"] in listed and row["external_id"] in self.page() for row in rows)
        return sorted(row["external_id"] for row in rows)


@pytest.fixture
def seen(owner, client):
    return lambda connection: Seen(owner, client, connection)


def line(number: int, amount: object) -> dict[str, object]:
    return {"no": number, "product": "P1", "amount": amount}


def retry(connection: Connection, owner) -> SyncRun:
    owner.post(reverse("connection_remap", args=[connection.public_id]))
    run = SyncRun.objects.get(state=RunState.QUEUED)
    return run_sync(run_id=run.pk, owner="worker", now=timezone.now())


class TestOfASource:
    def test_stays_in_sight_when_the_next_run_is_clean(self, source, fake, seen):
        assert seen(source).missing() == ["D002", "D004"]
        fake.world.put("D001", name="改名")
        clean = read(source)
        assert (clean.state, clean.rejected_count) == (RunState.SUCCEEDED, 0)
        assert seen(source).missing() == ["D002", "D004"]

    def test_says_why_grouped_and_offers_to_try_again(self, source, fake, seen):
        fake.world.put("D003", stage="口頭")
        read(source)
        page = seen(source).page()
        assert page.count("for example:") == 1
        assert "内示" in page
        assert reverse("connection_remap", args=[source.public_id]) in page
        assert "Retry after fixing the mapping" in page
        assert '<td class="num" data-label="Not imported">3</td>' in page

    def test_goes_when_the_source_mends_the_record(self, source, fake, seen):
        fake.world.put("D002", stage="受注")
        assert read(source).rejected_count == 0
        assert seen(source).missing() == ["D004"]
        fake.world.put("D004", stage="失注")
        read(source)
        assert seen(source).missing() == []

    def test_counts_once_when_it_is_refused_again(self, source, fake, seen):
        fake.world.put("D002", stage="口頭")
        assert read(source).rejected_count == 1
        assert seen(source).missing() == ["D002", "D004"]
        assert seen(source).page("missing").count('<th scope="row">D002</th>') == 1

    def test_a_record_that_was_good_before_and_is_again_goes_although_nothing_changes(self, source, fake, seen):
        fake.world.put("D001", stage="内示")
        read(source)
        assert seen(source).missing() == ["D001", "D002", "D004"]
        fake.world.put("D001", stage="受注")
        assert read(source).updated_count == 0
        assert seen(source).missing() == ["D002", "D004"]

    def test_goes_when_the_mapping_is_mended_and_it_is_tried_again(self, source, owner, seen):
        retry(source, owner)
        assert seen(source).missing() == ["D002", "D004"]
        words = {"受注": "won", "失注": "lost", "内示": "open"}
        rules = (*DEALS.rules[:-1], FieldRule("outcome", column="stage", values=words))
        save_mapping(connection=source, mapping=StreamMapping("deals", "deals", 10, "deals", rules), now=timezone.now())
        assert retry(source, owner).rejected_count == 0
        assert seen(source).missing() == []

    def test_goes_when_it_is_deleted_at_the_source(self, source, fake, seen):
        fake.world.delete("D002")
        read(source)
        assert seen(source).missing() == ["D004"]

    def test_goes_by_the_comparison_when_the_source_tells_no_deletion(self, source, fake, seen):
        del fake.world.things["D002"]
        read(source)
        assert seen(source).missing() == ["D002", "D004"]
        asked = request_comparison(connection=source, trigger=Trigger.MANUAL, actor=None, now=timezone.now())
        run_sync(run_id=asked.pk, owner="worker", now=timezone.now())
        assert seen(source).missing() == ["D004"]

    @pytest.mark.parametrize("keep_days", [400, 0])
    def test_an_element_goes_with_its_record_whatever_is_kept(self, fake, seen, keep_days):
        made = connect(fake, DEALS, LINES)
        set_keep_days(connection=made, days=keep_days, now=timezone.now())
        fill(fake, 2, lines=[line(1, "多い"), line(2, 5)])
        read(made)
        assert seen(made).missing() == ["D001-1", "D002-1"]
        fake.world.put("D001", lines=[line(2, 5)])
        fake.world.delete("D002")
        read(made)
        assert seen(made).missing() == []

    def test_a_mapping_that_is_no_longer_in_force_misses_nothing(self, source, owner, seen):
        owner.post(reverse("mapping_end", args=[source.public_id]), {"stream": "deals"})
        assert seen(source).missing() == []

    def test_where_nothing_is_kept_it_says_to_read_the_source_again(self, source, seen):
        assert "Retry after fixing the mapping" in seen(source).page("missing")
        set_keep_days(connection=source, days=0, now=timezone.now())
        forget_received(now=timezone.now() + timedelta(seconds=1))
        page = seen(source).page("missing")
        assert "Retry after fixing the mapping" not in page
        assert "read the source again from its beginning" in page

    def test_is_handed_out_as_csv(self, source, owner):
        address = reverse("missing_rows", args=[source.public_id])
        lines = owner.get(address).content.decode("utf-8-sig").splitlines()
        assert [each.split(",")[1] for each in lines[1:]] == ["4", "2"]
        assert "内示" in lines[1]


class TestOfFiles:
    BAD = FILE + "D4,2026/13/40,P1,won,,1\n,2026-10-03,P1,open,,1\n"

    def test_are_those_of_the_newest_file(self, connection, sync, seen):
        now = timezone.now()
        sync(connection, {"deals.csv": self.BAD}, now)
        assert seen(connection).missing() == ["", "D4"]
        sync(connection, {"people.csv": PEOPLE}, now)
        assert seen(connection).missing() == ["", "D4"]
        assert "Row 6" in seen(connection).page()
        sync(connection, {"deals.csv": FILE}, now)
        assert seen(connection).missing() == []

    def test_a_file_takes_the_place_only_of_what_was_called_alike(self, connection, sync, seen):
        now = timezone.now()
        sync(connection, {"deals_東京_20261127.csv": self.BAD}, now)
        other = FILE.replace("D1,", "E1,").replace("D2,", "E2,").replace("D3,", "E3,")
        sync(connection, {"deals_大阪_20261127.csv": other + "E4,2026/13/40,P1,won,,1\n"}, now)
        assert seen(connection).missing() == ["D4", "E4"]
        sync(connection, {"deals_東京_20261128 (2).csv": FILE}, now)
        assert seen(connection).missing() == ["E4"]
        sync(connection, {"deals_mended.csv": FILE + "E4,2026/11/02,P1,open,,1\n"}, now)
        assert seen(connection).missing() == []

    def test_a_file_stored_in_many_pieces_keeps_all_of_its_own(self, connection, sync, seen, monkeypatch):
        monkeypatch.setattr("integrations.services.deliveries.PIECE_RECORDS", 1)
        now = timezone.now()
        sync(connection, {"deals.csv": self.BAD}, now)
        sync(connection, {"deals.csv": self.BAD}, now)
        assert seen(connection).missing() == ["", "D4"]

    def test_mapped_again_an_id_that_is_still_wrong_counts_once(self, connection, sync, owner, seen):
        sync(connection, {"deals.csv": self.BAD}, timezone.now())
        retry(connection, owner)
        assert seen(connection).missing() == ["", "D4"]


class TestOlderRuns:
    def test_can_be_reached_from_the_connection(self, connection, seen):
        runs = [
            SyncRun.objects.create(
                connection=connection,
                state=RunState.SUCCEEDED,
                trigger=Trigger.SCHEDULE,
                requested_at=timezone.now() - timedelta(minutes=5 * number),
            )
            for number in range(21)
        ]
        oldest = reverse("sync_run", args=[runs[0].public_id])
        assert oldest not in seen(connection).page()
        assert "?page=2" in seen(connection).page()
        assert oldest in seen(connection).page(page="2")
