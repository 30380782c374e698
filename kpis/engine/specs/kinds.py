"""The closed kinds of metric specs, one frozen dataclass each."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

SNAPSHOT_MEASURES = (
    "open_pipeline",
    "open_deals",
    "coverage",
    "renewal_due",
    "order_backlog",
    "landing_pace",
    "landing_rollup",
    "landing_call",
)
# Of what a measure that is written down can be narrowed; a landing and its coverage are those of the whole KGI, and a
# backlog is of whole deals.
SNAPSHOT_FACTS: Mapping[str, str] = MappingProxyType(
    {"open_pipeline": "deals", "open_deals": "deals", "renewal_due": "contracts"}
)
# How many steps a sale may have; which phase is which step the company says.
DEAL_STEPS = 9
_STEPS = {f"step{number}": f"step{number}_on" for number in range(1, DEAL_STEPS + 1)}
# The axis on which a deal passes a step → the number of the step.
STEP_AXES: Mapping[str, int] = MappingProxyType({axis: number for number, axis in enumerate(_STEPS.values(), 1)})
# Stages in their order with the date axis on which a fact enters each; a skipped stage is entered with the next.
STAGES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "leads": MappingProxyType(
            {"created": "created_on", "mql": "mql_on", "sql": "sql_on", "deal": "deal_on", "won": "won_on"}
        ),
        "deals": MappingProxyType({"created": "created_on", **_STEPS, "won": "closed_on"}),
    }
)

Scalar = str | bool | Decimal
FilterValue = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; several are joined by "and". Dates are ISO strings, lists are tuples."""

    field: str
    op: str
    value: FilterValue


WON = Filter("outcome", "eq", "won")


@dataclass(frozen=True, slots=True)
class Reached:
    """Only what reached a later stage of the same fact (`axis`) within so many days of the date it is counted on."""

    axis: str
    within_days: int


@dataclass(frozen=True, slots=True)
class Simple:
    """One aggregate over one fact on one of its date axes. `reached` is never written in a spec: cohorts set it."""

    fact: str
    date: str
    aggregate: str
    field: str | None = None
    days_between: tuple[str, str] | None = None
    credit: str = "revenue"
    min_count: int | None = None
    filters: tuple[Filter, ...] = ()
    reached: Reached | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """What each customer did over the months that end with a period (0 = all the time before).

    `subject`: retention (contracts at the start and at the end), renewals (contracts due and renewed), purchases
    (orders or won deals per customer), history (since when customers buy, and whether they still do), margin
    (recognised revenue and its gross profit). Never adds up over periods or segments, so it is stored for each.
    """

    subject: str
    fact: str
    months: int
    min_count: int = 1
    filters: tuple[Filter, ...] = ()


Term = Simple | Window


@dataclass(frozen=True, slots=True)
class Ratio:
    """Σ numerator ÷ Σ denominator, each on its own date axis."""

    numerator: Simple
    denominator: Simple


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression over the codes of other metrics."""

    expression: str


@dataclass(frozen=True, slots=True)
class Manual:
    """A value that a person enters."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The share of what entered one stage that reached a later one.

    Cohort: of those that entered in the period, who got there within `window_days`. Period: entries into the later
    stage ÷ entries into the earlier one, whoever they are (may exceed 1). `origin` narrows deals; leads have none.
    """

    fact: str
    start: str
    end: str
    basis: str = "cohort"
    window_days: int = 90
    origin: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Retention:
    """What became of the customers, or the contracts due, of a period's start. `weight` is the renewal rate's alone."""

    measure: str
    weight: str = "count"
    window_months: int = 1
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeat:
    """Customers by their purchases.

    rate: those with at least `min_count` ÷ those with one, in the months that end with the period. new: how many
    bought for the first time in the period. dormant: how many have bought before, but not in those months.
    """

    fact: str
    window_months: int = 12
    min_count: int = 2
    filters: tuple[Filter, ...] = ()
    measure: str = "rate"


@dataclass(frozen=True, slots=True)
class Clv:
    """What a customer is worth over `years` at most (subscription, frequency), or has been worth so far (historic)."""

    formula: str
    window_months: int = 12
    years: int = 5
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was written down of a measure on the last day of a period (of a due set: on its first).

    A narrowed one is written down for its metric, from the day on which it is defined.
    """

    measure: str
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """Answers to a survey: NPS from -100 to 100, CSAT as the share of the two best of five."""

    survey: str
    min_count: int | None = None
    filters: tuple[Filter, ...] = ()


Spec = Simple | Ratio | Formula | Manual | Conversion | Retention | Repeat | Clv | Score | Snapshot
