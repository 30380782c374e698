"""Setting connections up and changing how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from integrations.choices import ConnectionKind, describe_problem
from integrations.connectors.auth import GIVEN
from integrations.connectors.document import HEADER_VALUE, DocumentError
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import FieldRule, StreamMapping, check_mapping
from integrations.connectors.presets import PRESETS
from integrations.models import Connection, FieldMapping
from integrations.selectors.connections import streams_read
from integrations.selectors.plans import current_mappings
from integrations.services.credentials import PROOF_OF_CALLS, SealedError, seal, unseal
from integrations.services.landing import forget
from integrations.services.resync import map_again, read_again
from integrations.services.rhythms import resource_rhythms
from integrations.services.schedule import reschedule
from integrations.services.sources import granted_secrets, is_pulled, needed_secrets
from kpis.engine.records import is_storable
from kpis.models import FactStream
from kpis.services.streams import expect_stream

# What a mapping can mend.
MAPPING_PROBLEMS = ("no_mapping", "unknown_stream")
# Credentials that are put into a header as they are.
SENT_IN_HEADERS = ("key", "token")


class ConnectionRequestError(ValueError):
    """A connection cannot be made or changed as asked.

    `faults` are all there are, as (what to change, how); `field` and the message are the first.
    """

    def __init__(self, field: str, message: str, *more: tuple[str, str]) -> None:
        super().__init__(message)
        self.field = field
        self.faults = ((field, message), *more)


@transaction.atomic
def create_connection(
    *,
    name: str,
    source: str,
    carries: str,
    preset: str,
    every: timedelta | None = None,
    now: datetime,
) -> Connection:
    """A file connection that reads what `preset` describes; '' = nothing before its fields are mapped.

    Raises ConnectionRequestError.
    """
    if preset and preset not in PRESETS:
        raise ConnectionRequestError(
            "preset",
            _("There is no preset “%(preset)s”. Use one of: %(known)s.")
            % {"preset": preset, "known": ", ".join(PRESETS)},
        )
    connection = _made(
        name=name, kind=ConnectionKind.FILE, source=source, carries=carries, preset=preset, every=every, now=now
    )
    for mapping in PRESETS[preset].streams if preset else ():
        save_mapping(connection=connection, mapping=mapping, preset=preset, now=now)
    reschedule(connection=connection, now=now)
    return connection


@transaction.atomic
def create_source(
    *,
    name: str,
    kind: str,
    source: str,
    carries: str,
    description: Mapping[str, Any],
    secrets: Mapping[str, str],
    every: timedelta | None = None,
    now: datetime,
) -> Connection:
    """A connection to a source that is called, once its streams are mapped. Raises ConnectionRequestError."""
    _check_source(kind, description, secrets)
    connection = _made(
        name=name, kind=kind, source=source, carries=carries, description=dict(description), every=every, now=now
    )
    seal(connection=connection, secrets=secrets, now=now)
    reschedule(connection=connection, now=now)
    return connection


@transaction.atomic
def change_source(
    *,
    connection: Connection,
    description: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    now: datetime,
) -> None:
    """Describe a source anew, or enter new credentials; it is asked again at once.

    One that is described otherwise is read from its beginning: what it gives may be another part than before.
    Raises ConnectionRequestError, and SealedError where credentials that are to stay cannot be opened.
    """
    described = connection.description if description is None else dict(description)
    is_other = described != connection.description
    _check_source(connection.kind, described, _entered(connection) if secrets is None else secrets)
    Connection.objects.filter(pk=connection.pk).update(description=described, stopped_by="", last_run_at=None)
    connection.refresh_from_db()
    if secrets is not None:
        seal(connection=connection, secrets={**secrets, **_hook_secret(connection)}, now=now)
    if is_other:
        streams = list(dict.fromkeys(mapping.reads for mapping in current_mappings(connection=connection)))
        read_again(connection=connection, streams=streams, since=None, now=now)
    reschedule(connection=connection, now=now)


@transaction.atomic
def save_mapping(*, connection: Connection, mapping: StreamMapping, preset: str = "", now: datetime) -> FieldMapping:
    """Put a new version of one stream's mapping in force; the same mapping again changes nothing.

    Where the mapping has changed, what the source said before was understood in the old way: what is kept of it is
    mapped again, or a source that is called is read from its beginning. Raises ConnectorError of kind config for a
    mapping that cannot work.
    """
    check_mapping(mapping)
    Connection.objects.select_for_update().get(pk=connection.pk)
    versions = FieldMapping.objects.filter(connection=connection, stream=mapping.stream)
    current = versions.filter(is_current=True).first()
    if current is not None and current.definition == mapping:
        return current
    last: int = versions.aggregate(last=Max("version"))["last"] or 0
    asked = _asked(connection, mapping.reads)
    versions.filter(is_current=True).update(is_current=False)
    made = FieldMapping.objects.create(
        connection=connection,
        version=last + 1,
        preset=preset,
        effective_from=now,
        **_columns_of(mapping),
    )
    if is_pulled(connection):
        map_again(connection=connection, mapping=mapping, asked=asked, now=now)
        # How the source differs is judged anew, by what this mapping says.
        Connection.objects.filter(pk=connection.pk).update(drift=[], seen_fields={})
        Connection.objects.filter(pk=connection.pk, stopped_by__in=MAPPING_PROBLEMS).update(stopped_by="")
        connection.refresh_from_db()
        reschedule(connection=connection, now=now)
    return made


@transaction.atomic
def save_mappings(*, connection: Connection, mappings: Sequence[StreamMapping], now: datetime) -> None:
    """Put exactly these mappings in force. Raises ConnectionRequestError for one that cannot work, naming its place."""
    names = [mapping.stream for mapping in mappings]
    for index, mapping in enumerate(mappings):
        if mapping.stream in names[:index]:
            text = _("Two mappings are called “%(name)s”. Give each a name of its own.")
            raise ConnectionRequestError(f"mappings.{index}.stream", text % {"name": mapping.stream})
        try:
            save_mapping(connection=connection, mapping=mapping, now=now)
        except ConnectorError as error:
            message = describe_problem(error.code, error.params)
            raise ConnectionRequestError(f"mappings.{index}", message) from error
    for stream in FieldMapping.objects.filter(connection=connection, is_current=True).exclude(stream__in=names):
        end_mapping(connection=connection, stream=stream.stream, now=now)


@transaction.atomic
def end_mapping(*, connection: Connection, stream: str, now: datetime) -> None:
    """Read nothing more by this mapping; what was stored by it stays."""
    FieldMapping.objects.filter(connection=connection, stream=stream, is_current=True).update(is_current=False)
    read = {mapping.reads for mapping in current_mappings(connection=connection)}
    kept = {name: minutes for name, minutes in connection.stream_every.items() if name in read}
    if kept != connection.stream_every:
        Connection.objects.filter(pk=connection.pk).update(stream_every=kept)
        connection.stream_every = kept
    reschedule(connection=connection, now=now)


def add_value(
    *, connection: Connection, stream: str, field: str, word: str, meaning: str, now: datetime
) -> FieldMapping:
    """Teach the value map of one field one more word, as a new version of the mapping.

    Raises FieldMapping.DoesNotExist for a stream without mapping, ConnectionRequestError for a field without column.
    """
    current = FieldMapping.objects.get(connection=connection, stream=stream, is_current=True)
    rules = [dict(rule) for rule in current.rules]
    for rule in rules:
        if rule["field"] == field and (rule.get("column") or rule.get("template")):
            rule["values"] = {**rule.get("values", {}), word: meaning}
            break
    else:
        raise ConnectionRequestError(
            "field",
            _("The stream “%(stream)s” does not read the field “%(field)s” from a column.")
            % {"stream": stream, "field": field},
        )
    current.rules = rules
    return save_mapping(connection=connection, mapping=current.definition, preset=current.preset, now=now)


@transaction.atomic
def pause_connection(*, connection: Connection, now: datetime) -> None:
    """Read nothing more on schedule until it is resumed."""
    Connection.objects.filter(pk=connection.pk).update(is_paused=True)
    connection.refresh_from_db()
    reschedule(connection=connection, now=now)


@transaction.atomic
def resume_connection(*, connection: Connection, now: datetime) -> None:
    """Read on schedule again, beginning now."""
    Connection.objects.filter(pk=connection.pk).update(is_paused=False)
    connection.refresh_from_db()
    reschedule(connection=connection, now=now)


@transaction.atomic
def set_keep_days(*, connection: Connection, days: int, now: datetime) -> None:
    """Say how many days what the source said is kept; what is older is dropped at once."""
    Connection.objects.filter(pk=connection.pk).update(keep_days=days)
    connection.refresh_from_db()
    forget(connection=connection, now=now)


@transaction.atomic
def set_frequency(*, connection: Connection, every: timedelta | None, now: datetime) -> None:
    """Say how often data is due; None means only by hand. A stream with a rhythm of its own keeps that."""
    Connection.objects.filter(pk=connection.pk).update(every=every)
    connection.refresh_from_db()
    _follow_rhythm(connection, now)


@transaction.atomic
def set_stream_frequencies(*, connection: Connection, minutes: Mapping[str, int | None], now: datetime) -> None:
    """Say which streams are due at a rhythm of their own (stream → minutes; None = only by hand); all others follow the
    connection.

    Raises ConnectionRequestError for a stream that is not read.
    """
    known = streams_read(connection=connection)
    for stream in sorted(set(minutes) - set(known)):
        text = _("“%(stream)s” is not read from this source. Read are: %(known)s.")
        raise ConnectionRequestError(
            f"stream_every_minutes.{stream}", text % {"stream": stream, "known": ", ".join(known) or "—"}
        )
    Connection.objects.filter(pk=connection.pk).update(stream_every=dict(minutes))
    connection.refresh_from_db()
    _follow_rhythm(connection, now)


def _follow_rhythm(connection: Connection, now: datetime) -> None:
    reschedule(connection=connection, now=now)
    for resource, every in resource_rhythms(connection=connection).items():
        expect_stream(source=connection.source, fact=resource, expected_every=every)


@transaction.atomic
def set_pushed_frequency(*, source: str, every: timedelta | None) -> None:
    """Say how often a source that sends its data itself is due to; None promises nothing, so it is never late.

    Raises ConnectionRequestError where it never delivered, or a connection delivers it, whose frequency decides.
    """
    facts = list(FactStream.objects.filter(source=source).values_list("fact", flat=True))
    if not facts:
        raise ConnectionRequestError(
            "source",
            _("Nothing has come from “%(source)s” yet. Send its first records, then say how often.")
            % {"source": source},
        )
    if Connection.objects.filter(source=source).exists():
        raise ConnectionRequestError(
            "source", _("A connection reads “%(source)s”. Change the frequency on its page.") % {"source": source}
        )
    for fact in facts:
        expect_stream(source=source, fact=fact, expected_every=every)


def _asked(connection: Connection, stream: str) -> list[str]:
    """The columns for which a source is asked by the mappings in force of one of its streams."""
    mappings = current_mappings(connection=connection)
    return [column for mapping in mappings if mapping.reads == stream for column in mapping.columns]


def _made(*, name: str, now: datetime, **values: Any) -> Connection:
    try:
        with transaction.atomic():
            return Connection.objects.create(name=name.strip(), created_at=now, **values)
    except IntegrityError as error:
        raise ConnectionRequestError(
            "name", _("A connection named “%(name)s” exists already. Choose another name.") % {"name": name}
        ) from error


def _entered(connection: Connection) -> dict[str, str]:
    """The credentials that a person entered for calls to the source, without the tokens that were given for them."""
    others = (*GIVEN, PROOF_OF_CALLS)
    return {name: value for name, value in unseal(connection=connection).items() if name not in others}


def _hook_secret(connection: Connection) -> dict[str, str]:
    """What proves the source's calls to us; nothing where it cannot be opened: then it is entered anew."""
    try:
        kept = unseal(connection=connection)
    except SealedError:
        return {}
    return {PROOF_OF_CALLS: kept[PROOF_OF_CALLS]} if PROOF_OF_CALLS in kept else {}


