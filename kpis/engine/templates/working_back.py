"""The yearly targets that a typed goal implies."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal

from kpis.engine.templates.shapes import SIZES, Step

FUNNEL = (
    Step("closed_deals", "won_deals", "win_rate"),
    Step("created_deals", "closed_deals"),
    Step("sql", "created_deals"),
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
    size: Decimal | None,
    *,
    goal: str = "bookings",
    steps: Sequence[Step] = FUNNEL,
    sized_by: str = "average_deal_size",
) -> Mapping[str, Decimal]:
    """Yearly targets worked back from the goal, only as far as typed numbers reach; counts are rounded up.

    The first count is amount ÷ `size`, that of `sized_by`: won deals by the deal size, or customers with revenue,
    month by month, by what one of them brings a month. Then `steps`, in a new business: closed deals = won ÷ win rate,
    each created and accepted as an opportunity (SQL); MQL = SQL ÷ opportunity rate; leads = MQL ÷ MQL rate. Raises
    TypedNumberError.

    >>> yearly = targets_from(Decimal(34_000_000), {"win_rate": Decimal(1), "opportunity_rate": Decimal("0.2")},
    ...                       Decimal(1_000_000))
    >>> int(yearly["mql"])
    170
    """
    amounts = {goal: kgi_amount, sized_by: size}
    _check_typed({"kgi_amount": kgi_amount, sized_by: size}, rates)
    typed = {**{code: amount for code, amount in amounts.items() if amount is not None}, **rates}
    exact: dict[str, Decimal] = {}
    if kgi_amount is not None and size is not None:
        exact[SIZES[sized_by]] = kgi_amount / size
    for step in steps:
        if step.source in exact and (step.rate is None or step.rate in rates):
            exact[step.code] = exact[step.source] / (rates[step.rate] if step.rate else 1)
    return {**typed, **{code: value.to_integral_value(ROUND_CEILING) for code, value in exact.items()}}


def _check_typed(amounts: Mapping[str, Decimal | None], rates: Mapping[str, Decimal]) -> None:
    for field_name, amount in amounts.items():
        if amount is not None and amount <= 0:
            raise TypedNumberError(field_name, amount)
    for code, rate in rates.items():
        if not 0 < rate <= 1:
            raise TypedNumberError(code, rate)
