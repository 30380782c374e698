"""What happens after a deal is won: contracts, orders, revenue from the accounting system, surveys."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from random import Random

from config.demo.sakura.company import ALIASED, CUSTOMER_SUCCESS, PRODUCTS, STAFF
from config.demo.sakura.dates import add_months, business_day_from, first_day_of_year, fiscal_year
from config.demo.sakura.deals import Deal
from config.demo.sakura.market import Account

TAX_PERCENT = 10
CARERS = tuple(STAFF[CUSTOMER_SUCCESS])
LONG_STANDING = 45
RENEWAL_RATE = 0.86
ALIAS_OF = {code: alias for alias, code in reversed(ALIASED.items())}
ALIASED_ROWS = 12


def contracts(random: Random, *, customers: list[Account], deals: Iterable[Deal], start: date, today: date) -> list:
    """Intervals of constant monthly revenue: one year each; a renewed one is followed by the next."""
    year_start = first_day_of_year(fiscal_year(start))
    spread = max(60, (start - year_start).days)
    openings = [
        (account, random.choice(("P-101", "P-102", "P-103")), year_start + timedelta(days=random.randint(0, spread)))
        for account in customers[:LONG_STANDING]
    ]
    amounts = [PRODUCTS[product].price for _, product, _ in openings]
    for deal in deals:
        if deal.outcome == "won":
            for product, _, amount in deal.lines:
                if PRODUCTS[product].is_recurring:
                    openings.append((deal.account, product, _first_of_next_month(deal.closed_on)))
                    amounts.append(amount)
    rows: list[dict] = []
    for number, ((account, product, begins), yearly) in enumerate(zip(openings, amounts, strict=True), start=1):
        rows += _intervals(random, f"S{number:04}", account, product, _first_of_next_month(begins), yearly, today)
    return rows


def _intervals(
    random: Random, subscription: str, account: Account, product: str, begins: date, yearly: int, today: date
) -> list[dict]:
    rows = []
    carer = random.choice(CARERS)
    mrr = round(yearly / 12)
    while begins <= today + timedelta(days=45):
        ends = add_months(begins, 12)
        is_renewed = random.random() < RENEWAL_RATE
        rows.append(
            {
                "external_id": f"{subscription}-{len(rows) + 1}",
                "account": account.external_id,
                "starts_on": begins,
                "ends_on": ends,
                "mrr": mrr,
                "subscription": subscription,
                "renewal_due_on": ends - timedelta(days=30),
                "renewed": is_renewed if ends <= today else None,
                "product": product,
                "owner": carer,
            }
        )
        if not is_renewed:
            break
        begins = ends
        mrr = round(mrr * random.choices((1.0, 1.15, 1.3, 0.85), (62, 20, 8, 10))[0])
    return rows


def _first_of_next_month(day: date) -> date:
    return add_months(day.replace(day=1), 1)


def orders(random: Random, *, customers: list[Account], deals: Iterable[Deal], start: date, today: date) -> list[dict]:
    """Orders of won deals, and repeat orders of devices and training that need no deal. Amounts 税込."""
    drafts = [
        (business_day_from(deal.closed_on), deal.account, deal.main_product, deal.amount, deal.owner)
        for deal in deals
        if deal.outcome == "won"
    ]
    for _ in range(120):
        account = random.choice(customers)
        day = business_day_from(start + timedelta(days=random.randrange((today - start).days - 7)))
        product = random.choice(("P-401", "P-401", "P-303"))
        drafts.append((day, account, product, PRODUCTS[product].price * random.randint(1, 3), account.owner))
    drafts = [draft for draft in drafts if draft[0] <= today]
    drafts.sort(key=lambda draft: (draft[0], draft[1].external_id))
    return [
        {
            "external_id": f"R{number:05}",
            "account": account.external_id,
            "ordered_on": day,
            "amount": with_tax(amount),
            "product": product,
            "owner": owner,
        }
        for number, (day, account, product, amount, owner) in enumerate(drafts, start=1)
    ]


def revenues(random: Random, *, deals: Iterable[Deal], contract_rows: list[dict], start: date, today: date) -> list:
    """Recognised revenue: single sales a month after the win, contracts by the quarter. Amounts 税込."""
    drafts = []
    for deal in deals:
        if deal.outcome != "won":
            continue
        for product, _, amount in deal.lines:
            if not PRODUCTS[product].is_recurring:
                day = business_day_from(deal.closed_on + timedelta(days=random.randint(15, 60)))
                drafts.append((day, deal.account.external_id, deal.external_id, product, amount, deal.owner))
    for contract in contract_rows:
        for quarter in range(4):
            day = add_months(contract["starts_on"], 3 * (quarter + 1)) - timedelta(days=1)
            amount = contract["mrr"] * 3
            drafts.append((day, contract["account"], None, contract["product"], amount, contract["owner"]))
    drafts = [draft for draft in drafts if start <= draft[0] <= today]
    drafts.sort(key=lambda draft: (draft[0], draft[1], draft[3]))
    rows = [
        {
            "external_id": f"U{number:05}",
            "recognized_on": day,
            "account": account,
            "deal": deal_id,
            "amount": with_tax(amount),
            "gross_profit": with_tax(round(amount * PRODUCTS[product].margin)),
            "kind": _kind(product),
            "product": product,
            "owner": owner,
        }
        for number, (day, account, deal_id, product, amount, owner) in enumerate(drafts, start=1)
    ]
    for row in random.sample([row for row in rows if row["product"] in ALIAS_OF], ALIASED_ROWS):
        row["product"] = ALIAS_OF[row["product"]]
    return rows


def _kind(product: str) -> str:
    if product == "P-402":
        return "maintenance"
    return "recurring" if PRODUCTS[product].is_recurring else "one_off"


def with_tax(amount: int) -> int:
    """税込, to the yen, half up."""
    return amount + (amount * TAX_PERCENT + 50) // 100


def surveys(random: Random, *, customers: list[Account], start: date, today: date) -> list[dict]:
    """Satisfaction after each contact with customer success, and recommendation twice a year."""
    drafts = []
    for account in customers:
        for _ in range(random.randint(0, 3)):
            day = business_day_from(start + timedelta(days=random.randrange((today - start).days - 7)))
            drafts.append((day, account, "csat", random.choices((5, 4, 3, 2, 1), (30, 41, 20, 6, 3))[0]))
        if random.random() < 0.7:
            day = business_day_from(start + timedelta(days=random.randrange((today - start).days - 7)))
            scores = (10, 9, 8, 7, 6, 5, 4, 3, 2)
            drafts.append((day, account, "nps", random.choices(scores, (8, 12, 22, 20, 16, 12, 5, 3, 2))[0]))
    drafts = [draft for draft in drafts if draft[0] <= today]
    drafts.sort(key=lambda draft: (draft[0], draft[1].external_id))
    return [
        {
            "external_id": f"Q{number:05}",
            "kind": kind,
            "score": score,
            "answered_on": day,
            "account": account.external_id,
            "owner": random.choice(CARERS),
        }
        for number, (day, account, kind, score) in enumerate(drafts, start=1)
    ]
