"""Which model keeps the records of which resource of the contract."""

from collections.abc import Mapping
from types import MappingProxyType

from kpis.models.facts import (
    Account,
    Activity,
    Contract,
    Deal,
    DealCredit,
    DealLine,
    DealStageEvent,
    ExchangeRate,
    Lead,
    LeadStageEvent,
    Order,
    Product,
    RevenueLine,
    SurveyResponse,
)
from kpis.models.organisation import Person, Team, TeamMembership
from kpis.models.sourced import Sourced

MODELS: Mapping[str, type[Sourced]] = MappingProxyType(
    {
        "people": Person,
        "teams": Team,
        "memberships": TeamMembership,
        "products": Product,
        "accounts": Account,
        "leads": Lead,
        "lead-stage-events": LeadStageEvent,
        "deals": Deal,
        "deal-lines": DealLine,
        "deal-credits": DealCredit,
        "deal-stage-events": DealStageEvent,
        "activities": Activity,
        "contracts": Contract,
        "orders": Order,
        "revenues": RevenueLine,
        "surveys": SurveyResponse,
        "exchange-rates": ExchangeRate,
    }
)


def gone_column(resource: str) -> str:
    """The column that says that the source of a record has it no longer.

    A person is hidden (deleted_at) also where another row stands for it, though its source has it.
    """
    return "gone_at" if resource == "people" else "deleted_at"
