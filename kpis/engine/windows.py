"""Cells of what is counted customer by customer: retention, repeat purchases, the value of a customer."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from kpis.engine import specs
from kpis.engine.cells import Cell, Measures
from kpis.engine.specs import Clv, Repeat, Retention, Window
from kpis.engine.values import Absence


@dataclass(frozen=True, slots=True)
class WindowReading:
    """The stored parts of one window by name.

    `is_covered`: its sources have told of the period; `is_over`: they were read since it ended.
    """

    parts: Measures
    is_covered: bool
    is_over: bool

    def part(self, name: str) -> Decimal:
        return self.parts.get(name, Decimal(0))

    def over(self, numerator: Decimal, denominator: Decimal) -> Cell:
        """Their quotient, unless something forbids to tell it."""
        if not self.is_covered:
            return Cell(Absence.MISSING)
        if self.part("no_rate"):
            return Cell(Absence.NO_RATE)
        if not denominator:
            return Cell(Absence.NO_DENOMINATOR, numerator, denominator)
        return Cell(numerator / denominator, numerator, denominator)


def window_parts(term: Window, measures: Measures) -> dict[str, Decimal]:
    """The parts of a window in one block, by their names.

    >>> orders = Window("purchases", "orders", 12)
    >>> window_parts(orders, {specs.measure_key(orders) + ".customers": Decimal(7)})
    {'customers': Decimal('7')}
    """
    start = f"{specs.measure_key(term)}."
    return {key.removeprefix(start): value for key, value in measures.items() if key.startswith(start)}


def retention_cell(spec: Retention, read: WindowReading) -> Cell:
    """Churn and retention of those who were customers when the window began (INTEGRATIONS "Metric definitions").

    Customer churn = lost ÷ at start; gross revenue churn = (churned + contraction) ÷ MRR at start; net = gross −
    expansion; GRR = 1 − gross; NRR = 1 − net. Not told before the window is over: who is due may still renew.

    >>> parts = {"customers": Decimal(4), "lost": Decimal(1), "mrr": Decimal(100), "churned": Decimal(10),
    ...          "contraction": Decimal(5), "expansion": Decimal(25)}
    >>> reading = WindowReading(parts, is_covered=True, is_over=True)
    >>> [str(retention_cell(Retention(each), reading).value) for each in ("logo_churn", "gross_churn", "grr", "nrr")]
    ['0.25', '0.15', '0.85', '1.1']
    """
    if spec.measure == "renewal_rate":
        return _renewal_cell(spec, read)
    start, away = read.part("mrr"), read.part("churned") + read.part("contraction")
    numerator, denominator = {
        "logo_churn": (read.part("lost"), read.part("customers")),
        "gross_churn": (away, start),
        "net_churn": (away - read.part("expansion"), start),
        "grr": (start - away, start),
        "nrr": (start - away + read.part("expansion"), start),
    }[spec.measure]
    found = read.over(numerator, denominator)
    if read.is_over or isinstance(found.value, Absence):
        return found
    return Cell(Absence.MATURING)


def _renewal_cell(spec: Retention, read: WindowReading) -> Cell:
    """Renewed ÷ due over several months, by number or by monthly amount."""
    if spec.weight == "count":
        return replace(read, parts={**read.parts, "no_rate": Decimal(0)}).over(read.part("renewed"), read.part("due"))
    return read.over(read.part("renewed_mrr"), read.part("due_mrr"))


def repeat_cell(spec: Repeat, read: WindowReading) -> Cell:
    """Customers with at least `min_count` purchases ÷ customers with one; new and dormant ones are counted.

    >>> reading = WindowReading({"customers": Decimal(4), "repeaters": Decimal(1)}, is_covered=True, is_over=True)
    >>> repeat_cell(Repeat("orders"), reading).value
    Decimal('0.25')
    """
    if spec.measure == "rate":
        return read.over(read.part("repeaters"), read.part("customers"))
    if not read.is_covered:
        return Cell(Absence.MISSING)
    return Cell(read.part("new") if spec.measure == "new" else read.part("known") - read.part("active"))


def clv_cell(spec: Clv, *readings: WindowReading) -> Cell:
    """What a customer is worth, in the company's currency (DOMAIN "Metric definitions", the three formulas).

    Subscription: ARPA a year × gross margin × the years a customer stays (1 ÷ churn a year, at most `years`).
    Frequency: unit price × purchases a year × `years`. Historic: Σ gross profit so far ÷ customers. A sale whose cost
    is not known leaves no margin to tell.

    >>> bought = {"customers": Decimal(2), "purchases": Decimal(6), "amount": Decimal(600)}
    >>> clv_cell(Clv("frequency", years=5), WindowReading(bought, True, True)).value
    Decimal('1500')
    """
    read, per_year = readings[0], Decimal(12) / spec.window_months
    match spec.formula:
        case "frequency":
            return read.over(read.part("amount") * per_year * spec.years, read.part("customers"))
        case "historic":
            return _without_cost(read) or read.over(read.part("gross_profit"), read.part("customers"))
        case _:
            return _subscription_value(spec, read, readings[1], per_year)


def subscription_cell(spec: Clv, totals: Mapping[str, Decimal]) -> Cell:
    """The value of a subscription from the five numbers that it is made of (kpis.engine.sides.VALUE_PARTS).

    >>> totals = {"mrr": 100, "customers": 2, "lost": 1, "gross_profit": 50, "revenue": 200}
    >>> spec = Clv("subscription", window_months=12, years=5)
    >>> subscription_cell(spec, {name: Decimal(number) for name, number in totals.items()}).value
    Decimal('300.00')
    """
    contracts = {name: totals[name] for name in ("mrr", "customers", "lost")}
    revenues = {"gross_profit": totals["gross_profit"], "amount": totals["revenue"]}
    return clv_cell(spec, WindowReading(contracts, True, True), WindowReading(revenues, True, True))


def _subscription_value(spec: Clv, contracts: WindowReading, revenues: WindowReading, per_year: Decimal) -> Cell:
    arpa = contracts.over(contracts.part("mrr") * 12, contracts.part("customers"))
    margin = _without_cost(revenues) or revenues.over(revenues.part("gross_profit"), revenues.part("amount"))
    for side in (arpa.value, margin.value):
        if isinstance(side, Absence):
            return Cell(side)
    assert isinstance(arpa.value, Decimal) and isinstance(margin.value, Decimal)
    if not contracts.is_over:
        return Cell(Absence.MATURING)
    churn = contracts.part("lost") / contracts.part("customers") * per_year
    stays = min(1 / churn, Decimal(spec.years)) if churn else Decimal(spec.years)
    return Cell(arpa.value * margin.value * stays)


def _without_cost(read: WindowReading) -> Cell | None:
    return Cell(Absence.MISSING) if read.part("without_cost") else None
