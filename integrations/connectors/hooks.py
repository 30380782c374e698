"""Calls from a source: whether one is really its own, and which records it is about. Pure.

What a call says about a record is never stored: it is a hint to read that record from the source. So a call that comes
twice, late or in another order than the events it tells of does no harm, and one that never comes is made good by the
next import.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from integrations.connectors.document import Document
from integrations.connectors.hubspot.source import MODIFIED, HubSpotSource
from integrations.connectors.kintone_description import Description
from integrations.connectors.records import cell_of, dig
from integrations.connectors.values import text_of
from kpis.engine.records import is_storable

MAX_BODY_BYTES = 1024 * 1024
MAX_NOTICES = 1000
OLDEST_CALL = timedelta(minutes=5)
ID_LENGTH = 200
# HubSpot signs the address with these escapes written out.
_WRITTEN_OUT = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
_HUBSPOT_OBJECTS = {"contact": "contacts", "company": "companies", "deal": "deals"}
_HUBSPOT_TYPE_IDS = {"0-1": "contacts", "0-2": "companies", "0-3": "deals"}


class HookRefusedError(ValueError):
    """A call is not taken; `code` says why to the people of the company, never to the caller."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True)
class Call:
    """A call as it arrived. `urls`: the addresses it may have been sent to, as the source and as we see it.

    `headers` by lower-case name; `path_secret` is what stood behind the token in the address.
    """

    method: str
    urls: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    path_secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Notice:
    """One record that a call is about. `event_id` is the same where the same event is told again."""

    event_id: str
    stream: str
    external_id: str


@dataclass(frozen=True)
class HookKind:
    """How one kind of source calls: its proof, its events, and whether its secret stands in the address.

    `verify` and `read` raise HookRefusedError. `own_credential` proves its calls where
    no secret of their own was entered.
    """

    verify: Callable[[Call, str, Any, datetime], None]
    read: Callable[[bytes, Any], Sequence[Notice]]
    is_secret_in_address: bool = False
    own_credential: str = ""


def verify_hubspot(call: Call, secret: str, _source: HubSpotSource, now: datetime) -> None:
    """HubSpot's signature v3: HMAC-SHA256 of method, public address, body and time of sending, in base64.

    The time is in milliseconds and at most five minutes away from ours, on either side.
    """
    given, stamp = call.headers.get("x-hubspot-signature-v3", ""), call.headers.get("x-hubspot-request-timestamp", "")
    if not given or not (stamp.isascii() and stamp.isdigit()):
        raise HookRefusedError("unsigned")
    if abs(now.timestamp() - int(stamp) / 1000) > OLDEST_CALL.total_seconds():
        raise HookRefusedError("too_old")
    for url in call.urls:
        signed = f"{call.method}{written_out(url)}".encode() + call.body + stamp.encode()
        if hmac.compare_digest(base64.b64encode(_digest(secret, signed)), given.encode()):
            return
    raise HookRefusedError("bad_signature")


def verify_address(call: Call, secret: str, _described: Any, _now: datetime) -> None:
    """A source that signs nothing proves itself by a secret in the address."""
    if not hmac.compare_digest(call.path_secret.encode(), secret.encode()):
        raise HookRefusedError("bad_signature" if call.path_secret else "unsigned")


def verify_hmac(call: Call, secret: str, document: Document, _now: datetime) -> None:
    """HMAC-SHA256 of the body in the header that the document names, as hex or base64."""
    spec = document.webhook
    if spec is None:
        raise HookRefusedError("not_described")
    given = call.headers.get(spec.header.lower(), "").strip()
    if not given or not given.startswith(spec.prefix):
        raise HookRefusedError("unsigned")
    if not hmac.compare_digest(_digest(secret, call.body), _bytes_of(given.removeprefix(spec.prefix))):
        raise HookRefusedError("bad_signature")


