"""The ヨミ roll-up: what is won, plus what the open deals of the period are worth by their confidence rank.

A deal whose record cannot be right is left out until somebody corrects it, and the roll-up says how much that is.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from kpis.engine.specs import Filter, Simple, Spec
from kpis.engine.values import Absence, Value

LONGEST_REST = timedelta(days=30)
FEWEST_CASES = 10  # fewer closed deals of a rank measure nothing
USUAL_RANKS: Mapping[str, Decimal] = {
    "S": Decimal("0.9"),
    "A": Decimal("0.8"),
    "B": Decimal("0.5"),
    "C": Decimal("0.2"),
    "D": Decimal("0.1"),
}
ZERO = Decimal(0)
_LETTER = re.compile(r"([SABCD])\s*(ヨミ|ランク|よみ)?")


class Fault(StrEnum):
    """What has to be corrected in a deal: an open one is left out of the landing, a lost one teaches nothing."""

    PAST_EXPECTED = "past_expected"
    NO_MOVEMENT = "no_movement"
    NO_AMOUNT = "no_amount"
    NO_RATE = "no_rate"
    NO_CONFIDENCE = "no_confidence"
    NO_REASON = "no_reason"


@dataclass(frozen=True, slots=True)
class Rank:
    """A confidence rank: the company's weight (0-1, None = not decided), and what became of its closed deals."""

    code: str
    name: str
    weight: Decimal | None
    won: Decimal = ZERO
    closed: Decimal = ZERO

    @property
    def measured(self) -> Decimal | None:
        """The measured win rate: won ÷ closed deals of this rank; None below ten of them."""
        return self.won / self.closed if self.closed >= FEWEST_CASES else None

    @property
    def applied(self) -> Decimal | None:
        """By what a deal is weighted: the company's weight, else the measured win rate; None = left out."""
        return self.weight if self.weight is not None else self.measured


@dataclass(frozen=True, slots=True)
class OpenDeal:
    """An open deal as the roll-up reads it, or `count` of them that differ in their worth alone.

    `worth` is what winning it (all of them) adds to the metric (company currency, or its share of one deal), None where
    the record does not say; `moved_on` the day on which anything last happened to it.
    """

    worth: Decimal | None
    rank: str
    expected_close_on: date | None
    moved_on: date | None
    is_rate_missing: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One rank of the foot of a ヨミ表: its counted deals in full, and everything won and of this rank or better."""

    rank: Rank
    count: int
    amount: Decimal
    cumulative: Decimal


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Deals left out for one reason; a deal with two reasons is in both. `amount` adds up what is known."""

    fault: Fault
    count: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class RollUp:
    """The roll-up: weighted landing, the unweighted steps from sure to unsure, and what is left out, once per deal."""

    value: Value
    won: Value
    steps: tuple[Step, ...]
    left_out_count: int
    left_out_amount: Decimal
    left_out: tuple[LeftOut, ...]


def expected_term(spec: Spec) -> Simple | None:
    """What a metric of won deals asks of open ones: the same by expected date, whatever their outcome.

    None where winning a deal does not add to the metric: other facts and dates, rates, averages, lost deals too.

    >>> won = Filter("outcome", "in", ("won",))
    >>> expected_term(Simple("deals", "closed_on", "count", filters=(won,)))
    Simple(fact='deals', date='expected_close_on', aggregate='count', field=None, ...)
    >>> expected_term(Simple("deals", "closed_on", "count")) is None
    True
    """
    if not isinstance(spec, Simple) or (spec.fact, spec.date) != ("deals", "closed_on"):
        return None
    if spec.aggregate not in {"sum", "count"} or spec.field not in {None, "amount", "gross_profit"}:
        return None
    if not any(_admits_won_only(each) for each in spec.filters):
        return None
    others = tuple(each for each in spec.filters if each.field != "outcome")
    return replace(spec, date="expected_close_on", filters=others, min_count=None)


def _admits_won_only(condition: Filter) -> bool:
    return condition.field == "outcome" and condition.op in {"eq", "in"} and condition.value in ("won", ("won",))


