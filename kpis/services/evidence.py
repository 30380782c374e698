"""What stood behind a number at an earlier moment, and what has happened to it since."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Min
from django.utils import timezone

from kpis.choices import Grain, Outcome
from kpis.engine.cells import Cell, ratio_cell
from kpis.engine.evidence import Cause, CauseCount, Happening, History, Part, cause_of, count_causes, differing
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.sides import NUMERATOR, VALUE_PARTS, Counted, Customers, Side, Sides, Signed
from kpis.engine.specs import Clv, Simple, Window
from kpis.engine.windows import subscription_cell
from kpis.models import Metric, Period
from kpis.models.resources import MODELS
from kpis.selectors.changes import RecordChange, read_changes
from kpis.selectors.customers import read_shares, read_window_parts
from kpis.selectors.grounds import CellAddress, find_sides, find_spec, names_of, read_side, stretch_of
from kpis.selectors.measures import is_money
from kpis.selectors.parts import facts_of, read_cell, read_parts, read_window_term, share_of
from kpis.selectors.records import RecordPage, Where, read_rows
from kpis.services.past import facts_as_of
from kpis.services.refusal import RefusedError

LISTED = 100
ZERO = Decimal(0)


class HistoryError(RefusedError):
    """A moment of which nothing is remembered."""

    code = "no_history"


@dataclass(frozen=True, slots=True)
class ChangedRecord:
    """One record that counts otherwise than it did: its part then and now (None = not counted) and what happened.

    `is_money`: what is measured of it is money in the company's currency.
    `changes` are those since the moment, earliest first, of the record and of the records it reads from.
    """

    side: str
    fact: str
    row: Any
    before: Part | None
    after: Part | None
    is_money: bool
    cause: Cause
    changes: tuple[RecordChange, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A number then and now, why it differs, and the records that explain it (at most 100, of those in sight).

    `facts` are the kinds that are counted, first what stands above. `causes` count every record once, whoever may see
    it; `hidden_count` are those not listed.
    """

    moment: datetime
    facts: tuple[str, ...]
    then: Cell
    now: Cell
    causes: tuple[CauseCount, ...]
    records: tuple[ChangedRecord, ...]
    hidden_count: int

    @property
    def is_changed(self) -> bool:
        return self.then != self.now

    @property
    def unknown_count(self) -> int:
        """Records that count otherwise though nothing is remembered of them."""
        return sum(each.count for each in self.causes if each.cause.happening is Happening.UNKNOWN)


def check_moment(moment: datetime, *, facts: Collection[str], now: datetime) -> None:
    """Raises HistoryError for a moment to come, or before the first record of one of these kinds was known."""
    if moment > now:
        raise _no_history(gettext_noop("This moment is still to come. Ask for one that has passed."))
    begins = [MODELS[fact]._default_manager.aggregate(first=Min("recorded_at"))["first"] for fact in facts]
    first = max((each for each in begins if each), default=None)
    if first is None:
        raise _no_history(gettext_noop("There are no records of this kind, so nothing is known of earlier moments."))
    if moment < first:
        raise _no_history(
            gettext_noop("The history of these records begins on %(first)s; what they were before is not known."),
            first=timezone.localtime(first).strftime("%Y-%m-%d %H:%M"),
        )


def _no_history(template: str, **params: object) -> HistoryError:
    return HistoryError(issues=[Issue("as_of", "no_history", template, tuple(params.items()))])


def read_side_as_of(
    *, moment: datetime, now: datetime, side: Side, period: Period, where: Where, **page: int
) -> RecordPage:
    """`read_side` as of a moment. Raises HistoryError."""
    check_moment(moment, facts=[side.fact], now=now)
    is_open = isinstance(side, Counted) and side.is_stock
    with facts_as_of(
        moment, facts=[side.fact], stretch=stretch_of(side, period), outcome=Outcome.OPEN if is_open else None
    ):
        return read_side(side, period, where, **page)


def compare_with_past(
    address: CellAddress, *, moment: datetime, people: Collection[int] | None = None, now: datetime
) -> Evidence | None:
    """A number as of a moment beside the same number now, from its records; None where it is not made of records.

    `people` narrows the listed records, not the numbers. Raises HistoryError.
    """
    return compare_all_with_past([address], moment=moment, people=people, now=now)[0]


