"""The kinds of file that a connection reads, and those that were shown to it and are not read yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils import timezone

from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.recognising import recognise
from integrations.connectors.values import normalise
from integrations.models import Connection, SourceFile
from integrations.selectors.plans import current_mappings, taken_by_name

# Among so many of the last files the newest one of each kind is looked for.
RECENT_FILES = 100
# A kind is called as its file, as far as a mapping has room for it and for the moment it was received.
NAME_LENGTH = 170


@dataclass(frozen=True)
class KindOfFile:
    """One kind of file: its name or file name pattern, the mappings that read it, and the newest file of it.

    `headings` tell it where it is known by these; `file` is None where none was received, or none is kept.
    """

    reads: str
    headings: tuple[str, ...]
    mappings: tuple[StreamMapping, ...]
    file: SourceFile | None

    @property
    def sheet(self) -> str:
        """The sheet of a workbook that it is; '' for the first, or another kind of file."""
        if self.mappings:
            return self.mappings[0].sheet
        return self.file.sheet if self.file else ""


def kinds_of_file(*, connection: Connection) -> list[KindOfFile]:
    """The kinds that are read, in the order of reading, then what was shown and is not read, newest first. Two queries.

    A file that was never opened belongs to a kind by its name alone.
    """
    mappings = current_mappings(connection=connection)
    received = SourceFile.objects.filter(upload__connection=connection).select_related("upload")
    files = list(received.order_by("-upload_id", "name")[:RECENT_FILES])
    newest: dict[str, SourceFile] = {}
    others: dict[tuple[str, ...], SourceFile] = {}
    for file in files:
        takers = _takers(file, mappings)
        for each in takers:
            newest.setdefault(each.reads, file)
        if not takers and file.headings:
            others.setdefault(tuple(file.headings), file)
    known = [_known(reads, mappings, newest.get(reads)) for reads in dict.fromkeys(each.reads for each in mappings)]
    return [*known, *_shown(list(others.values()), [each.reads for each in known])]


def kind_called(reads: str, *, connection: Connection) -> KindOfFile | None:
    """One of `kinds_of_file` by its name."""
    return next((each for each in kinds_of_file(connection=connection) if each.reads == reads), None)


def _takers(file: SourceFile, mappings: Sequence[StreamMapping]) -> list[StreamMapping]:
    if named := taken_by_name(file.name, mappings):
        return named
    try:
        found = recognise(mappings, file.headings, file=file.name)
    except ConnectorError:
        return []
    there = {normalise(heading) for heading in file.headings}
    # Its headings were shown for this kind, though the mappings may still ask for the earlier ones.
    if found and there == {normalise(heading) for heading in found[0].headings}:
        return found
    needed = {normalise(column) for mapping in found for column in mapping.needed_columns}
    return found if needed <= there else []


def _known(reads: str, mappings: Sequence[StreamMapping], file: SourceFile | None) -> KindOfFile:
    those = tuple(each for each in mappings if each.reads == reads)
    return KindOfFile(reads, those[0].headings, those, file)


def _shown(files: Sequence[SourceFile], taken: Sequence[str]) -> Iterator[KindOfFile]:
    """Files that no mapping reads, each by a name that no other kind has."""
    names = list(taken)
    for file in files:
        name = file.name[:NAME_LENGTH]
        if name in names:
            name = f"{name} ({timezone.localtime(file.upload.received_at):%Y-%m-%d %H:%M:%S})"
        if name not in names:
            names.append(name)
            yield KindOfFile(name, tuple(file.headings), (), file)
