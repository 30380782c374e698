"""What a number is made of: its formula, or the product of others that their definitions prove to be the same.

Bookings are counted, not calculated; but closed deals × (won ÷ closed) × (bookings ÷ won) are bookings, whatever the
numbers. Such an identity is found by writing every definition as a product of counted things with exponents: where the
exponents of some factors add up to those of the number, they are it.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from kpis.engine import specs
from kpis.engine.contribution import names_of
from kpis.engine.formula import Binary, Expression, Name, Number, parse_formula
from kpis.engine.lagged import STAGES, is_earlier
from kpis.engine.specs import Conversion, Formula, Ratio, Simple, Spec

MOST_FACTORS = 4
RATES = ("rate", "average")
Exponents = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a metric: its definition in force, its unit and how it accumulates."""

    spec: Spec
    unit: str
    accumulation: str


def axes(code: str, metrics: Mapping[str, Described]) -> frozenset[str]:
    """The date axes on which a metric counts, through its formulas.

    >>> deals = Described(Simple("deals", "created_on", "count"), "count", "sum")
    >>> sorted(axes("new_deals", {"new_deals": deals}))
    ['deals.created_on']
    """
    found: set[str] = set()
    waiting, seen = [code], set()
    while waiting:
        each = waiting.pop()
        if each in metrics and each not in seen:
            seen.add(each)
            terms = specs.terms(metrics[each].spec)
            found.update(specs.event_kind(term) for term in terms if isinstance(term, Simple))
            waiting.extend(_names(metrics[each].spec))
    return frozenset(found)


def result_axis(code: str, metrics: Mapping[str, Described]) -> str:
    """The latest of a metric's axes in the funnel; "" where it has none there.

    >>> result_axis("nothing", {})
    ''
    """
    known = [axis for axis in axes(code, metrics) if axis in STAGES]
    return max(known, key=lambda axis: (STAGES[axis], axis), default="")


def is_off_date(code: str, than: str, metrics: Mapping[str, Described]) -> bool:
    """Whether a metric counts, even in part, what happened earlier in the funnel than the axis `than`."""
    return any(is_earlier(axis, than) for axis in axes(code, metrics))


def formulas_for(
    root: str,
    metrics: Mapping[str, Described],
    candidates: Sequence[str],
    *,
    planned: Collection[str] = (),
    summands: Collection[str] = (),
) -> dict[str, Expression]:
    """What the root is taken apart into, and what its parts are; empty where nothing is known.

    A formula is taken as it stands. For a number that is counted the product of `candidates` (codes, the preferred
    first) is looked for, best one of which everything is planned, as fine as possible; failing that the sum of
    `summands`, which the tree says make it up. Rates are levers of their own and are not taken apart further, unless
    into other rates.

    >>> won = Simple("deals", "closed_on", "count", filters=(specs.Filter("outcome", "eq", "won"),))
    >>> metrics = {
    ...     "won": Described(won, "count", "sum"),
    ...     "closed": Described(Simple("deals", "closed_on", "count"), "count", "sum"),
    ...     "rate": Described(Formula("won / closed"), "percent", "rate"),
    ... }
    >>> formulas_for("won", metrics, ["closed", "rate"])
    {'won': Binary(operator='*', left=Name(code='closed'), right=Name(code='rate'))}
    """
    found: dict[str, Expression] = {}
    used = {root}
    waiting = [root]
    while waiting:
        code = waiting.pop(0)
        expression = _taken_apart(code, root, metrics, [each for each in candidates if each not in used], planned)
        if expression is None and code == root and summands:
            expression = _joined("+", list(summands))
        parts = set(names_of(expression)) if expression is not None else set()
        if expression is None or parts & used:
            continue
        found[code] = expression
        used |= parts
        waiting += [part for part in dict.fromkeys(names_of(expression)) if part in metrics]
    return found


def _taken_apart(
    code: str, root: str, metrics: Mapping[str, Described], candidates: Sequence[str], planned: Collection[str]
) -> Expression | None:
    metric = metrics[code]
    if isinstance(metric.spec, Formula):
        parts = _names(metric.spec)
        is_of_rates = all(part in metrics and metrics[part].accumulation in RATES for part in parts)
        if code == root or metric.accumulation not in RATES or is_of_rates:
            return parse_formula(metric.spec.expression).expression
        return None
    if metric.accumulation in RATES and code != root:
        return None
    factors = _find_product(code, root, metrics, candidates, planned)
    return _joined("*", factors) if factors else None


