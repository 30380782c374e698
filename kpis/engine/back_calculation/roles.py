"""Which part of the way back a company's metric is, told by what it counts and only then by its code."""

from collections.abc import Mapping

from kpis.engine.back_calculation.funnel import DEAL_SIZE, MQL_RATE, OPPORTUNITY_RATE, WIN_RATE, Stage
from kpis.engine.formula import names
from kpis.engine.specs import Conversion, Formula, Manual, Ratio, Simple, Spec, conversion_sides

LEAD_RATE = "lead_opportunity_rate"  # the opportunity rate of a company without an MQL stage
CREATED_WIN_RATE = "created_win_rate"  # won ÷ created deals: the win rate of a tree without won ÷ closed
ACTIVITY = "activity"
_KNOWN: Mapping[str, str] = {
    **{str(stage): str(stage) for stage in Stage},
    "mql_count": Stage.MQL,
    "sql_count": Stage.SQL,
    "leads": Stage.LEADS,
    "new_deals": Stage.OPPORTUNITIES,
    DEAL_SIZE: DEAL_SIZE,
    WIN_RATE: WIN_RATE,
    OPPORTUNITY_RATE: OPPORTUNITY_RATE,
    "opportunity_rate_leads": LEAD_RATE,
    MQL_RATE: MQL_RATE,
}
_LEADS = {"created_on": Stage.LEADS, "mql_on": Stage.MQL, "sql_on": Stage.SQL}
_RATES: Mapping[tuple[str | None, str | None], str] = {
    (Stage.WON, Stage.CLOSED): WIN_RATE,
    (Stage.WON, Stage.OPPORTUNITIES): CREATED_WIN_RATE,
    (Stage.MQL, Stage.LEADS): MQL_RATE,
    (Stage.SQL, Stage.MQL): OPPORTUNITY_RATE,
    (Stage.SQL, Stage.LEADS): LEAD_RATE,
}
# What a conversion ends in; a lead with a deal is an accepted opportunity, whoever says so first.
_ENDS: Mapping[tuple[str, str], Stage] = {
    ("leads", "mql"): Stage.MQL,
    ("leads", "sql"): Stage.SQL,
    ("leads", "deal"): Stage.SQL,
    ("deals", "won"): Stage.WON,
}
_WON = frozenset({"won"})
_ENDED = frozenset({"won", "lost"})


def role_of(code: str, spec: Spec, others: Mapping[str, Spec]) -> str | None:
    """A stage, a rate, ACTIVITY, or None for what is not on the way. `others` maps codes that a formula may name.

    A number that counts only a part (a channel, a kind of customer) is not on the way; a rate is told by the stages it
    joins, as a cohort or by period. What no definition tells, such as a typed value, goes by its code.

    >>> from kpis.engine.specs import Filter
    >>> won = Simple("deals", "closed_on", "count", filters=(Filter("outcome", "in", ("won",)),))
    >>> role_of("orders", won, {})
    'won_deals'
    >>> role_of("nurturing", Conversion("leads", "created", "sql"), {})
    'lead_opportunity_rate'
    """
    match spec:
        case Simple():
            return _of_simple(spec)
        case Ratio(numerator, denominator):
            return _RATES.get((_of_simple(numerator), _of_simple(denominator)))
        case Conversion():
            _numerator, denominator = conversion_sides(spec)
            return _RATES.get((_ENDS.get((spec.fact, spec.end)), _of_simple(denominator)))
        case Formula(expression):
            return _of_formula(code, expression, others)
        case Manual():
            return _KNOWN.get(code)
        case _:
            return None


def _of_simple(term: Simple) -> str | None:
    if term.credit != "revenue":
        return None
    match term.fact, term.date, term.aggregate:
        case "deals", "closed_on", "count":
            return _by_outcome(term)
        case "deals", "closed_on", "average" if term.field == "amount" and _outcomes(term) == _WON:
            return DEAL_SIZE
        case "deals", "created_on", "count" if not term.filters:
            return Stage.OPPORTUNITIES.value
        case "leads", day, "count" if not term.filters and day in _LEADS:
            return _LEADS[day].value
        case "activities", "happened_on", "count" if {each.field for each in term.filters} <= {"kind"}:
            return ACTIVITY
    return None


def _by_outcome(term: Simple) -> str | None:
    """Won deals, or closed ones: at least the won and the lost."""
    outcomes = _outcomes(term)
    if outcomes == _WON:
        return Stage.WON.value
    is_all = not term.filters or (outcomes is not None and _ENDED <= outcomes <= _ENDED | {"no_decision"})
    return Stage.CLOSED.value if is_all else None


def _outcomes(term: Simple) -> frozenset[str] | None:
    """The outcomes of a term that filters by nothing else; None for any other filter."""
    if len(term.filters) != 1 or term.filters[0].field != "outcome":
        return None
    only = term.filters[0]
    values = only.value if isinstance(only.value, tuple) else (only.value,)
    return frozenset(str(value) for value in values) if only.op in {"in", "eq"} else None


def _of_formula(code: str, expression: str, others: Mapping[str, Spec]) -> str | None:
    named = names(expression)
    sides = [each.strip() for each in expression.split("/")]
    if len(sides) == 2 and all(side in named for side in sides):
        roles = [role_of(side, others[side], {}) if side in others else _KNOWN.get(side) for side in sides]
        return _RATES.get((roles[0], roles[1]))
    return _KNOWN.get(code)