def compare_all_with_past(
    addresses: Sequence[CellAddress], *, moment: datetime, people: Collection[int] | None = None, now: datetime
) -> list[Evidence | None]:
    """The same for several numbers of one period, going back once for all of them. Raises HistoryError.

    Once more for each kind of fact (or kinds, of a number made of several) that is counted over a window of months;
    where of such a kind alone nothing is remembered, its numbers are None.
    """
    windows = [_window_sides(address) for address in addresses]
    of_records = [number for number, sides in enumerate(windows) if not sides]
    found = dict(
        zip(of_records, _compare_records([addresses[n] for n in of_records], moment, people, now), strict=True)
    )
    read = [frozenset(side.fact for side in sides.values()) for sides in windows]
    for facts in set(filter(None, read)):
        asked = [n for n, own in enumerate(read) if own == facts]
        try:
            found |= _compare_windows({n: (addresses[n], windows[n]) for n in asked}, facts, moment, people, now)
        except HistoryError:
            if len(asked) == len(addresses):
                raise
            found |= dict.fromkeys(asked)
    return [found[number] for number in range(len(addresses))]


def _compare_records(
    addresses: Sequence[CellAddress], moment: datetime, people: Collection[int] | None, now: datetime
) -> list[Evidence | None]:
    """Of numbers that are made of records one by one."""
    current = [_cell(address, now) for address in addresses]
    facts = {
        fact
        for address, cell in zip(addresses, current, strict=True)
        if cell is not None
        for fact in facts_of(address.metric, day=address.period.start_date)
    }
    if not facts:
        return [None] * len(addresses)
    check_moment(moment, facts=facts, now=now)
    stretch = addresses[0].period.start_date, addresses[0].period.end_date
    with facts_as_of(moment, facts=sorted(facts), stretch=stretch) as changed:
        past = [
            _reading(address, moment, changed, people) if cell is not None else None
            for address, cell in zip(addresses, current, strict=True)
        ]
    return [
        _compared(address, moment, then, _reading(address, now, changed, people)) if then is not None else None
        for address, then in zip(addresses, past, strict=True)
    ]


def _window_sides(address: CellAddress) -> Sides:
    """The sides of a number that looks back over months: customers, or records that fell due; none of others."""
    sides = find_sides(address.metric, address.period)
    is_window = all(isinstance(side, Customers) or side.months for side in sides.values())
    return sides if is_window and address.period.grain != Grain.WEEK else {}


@dataclass(frozen=True, slots=True)
class _WindowSide:
    """One side at one moment: customer (or record) → what it gives, and of the records that may differ their part."""

    shares: Mapping[str, Decimal | None]
    parts: Mapping[int, tuple[str, date, Part]]
    in_sight: frozenset[int]

    @property
    def total(self) -> Decimal:
        return sum((share for share in self.shares.values() if share is not None), ZERO)


def _compare_windows(
    places: Mapping[int, tuple[CellAddress, Sides]],
    facts: Collection[str],
    moment: datetime,
    people: Collection[int] | None,
    now: datetime,
) -> dict[int, Evidence | None]:
    """Of numbers that are counted over windows of the same kinds of fact."""
    check_moment(moment, facts=facts, now=now)
    stretches = [stretch_of(side, address.period) for address, sides in places.values() for side in sides.values()]
    stretch = min(start for start, _end in stretches), max(end for _start, end in stretches)

    def read(changed: Mapping[str, Collection[int]]) -> dict[int, dict[str, _WindowSide]]:
        return {number: _read_window(*place, changed, people) for number, place in places.items()}

    with facts_as_of(moment, facts=sorted(facts), stretch=stretch) as changed:
        then = read(changed)
    current = read(changed)
    return {number: _window_evidence(*place, moment, then[number], current[number]) for number, place in places.items()}


