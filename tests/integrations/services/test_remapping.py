"""What is kept of a source is mapped again without asking it, and dropped when it was kept long enough."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from integrations.choices import RunKind, RunState
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Checkpoint, Connection, RawRecord, RejectedRecord, SyncRun
from integrations.selectors.kept import kept_by
from integrations.services import storing
from integrations.services.connections import add_value, save_mapping, set_keep_days
from integrations.services.landing import heard, land
from integrations.services.resync import remap
from integrations.services.retention import forget_received
from integrations.services.runs import sync_now
from integrations.services.sync import run_sync
from kpis.models import Deal, DealLine, FactChange, FactStream, Lead
from kpis.selectors.postponements import read_postponements
from tests.integrations.sources import connect, fill

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

NOW = timezone.now()
DEALS = StreamMapping(
    stream="deals",
    resource="deals",
    position=10,
    reads="deals",
    rules=(
        FieldRule("external_id", column="uid"),
        FieldRule("name", column="name"),
        FieldRule("created_on", column="created"),
        FieldRule("amount", column="amount"),
        FieldRule("outcome", column="stage", values={"受注": "won", "失注": "lost"}),
    ),
)


@pytest.fixture
def source(fake) -> Connection:
    """A source with five deals, of which the fourth has a stage that nobody has mapped, read once."""
    made = connect(fake, DEALS)
    fill(fake, 5)
    fake.world.put("D004", stage="内示")
    run(sync_now(connection=made, actor=None, now=NOW))
    fake.calls.clear()
    made.refresh_from_db()
    return made


def run(asked: SyncRun, **options) -> SyncRun:
    run_sync(run_id=asked.pk, owner="worker", now=timezone.now(), **options)
    asked.refresh_from_db()
    return asked


def waiting() -> SyncRun:
    return SyncRun.objects.get(state=RunState.QUEUED)


def with_rule(rule: FieldRule) -> StreamMapping:
    return replace(DEALS, rules=(*(each for each in DEALS.rules if each.field != rule.field), rule))


def names() -> set[str]:
    return set(Deal.objects.filter(deleted_at=None).values_list("name", flat=True))


class TestAChangedMapping:
    def test_reaches_what_was_read_before_without_asking_the_source(self, source, fake):
        save_mapping(connection=source, mapping=with_rule(FieldRule("name", template="{uid} {name}")), now=NOW)
        asked = waiting()
        assert asked.kind == RunKind.REMAP
        done = run(asked)
        assert (done.read_count, done.updated_count, done.rejected_count) == (5, 4, 1)
        assert names() == {f"D00{number} 案件{number}" for number in (1, 2, 3, 5)}
        assert not fake.calls
        assert Checkpoint.objects.get(stream="deals").cursor["position"].keys() == {"since"}

    def test_puts_no_deal_off(self, source):
        for day in (
            FieldRule("expected_close_on", column="created"),
            FieldRule("expected_close_on", constant="2026-12-31"),
        ):
            is_open = replace(DEALS, rules=(*DEALS.rules[:-1], FieldRule("outcome", constant="open"), day))
            save_mapping(connection=source, mapping=is_open, now=NOW)
            run(waiting())
        assert FactChange.objects.filter(changes__expected_close_on=["2026-10-05", "2026-12-31"], is_remapped=True)
        assert {each.count for each in read_postponements(list(Deal.objects.all())).values()} == {0}

    def test_tries_rejected_records_again(self, source, fake):
        assert Deal.objects.count() == 4
        add_value(connection=source, stream="deals", field="outcome", word="内示", meaning="won", now=NOW)
        done = run(waiting())
        assert (done.state, done.inserted_count, done.unchanged_count) == (RunState.SUCCEEDED, 1, 4)
        assert Deal.objects.get(external_id="D004").outcome == "won"
        assert not fake.calls

    def test_says_nothing_about_freshness(self, source):
        before = (source.last_success_at, FactStream.objects.get(fact="deals").last_success_at)
        save_mapping(connection=source, mapping=with_rule(FieldRule("name", constant="新規")), now=NOW)
        run(waiting())
        source.refresh_from_db()
        assert (source.last_success_at, FactStream.objects.get(fact="deals").last_success_at) == before

    def test_finds_the_elements_of_lists_that_were_kept(self, source, fake):
        fake.world.put("D001", lines=[{"no": 1, "product": "P1", "amount": 10}])
        run(sync_now(connection=source, actor=None, now=timezone.now()))
        rules = (
            FieldRule("external_id", template="{uid}-{lines.no}"),
            FieldRule("deal", column="uid"),
            FieldRule("product", column="lines.product"),
            FieldRule("amount", column="lines.amount"),
        )
        lines = StreamMapping("lines", "deal-lines", 20, "deals", rules, each="lines")
        save_mapping(connection=source, mapping=lines, now=NOW)
        run(waiting())
        assert [each.external_id for each in DealLine.objects.all()] == ["D001-1"]

    def test_reads_the_source_again_where_it_was_never_asked_for_a_column(self, source):
        save_mapping(connection=source, mapping=with_rule(FieldRule("phase", column="phase", optional=True)), now=NOW)
        assert not SyncRun.objects.filter(state=RunState.QUEUED).exists()
        assert not Checkpoint.objects.filter(stream="deals").exists()
        assert run(sync_now(connection=source, actor=None, now=timezone.now())).read_count == 5

    def test_reads_the_source_again_where_too_little_is_kept(self, source):
        RawRecord.objects.filter(external_id="D002").update(payload=None, digest="")
        save_mapping(connection=source, mapping=with_rule(FieldRule("name", constant="新規")), now=NOW)
        assert not Checkpoint.objects.filter(stream="deals").exists()

    def test_gives_what_reading_again_gives(self, source, fake):
        changed = with_rule(FieldRule("amount", column="amount", values={"1000": "7"}))
        save_mapping(connection=source, mapping=changed, now=NOW)
        run(waiting())
        told = list(Deal.objects.order_by("external_id").values_list("external_id", "amount", "content_hash"))
        Checkpoint.objects.all().delete()
        again = run(sync_now(connection=source, actor=None, now=timezone.now()))
        assert (again.read_count, again.updated_count) == (5, 0)
        assert told == list(Deal.objects.order_by("external_id").values_list("external_id", "amount", "content_hash"))


class TestMappingAgain:
    def test_changes_nothing_where_nothing_has_changed(self, source):
        done = run(remap(connection=source, actor=None, now=NOW))
        assert (done.read_count, done.unchanged_count, done.rejected_count) == (5, 4, 1)
        assert not FactChange.objects.exists()

    def test_does_not_bring_back_what_was_deleted(self, source, fake):
        fake.world.tick(hours=1)
        fake.world.delete("D001")
        fake.world.merge("D002", "D003")
        run(sync_now(connection=source, actor=None, now=timezone.now()))
        assert RawRecord.objects.get(external_id="D001").payload is None
        done = run(remap(connection=source, actor=None, now=NOW))
        assert done.read_count == 3
        assert set(Deal.objects.filter(deleted_at=None).values_list("external_id", flat=True)) == {"D003", "D005"}

    def test_goes_on_where_a_lap_ended(self, source, monkeypatch):
        monkeypatch.setattr(storing, "CHUNK_RECORDS", 2)
        asked = remap(connection=source, actor=None, now=NOW)
        laps = []
        while not laps or (laps[-1] != RunState.SUCCEEDED and laps[-1] != RunState.PARTLY):
            laps.append(run(asked, lap_seconds=0).state)
        assert laps == [RunState.RUNNING, RunState.RUNNING, RunState.PARTLY]
        assert (asked.progress_done, asked.read_count, asked.rejected_count) == (5, 5, 1)
        assert asked.report["streams"][0]["read"] == 5

    def test_waits_beside_a_run_that_asks_the_source(self, source):
        asked = [remap(connection=source, actor=None, now=NOW), sync_now(connection=source, actor=None, now=NOW)]
        assert len({each.pk for each in asked}) == 2
        assert remap(connection=source, actor=None, now=NOW) == asked[0]

    def test_is_refused_where_nothing_is_kept(self, source):
        set_keep_days(connection=source, days=0, now=timezone.now() + timedelta(seconds=1))
        with pytest.raises(ConnectorError) as caught:
            remap(connection=source, actor=None, now=NOW)
        assert caught.value.code == "nothing_kept"

    def test_reaches_every_delivery_of_files(self, connection, sync):
        sync(connection, {"deals.csv": "external_id,created_on,outcome,amount\nD1,2026-10-01,won,100\n"})
        sync(connection, {"deals.csv": "external_id,created_on,outcome,amount\nD2,2026-10-02,maybe,200\n"})
        assert not Deal.objects.filter(external_id="D2").exists()
        add_value(connection=connection, stream="deals", field="outcome", word="maybe", meaning="open", now=NOW)
        done = run(remap(connection=connection, actor=None, now=NOW))
        assert (done.state, done.inserted_count, done.unchanged_count) == (RunState.SUCCEEDED, 1, 1)


class TestKeeping:
    def test_what_is_said_again_is_not_written_again(self, source):
        said = heard([("D001", RawRecord.objects.get(external_id="D001").payload)], keeps=True)
        land(connection=source, stream="deals", said=said, now=NOW + timedelta(days=9))
        first = RawRecord.objects.get(external_id="D001").received_at
        land(connection=source, stream="deals", said=said, now=NOW + timedelta(days=10))
        assert RawRecord.objects.get(external_id="D001").received_at == first

    def test_characters_that_cannot_be_kept_are_marked(self, source):
        said = heard([("X", {"name": "a\x00b\ud800\\u0000"})], keeps=True)
        land(connection=source, stream="deals", said=said, now=NOW)
        assert RawRecord.objects.get(external_id="X").payload == {"name": "a\ufffdb\ufffd\\u0000"}

    def test_no_mail_address_is_kept_and_mapped_again_it_gives_the_same(self, fake):
        leads = StreamMapping(
            stream="leads",
            resource="leads",
            position=10,
            reads="deals",
            rules=(
                FieldRule("external_id", column="uid"),
                FieldRule("created_on", column="created"),
                FieldRule("email_hash", column="mail"),
                FieldRule("email_domain", column="mail"),
                FieldRule("lead_source", column="source", values={"展示会": "event"}, unlisted="reject"),
            ),
        )
        made = connect(fake, leads)
        person = {"mail": "佐藤 <Hana.Sato@Example.co.jp>", "note": "to hana@home.jp", "source": "展示会"}
        fill(fake, 1, **person, others=[{"mail": "boss@example.co.jp"}])
        fill(fake, 1, **person)
        fake.world.put("D002", created="2026-10-05", **{**person, "source": "謎"})
        run(sync_now(connection=made, actor=None, now=NOW))
        payload, known = RawRecord.objects.get(external_id="D001").payload, Lead.objects.get()
        rejected = RejectedRecord.objects.get()
        for word in ("Sato@", "sato@", "hana@", "boss@"):
            assert word not in f"{payload} {rejected.raw}".lower()
        assert payload["mail"] == f"佐藤 <{known.email_hash}@example.co.jp>"
        assert rejected.raw["mail"] == payload["mail"]
        Lead.objects.update(email_hash="", email_domain="")
        Lead.objects.update(content_hash="")
        run(remap(connection=made, actor=None, now=NOW))
        again = Lead.objects.get()
        assert (again.email_hash, again.email_domain) == (known.email_hash, "example.co.jp") != ("", "")

    def test_of_persons_only_what_is_mapped_is_kept(self, fake):
        made = connect(fake, DEALS)
        asked = {"電話番号": "03-1234-5678", "Last-Name": "佐藤", "region": "関東"}
        contact = {"name": "佐藤 花", "id": "C1", "mobilePhone": "090-1234-5678"}
        fill(fake, 1, **asked, contact=contact, others=[{"phone": "1"}, {"region": "東北"}])
        fake.world.put("D002", created="2026-10-05", stage="謎", **asked)
        fake.world.put("D003", created="2026-10-05", closed="2026-10-20", stage="受注", **asked)
        run(sync_now(connection=made, actor=None, now=NOW))
        payload = RawRecord.objects.get(external_id="D001").payload
        assert payload["region"] == "関東"
        assert payload["name"] == "案件1"
        assert payload["contact"] == {"id": "C1"}
        assert payload["others"] == [{}, {"region": "東北"}]
        flat = RawRecord.objects.get(external_id="D003").payload
        for each in (payload, flat, RejectedRecord.objects.get().raw):
            assert "03-" not in f"{each}"
            assert "佐藤" not in f"{each}"

    def test_what_is_mapped_of_persons_is_kept_and_maps_again(self, fake):
        phone = FieldRule("name", column="contact.phone")
        made = connect(fake, replace(DEALS, rules=(*DEALS.rules[:1], phone, *DEALS.rules[2:]), skip_blank=("氏名",)))
        fill(fake, 1, contact={"phone": "03-1234-5678", "name": "佐藤"}, 氏名="佐藤")
        run(sync_now(connection=made, actor=None, now=NOW))
        payload = RawRecord.objects.get().payload
        assert (payload["contact"], payload["氏名"]) == ({"phone": "03-1234-5678"}, "佐藤")
        Deal.objects.update(name="", content_hash="")
        run(remap(connection=made, actor=None, now=NOW))
        assert Deal.objects.get().name == "03-1234-5678"

    def test_an_address_that_is_an_id_stays_one(self, fake):
        rules = (replace(DEALS.rules[0], column="mails.0.address"), *DEALS.rules[1:])
        made = connect(fake, replace(DEALS, rules=rules))
        mails = [{"address": "hana@example.co.jp"}]
        fill(fake, 1, mails=mails)
        run(sync_now(connection=made, actor=None, now=NOW))
        assert RawRecord.objects.get().payload["mails"] == mails
        assert Deal.objects.get().external_id == "hana@example.co.jp"

    def test_a_connection_that_keeps_nothing_knows_ids_only(self, source):
        set_keep_days(connection=source, days=0, now=timezone.now() + timedelta(seconds=1))
        assert set(RawRecord.objects.values_list("payload", flat=True)) == {None}
        said = heard([("X", {"name": "青木"})], keeps=source.keep_days > 0)
        land(connection=source, stream="deals", said=said, now=NOW)
        assert RawRecord.objects.get(external_id="X").payload is None
        assert kept_by(connection=source).count == 0

    def test_what_is_old_is_dropped_at_night_and_said_to_be_lost(self, source):
        set_keep_days(connection=source, days=30, now=NOW)
        RawRecord.objects.filter(external_id__in=["D001", "D002"]).update(received_at=NOW - timedelta(days=31))
        assert forget_received(now=timezone.now()) == 2
        kept = kept_by(connection=source)
        assert (kept.count, kept.lost) == (3, 2)
        assert kept.since is not None
        assert RawRecord.objects.count() == 5