def _joined(operator: str, codes: Sequence[str]) -> Expression:
    expression: Expression = Name(codes[0])
    for code in codes[1:]:
        expression = Binary(operator, expression, Name(code))
    return expression


def _find_product(
    code: str, root: str, metrics: Mapping[str, Described], candidates: Sequence[str], planned: Collection[str]
) -> tuple[str, ...]:
    """The factors that are the number by their definitions; below the root all planned and of its own date."""
    wanted = _exponents(code, metrics)
    powers = {each: _exponents(each, metrics) for each in candidates if each in metrics}
    near = _connected(wanted, {each: power for each, power in powers.items() if power and power != wanted})
    than = result_axis(code, metrics)

    def rank(factors: tuple[str, ...]) -> tuple[int, bool, int, int]:
        unplanned = sum(factor not in planned for factor in factors)
        off_date = any(is_off_date(factor, than, metrics) for factor in factors)
        return unplanned, off_date, -len(factors), sum(near.index(factor) for factor in factors)

    products = [
        factors
        for size in range(2, MOST_FACTORS + 1)
        for factors in combinations(near, size)
        if _product(powers[factor] for factor in factors) == wanted
    ]
    if code != root:
        products = [factors for factors in products if rank(factors)[:2] == (0, False)]
    return min(products, key=rank, default=())


def _connected(wanted: Exponents, powers: Mapping[str, Exponents]) -> list[str]:
    """The codes that have to do with the number, directly or through others, in their order."""
    symbols, found = set(wanted), set()
    while new := [code for code, power in powers.items() if code not in found and symbols & set(power)]:
        found.update(new)
        symbols.update(*(powers[code] for code in new))
    return [code for code in powers if code in found]


def _product(powers: Iterator[Exponents] | Sequence[Exponents]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for power in powers:
        for symbol, exponent in power.items():
            total[symbol] += exponent
    return {symbol: exponent for symbol, exponent in total.items() if exponent}


def _inverted(power: Exponents) -> dict[str, int]:
    return {symbol: -exponent for symbol, exponent in power.items()}


def _exponents(code: str, metrics: Mapping[str, Described], above: frozenset[str] = frozenset()) -> dict[str, int]:
    """A metric as a product of counted things; what is no product is a thing of its own."""
    if code not in metrics or code in above:
        return {code: 1}
    match metrics[code].spec:
        case Simple() as term:
            return _of_term(term)
        case Ratio(numerator, denominator):
            return _product([_of_term(numerator), _inverted(_of_term(denominator))])
        case Conversion(basis="period") as conversion:
            numerator, denominator = specs.conversion_sides(conversion)
            return _product([_of_term(numerator), _inverted(_of_term(denominator))])
        case Formula(expression):
            found = _of_expression(parse_formula(expression).expression, metrics, above | {code})
            return {code: 1} if found is None else found
        case _:  # what is typed by hand, or counted in a way of its own
            return {code: 1}


def _of_term(term: Simple) -> dict[str, int]:
    if term.aggregate != "average":
        return {specs.measure_key(term): 1}
    total = replace(term, aggregate="sum")
    cases = replace(term, aggregate="count", field=None, days_between=None)
    return {specs.measure_key(total): 1, specs.measure_key(cases): -1}


def _of_expression(
    expression: Expression, metrics: Mapping[str, Described], above: frozenset[str]
) -> dict[str, int] | None:
    match expression:
        case Name(code):
            return _exponents(code, metrics, above)
        case Number(value) if value == 1:
            return {}
        case Binary(operator="*" | "/", left=left, right=right):
            first, second = (_of_expression(side, metrics, above) for side in (left, right))
            if first is None or second is None:
                return None
            return _product([first, second if expression.operator == "*" else _inverted(second)])
        case _:
            return None


def _names(spec: Spec) -> tuple[str, ...]:
    return parse_formula(spec.expression).names if isinstance(spec, Formula) else ()