def _read_window(
    address: CellAddress, sides: Sides, changed: Mapping[str, Collection[int]], people: Collection[int] | None
) -> dict[str, _WindowSide]:
    period, where = address.period, Where(address.dimension, address.member, org=address.org)
    seen = replace(where, people=people)

    def of(side: Side) -> _WindowSide:
        ids = changed[side.fact]
        if isinstance(side, Counted):
            return _read_looking_back(side.parts[0].term, stretch_of(side, period), where, seen, ids)
        return _WindowSide(
            read_shares(side, period, where),
            read_window_parts(side, period, where, ids=ids),
            frozenset(read_window_parts(side, period, seen, ids=ids)),
        )

    return {name: of(side) for name, side in sides.items()}


def _read_looking_back(
    term: Simple, stretch: tuple[date, date], where: Where, seen: Where, ids: Collection[int]
) -> _WindowSide:
    """Of records, each of which gives something by itself; the day on which it does decides nothing more."""
    parts = read_window_term(term, stretch, where)
    return _WindowSide(
        {str(pk): share_of(term, part) for pk, part in parts.items()},
        {pk: (str(pk), stretch[0], part) for pk, part in parts.items() if pk in ids},
        frozenset(read_window_term(term, stretch, seen)),
    )


def _window_evidence(
    address: CellAddress,
    sides: Sides,
    moment: datetime,
    then: Mapping[str, _WindowSide],
    now: Mapping[str, _WindowSide],
) -> Evidence:
    moved = [
        (record, record.row.pk in then[name].in_sight | now[name].in_sight)
        for name, side in sides.items()
        for record in _moved_records(name, side, then[name], now[name], moment)
    ]
    facts = [side.fact for side in sides.values()]
    return _evidence(facts, moment, _window_cell(address, then), _window_cell(address, now), moved)


def _window_cell(address: CellAddress, sides: Mapping[str, _WindowSide]) -> Cell:
    spec = find_spec(address.metric, day=address.period.start_date)
    if isinstance(spec, Clv) and sides.keys() == set(VALUE_PARTS):
        return subscription_cell(spec, {name: side.total for name, side in sides.items()})
    totals = [Cell(side.total) for side in sides.values()]
    return ratio_cell(*totals) if len(totals) == 2 else totals[0]


