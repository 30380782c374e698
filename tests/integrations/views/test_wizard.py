"""Setting a source up on its pages: from the choice of a kind to deals in the database and a number in the matrix."""

from __future__ import annotations

import json
import logging
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.choices import RunState
from integrations.connectors.document import EXAMPLE, read_document
from integrations.models import Checkpoint, Connection, FieldMapping, SyncRun
from integrations.services.connections import create_source
from integrations.services.credentials import unseal
from integrations.services.sync import run_sync
from kpis.models import Deal
from kpis.templatetags.kpi import moment_text
from tenants.models import DueSync
from tests.fakes.rest import TOKEN, RestFake
from tests.fakes.server import Reply
from tests.integrations.sources import fill

SETUP = "connection_setup"
COLUMNS = {
    "column.external_id": "uid",
    "column.name": "name",
    "column.created_on": "created",
    "column.closed_on": "closed",
    "column.amount": "amount",
    "column.outcome": "stage",
}


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def source(in_acme, fake) -> Connection:
    return create_source(
        name="社内CRM",
        kind="rest",
        source="crm",
        carries="sfa",
        description=fake.document(),
        secrets=fake.secrets(),
        now=timezone.now(),
    )


def filled(fake: RestFake, **changes: str) -> dict[str, str]:
    given = {"name": "社内CRM", "carries": "sfa", "source": "crm", "description": json.dumps(fake.document())}
    return {**given, **{f"secret_{name}": value for name, value in fake.secrets().items()}, **changes}


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def editor(connection: Connection, reads: str = "deals", resource: str = "deals") -> str:
    return f"{reverse('stream_mapping', args=[connection.public_id])}?reads={reads}&resource={resource}"


def meanings(**words: str) -> dict[str, list[str]]:
    return {"word.outcome": list(words), "meaning.outcome": list(words.values())}


def selected(page: str, name: str) -> str | None:
    """What a select of the page has chosen."""
    box = re.search(rf'<select name="{re.escape(name)}".*?</select>', page, re.S)
    assert box, name
    found = re.search(r'<option value="([^"]*)" selected', box[0])
    return found and found[1]


class TestFromZero:
    def test_to_deals_and_a_number_in_the_matrix(self, owner, in_acme, fake, drain_outbox, api, plan):
        fill(fake, 25)
        fake.world.put("D025", stage="失注")
        kinds = page_of(owner.get(reverse("connection_new")))
        address = reverse(SETUP, args=["rest"])
        assert address in kinds
        made = owner.post(address, filled(fake))
        assert made.status_code == 302
        verdict = page_of(owner.get(made.url))
        assert "strip-good" in verdict
        connection = Connection.objects.get()
        streams = reverse("streams", args=[connection.public_id])
        assert streams in verdict
        assert reverse("source_start", args=[connection.public_id]) not in page_of(owner.get(streams))

        begun = page_of(owner.get(editor(connection)))
        assert "案件1" in begun
        assert selected(begun, "column.name") == "name"
        tried = page_of(owner.post(editor(connection), {**COLUMNS, "preview": "1"}))
        assert not FieldMapping.objects.exists()
        assert "× 20" in tried
        assert "案件1" not in tried.split('id="preview"')[1]
        told = page_of(owner.post(editor(connection), {**COLUMNS, **meanings(受注="won"), "preview": "1"}))
        assert "案件1" in told.split('id="preview"')[1]
        assert not Deal.objects.exists()
        saved = owner.post(editor(connection), {**COLUMNS, **meanings(受注="won", 失注="lost"), "save": "1"})
        assert (saved.status_code, saved.url) == (302, streams)

        started = owner.post(reverse("source_start", args=[connection.public_id]), {"every": "60"})
        assert started.status_code == 302
        assert started.url == reverse("sync_run", args=[SyncRun.objects.get().public_id])
        drain_outbox()
        assert SyncRun.objects.get().state == RunState.SUCCEEDED
        assert Deal.objects.filter(outcome="won").count() == 24
        assert DueSync.objects.filter(object_id=str(connection.public_id)).exists()
        october = {"from": "2026-10-01", "to": "2026-11-01", "grain": "month", "tree": plan["tree"]}
        shown = api.shown("matrix/", nodes="bookings", **october)
        assert shown["cells"]["value"] == [[[sum(number * 1000 for number in range(1, 25))]]]


