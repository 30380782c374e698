"""A connection that needs a person asks by one letter a stop, and says on the first page what stops it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from integrations.models import Connection, MendRequest, SyncRun
from integrations.services.connections import change_source, pause_connection
from integrations.services.mending import ask_to_mend
from integrations.services.runs import fail_run
from integrations.services.schedule import DUE_MENDING
from integrations.tasks import ask_people_to_mend
from kpis.models import KpiTree
from kpis.services.reminders import UnsentError
from kpis.services.streams import record_stream
from tenants.accounts.models import User
from tenants.models import DueSync
from tests.fakes.server import Reply
from tests.integrations.services.test_pulling import DEALS
from tests.integrations.sources import connect, fill, sync

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


@pytest.fixture
def source(in_acme: Any, fake: Any) -> Connection:
    """Read once; dave, who owns acme, and Eve, who owns it too and reads English, can mend it."""
    User.objects.filter(username="dave").update(email="dave@acme.example")
    eve = User.objects.create(username="eve", name="Eve", language="en", email="eve@acme.example")
    eve.groups.set(User.objects.get(username="dave").groups.all())
    fill(fake, 3)
    made = connect(fake, DEALS)
    assert sync(made).state == "succeeded"
    return made


def wrong(source: Connection) -> SyncRun:
    change_source(connection=source, secrets={"token": "wr0ng"}, now=timezone.now())
    return sync(source)


def letters(acme: Any, source: Connection) -> dict[str, str]:
    """What was sent by the work that is due now, by who got it; nothing where none is due."""
    mail.outbox.clear()
    for due in DueSync.objects.filter(kind=DUE_MENDING, next_run_at__lte=timezone.now()):
        ask_people_to_mend(company_id=str(acme.pk), object_id=due.object_id)
    return {letter.to[0].partition("@")[0]: f"{letter.subject}\n{letter.body}" for letter in mail.outbox}


class TestLetter:
    def test_goes_to_those_who_can_mend_it_in_their_language(self, acme, source):
        wrong(source)
        sent = letters(acme, source)
        assert set(sent) == {"dave", "eve"}
        assert "“社内CRM” is stopped and needs you" in sent["eve"]
        assert "The source does not accept the credentials" in sent["eve"]
        assert "「社内CRM」" in sent["dave"]
        assert "接続先が認証情報を" in sent["dave"]
        for each in sent.values():
            assert f"http://acme.localhost:8000/data/{source.public_id}/" in each
            assert "wr0ng" not in each

    def test_is_sent_once_a_stop_however_often_it_is_tried(self, acme, source, fake):
        wrong(source)
        assert len(letters(acme, source)) == 2
        for _attempt in range(2):
            sync(source)
            assert DueSync.objects.filter(kind=DUE_MENDING).exists()
            assert letters(acme, source) == {}
        change_source(connection=source, secrets=fake.secrets(), now=timezone.now())
        assert sync(source).state == "succeeded"
        wrong(source)
        assert len(letters(acme, source)) == 2

    def test_another_reason_is_told(self, acme, source, fake):
        wrong(source)
        letters(acme, source)
        change_source(connection=source, secrets=fake.secrets(), now=timezone.now())
        fake.faults = [Reply(403, {"message": "no right"})] * 20
        sync(source)
        assert "no right" in letters(acme, source)["eve"]

    def test_none_for_what_was_mended_or_paused_meanwhile(self, acme, source, fake):
        wrong(source)
        pause_connection(connection=source, now=timezone.now())
        assert letters(acme, source) == {}

    def test_a_refused_letter_comes_again_and_the_others_do_not(self, acme, source, monkeypatch):
        wrong(source)
        real = mail.send_mail

        def refuse(subject: str, body: str, sender: None, to: list[str]) -> int:
            if to == ["dave@acme.example"]:
                raise ConnectionRefusedError("no server")
            return real(subject, body, sender, to)

        with monkeypatch.context() as broken:
            broken.setattr("integrations.services.mending.send_mail", refuse)
            with pytest.raises(UnsentError, match="no server"):
                letters(acme, source)
        assert [letter.to for letter in mail.outbox] == [["eve@acme.example"]]
        assert set(letters(acme, source)) == {"dave"}

    @override_settings(EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend")
    def test_without_a_mail_server_nothing_is_noted_as_sent(self, acme, source):
        wrong(source)
        letters(acme, source)
        assert not MendRequest.objects.exists()


class TestPassingTrouble:
    """A source that is away is asked again by itself. Last read on Friday 2026-11-20, it owes an hour later."""

    @pytest.fixture(autouse=True)
    def _read_on_friday(self, source):
        Connection.objects.update(last_success_at=datetime.fromisoformat("2026-11-20T14:00+09:00"))

    def fail(self, source: Connection, when: str) -> int:
        now = datetime.fromisoformat(f"{when}:00+09:00")
        run = SyncRun.objects.create(connection=source, trigger="schedule", requested_at=now)
        fail_run(run=run, code="not_reached", params={"host": "crm.example.com"}, now=now)
        mail.outbox.clear()
        return ask_to_mend(connection=source, now=now)

    def test_is_told_once_after_a_whole_working_day(self, source):
        assert self.fail(source, "2026-11-20T17:00") == 0
        assert self.fail(source, "2026-11-22T17:00") == 0  # the weekend
        assert self.fail(source, "2026-11-24T23:50") == 0  # the 23rd is a holiday
        assert self.fail(source, "2026-11-25T00:10") == 2
        assert "crm.example.com" in mail.outbox[0].body
        assert self.fail(source, "2026-11-26T09:00") == 0


class TestFirstPage:
    @pytest.fixture
    def page_of(self, plan, client_for, acme):
        KpiTree.objects.update(status="active")

        def read(user: User, language: str = "en") -> str:
            return client_for(user, acme).get("/", headers={"accept-language": language}).content.decode()

        return read

    def test_names_the_reason_and_the_way_to_those_who_may(self, source, page_of, dave, alice):
        assert "Stopped" not in page_of(dave)
        wrong(source)
        page = page_of(dave)
        assert "社内CRM: Stopped" in page
        assert "The source does not accept the credentials" in page
        assert f'href="/data/{source.public_id}/"' in page

    def test_says_to_others_that_it_is_stopped_and_since_when(self, source, page_of, alice):
        wrong(source)
        Connection.objects.update(stopped_at=datetime.fromisoformat("2026-11-20T14:00+09:00"))
        page = page_of(alice, "ja")
        assert "社内CRM: 停止中" in page
        assert "11/20 14:00" in page
        assert "認証情報" not in page
        assert f"/data/{source.public_id}/" not in page

    def test_goes_when_it_runs_again(self, source, page_of, dave, fake):
        wrong(source)
        change_source(connection=source, secrets=fake.secrets(), now=timezone.now())
        sync(source)
        assert "Stopped" not in page_of(dave)

    def test_of_a_late_one_too(self, source, page_of, dave):
        record_stream(
            source="crm",
            fact="deals",
            last_success_at=timezone.now() - timedelta(hours=4),
            expected_every=timedelta(hours=1),
        )
        Connection.objects.update(last_success_at=timezone.now() - timedelta(hours=4))
        page = page_of(dave)
        assert "社内CRM: Stale source" in page
        assert f'href="/data/{source.public_id}/"' in page

    def test_the_connection_says_who_was_asked(self, acme, source, client_for, dave):
        wrong(source)
        letters(acme, source)
        page = client_for(dave, acme).get(f"/data/{source.public_id}/", headers={"accept-language": "en"})
        assert "Asked by mail: Dave, Eve" in page.content.decode()