def _moved_records(
    name: str, side: Side, then: _WindowSide, now: _WindowSide, moment: datetime
) -> Iterator[ChangedRecord]:
    """The records that changed in the window, of customers who give something else than they did."""

    def is_moved(pk: int) -> bool:
        before, after = then.parts.get(pk), now.parts.get(pk)
        customers = {each[0] for each in (before, after) if each}
        return before != after and any(then.shares.get(who) != now.shares.get(who) for who in customers)

    def part(found: _WindowSide, pk: int) -> Part | None:
        return found.parts[pk][-1] if pk in found.parts else None

    moved = sorted(pk for pk in then.parts.keys() | now.parts.keys() if is_moved(pk))
    parts = [(pk, part(then, pk), part(now, pk)) for pk in moved]
    if isinstance(side, Customers):
        yield from _told(name, side.window, side.fact, parts, moment, is_money=True)
    else:
        term = side.parts[0].term
        yield from _told(name, term, side.fact, parts, moment, is_money=is_money(term))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A number at one moment, and per term the parts of the records that may differ, with those in sight."""

    cell: Cell
    parts: Mapping[Signed, Mapping[int, Part]]
    in_sight: Mapping[Signed, frozenset[int]]


def _reading(
    address: CellAddress, moment: datetime, changed: Mapping[str, Collection[int]], people: Collection[int] | None
) -> _Reading:
    cell = _cell(address, moment)
    assert cell is not None
    terms = list(_terms(address.metric, address.period))
    return _Reading(
        cell,
        {part: _parts(address, part, changed) for _side, part in terms},
        {part: frozenset(_parts(address, part, changed, people)) for _side, part in terms},
    )


def _compared(address: CellAddress, moment: datetime, then: _Reading, now: _Reading) -> Evidence:
    terms = list(_terms(address.metric, address.period))
    moved = [
        (record, record.row.pk in then.in_sight[part] | now.in_sight[part])
        for side, part in terms
        for record in _changed_records(side, part.term, then.parts[part], now.parts[part], moment)
    ]
    return _evidence([part.term.fact for _side, part in terms], moment, then.cell, now.cell, moved)


def _evidence(
    facts: Sequence[str], moment: datetime, then: Cell, now: Cell, moved: Sequence[tuple[ChangedRecord, bool]]
) -> Evidence:
    """`moved` are the records with whether they are in sight."""
    shown = [record for record, is_in_sight in moved if is_in_sight][:LISTED]
    return Evidence(
        moment=moment,
        facts=tuple(dict.fromkeys(facts)),
        then=then,
        now=now,
        causes=count_causes(each.cause for each in _once([record for record, _is_in_sight in moved])),
        records=tuple(shown),
        hidden_count=len(moved) - len(shown),
    )


def _cell(address: CellAddress, moment: datetime) -> Cell | None:
    return read_cell(
        address.metric,
        address.period,
        dimension=address.dimension,
        member=address.member,
        today=timezone.localdate(moment),
    )


def _terms(metric: Metric, period: Period, names: Collection[str] = ()) -> Iterator[tuple[str, Signed]]:
    """What is counted above and, where it is something else, below; of another formula what its metrics count.

    `names` are the formulas that were followed already.
    """
    sides = find_sides(metric, period)
    found = [(name, part) for name, side in sides.items() if isinstance(side, Counted) for part in side.parts]
    if not sides and metric.code not in names:
        followed = (*names, metric.code)
        named = Metric.objects.filter(code__in=names_of(metric, day=period.start_date)).order_by("code")
        found = [(NUMERATOR, part) for each in named for _side, part in _terms(each, period, followed)]
    seen: set[Signed] = set()
    for name, part in found:
        if part not in seen:
            seen.add(part)
            yield name, part


def _parts(
    address: CellAddress, part: Signed, changed: Mapping[str, Collection[int]], people: Collection[int] | None = None
) -> dict[int, Part]:
    found = read_parts(
        part.term,
        address.period,
        dimension=address.dimension,
        member=address.member,
        ids=changed[part.term.fact],
        people=people,
    )
    return found if part.sign > 0 else {pk: Part(-each.weight, each.measured) for pk, each in found.items()}


def _once(records: Sequence[ChangedRecord]) -> Iterator[ChangedRecord]:
    """A record that counts on both sides of a rate is one cause: each record once, by what it did above."""
    seen: set[tuple[type, int]] = set()
    for each in sorted(records, key=lambda record: record.side != NUMERATOR):
        key = (type(each.row), each.row.pk)
        if key not in seen:
            seen.add(key)
            yield each


def _changed_records(
    side: str,
    term: Simple,
    before: Mapping[int, Part],
    after: Mapping[int, Part],
    moment: datetime,
) -> Iterator[ChangedRecord]:
    """The records of one side whose part is another one."""
    parts = [(pk, before.get(pk), after.get(pk)) for pk in differing(before, after)]
    yield from _told(side, term, term.fact, parts, moment, is_money=is_money(term))


def _told(
    side: str,
    read: Simple | Window,
    fact: str,
    parts: Sequence[tuple[int, Part | None, Part | None]],
    moment: datetime,
    *,
    is_money: bool,
) -> Iterator[ChangedRecord]:
    """Each record whose part is another one, with what happened to it."""
    ids = [pk for pk, _was, _is_now in parts]
    rows, changes = read_rows(fact, ids), read_changes(fact, ids, since=moment)
    for pk, was, is_now in parts:
        cause = cause_of(read, was, is_now, _history(rows[pk], fact, changes[pk], moment))
        yield ChangedRecord(side, fact, rows[pk], was, is_now, is_money, cause, tuple(changes[pk]))


def _history(row: Any, fact: str, changes: Sequence[RecordChange], moment: datetime) -> History:
    own = [change for change in changes if change.fact == fact]
    return History(
        has_arrived=row.recorded_at > moment,
        turns=tuple(change.action for change in own if change.action != "updated"),
        fields=frozenset(name for change in own for name in change.changes),
        linked=frozenset(change.fact for change in changes if change.fact != fact),
    )
