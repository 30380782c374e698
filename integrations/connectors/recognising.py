"""Which kind of file one is, told by its headings: exports have another name every time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.values import normalise

# A file with less than this of a kind's headings is none of that kind, whatever else it has.
LEAST_SHARE = Fraction(1, 2)
# So many headings tell a person which file is meant.
NAMED = 10


def recognise(mappings: Sequence[StreamMapping], headings: Sequence[str], *, file: str) -> list[StreamMapping]:
    """The mappings of the kind of file that has most in common with these headings; none where no kind is known so.

    Raises ConnectorError of kind data where the nearest kind shares too little, naming it and what is missing.
    Whether every column is there that a mapping needs is not looked at.
    """
    there = {normalise(heading) for heading in headings if heading}
    kinds: dict[tuple[str, ...], list[StreamMapping]] = {}
    for mapping in mappings:
        if mapping.headings:
            kinds.setdefault(mapping.headings, []).append(mapping)
    if not kinds:
        return []
    nearest = max(kinds, key=lambda known: _likeness(known, there))
    missing = [heading for heading in nearest if normalise(heading) not in there]
    if len(nearest) - len(missing) < LEAST_SHARE * len(nearest):
        raise ConnectorError(
            "data",
            "unknown_headings",
            file=file,
            known=kinds[nearest][0].reads,
            columns=_listed(missing),
            found=_listed([heading for heading in headings if heading]),
        )
    return kinds[nearest]


def _likeness(known: Sequence[str], there: set[str]) -> Fraction:
    """How much of all the headings on either side is on both."""
    wanted = {normalise(heading) for heading in known}
    return Fraction(len(wanted & there), len(wanted | there))


def _listed(headings: Sequence[str]) -> str:
    return "、".join(headings[:NAMED]) + ("…" if len(headings) > NAMED else "")
