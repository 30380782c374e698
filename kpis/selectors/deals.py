"""Open deals whose record cannot be right: past their expected date, or without an amount."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models import F, Q

from kpis.choices import Outcome
from kpis.models import Deal


@dataclass(frozen=True)
class DealToCheck:
    """One deal to look at in the CRM; `days_late` is None where only the amount is missing."""

    name: str
    account: str
    owner: str
    url: str
    amount: Decimal | None
    days_late: int | None


@dataclass(frozen=True)
class DealsToCheck:
    """The largest of them, and how many there are in all."""

    first: list[DealToCheck]
    count: int


def read_deals_to_check(*, people: Collection[int] | None, today: date, limit: int) -> DealsToCheck:
    """Open deals of `people` (primary keys; None = everybody) past their expected date or without an amount."""
    rows = Deal.objects.filter(outcome=Outcome.OPEN, deleted_at=None)
    rows = rows.filter(Q(expected_close_on__lt=today) | Q(amount=None))
    if people is not None:
        rows = rows.filter(owner_id__in=people)
    ordered = rows.select_related("account", "owner").order_by(F("amount").desc(nulls_last=True), "id")
    return DealsToCheck([_deal(row, today) for row in ordered[:limit]], rows.count())


def _deal(row: Deal, today: date) -> DealToCheck:
    due = row.expected_close_on
    return DealToCheck(
        name=str(row),
        account=row.account.name if row.account else "",
        owner=row.owner.name if row.owner else "",
        url=row.source_url,
        amount=row.amount,
        days_late=(today - due).days if due and due < today else None,
    )
