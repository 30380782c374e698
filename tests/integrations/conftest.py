"""A file connection of acme, and a way to send it files."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.base import ContentFile

from integrations.choices import Carries, Trigger
from integrations.services.connections import create_connection
from integrations.services.runs import request_run
from integrations.services.sync import run_sync
from integrations.services.uploads import IncomingFile, receive_files

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture
def connection(in_acme):
    return create_connection(
        name="CRM", source="crm", carries=Carries.SFA, preset="contract", every=timedelta(days=1), now=NOW
    )


@pytest.fixture
def receive():
    """`receive(connection, {"deals.csv": "…"})`: the files as an upload."""

    def run(connection, files, now=NOW):
        incoming = [
            IncomingFile(name, ContentFile(body if isinstance(body, bytes) else body.encode(), name=name))
            for name, body in files.items()
        ]
        return receive_files(connection=connection, files=incoming, trigger=Trigger.UPLOAD, actor=None, now=now)

    return run


@pytest.fixture
def sync(receive):
    """`sync(connection, {"deals.csv": "…"})`: the files imported; returns the run."""

    def run(connection, files, now=NOW):
        upload = receive(connection, files, now)
        asked = request_run(connection=connection, upload=upload, trigger=Trigger.UPLOAD, actor=None, now=now)
        return run_sync(run_id=asked.pk, owner="worker", now=now)

    return run
