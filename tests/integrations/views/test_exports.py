"""What leaves the product as a file holds no credentials: tables, ledgers, rejected rows, a dump of the settings."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from integrations.models import Connection, DataKey, RejectedRecord
from integrations.services.connections import change_source
from kpis.models import KpiTree
from tests.fakes.rest import TOKEN
from tests.integrations.services.test_pulling import DEALS
from tests.integrations.sources import connect, fill, sync
from tests.isolation.routes import routes_of
from tests.kpis.pages.test_pdf import pages_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

WRONG = "wr0ng-t0ken"
EXPORT = re.compile(r"\.(csv|xlsx|pdf)$|export")


@pytest.fixture
def source(in_acme: Any, plan: dict[str, Any], fake: Any) -> Connection:
    """Read with rows that were refused, and stopped by credentials that the source repeats in its answer."""
    KpiTree.objects.update(status="active")
    fill(fake, 3)
    fake.world.put("D009", name="案件9", created="unknown", amount=1, stage="受注")
    made = connect(fake, DEALS)
    sync(made)
    assert RejectedRecord.objects.exists()
    change_source(connection=made, secrets={"token": WRONG}, now=timezone.now())
    sync(made)
    return Connection.objects.get()


def text_of(name: str, body: bytes) -> str:
    """What a reader of the file could find in it."""
    if name.endswith(".pdf"):
        return "\n".join(pages_of(body))
    if body.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(body)) as book:
            return "\n".join(book.read(part).decode("utf-8", "replace") for part in book.namelist())
    return body.decode("utf-8-sig", "replace")


def test_no_file_holds_a_secret(source: Connection, client_for: Any, acme: Any, dave: Any) -> None:
    run = source.runs.exclude(rejected=None).get()
    tree = KpiTree.objects.get().public_id
    client, read = client_for(dave, acme), {}
    for route in filter(EXPORT.search, routes_of("config.urls.company")):
        address = route.replace("<uuid:run_id>", str(run.public_id)).replace("<slug:part>", "table")
        answer = client.get("/" + re.sub(r"<uuid:\w+>", str(tree), address))
        if answer.status_code == 200:
            body = b"".join(answer) if answer.streaming else answer.content
            read[route] = text_of(address, body)
    assert {"budget/table.csv", "budget/table.xlsx", "budget/table.pdf", "handover/ledger.csv"} <= set(read)
    assert "data/runs/<uuid:run_id>/rejected.csv" in read
    told = [source.sealed, *DataKey.objects.values_list("wrapped", flat=True), TOKEN, WRONG]
    assert all(told)
    for route, text in read.items():
        assert not [each for each in map(str, told) if each in text], route


def test_a_dump_of_the_settings_holds_them_sealed_only(source: Connection) -> None:
    dump = io.StringIO()
    call_command("dumpdata", "integrations", stdout=dump)
    assert source.sealed in dump.getvalue()
    assert TOKEN not in dump.getvalue()
    assert WRONG not in dump.getvalue()