class TestSetup:
    def test_the_example_is_inserted_and_can_be_used(self, owner, in_acme):
        address = reverse(SETUP, args=["rest"])
        page = page_of(owner.post(address, {"name": "まだ途中", "description": "{", "example": "1"}))
        assert 'value="まだ途中"' in page
        assert '"base_url": "https://api.example.com/v1/"' in page
        assert 'name="secret_token"' in page
        assert "errorlist" not in page
        assert read_document(EXAMPLE).streams

    def test_asks_for_the_credentials_that_are_described(self, owner, in_acme):
        address = reverse(SETUP, args=["rest"])
        assert 'name="secret_' not in page_of(owner.get(address))
        for kind, names in {"basic": ["username", "password"], "none": [], "bearer": ["token"]}.items():
            document = json.dumps({**EXAMPLE, "auth": {"type": kind}})
            typed = {"secret_key": "t0p-s3cret"}
            page = page_of(owner.post(address, {"description": document, "look": "1", **typed}))
            assert re.findall(r'name="secret_(\w+)"', page) == names
            assert "t0p-s3cret" not in page
        assert not Connection.objects.exists()

    def test_leaves_credentials_alone_that_are_being_typed(self, owner, source):
        sent = {"description": json.dumps(EXAMPLE), "look": "1", "secret_token": "half-ty"}
        for address in (reverse(SETUP, args=["rest"]), reverse("source_edit", args=[source.public_id])):
            assert owner.post(address, sent).status_code == 204

    def test_says_every_fault_with_its_place_and_keeps_no_secret(self, owner, fake, in_acme):
        document = {**fake.document(), "base_url": 5, "surprise": 1, "streams": [{"name": "deals"}]}
        answer = owner.post(reverse(SETUP, args=["rest"]), filled(fake, description=json.dumps(document)))
        page = page_of(answer)
        assert answer.status_code == 422
        for place in ("base_url:", "surprise:", "streams.0.path:"):
            assert place in page
        assert 'name="secret_token"' in page
        assert TOKEN not in page
        assert not Connection.objects.exists()

    @pytest.mark.parametrize(
        ("description", "said"),
        [("{\n  no", "2"), ("[]", "JSON"), ("", ""), ("[" * 100_000, ""), ('{"base_url": "\\u0000"}', "")],
    )
    def test_refuses_what_is_no_document(self, owner, fake, in_acme, description, said):
        answer = owner.post(reverse(SETUP, args=["rest"]), filled(fake, description=description))
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)
        assert said in page_of(answer)
        assert not Connection.objects.exists()

    @pytest.mark.parametrize(
        "changes", [{"secret_token": ""}, {"secret_token": "日本語"}, {"source": "A b"}, {"name": ""}]
    )
    def test_refuses_a_faulty_field(self, owner, fake, in_acme, changes):
        answer = owner.post(reverse(SETUP, args=["rest"]), filled(fake, **changes))
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)
        assert not Connection.objects.exists()

    def test_says_that_a_name_is_taken(self, owner, fake, source):
        answer = owner.post(reverse(SETUP, args=["rest"]), filled(fake, source="other"))
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)

    def test_a_kind_that_there_is_not_is_not_found(self, owner, in_acme):
        assert owner.get(reverse(SETUP, args=["telex"])).status_code == 404


class TestTest:
    def test_wrong_credentials_are_said_without_showing_them(self, owner, fake, in_acme, caplog):
        caplog.set_level(logging.DEBUG)
        wrong = "wr0ng-token-of-the-page"
        made = owner.post(reverse(SETUP, args=["rest"]), filled(fake, secret_token=wrong))
        page = page_of(owner.get(made.url))
        assert "strip-bad" in page
        assert "401" in page
        assert reverse("source_edit", args=[Connection.objects.get().public_id]) in page
        assert wrong not in page + caplog.text

    def test_a_closed_address_is_said(self, owner, fake, in_acme, settings):
        settings.SOURCES_ON_LOOPBACK = False
        document = {**fake.document(), "base_url": "https://169.254.169.254/latest/"}
        made = owner.post(reverse(SETUP, args=["rest"]), filled(fake, description=json.dumps(document)))
        page = page_of(owner.get(made.url))
        assert "169.254.169.254" in page
        assert "strip-bad" in page

    def test_a_source_that_is_away_makes_no_fault_of_ours(self, owner, fake, source):
        fake.faults = [Reply(503, None)] * 9
        for address in (reverse("source_test", args=[source.public_id]), editor(source)):
            answer = owner.get(address)
            assert answer.status_code == 200
            assert "strip-bad" in page_of(answer)


