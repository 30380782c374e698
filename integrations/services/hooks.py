"""The address at which a source calls us: opening and closing it, and taking calls in."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from integrations.choices import ConnectionKind
from integrations.connectors.document import DocumentError
from integrations.connectors.hooks import HOOKS, Call, HookKind, HookRefusedError, Notice
from integrations.models import Connection, InboundEvent, InboundHook
from integrations.services.connections import ConnectionRequestError
from integrations.services.credentials import PROOF_OF_CALLS, SealedError, keep_secret, unseal
from integrations.services.sources import description_of
from tenants.context import current_company
from tenants.outbox.services import emit

EVENT_RECEIVED = "event.received"
SECRET_BYTES = 32
SHORTEST_SECRET = 16


class UnknownHookError(LookupError):
    """No connection has this address."""


@dataclass(frozen=True)
class OpenedHook:
    """An address that was opened. `secret` is shown now or never; '' where the source's own is used."""

    hook: InboundHook
    secret: str


def hook_kind(connection: Connection) -> HookKind | None:
    """How the source of a connection calls; None where it does not, or its description does not say how."""
    kind = HOOKS.get(connection.kind)
    if kind is None:
        return None
    try:
        described = description_of(connection)
    except DocumentError:
        return None
    return None if connection.kind == ConnectionKind.REST and described.webhook is None else kind


@transaction.atomic
def open_hook(*, connection: Connection, secret: str = "", now: datetime) -> OpenedHook:
    """Give the source a new address; calls to the one before are not taken any more.

    `secret` is what the source signs with. Without one, the source's own credential proves its calls where it has
    such, else one is made. Raises ConnectionRequestError, and SealedError where the credentials cannot be opened.
    """
    kind = hook_kind(connection)
    if kind is None:
        raise ConnectionRequestError("description", _("This source does not say how it calls. Describe it first."))
    secret = secret.strip()
    if secret and len(secret) < SHORTEST_SECRET:
        text = _("This secret is too short to be safe. Give at least %(least)s characters, or leave it empty.")
        raise ConnectionRequestError("secret", text % {"least": SHORTEST_SECRET})
    if kind.own_credential and not secret and kind.own_credential not in unseal(connection=connection):
        raise ConnectionRequestError("secret", _("Enter the client secret of the app that sends the notifications."))
    made = "" if secret or kind.own_credential else secrets.token_urlsafe(SECRET_BYTES)
    keep_secret(connection=connection, name=PROOF_OF_CALLS, secret=secret or made or None, now=now)
    InboundHook.objects.filter(connection=connection).delete()
    hook = InboundHook.objects.create(connection=connection, token=secrets.token_urlsafe(SECRET_BYTES), opened_at=now)
    return OpenedHook(hook, made)


@transaction.atomic
def close_hook(*, connection: Connection, now: datetime) -> None:
    """Take no calls any more; what has come in is still fetched."""
    keep_secret(connection=connection, name=PROOF_OF_CALLS, secret=None, now=now)
    InboundHook.objects.filter(connection=connection).delete()


def receive_call(*, token: str, call: Call, now: datetime) -> int:
    """Take a call in; returns how many records it is about that were not told of before.

    Raises UnknownHookError, and HookRefusedError for a call that is not the source's own or cannot be read. Nothing
    is asked of the source here: whoever calls is not kept waiting.
    """
    hook = InboundHook.objects.select_related("connection").filter(token=token).first()
    if hook is None:
        raise UnknownHookError
    try:
        notices = _proven(hook.connection, call, now)
    except HookRefusedError as error:
        InboundHook.objects.filter(pk=hook.pk).update(
            refused_count=F("refused_count") + 1, last_refused_at=now, refused_by=error.code
        )
        raise
    return _keep(hook, notices, now)


def _proven(connection: Connection, call: Call, now: datetime) -> Sequence[Notice]:
    kind = HOOKS[connection.kind]
    try:
        described, kept = description_of(connection), unseal(connection=connection)
    except DocumentError:
        raise HookRefusedError("not_described") from None
    except SealedError:
        raise HookRefusedError("sealed") from None
    secret = kept.get(PROOF_OF_CALLS) or kept.get(kind.own_credential, "")
    if not secret:
        raise HookRefusedError("no_secret")
    kind.verify(call, secret, described, now)
    return kind.read(call.body, described)


@transaction.atomic
def _keep(hook: InboundHook, notices: Sequence[Notice], now: datetime) -> int:
    known = InboundEvent.objects.filter(
        connection_id=hook.connection_id, event_id__in=[each.event_id for each in notices]
    )
    seen = set(known.values_list("event_id", flat=True))
    fresh = [each for each in notices if each.event_id not in seen]
    InboundEvent.objects.bulk_create(
        [
            InboundEvent(
                connection_id=hook.connection_id,
                event_id=each.event_id,
                stream=each.stream,
                external_id=each.external_id,
                received_at=now,
            )
            for each in fresh
        ],
        # The same call may come twice at once.
        ignore_conflicts=True,
    )
    InboundHook.objects.filter(pk=hook.pk).update(
        received_count=F("received_count") + len(notices),
        repeated_count=F("repeated_count") + len(seen),
        last_received_at=now,
    )
    if fresh:
        emit(topic=EVENT_RECEIVED, company_id=current_company().id, object_id=hook.connection.public_id)
    return len(fresh)