def _check_source(kind: str, description: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
    """Refuse a description that cannot be used, and missing, surplus or unusable credentials, with every fault."""
    if not is_storable(description):
        raise ConnectionRequestError("description", _("It holds characters that cannot be stored, or is too deep."))
    try:
        needed = needed_secrets(kind=kind, description=description)
    except DocumentError as error:
        faults = [(f"description.{issue.field}".rstrip("."), issue.translated(_)) for issue in error.issues]
        raise ConnectionRequestError(*faults[0], *faults[1:]) from error
    granted = granted_secrets(kind=kind, description=description)
    entered = {name: value for name, value in secrets.items() if name not in granted}
    faults = list(_secret_faults(needed, entered))
    if faults:
        raise ConnectionRequestError(*faults[0], *faults[1:])


def _secret_faults(needed: Sequence[str], secrets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in needed:
        secret = secrets.get(name, "")
        if not secret.strip():
            yield f"secrets.{name}", _("Enter this credential; the source asks for it.")
        elif name in SENT_IN_HEADERS and not HEADER_VALUE.fullmatch(secret):
            yield f"secrets.{name}", _("This credential has characters that cannot be sent. Copy it again.")
    for name in sorted(set(secrets) - set(needed)):
        text = _("The source does not ask for this. It needs: %(needed)s.")
        yield f"secrets.{name}", text % {"needed": ", ".join(needed) or "—"}


def _columns_of(mapping: StreamMapping) -> dict[str, Any]:
    columns = {name: value for name, value in asdict(mapping).items() if name != "rules"}
    plain = asdict(FieldRule(""))
    columns["rules"] = [
        {name: value for name, value in asdict(rule).items() if value != plain[name]} for rule in mapping.rules
    ]
    columns["date_formats"] = list(mapping.date_formats)
    columns["skip_blank"] = list(mapping.skip_blank)
    columns["headings"] = list(mapping.headings)
    return columns