class TestEdit:
    def test_shows_the_description_and_no_credentials(self, owner, source):
        page = page_of(owner.get(reverse("source_edit", args=[source.public_id])))
        assert "updated_since" in page
        assert 'name="secret_token"' in page
        assert TOKEN not in page

    def test_credentials_left_empty_stay(self, owner, fake, source):
        document = {**fake.document(), "headers": {"X-Team": "sales"}}
        sent = {"description": json.dumps(document), "secret_token": ""}
        assert owner.post(reverse("source_edit", args=[source.public_id]), sent).status_code == 302
        source.refresh_from_db()
        assert source.description == document
        assert unseal(connection=source)["token"] == TOKEN

    def test_credentials_are_entered_anew(self, owner, fake, source):
        sent = {"description": json.dumps(fake.document()), "secret_token": "new-one"}
        assert owner.post(reverse("source_edit", args=[source.public_id]), sent).status_code == 302
        source.refresh_from_db()
        assert unseal(connection=source)["token"] == "new-one"

    def test_another_way_of_authorising_asks_for_other_credentials(self, owner, fake, source):
        document = {**fake.document(), "auth": {"type": "basic"}}
        answer = owner.post(reverse("source_edit", args=[source.public_id]), {"description": json.dumps(document)})
        assert answer.status_code == 422
        assert "secret_password" in page_of(answer)
        source.refresh_from_db()
        assert source.description == fake.document()

    def test_credentials_that_cannot_be_opened_are_asked_for(self, owner, fake, source):
        Connection.objects.update(sealed="damaged")
        sent = {"description": json.dumps(fake.document()), "secret_token": ""}
        assert owner.post(reverse("source_edit", args=[source.public_id]), sent).status_code == 422
        sent["secret_token"] = TOKEN
        assert owner.post(reverse("source_edit", args=[source.public_id]), sent).status_code == 302
        source.refresh_from_db()
        assert unseal(connection=source)["token"] == TOKEN


