"""Why a number is another one than it was: what happened to each record whose part in it differs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from kpis.engine.specs import Simple, Window

# What decides to whom a record is credited, in the order in which people look for it.
_PLACE = ("owner", "region", "product", "lead_source", "sales_channel", "partner", "customer_type", "attributes")
# By what a record belongs to a window of customers, in whichever fact it stands.
_WINDOW_FIELDS = ("starts_on", "ends_on", "ordered_on", "closed_on", "recognized_on", "account", "subscription")
_MONEY = ("amount", "mrr", "gross_profit", "currency", "tax", "tax_rate")


class Happening(StrEnum):
    """What became of a record since a moment."""

    ARRIVED = "arrived"
    DELETED = "deleted"
    RESTORED = "restored"
    CHANGED = "changed"
    LINKED = "linked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Part:
    """A record's part in a number: its share of the count, and what is measured of it where something is."""

    weight: Decimal
    measured: Decimal | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What is remembered of one record since a moment.

    `has_arrived`: it was not known yet. `turns`: deleted and restored, in order. `fields`: the names of its fields that
    changed. `linked`: resources of which a record that it reads from changed.
    """

    has_arrived: bool = False
    turns: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    linked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why one record counts otherwise: `name` is the field, or the resource of the linked record."""

    happening: Happening
    name: str = ""


@dataclass(frozen=True, slots=True)
class CauseCount:
    """How many records one cause explains."""

    cause: Cause
    count: int


def cause_of(read: Simple | Window, before: Part | None, after: Part | None, history: History) -> Cause:
    """The one reason to name for a record whose part in a term or window went from `before` to `after`.

    What came, went or came back explains itself; else the first changed field of those that the term reads, in the
    order date, conditions, what is measured, whom it is credited to; else a linked record. What nothing remembered
    explains is unknown, never guessed.

    >>> won = Simple("deals", "closed_on", "count")
    >>> counted = Part(Decimal(1))
    >>> cause_of(won, counted, None, History(fields=frozenset({"closed_on", "amount"})))
    Cause(happening=<Happening.CHANGED: 'changed'>, name='closed_on')
    >>> cause_of(won, None, counted, History(has_arrived=True)).happening.value
    'arrived'
    >>> cause_of(won, None, counted, History()).happening.value
    'unknown'
    """
    if history.has_arrived:
        return Cause(Happening.ARRIVED)
    if history.turns and (before is None) != (after is None):
        return Cause(Happening(history.turns[-1]))
    field = next((name for name in _read_by(read) if name in history.fields), None)
    if field is not None:
        return Cause(Happening.CHANGED, field)
    if history.linked:
        return Cause(Happening.LINKED, min(history.linked))
    return Cause(Happening.UNKNOWN)


def count_causes(causes: Iterable[Cause]) -> tuple[CauseCount, ...]:
    """How many records each cause explains, the most frequent first and what is unknown last.

    >>> moved, gone = Cause(Happening.CHANGED, "closed_on"), Cause(Happening.DELETED)
    >>> [(each.cause.name, each.count) for each in count_causes([moved, gone, moved])]
    [('closed_on', 2), ('', 1)]
    """
    counted = Counter(causes)

    def place(cause: Cause) -> tuple[bool, int, str, str]:
        return cause.happening is Happening.UNKNOWN, -counted[cause], cause.happening.value, cause.name

    return tuple(CauseCount(cause, counted[cause]) for cause in sorted(counted, key=place))


def differing(before: Mapping[int, Part], after: Mapping[int, Part]) -> list[int]:
    """The records whose part is another one, in the order of their ids.

    >>> one, two = Part(Decimal(1)), Part(Decimal("0.5"))
    >>> differing({1: one, 2: one, 3: one}, {1: one, 2: two, 4: one})
    [2, 3, 4]
    """
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _read_by(read: Simple | Window) -> Sequence[str]:
    """The fields that a term or window reads of its fact, the most telling first."""
    filtered = [each.field for each in read.filters]
    if isinstance(read, Window):
        fields = [*_WINDOW_FIELDS, *filtered, *_PLACE, *_MONEY, "outcome"]
    else:
        measured = read.days_between or ((read.field,) if read.field else ())
        fields = [read.date, *filtered, *measured, *_PLACE, *_MONEY, "outcome"]
    return ["attributes" if name.startswith("attributes.") else name for name in fields]
