"""The demo's CRM that calls: its process, the connection that reads it, and the address it calls."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from config.demo.companies import SAKURA
from config.demo.crm import HEADER, PREFIX, STAGES
from config.demo.delivery import EVERY, follow
from config.demo.keeping import write_whole
from config.demo.selling import ask, folder_of
from config.demo.stage import DemoError, Stage
from integrations.choices import DELIVERED, Carries, ConnectionKind, RunState
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, InboundHook, SyncRun
from integrations.services.connections import change_source, create_source, save_mapping, set_frequency
from integrations.services.hooks import open_hook
from integrations.services.runs import sync_now
from tenants.context import tenant_context
from tenants.models import Company

NAME = "法人営業CRM（変更を通知）"
RULES = (
    FieldRule("external_id", column="id"),
    FieldRule("name", column="name"),
    FieldRule("owner", column="owner"),
    FieldRule("outcome", column="stage", values=STAGES),
    FieldRule("confidence", column="rank"),
    FieldRule("amount", column="amount"),
    FieldRule("created_on", column="created"),
    FieldRule("expected_close_on", column="expected"),
    FieldRule("closed_on", column="closed"),
    FieldRule("last_activity_on", column="spoken"),
    FieldRule("customer_type", constant="new"),
)


def start_crm(stage: Stage) -> int:
    """Start the CRM's process; returns its port, the one of the run before where that is free."""
    folder = folder_of(stage.directory)
    folder.mkdir(parents=True, exist_ok=True)
    port = _port(folder / "port")
    write_whole(folder / "port", str(port))
    command = [sys.executable, "-m", "config.demo.crm", "--port", str(port), "--folder", str(folder)]
    stage.supervisor.start("crm", [*command, "--today", str(stage.today)])
    return port


def ensure_calls(stage: Stage, company: Company, *, crm_port: int, web_port: int) -> None:
    """Read the CRM through the worker, and tell it where to call; what is there stays."""
    description = describe(crm_port)
    stage.wait_for(lambda: _is_served(crm_port), what="Starting the CRM", seconds=30)
    with tenant_context(company):
        now = timezone.now()
        connection = Connection.objects.filter(name=NAME).first()
        if connection is None:
            connection = _connected(description)
        if connection.description != description:
            change_source(connection=connection, description=description, now=now)
        if not SyncRun.objects.filter(connection=connection, state__in=DELIVERED).exists():
            under_way = SyncRun.objects.filter(connection=connection, state__in=(RunState.QUEUED, RunState.RUNNING))
            follow(stage, connection, under_way.first() or sync_now(connection=connection, actor=None, now=now))
        if connection.every is None:
            set_frequency(connection=connection, every=EVERY, now=now)
        _tell_where_to_call(folder_of(stage.directory) / "hook.json", connection, port=web_port)


@transaction.atomic
def _connected(description: dict[str, Any]) -> Connection:
    now = timezone.now()
    made = create_source(
        name=NAME,
        kind=ConnectionKind.REST,
        source=SAKURA.slug,
        carries=Carries.SFA,
        description=description,
        secrets={},
        now=now,
    )
    save_mapping(connection=made, mapping=StreamMapping("deals", "deals", 10, "deals", RULES), now=now)
    return made


def describe(port: int) -> dict[str, Any]:
    """The document of the CRM as docs/generic-rest.md has it."""
    return {
        "base_url": f"http://127.0.0.1:{port}/",
        "streams": [
            {
                "name": "deals",
                "label": "商談",
                "path": "deals",
                "records": "items",
                "paginator": {"type": "keyset", "param": "after"},
                "incremental": {"field": "updated_at", "param": "updated_since"},
                "single": {"path": "deals/{id}"},
            }
        ],
        "webhook": {"header": HEADER, "prefix": PREFIX, "stream": "deals", "record_id": "deal", "event_id": "event"},
    }


def _tell_where_to_call(note: Path, connection: Connection, *, port: int) -> None:
    """The address that is open and its secret; opened anew where the secret is lost, for it is shown only once."""
    kept = json.loads(note.read_text()) if note.exists() else {}
    hook = InboundHook.objects.filter(connection=connection).first()
    secret = kept.get("secret", "")
    if hook is None or kept.get("path") != _path(hook):
        opened = open_hook(connection=connection, now=timezone.now())
        hook, secret = opened.hook, opened.secret
    host = f"{SAKURA.slug}.{settings.BASE_DOMAIN}:{port}"
    write_whole(note, json.dumps({"host": host, "port": port, "path": _path(hook), "secret": secret}))


def _path(hook: InboundHook) -> str:
    return reverse("hook_call", args=[hook.token], urlconf="config.urls.company")


def _port(note: Path) -> int:
    """The port of the run before where nobody has taken it since, else any."""
    for wanted in (int(note.read_text()) if note.exists() else 0, 0):
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(attempt.getsockname()[1])
    raise DemoError("No port is free on this machine for the demo's CRM.")


def _is_served(port: int) -> bool:
    try:
        ask(port, "GET", "/deals")
    except (OSError, http.client.HTTPException):
        return False
    return True
