"""From an upload form to numbers: look first, import, watch the bar, fetch what was rejected."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from integrations.choices import RunState
from integrations.models import Connection, SyncRun, Upload
from integrations.services.connections import add_value, set_frequency
from kpis.models import Deal, KpiTree, Person
from kpis.templatetags.kpi import moment_text
from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import DueSync
from tests.integrations.conftest import NOW
from tests.integrations.services.test_sync import DEALS, PEOPLE


def sent(name, body):
    return SimpleUploadedFile(name, body if isinstance(body, bytes) else body.encode())


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


def upload(client, connection, *files):
    return client.post(reverse("upload", args=[connection.public_id]), {"uploads": list(files)})


class TestFirstPage:
    @pytest.fixture(autouse=True)
    def _tree(self, in_acme):
        KpiTree.objects.create(name="計画", fiscal_year=2026, status="active")

    def test_leads_to_the_first_connection_as_long_as_there_is_none(self, owner, client_for, alice, acme):
        assert reverse("connection_new") in owner.get("/").content.decode()
        assert reverse("connection_new") not in client_for(alice, acme).get("/").content.decode()

    def test_says_nothing_of_it_afterwards(self, owner, connection):
        assert reverse("connection_new") not in owner.get("/").content.decode()


class TestUpload:
    def test_goes_from_files_to_a_preview_to_facts(self, owner, connection, drain_outbox):
        answer = upload(owner, connection, sent("people.csv", PEOPLE), sent("deals.csv", DEALS))
        assert answer.status_code == 302
        shown = owner.get(answer.url).content.decode()
        assert "青木" in shown
        assert "D3" in shown
        assert not Person.objects.exists()
        started = owner.post(answer.url)
        assert "running" not in SyncRun.objects.get().state
        drain_outbox()
        page = owner.get(started.url).content.decode()
        assert SyncRun.objects.get().state == RunState.SUCCEEDED
        assert Deal.objects.count() == 3
        assert "作成日" in page

    def test_names_what_a_word_was_taken_for(self, owner, connection, sync):
        add_value(connection=connection, stream="deals", field="outcome", word="成約", meaning="won", now=NOW)
        deals = "external_id,name,created_on,outcome\nD1,A,2026-10-01,成約\n"
        run = sync(connection, {"deals.csv": deals})
        page = owner.get(reverse("sync_run", args=[run.public_id])).content.decode()
        assert "“成約” → “受注”" in page

    def test_shows_at_most_twenty_records(self, owner, connection):
        rows = "".join(f"P{n},氏名{n}\n" for n in range(50))
        answer = upload(owner, connection, sent("people.csv", f"external_id,name\n{rows}"))
        shown = owner.get(answer.url).content.decode()
        assert "氏名19" in shown
        assert "氏名20" not in shown

    @pytest.mark.parametrize(
        ("name", "body", "word"),
        [
            ("people.csv", b"%PDF-1.7 x", "PDF"),
            ("people.csv", PEOPLE.encode() + b"P3,\xff\n", "FF"),
            ("people.csv", b"external_id\nP1\n", "name"),
            ("顧客.csv", PEOPLE.encode(), "顧客.csv"),
        ],
    )
    def test_says_in_the_preview_what_is_wrong_and_offers_no_import(self, owner, connection, name, body, word):
        answer = upload(owner, connection, sent(name, body))
        page = owner.get(answer.url).content.decode()
        assert word in page
        assert 'role="alert"' in page
        assert not Person.objects.exists()

    def test_refuses_a_file_above_the_limit_beside_the_field(self, owner, connection, settings):
        settings.UPLOAD_MAX_BYTES = 1024
        answer = upload(owner, connection, sent("people.csv", b"x" * 2048))
        assert answer.status_code == 422
        assert "people.csv" in answer.content.decode()
        assert not Upload.objects.exists()

    def test_refuses_an_empty_file(self, owner, connection):
        assert upload(owner, connection, sent("people.csv", b"")).status_code == 422

    def test_asks_for_a_file(self, owner, connection):
        assert owner.post(reverse("upload", args=[connection.public_id])).status_code == 422


class TestMapValue:
    def test_teaches_the_mapping_a_word(self, owner, connection, drain_outbox):
        body = DEALS.replace("won", "成約")
        address = upload(owner, connection, sent("deals.csv", body)).url
        assert "成約" in owner.get(address).content.decode()
        value = {"stream": "deals", "field": "outcome", "word": "成約", "meaning": "won"}
        assert owner.post(f"{address}values/", value).status_code == 302
        owner.post(address)
        drain_outbox()
        assert Deal.objects.get(external_id="D1").outcome == "won"


class TestConnectionPages:
    def test_sets_a_connection_up(self, owner, in_acme):
        form = {"name": "SFA", "carries": "sfa", "preset": "japanese_sales", "source": "sfa", "every": "1440"}
        answer = owner.post(reverse("connection_setup", args=["file"]), form)
        assert answer.status_code == 302
        assert Connection.objects.get().every.days == 1
        assert owner.get(answer.url).status_code == 200

    def test_says_that_a_name_is_taken(self, owner, connection):
        form = {"name": connection.name, "carries": "sfa", "preset": "contract", "source": "x", "every": ""}
        answer = owner.post(reverse("connection_setup", args=["file"]), form)
        assert answer.status_code == 422
        assert Connection.objects.count() == 1

    def test_lists_health_and_the_last_counts(self, owner, connection, sync):
        sync(connection, {"people.csv": PEOPLE})
        page = owner.get(reverse("connections")).content.decode()
        assert connection.name in page

    def test_invites_to_the_first_connection(self, owner, in_acme):
        assert reverse("connection_new") in owner.get(reverse("connections")).content.decode()

    def test_pauses_and_resumes(self, owner, connection):
        owner.post(reverse("pause", args=[connection.public_id]))
        connection.refresh_from_db()
        assert connection.is_paused
        owner.post(reverse("resume", args=[connection.public_id]))
        connection.refresh_from_db()
        assert not connection.is_paused

    def test_says_that_there_is_nothing_to_sync(self, owner, connection):
        answer = owner.post(reverse("sync", args=[connection.public_id]), follow=True)
        assert "strip-bad" in answer.content.decode()

    def test_changes_the_frequency(self, owner, connection):
        owner.post(reverse("frequency", args=[connection.public_id]), {"every": ""})
        connection.refresh_from_db()
        assert connection.every is None

    @pytest.mark.parametrize(
        ("minutes", "said"), [(5, "5 minutes"), (15, "15 minutes"), (7, "7 minutes"), (180, "3 hours")]
    )
    def test_shows_every_frequency_as_it_is_and_saving_keeps_it(self, owner, connection, minutes, said):
        set_frequency(connection=connection, every=timedelta(minutes=minutes), now=timezone.now())
        address = reverse("connection", args=[connection.public_id])
        page = owner.get(address, headers={"accept-language": "en"}).content.decode()
        chosen = re.search(r'<option value="(\d+)" selected>([^<]+)', page)
        assert said in chosen[2]
        assert said in owner.get(reverse("connections"), headers={"accept-language": "en"}).content.decode()
        owner.post(reverse("frequency", args=[connection.public_id]), {"every": chosen[1]})
        connection.refresh_from_db()
        assert connection.every == timedelta(minutes=minutes)

    def test_says_when_it_runs_next(self, owner, connection):
        address = reverse("connection", args=[connection.public_id])
        due = DueSync.objects.get(kind="integrations.connection", object_id=str(connection.public_id))
        assert moment_text(due.next_run_at) in owner.get(address).content.decode()
        owner.post(reverse("pause", args=[connection.public_id]))
        page = owner.get(address, headers={"accept-language": "en"}).content.decode()
        assert "not on schedule" in page


class TestRunPages:
    def test_shows_the_bar_while_it_runs_and_reloads_at_the_end(self, owner, connection, receive, sync):
        run = sync(connection, {"people.csv": PEOPLE})
        SyncRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING, progress_done=1, progress_total=2)
        answer = owner.get(reverse("run_progress", args=[run.public_id]))
        assert "hx-get" in answer.content.decode()
        assert "HX-Refresh" not in answer
        SyncRun.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
        assert owner.get(reverse("run_progress", args=[run.public_id]))["HX-Refresh"] == "true"

    def test_lists_rejected_rows_and_hands_them_out_as_csv(self, owner, connection, sync):
        run = sync(connection, {"deals.csv": DEALS + '"=cmd()",2026/13/40,P1,won,,1\n'})
        assert "2026/13/40" in owner.get(reverse("sync_run", args=[run.public_id])).content.decode()
        lines = owner.get(reverse("rejected_rows", args=[run.public_id])).content.decode("utf-8-sig").splitlines()
        assert len(lines) == 2
        assert "deals.csv,5," in lines[1]
        assert "'=cmd()" in lines[1]

    def test_cancels_what_waits(self, owner, connection, receive, dave):
        address = upload(owner, connection, sent("people.csv", PEOPLE)).url
        owner.post(address)
        owner.post(reverse("run_cancel", args=[SyncRun.objects.get().public_id]))
        assert SyncRun.objects.get().state == RunState.CANCELLED


class TestWhoMay:
    def test_only_owner_and_consultant_manage_connections(
        self, client_for, acme, connection, dave, carol, alice, bob, vera, hana
    ):
        address = reverse("connection", args=[connection.public_id])
        statuses = {
            user.username: client_for(user, acme).get(address).status_code
            for user in (dave, carol, alice, bob, vera, hana)
        }
        assert statuses == {"dave": 200, "carol": 200, "alice": 403, "bob": 403, "vera": 403, "hana": 403}

    def test_another_company_finds_nothing(self, client_for, globex, connection):
        with tenant_context(globex):
            gina = User.objects.get(username="gina")
        answer = client_for(gina, globex).get(reverse("connection", args=[connection.public_id]))
        assert answer.status_code == 404


class TestKeyPages:
    def test_shows_a_new_key_once(self, owner, in_acme):
        answer = owner.post(reverse("api_keys"), {"name": "BI", "scopes": ["read"]})
        text = re.search(r"[0-9a-f]{8}\.[\w-]{43}", answer.content.decode()).group()
        assert text not in owner.get(reverse("api_keys")).content.decode()

    def test_revokes(self, owner, key_for, caller):
        text = key_for("read")
        page = owner.get(reverse("api_keys")).content.decode()
        owner.post(re.search(r'/data/keys/[^"]+/revoke/', page).group())
        assert caller(text).post("/api/v1/facts/deals/bulk/").status_code == 401