def find_faults(deal: OpenDeal, *, today: date, ranks: Mapping[str, Rank]) -> tuple[Fault, ...]:
    """What has to be corrected in an open deal before it counts; empty where it counts.

    Past its expected date, nothing happened for 30 days (an unknown last movement is none), no amount, no exchange
    rate, or a rank whose weight nobody has decided and nothing has measured.

    >>> deal = OpenDeal(Decimal(5), "A", date(2026, 11, 30), date(2026, 11, 1))
    >>> find_faults(deal, today=date(2026, 11, 16), ranks={"A": Rank("A", "A", Decimal("0.8"))})
    ()
    >>> [str(fault) for fault in find_faults(deal, today=date(2026, 12, 2), ranks={})]
    ['past_expected', 'no_movement', 'no_confidence']
    """
    rank = ranks.get(deal.rank)
    checks = {
        Fault.PAST_EXPECTED: deal.expected_close_on is not None and deal.expected_close_on < today,
        Fault.NO_MOVEMENT: deal.moved_on is None or today - deal.moved_on > LONGEST_REST,
        Fault.NO_AMOUNT: deal.worth is None and not deal.is_rate_missing,
        Fault.NO_RATE: deal.is_rate_missing,
        Fault.NO_CONFIDENCE: rank is None or rank.applied is None,
    }
    return tuple(fault for fault, applies in checks.items() if applies)


def roll_up(won: Value, deals: Sequence[OpenDeal], ranks: Sequence[Rank], *, today: date) -> RollUp:
    """won + Σ weight × worth of the open deals that count. `ranks` stand from the surest down.

    Where what is won cannot be said, the landing cannot either. Without any rank in the company the view does not
    apply (`not_applicable`).

    >>> ranks = [Rank("A", "A", Decimal("0.8")), Rank("B", "B", Decimal("0.5"))]
    >>> day = date(2026, 11, 16)
    >>> deals = [OpenDeal(Decimal(100), "A", day, day), OpenDeal(Decimal(40), "B", day, day),
    ...          OpenDeal(Decimal(70), "B", date(2026, 11, 1), day)]
    >>> rolled = roll_up(Decimal(200), deals, ranks, today=day)
    >>> rolled.value, [int(step.cumulative) for step in rolled.steps], rolled.left_out_amount
    (Decimal('300.0'), [300, 340], Decimal('70'))
    """
    by_code = {rank.code: rank for rank in ranks}
    faults = [(deal, find_faults(deal, today=today, ranks=by_code)) for deal in deals]
    counted = [deal for deal, found in faults if not found]
    left = [(deal, found) for deal, found in faults if found]
    return RollUp(
        value=_landing(won, counted, by_code),
        won=won,
        steps=_steps(won, counted, ranks),
        left_out_count=sum(deal.count for deal, _found in left),
        left_out_amount=sum((deal.worth or ZERO for deal, _found in left), ZERO),
        left_out=tuple(_left_out(fault, left) for fault in Fault if any(fault in found for _deal, found in left)),
    )


def usual_weight(code: str) -> Decimal | None:
    """What a rank of this name usually weighs in Japanese sales; None where the name says nothing.

    >>> usual_weight("Ａヨミ"), usual_weight("契約手続中")
    (Decimal('0.8'), None)
    """
    letter = _letter(code)
    return USUAL_RANKS[letter] if letter else None


def rank_order(code: str) -> tuple[int, str]:
    """The order of ranks until the company sets its own: S, A, B, C, D, then others by name.

    >>> sorted(["B", "見込み", "Sヨミ", "a"], key=rank_order)
    ['Sヨミ', 'a', 'B', '見込み']
    """
    letter = _letter(code)
    return list(USUAL_RANKS).index(letter) if letter else len(USUAL_RANKS), code


def _letter(code: str) -> str | None:
    found = _LETTER.fullmatch(unicodedata.normalize("NFKC", code).strip().upper())
    return found.group(1) if found else None


def _landing(won: Value, counted: Sequence[OpenDeal], ranks: Mapping[str, Rank]) -> Value:
    if not ranks:
        return Absence.NOT_APPLICABLE
    if isinstance(won, Absence):
        return won
    return won + sum(((ranks[deal.rank].applied or ZERO) * (deal.worth or ZERO) for deal in counted), ZERO)


def _steps(won: Value, counted: Sequence[OpenDeal], ranks: Sequence[Rank]) -> tuple[Step, ...]:
    cumulative = ZERO if isinstance(won, Absence) else won
    steps = []
    for rank in ranks:
        of_rank = [deal for deal in counted if deal.rank == rank.code]
        amount = sum((deal.worth or ZERO for deal in of_rank), ZERO)
        cumulative += amount
        steps.append(Step(rank, sum(deal.count for deal in of_rank), amount, cumulative))
    return tuple(steps)


def _left_out(fault: Fault, left: Sequence[tuple[OpenDeal, tuple[Fault, ...]]]) -> LeftOut:
    at_fault = [deal for deal, found in left if fault in found]
    amount = sum((deal.worth or ZERO for deal in at_fault), ZERO)
    return LeftOut(fault, sum(deal.count for deal in at_fault), amount)
