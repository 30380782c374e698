"""How fresh the numbers of a metric are: by the sources that it, and every code its formulas name, is counted from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone

from kpis.engine import specs
from kpis.engine.graph import needed
from kpis.selectors.matrix.loading import Definitions, Stream, load_definitions, load_streams
from kpis.selectors.streams import known_until


@dataclass(frozen=True, slots=True)
class Freshness:
    """`as_of` is the oldest last success among the streams, None where one never succeeded or none is read.

    `known_until` is the day up to which they told: date.min where one never did, date.max where none is read.
    """

    as_of: datetime | None
    is_stale: bool
    known_until: date


FRESH = Freshness(None, False, date.max)


def read_freshness(codes: Collection[str], *, now: datetime) -> Mapping[str, Freshness]:
    """Metric's code → how fresh its numbers are by the definitions of today; codes without one are left out.

    Three queries.
    """
    definitions = load_definitions(codes)
    streams = load_streams(definitions, now=now)
    today = timezone.localdate(now)
    return {code: freshness(code, definitions, streams, day=today) for code in codes if code in definitions}


def freshness(code: str, definitions: Definitions, streams: Mapping[str, Stream], *, day: date) -> Freshness:
    """The same by the definitions in force on a day, from what was loaded."""
    read = _specs_behind(code, definitions, day)
    counted = {term.fact for spec in read for term in specs.terms(spec)}
    times = [streams[fact].as_of if fact in streams else None for fact in counted]
    facts = {fact for spec in read for fact in specs.facts_read(spec)}
    deliveries = {fact: stream.deliveries for fact, stream in streams.items()}
    return Freshness(
        as_of=None if None in times else min((each for each in times if each), default=None),
        is_stale=any(fact in streams and streams[fact].is_stale for fact in facts),
        known_until=min((known_until(spec, deliveries) for spec in read), default=date.max),
    )


def _specs_behind(code: str, definitions: Definitions, day: date) -> Sequence[specs.Spec]:
    references = {each: definition.names for each, definition in definitions.items()}
    return [definitions[each].at(day)[1] for each in needed(references, [code]) if each in definitions]
