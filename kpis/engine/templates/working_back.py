"""The yearly targets that a typed goal implies."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

from kpis.engine.templates.shapes import Step

FUNNEL = (
    Step("closed_deals", "won_deals", "win_rate"),
    Step("sql", "closed_deals"),
    Step("mql", "sql", "opportunity_rate"),
    Step("new_leads", "mql", "mql_rate"),
)


class TypedNumberError(ValueError):
    """A typed number from which no targets can be worked back: which one, and what was typed."""

    def __init__(self, field_name: str, value: Decimal) -> None:
        self.field = field_name
        self.value = value
        super().__init__(f"{field_name} cannot be {value}: type an amount above 0, or a rate above 0 and up to 1.")


def targets_from(
    kgi_amount: Decimal | None,
    rates: Mapping[str, Decimal],
    average_deal_size: Decimal | None,
    *,
    goal: str = "bookings",
    steps: Sequence[Step] = FUNNEL,
) -> Mapping[str, Decimal]:
    """Yearly targets worked back from the goal, only as far as typed numbers reach; counts are rounded up.

    Won deals = amount ÷ deal size; then `steps`, in a new business: closed deals = won ÷ win rate, each an accepted
    opportunity (SQL); MQL = SQL ÷ opportunity rate; leads = MQL ÷ MQL rate. Raises TypedNumberError.

    >>> yearly = targets_from(Decimal(34_000_000), {"win_rate": Decimal(1), "opportunity_rate": Decimal("0.2")},
    ...                       Decimal(1_000_000))
    >>> int(yearly["mql"])
    170
    """
    _check_typed(kgi_amount, rates, average_deal_size)
    amounts = {goal: kgi_amount, "average_deal_size": average_deal_size}
    typed = {**{code: amount for code, amount in amounts.items() if amount is not None}, **rates}
    exact: dict[str, Decimal] = {}
    if kgi_amount is not None and average_deal_size is not None:
        exact["won_deals"] = kgi_amount / average_deal_size
    for step in steps:
        if step.source in exact and (step.rate is None or step.rate in rates):
            exact[step.code] = exact[step.source] / (rates[step.rate] if step.rate else 1)
    return {**typed, **{code: value.to_integral_value(ROUND_CEILING) for code, value in exact.items()}}


def _check_typed(kgi_amount: Decimal | None, rates: Mapping[str, Decimal], average_deal_size: Decimal | None) -> None:
    for field_name, amount in (("kgi_amount", kgi_amount), ("average_deal_size", average_deal_size)):
        if amount is not None and amount <= 0:
            raise TypedNumberError(field_name, amount)
    for code, rate in rates.items():
        if not 0 < rate <= 1:
            raise TypedNumberError(code, rate)
