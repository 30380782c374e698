"""How far each kind of fact is known, of all the sources that deliver it together."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone

from kpis.engine import specs
from kpis.engine.freshness import Coverage, Delivery, coverage, is_late
from kpis.engine.specs import Snapshot, Spec, Term
from kpis.models import FactStream

Deliveries = Mapping[str, Sequence[Delivery]]  # fact → what each of its sources delivered


@dataclass(frozen=True, slots=True)
class FactsRead:
    """How far some facts, taken together, are known.

    `as_of` is the oldest last success among their sources: None where one never came, or none delivers them. `late`
    are the facts of which a source is late.
    """

    as_of: datetime | None
    late: tuple[str, ...]
    coverage: Coverage

    @property
    def is_stale(self) -> bool:
        return bool(self.late)

    def tells_none(self, start: date, end: date, today: date) -> bool:
        """Whether no case in [start, end) means that there was none: told of, and by a late source to its end."""
        if not self.coverage.tells_none(start, end, today):
            return False
        return not self.is_stale or self.coverage.is_read_since(min(end, today), today)


def read_facts(fact: str, *beside: str, now: datetime) -> FactsRead:
    """Of a fact, and of those without which what is shown of it would not be complete. One query."""
    rows = list(FactStream.objects.filter(fact__in=[fact, *beside]))
    late = {row.fact for row in rows if is_late(row.last_success_at, row.expected_every, now=now)}
    moments = [row.last_success_at for row in rows]
    known = [moment for moment in moments if moment is not None]
    own = deliveries_of(row for row in rows if row.fact == fact)
    return FactsRead(
        as_of=min(known) if known and len(known) == len(moments) else None,
        late=tuple(each for each in (fact, *beside) if each in late),
        coverage=coverage(own, deliveries_of(row for row in rows if row.fact != fact)),
    )


def read_deliveries(facts: Collection[str]) -> Deliveries:
    """Of these facts; one that no source ever delivered is left out. One query."""
    rows: dict[str, list[FactStream]] = defaultdict(list)
    for row in FactStream.objects.filter(fact__in=facts):
        rows[row.fact].append(row)
    return {fact: deliveries_of(found) for fact, found in rows.items()}


def deliveries_of(rows: Iterable[FactStream]) -> list[Delivery]:
    """What streams have delivered; days are the company's."""
    return [
        Delivery(
            covered_from=row.covered_from,
            read_on=timezone.localdate(row.last_success_at) if row.last_success_at else None,
            is_promised=row.expected_every is not None,
        )
        for row in rows
    ]


def term_coverage(term: Term, deliveries: Deliveries) -> Coverage:
    """How far what a term counts is known."""
    own, *beside = specs.facts_behind(term)
    return coverage(deliveries.get(own, ()), [each for fact in beside for each in deliveries.get(fact, ())])


def known_until(spec: Spec, deliveries: Deliveries) -> date:
    """The day up to which everything that a spec reads is known.

    date.min where a source never came, date.max of what reads none: typed values, and formulas, whose codes read.
    """
    days = [term_coverage(term, deliveries).known_until for term in specs.terms(spec)]
    if isinstance(spec, Snapshot):
        days += [coverage(deliveries.get(fact, ())).known_until for fact in specs.facts_read(spec)]
    return min((day or date.min for day in days), default=date.max)