class TestEditor:
    def test_offers_the_words_of_the_sample_and_counts_the_unmapped(self, owner, fake, source):
        fill(fake, 3)
        fake.world.put("D002", stage="謎")
        sent = {**COLUMNS, **meanings(受注="won"), "look": "1"}
        page = page_of(owner.post(editor(source), sent))
        assert re.findall(r'name="word.outcome" value="([^"]+)"', page) == ["受注", "謎"]
        assert "謎" in page.split('id="preview"')[1]
        owner.post(editor(source), {**sent, "save": "1"})
        rules = FieldMapping.objects.get().rules
        assert {rule["field"]: rule.get("values") for rule in rules}["outcome"] == {"受注": "won"}

    def test_a_word_may_mean_nothing(self, owner, fake, source):
        fill(fake, 1)
        owner.post(editor(source), {**COLUMNS, **meanings(受注="-"), "save": "1"})
        rules = {rule["field"]: rule for rule in FieldMapping.objects.get().rules}
        assert rules["outcome"]["values"] == {"受注": ""}
        page = page_of(owner.get(editor(source)))
        assert selected(page, "meaning.outcome") == "-"

    def test_says_what_is_needed(self, owner, fake, source):
        fill(fake, 1)
        answer = owner.post(editor(source), {"column.name": "name", "save": "1"})
        assert answer.status_code == 422
        faulty = re.findall(r'<tr data-field="(\w+)">(?:(?!</tr>).)*errorlist', page_of(answer), re.S)
        assert faulty == ["external_id", "created_on"]
        assert not FieldMapping.objects.exists()

    @pytest.mark.parametrize(
        "changes",
        [
            {"column.name": "no_such_field"},
            {"template.name": "{"},
            {"constant.name": "also this"},
            {"column.outcome": "", "constant.outcome": "eternal"},
            {"column.name": "", "constant.postponed_count": "two"},
        ],
    )
    def test_refuses_what_cannot_work(self, owner, fake, source, changes):
        fill(fake, 1)
        sent = {**COLUMNS, "column.name": "", **changes, "save": "1"}
        sent |= {"column.name": "name"} if "constant.name" in changes else {}
        answer = owner.post(editor(source), sent)
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)
        assert not FieldMapping.objects.exists()

    def test_takes_templates_and_fixed_values(self, owner, fake, source, drain_outbox):
        fill(fake, 1)
        sent = {**COLUMNS, "column.name": "", "template.name": "{name}／{stage}", "constant.postponed_count": "0"}
        sent |= {"template.source_url": "https://crm.example.com/{uid}", **meanings(受注="won"), "save": "1"}
        assert owner.post(editor(source), sent).status_code == 302
        owner.post(reverse("sync", args=[source.public_id]))
        drain_outbox()
        deal = Deal.objects.get()
        assert (deal.name, deal.postponed_count) == ("案件1／受注", 0)
        assert deal.source_url == "https://crm.example.com/D001"

    def test_reads_the_elements_of_a_list(self, owner, fake, source):
        fill(fake, 1, lines=[{"no": 1, "product": "P1", "amount": 10}, {"no": 2, "product": "P2", "amount": 20}])
        address = editor(source, resource="deal-lines")
        assert 'name="each"' in page_of(owner.get(address))
        sent = {"each": "lines", "template.external_id": "{uid}-{lines.no}", "column.deal": "uid"}
        sent |= {"column.product": "lines.product", "column.amount": "lines.amount"}
        page = page_of(owner.post(address, {**sent, "preview": "1"}))
        assert ("D001-1" in page, "D001-2" in page) == (True, True)
        assert owner.post(address, {**sent, "save": "1"}).status_code == 302
        assert FieldMapping.objects.get().each == "lines"

    def test_offers_the_words_that_the_last_import_could_not_understand(self, owner, fake, source, drain_outbox):
        fill(fake, 25)
        owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), "save": "1"})
        fake.world.put("D024", stage="保留")
        owner.post(reverse("sync", args=[source.public_id]))
        drain_outbox()
        page = page_of(owner.get(editor(source)))
        assert "保留" in re.findall(r'name="word.outcome" value="([^"]+)"', page)
        assert owner.get(reverse("connection", args=[source.public_id])).status_code == 200

    def test_keeps_what_the_page_does_not_show(self, owner, fake, source):
        fill(fake, 1)
        owner.post(editor(source), {**COLUMNS, "save": "1"})
        mapping = FieldMapping.objects.get()
        extra = {"field": "region", "column": "name", "values": {"案件1": "東"}, "unlisted": "empty"}
        custom = {"field": "attributes.rank", "column": "stage"}
        FieldMapping.objects.update(rules=[*mapping.rules, extra, custom])
        owner.post(editor(source), {**COLUMNS, "column.region": "name", "constant.partner": "X", "save": "1"})
        rules = {rule["field"]: rule for rule in FieldMapping.objects.get(is_current=True).rules}
        assert rules["region"] == extra
        assert rules["attributes.rank"] == custom

    @pytest.mark.parametrize("query", ["", "?reads=deals", "?reads=deals&resource=colours"])
    def test_is_only_there_for_a_stream_and_a_resource(self, owner, source, query):
        assert owner.get(reverse("stream_mapping", args=[source.public_id]) + query).status_code == 404

    def test_says_that_a_stream_is_not_there(self, owner, source):
        assert "leads" in page_of(owner.get(editor(source, reads="leads")))

    def test_can_be_ended(self, owner, fake, source):
        fill(fake, 1)
        owner.post(editor(source), {**COLUMNS, "save": "1"})
        owner.post(reverse("mapping_end", args=[source.public_id]), {"stream": "deals"})
        assert not FieldMapping.objects.filter(is_current=True).exists()


@pytest.fixture
def loaded(owner, fake, source, drain_outbox) -> Connection:
    """The source with three deals read."""
    fill(fake, 3)
    owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), "save": "1"})
    owner.post(reverse("source_start", args=[source.public_id]), {"every": "60"})
    drain_outbox()
    source.refresh_from_db()
    assert source.last_success_at
    return source