def read_hubspot(body: bytes, source: HubSpotSource) -> Sequence[Notice]:
    """The objects in a list of events. A merge is about all that took part: nothing else tells of the winner."""
    found = []
    for event in _events(_json(body)):
        kind, _, what = str(event.get("subscriptionType") or "").partition(".")
        stream = _HUBSPOT_OBJECTS.get(kind) or _HUBSPOT_TYPE_IDS.get(str(event.get("objectTypeId")), "")
        if stream not in MODIFIED or stream not in source.objects:
            continue
        merged = event.get("mergedObjectIds") if what == "merge" else None
        others = merged if isinstance(merged, list) else []
        ids = [event.get(name) for name in ("objectId", "primaryObjectId", "newObjectId")]
        named = [event.get(name) for name in ("eventId", "subscriptionId", "occurredAt", "subscriptionType")]
        found += [_notice(stream, each, *named) for each in dict.fromkeys([*ids, *others]) if each is not None]
    return _some(found)


def read_kintone(body: bytes, described: Description) -> Sequence[Notice]:
    """The one record of a notification of kintone, in the stream of its app."""
    found = []
    for event in _events(_json(body)):
        number = text_of(cell_of(dig(event, "app.id")))
        stream = next((app.name for app in described.apps if str(app.app) == number), "")
        record = dig(event, "record.$id.value") or event.get("recordId")
        named = [event.get("id"), event.get("type"), dig(event, "record.$revision.value"), event.get("deleteAt")]
        if stream and record is not None:
            found.append(_notice(stream, record, *named))
    return _some(found)


def read_described(body: bytes, document: Document) -> Sequence[Notice]:
    """The records in a body, where the document says they are named."""
    spec = document.webhook
    if spec is None:
        raise HookRefusedError("not_described")
    told = _json(body)
    found = []
    for event in _events(dig(told, spec.events) if spec.events else told):
        stream = text_of(cell_of(dig(event, spec.stream_at))) if spec.stream_at else spec.stream
        record = cell_of(dig(event, spec.record_id))
        # Without an id of its own the event is what it says: told again, it says the same.
        named = dig(event, spec.event_id) if spec.event_id else json.dumps(event, sort_keys=True)
        if record is not None and any(each.name == stream for each in document.streams):
            found.append(_notice(stream, record, named))
    return _some(found)


HOOKS: Mapping[str, HookKind] = {
    "hubspot": HookKind(verify_hubspot, read_hubspot, own_credential="client_secret"),
    "kintone": HookKind(verify_address, read_kintone, is_secret_in_address=True),
    "rest": HookKind(verify_hmac, read_described),
}
"""The kinds of sources that call, by kind of connection."""


def written_out(url: str) -> str:
    """An address as HubSpot signs it: some escapes stand as the signs they mean.

    >>> written_out("https://sakura.example.com/hooks/x/?a=%3A%20b%2Fc")
    'https://sakura.example.com/hooks/x/?a=:%20b/c'
    """
    return _WRITTEN_OUT.sub(lambda found: chr(int(found[1], 16)), url)


def _digest(secret: str, message: bytes) -> bytes:
    return hmac.new(secret.encode(), message, hashlib.sha256).digest()


def _bytes_of(text: str) -> bytes:
    """A digest as it is written: in hex, else in base64; b'' for neither."""
    try:
        return bytes.fromhex(text) if re.fullmatch("[0-9a-fA-F]{64}", text) else base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HookRefusedError("not_json") from None


def _events(told: Any) -> Iterator[Mapping[str, Any]]:
    """The events of a body: a list of them, or one alone."""
    events = told if isinstance(told, list) else [told]
    if len(events) > MAX_NOTICES:
        raise HookRefusedError("too_many_events")
    if not all(isinstance(each, dict) for each in events):
        raise HookRefusedError("not_events")
    yield from events


def _notice(stream: str, record: object, *named: object) -> Notice:
    """A notice under what names its event; names that are long or strange stand as their digest."""
    external_id = text_of(cell_of(record))
    key = ":".join([stream, external_id, *(str(each) for each in named if each is not None)])
    if len(key) > ID_LENGTH or not is_storable(key):
        key = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return Notice(key, stream, external_id)


def _some(notices: Sequence[Notice]) -> Sequence[Notice]:
    """Those whose record can be asked for, each event once."""
    usable = [each for each in notices if 0 < len(each.external_id) <= ID_LENGTH and is_storable(each.external_id)]
    if len(usable) > MAX_NOTICES:
        raise HookRefusedError("too_many_events")
    return list({each.event_id: each for each in usable}.values())
