"""Beginning with a preset: what it comes to at one source, and taking what a person kept of that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from integrations.choices import describe_problem
from integrations.connectors.base import Connector, Stream
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.presets import SourcePreset, presets_for
from integrations.connectors.presets.base import Wish
from integrations.connectors.presets.proposing import Proposal, propose
from integrations.models import Connection
from integrations.selectors.plans import current_mappings
from integrations.services.connections import ConnectionRequestError, save_mapping
from integrations.services.inspection import watched


@dataclass(frozen=True)
class Unproposed:
    """A stream for which nothing is proposed, and why, in words."""

    stream: str
    sentence: str


@dataclass(frozen=True)
class PresetAtSource:
    """What a preset comes to at one source; every stream that either has is in one of the two."""

    preset: SourcePreset
    proposals: tuple[Proposal, ...]
    unproposed: tuple[Unproposed, ...]

    @property
    def usable(self) -> tuple[Proposal, ...]:
        return tuple(each for each in self.proposals if not each.lacks)


def propose_preset(*, connection: Connection, preset: str) -> PresetAtSource:
    """What a preset comes to at a source as it describes itself now; nothing is stored.

    Mappings in force are not proposed anew. Raises ConnectionRequestError for a preset that sources of this kind do
    not have, ConnectorError where the source cannot be asked.
    """
    chosen = _preset(connection, preset)
    in_force = current_mappings(connection=connection)
    found: list[Proposal | Unproposed] = []
    with watched(connection) as connector:
        streams = connector.streams()
        names = _Names(each.stream for each in in_force)
        taken = {(each.reads, each.resource) for each in in_force}
        for stream in streams:
            found += _at_stream(connector, stream, chosen, taken, names)
    text = _("The connection does not read it. Add it to the description of the source.")
    there = {each.name for each in streams}
    found += [Unproposed(name, text) for name in chosen.reads if name not in there]
    return PresetAtSource(
        chosen,
        tuple(each for each in found if isinstance(each, Proposal)),
        tuple(each for each in found if isinstance(each, Unproposed)),
    )


@transaction.atomic
def take_preset(*, connection: Connection, preset: str, mappings: Sequence[StreamMapping], now: datetime) -> None:
    """Put what a person kept of a preset in force, all of it or nothing. Raises ConnectionRequestError.

    A stream that somebody else has mapped meanwhile is left as it is, and everything with it.
    """
    _preset(connection, preset)
    Connection.objects.select_for_update().get(pk=connection.pk)
    in_force = {each.stream for each in current_mappings(connection=connection)}
    for mapping in mappings:
        if mapping.stream in in_force:
            text = _("“%(name)s” has been mapped meanwhile. Look at what is read, and choose again.")
            raise ConnectionRequestError("mappings", text % {"name": mapping.stream})
        save_mapping(connection=connection, mapping=mapping, preset=preset, now=now)


class _Names:
    """Names for new mappings, each another one."""

    def __init__(self, taken: Iterator[str]) -> None:
        self._taken = set(taken)

    def new(self, resource: str) -> str:
        names = (resource, *(f"{resource}-{number}" for number in range(2, len(self._taken) + 3)))
        name = next(each for each in names if each not in self._taken)
        self._taken.add(name)
        return name


def _preset(connection: Connection, code: str) -> SourcePreset:
    known = {each.code: each for each in presets_for(connection.kind)}
    if code not in known:
        text = _("There is no preset “%(preset)s”. Use one of: %(known)s.")
        raise ConnectionRequestError("preset", text % {"preset": code, "known": ", ".join(known) or "—"})
    return known[code]


def _at_stream(
    connector: Connector, stream: Stream, preset: SourcePreset, taken: set[tuple[str, str]], names: _Names
) -> Iterator[Proposal | Unproposed]:
    """What is proposed for one stream; a source that refuses this stream alone may be asked for the others."""
    try:
        fields = connector.fields(stream.name)
    except ConnectorError as error:
        if error.kind != "config":
            raise
        yield Unproposed(stream.name, describe_problem(error.code, error.params))
        return
    wishes: Sequence[Wish] = preset.wishes(stream, fields)
    if not wishes:
        yield Unproposed(stream.name, _("The preset does not know it. Map it by hand if you need it."))
    for wish in wishes:
        if (wish.reads, wish.resource) in taken:
            yield Unproposed(stream.name, _("It is mapped already, and stays as it is."))
        else:
            yield propose(wish, fields, name=names.new(wish.resource))