class TestSourcePage:
    def test_shows_streams_and_no_way_to_send_files(self, owner, loaded):
        page = page_of(owner.get(reverse("connection", args=[loaded.public_id])))
        assert 'type="file"' not in page
        row = re.search(r'<section class="section" aria-labelledby="streams">.*?</section>', page, re.S)[0]
        assert re.findall(r'class="num"[^>]*>(\d+)<', row) == ["3", "3", "0", "0"]
        assert TOKEN not in page
        sent = {"uploads": []}
        assert owner.post(reverse("upload", args=[loaded.public_id]), sent).status_code == 404

    def test_says_what_stopped_it_and_what_to_do(self, owner, fake, loaded, drain_outbox):
        fake.faults = [Reply(401, {"message": "expired"})] * 9
        owner.post(reverse("sync", args=[loaded.public_id]))
        drain_outbox()
        fake.faults = []
        page = page_of(owner.get(reverse("connection", args=[loaded.public_id])))
        assert "expired" in page
        assert reverse("source_edit", args=[loaded.public_id]) in page.split('role="alert"')[1].split("</p>")[0]
        owner.post(reverse("sync", args=[loaded.public_id]))
        drain_outbox()
        assert 'role="alert"' not in page_of(owner.get(reverse("connection", args=[loaded.public_id])))

    def test_says_until_when_a_run_waits_and_why(self, owner, fake, loaded, drain_outbox):
        fake.faults = [Reply(429, {"message": "later please"}, {"Retry-After": "600"})]
        owner.post(reverse("sync", args=[loaded.public_id]))
        drain_outbox()
        run = SyncRun.objects.first()
        assert run.state == RunState.QUEUED
        for address in (reverse("connection", args=[loaded.public_id]), reverse("sync_run", args=[run.public_id])):
            page = page_of(owner.get(address))
            assert moment_text(run.not_before) in page
            assert "429" in page
            assert "strip-bad" not in page

    def test_names_a_stream_that_could_not_be_read(self, owner, fake, loaded, drain_outbox):
        document = fake.document()
        document["streams"].append({"name": "people", "path": "v1/nowhere"})
        owner.post(reverse("source_edit", args=[loaded.public_id]), {"description": json.dumps(document)})
        FieldMapping.objects.create(
            connection=loaded,
            stream="people",
            resource="people",
            position=5,
            reads="people",
            rules=[{"field": "external_id", "column": "id"}, {"field": "name", "column": "name"}],
            effective_from=timezone.now(),
        )
        owner.post(reverse("sync", args=[loaded.public_id]))
        drain_outbox()
        run = SyncRun.objects.first()
        for address in (reverse("connection", args=[loaded.public_id]), reverse("sync_run", args=[run.public_id])):
            assert "no such place" in page_of(owner.get(address))

    def test_tells_speed_and_what_is_left_where_the_total_is_known(self, owner, loaded):
        begun = timezone.now() - timedelta(seconds=100)
        run = SyncRun.objects.first()
        SyncRun.objects.filter(pk=run.pk).update(
            state=RunState.RUNNING, started_at=begun, progress_done=1000, progress_total=3000
        )
        address = reverse("run_progress", args=[run.public_id])
        page = page_of(owner.get(address, headers={"accept-language": "en"}))
        assert "records per second" in page
        assert "about 4 minutes left" in page
        SyncRun.objects.filter(pk=run.pk).update(progress_total=1000)
        assert "left" not in page_of(owner.get(address, headers={"accept-language": "en"}))

    def test_where_the_total_is_unknown_it_says_what_was_read_and_how_fast_and_nothing_of_an_end(self, owner, loaded):
        begun = timezone.now() - timedelta(seconds=100)
        run = SyncRun.objects.first()
        SyncRun.objects.filter(pk=run.pk).update(
            state=RunState.RUNNING, started_at=begun, progress_done=1000, progress_total=0
        )
        overview = reverse("connections")
        pages = reverse("sync_run", args=[run.public_id]), reverse("connection", args=[loaded.public_id]), overview
        for address in pages:
            page = page_of(owner.get(address, headers={"accept-language": "en"}))
            assert "1,000 read so far" in page
            assert "records per second" in page
            (bar,) = re.findall(r"<progress([^>]*)>(.*?)</progress>", page)
            assert bar == (' aria-label="Progress"', "")
            assert not re.search(r"minutes? left|1,000 / ", page)
        told = owner.get(f"/api/v1/connections/{loaded.public_id}/runs/").json()["results"][0]["progress"]
        assert told == {"done": 1000, "total": None}


class TestFrequency:
    def test_a_stream_gets_a_rhythm_of_its_own_and_keeps_it(self, owner, loaded):
        for address in (reverse("connection", args=[loaded.public_id]), reverse("streams", args=[loaded.public_id])):
            assert selected(page_of(owner.get(address)), "every.deals") in (None, "")
        owner.post(reverse("frequency", args=[loaded.public_id]), {"every": "1440", "every.deals": "5"})
        loaded.refresh_from_db()
        assert (loaded.every, loaded.stream_every) == (timedelta(days=1), {"deals": 5})
        due = DueSync.objects.get(kind="integrations.connection", object_id=str(loaded.public_id))
        assert due.next_run_at - timezone.now() < timedelta(minutes=6)
        Connection.objects.update(stream_every={"deals": 7})
        for address in (reverse("connection", args=[loaded.public_id]), reverse("streams", args=[loaded.public_id])):
            assert selected(page_of(owner.get(address)), "every.deals") == "7"
        owner.post(reverse("source_start", args=[loaded.public_id]), {"every": "60", "every.deals": "7"})
        loaded.refresh_from_db()
        assert (loaded.every, loaded.stream_every) == (timedelta(hours=1), {"deals": 7})

    def test_a_stream_may_be_read_only_by_hand_and_the_page_says_so(self, owner, loaded):
        said = '<span class="tag">手動のみ</span>'
        owner.post(reverse("frequency", args=[loaded.public_id]), {"every": "60"})
        assert said not in page_of(owner.get(reverse("connection", args=[loaded.public_id])))
        owner.post(reverse("frequency", args=[loaded.public_id]), {"every": "60", "every.deals": "hand"})
        loaded.refresh_from_db()
        assert loaded.stream_every == {"deals": None}
        page = page_of(owner.get(reverse("connection", args=[loaded.public_id])))
        assert selected(page, "every.deals") == "hand"
        assert said in page
        owner.post(reverse("frequency", args=[loaded.public_id]), {"every": "60"})
        loaded.refresh_from_db()
        assert loaded.stream_every == {"deals": None}
        owner.post(reverse("frequency", args=[loaded.public_id]), {"every": "60", "every.deals": ""})
        loaded.refresh_from_db()
        assert loaded.stream_every == {}

    def test_what_is_not_offered_is_refused(self, owner, loaded):
        owner.post(reverse("frequency", args=[loaded.public_id]), {"every": "60", "every.deals": "3"})
        loaded.refresh_from_db()
        assert loaded.stream_every == {}


class TestResync:
    def test_from_the_beginning_reads_everything_again_and_keeps_what_is_stored(self, owner, loaded, drain_outbox):
        answer = owner.post(reverse("source_resync", args=[loaded.public_id]), {"since": ""})
        assert answer.url == reverse("sync_run", args=[SyncRun.objects.first().public_id])
        assert Deal.objects.filter(deleted_at=None).count() == 3
        drain_outbox()
        run = SyncRun.objects.first()
        assert (run.read_count, run.unchanged_count) == (3, 3)

    def test_from_a_day_begins_there(self, owner, loaded):
        owner.post(reverse("source_resync", args=[loaded.public_id]), {"since": "2026-10-01"})
        since = Checkpoint.objects.get().cursor["position"]["since"]
        assert since == "2026-10-01T00:00:00+09:00"
        run = run_sync(run_id=SyncRun.objects.first().pk, owner="worker", now=timezone.now())
        assert run.state == RunState.SUCCEEDED

    def test_refuses_what_is_no_day(self, owner, loaded):
        owner.post(reverse("source_resync", args=[loaded.public_id]), {"since": "yesterday"})
        assert SyncRun.objects.count() == 1


class TestWhoMay:
    def test_only_owner_and_consultant(self, client_for, acme, source, dave, carol, alice, bob, vera, hana):
        addresses = [reverse(name, args=[source.public_id]) for name in ("source_test", "source_edit", "streams")]
        addresses += [editor(source), reverse(SETUP, args=["rest"])]
        for address in addresses:
            statuses = {
                user.username: client_for(user, acme).get(address).status_code
                for user in (dave, carol, alice, bob, vera, hana)
            }
            assert statuses == {"dave": 200, "carol": 200, "alice": 403, "bob": 403, "vera": 403, "hana": 403}
        for name in ("source_start", "source_resync", "mapping_end"):
            assert client_for(alice, acme).post(reverse(name, args=[source.public_id])).status_code == 403

    def test_a_file_connection_has_no_source_to_call(self, owner, connection):
        for name in ("source_test", "source_edit"):
            assert owner.get(reverse(name, args=[connection.public_id])).status_code == 404
