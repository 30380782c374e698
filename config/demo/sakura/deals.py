"""Deals of the demo company from first visit to close, with lines, credits, phase history and activities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import log
from random import Random

from config.demo.sakura import market
from config.demo.sakura.company import (
    CAPITAL_1,
    CAPITAL_2,
    CHUBU,
    LEAVER,
    LEAVER_SUCCESSOR,
    PRODUCTS,
    STAFF,
    WEST,
    Reorganisation,
)
from config.demo.sakura.dates import (
    add_months,
    business_day_from,
    business_day_until,
    closing_months,
    month_number,
    month_start,
)
from config.demo.sakura.leads import Lead

PHASES = ("初回訪問", "ヒアリング", "提案", "見積提示", "最終交渉")
PROPOSAL = PHASES.index("提案")
RANK_OF_PHASE = ("C", "C", "B", "B", "A")
UNITS = (CAPITAL_1, CAPITAL_2, WEST, CHUBU)
UNIT_WEIGHTS = (30, 27, 27, 16)
OVERDUE_DEALS = 40
LEAVER_DEALS = 6
SPLIT_EVERY = 24
NEW_BUNDLES = (
    (("P-101", "P-301"), 26),
    (("P-102", "P-301", "P-302"), 18),
    (("P-101", "P-102", "P-301"), 14),
    (("P-201", "P-301", "P-302", "P-402"), 12),
    (("P-103",), 12),
    (("P-101", "P-103"), 10),
    (("P-201", "P-202", "P-301", "P-402"), 4),
    (("P-401", "P-402"), 4),
)
EXISTING_BUNDLES = (
    (("P-401",), 24),
    (("P-102", "P-303"), 20),
    (("P-103",), 20),
    (("P-202",), 12),
    (("P-401", "P-402"), 12),
    (("P-303",), 8),
    (("P-101", "P-301"), 4),
)
SKILL = {"E012": 1.25, "E022": 1.15, "E033": 1.2, "E015": 0.8, "E024": 0.85, "E035": 0.75, "E044": 0.85, "E042": 1.1}


@dataclass
class Deal:
    """One opportunity; `closed_on` None is open."""

    created_on: date
    account: market.Account
    unit: str
    owner: str
    origin: str
    customer_type: str
    lead: Lead | None = None
    partner: str | None = None
    closed_on: date | None = None
    outcome: str = "open"
    phase_dates: list[tuple[int, date]] = field(default_factory=list)
    lines: list[tuple[str, int, int]] = field(default_factory=list)
    expected_close_on: date | None = None
    postponed_count: int = 0
    confidence: str = ""
    lost_reason: str | None = None
    competitor: str | None = None
    split_with: str | None = None
    activities: list[tuple[str, date, str]] = field(default_factory=list)
    external_id: str = ""

    @property
    def amount(self) -> int:
        return sum(amount for _, _, amount in self.lines)

    @property
    def gross_profit(self) -> int:
        return sum(round(amount * PRODUCTS[code].margin) for code, _, amount in self.lines)

    @property
    def phase(self) -> int:
        return self.phase_dates[-1][0]

    @property
    def has_quote(self) -> bool:
        return self.phase >= PROPOSAL

    @property
    def main_product(self) -> str:
        return max(self.lines, key=lambda line: line[2])[0]


def simulate(
    random: Random, *, first: date, start: date, today: date, accounts: list[market.Account], leads: list[Lead]
) -> list[Deal]:
    """Deals alive at or after `start`, those of leads as the leads matured; closed ones have an outcome."""
    drafts = [_from_lead(random, lead, today) for lead in leads if lead.sql_on]
    for origin in market.ORIGINS.values():
        for month, end in closing_months(first, today):
            days = (min(end, today + timedelta(days=1)) - month).days
            count = round(origin.per_month * random.uniform(0.8, 1.2) * days / (end - month).days)
            drafts += [
                _on_our_own(random, origin, month + timedelta(days=random.randrange(days))) for _ in range(count)
            ]
    drafts.sort(key=lambda draft: draft[0])
    quota = market.Quota(random)
    deals = []
    for created_on, origin, lead in drafts:
        created_on = min(business_day_from(created_on), business_day_until(today))
        deal = _deal(random, created_on, origin, lead, accounts)
        _play(random, quota, deal, today=today)
        if deal.closed_on is None or deal.closed_on >= start:
            deals.append(deal)
    _hand_over(deals, today)
    _set_expectations(random, deals, today)
    for index, deal in enumerate(deals, start=1):
        deal.external_id = f"D{index:05}"
        if deal.lead:
            deal.lead.deal_id = deal.external_id
        if deal.outcome == "won" and index % SPLIT_EVERY < 3:
            deal.split_with = random.choice([code for code in STAFF[deal.unit] if code != deal.owner])
    return deals


def _from_lead(random: Random, lead: Lead, today: date) -> tuple[date, market.Origin, Lead | None]:
    created_on = min(lead.sql_on + timedelta(days=random.choice((0, 0, 0, 1, 2))), today)
    return created_on, market.ORIGINS["lead"], lead


def _on_our_own(random: Random, origin: market.Origin, day: date) -> tuple[date, market.Origin, Lead | None]:
    return day, origin, None


def _deal(
    random: Random, created_on: date, origin: market.Origin, lead: Lead | None, accounts: list[market.Account]
) -> Deal:
    unit = random.choices(UNITS, UNIT_WEIGHTS)[0]
    account = lead.account if lead and lead.account else _account(random, origin, unit, created_on, accounts)
    owners = [account.owner, *STAFF[account.unit]]
    return Deal(
        created_on=created_on,
        account=account,
        unit=account.unit,
        owner=random.choices(owners, [len(owners), *[1] * (len(owners) - 1)])[0],
        origin=origin.code,
        customer_type="existing" if account.first_won_on and account.first_won_on < created_on else "new",
        lead=lead,
        partner=random.choice(market.PARTNERS) if origin.code == "partner" else None,
    )


def _account(
    random: Random, origin: market.Origin, unit: str, day: date, accounts: list[market.Account]
) -> market.Account:
    is_customer = origin.code == "existing"
    fitting = [
        each
        for each in accounts
        if each.unit == unit and (each.first_won_on is not None and each.first_won_on < day) == is_customer
    ]
    return random.choice(fitting)


def _play(random: Random, quota: market.Quota, deal: Deal, *, today: date) -> None:
    """Let the deal run to its end, or to today when it ends later."""
    origin = market.ORIGINS[deal.origin]
    bundles = EXISTING_BUNDLES if deal.customer_type == "existing" else NEW_BUNDLES
    deal.lines = _lines(random, random.choices(*zip(*bundles, strict=True))[0], deal.account.size)
    outcome = _outcome(random, quota, deal, origin)
    pace = {"won": 1.0, "lost": 0.9, "no_decision": 1.35, "void": 0.25}[outcome]
    days = max(3, min(300, round(random.lognormvariate(log(origin.cycle_days * pace), 0.5))))
    closed_on = deal.created_on + timedelta(days=days)
    if outcome == "won":
        closed_on = _toward_month_end(random, closed_on)
    closed_on = max(business_day_until(closed_on), deal.created_on)
    last_phase = len(PHASES) - 1 if outcome == "won" else random.choices(range(len(PHASES)), (22, 30, 24, 16, 8))[0]
    deal.phase_dates = _phases(random, deal.created_on, closed_on, last_phase, today)
    if closed_on <= today:
        deal.closed_on, deal.outcome = closed_on, outcome
        if outcome == "won":
            deal.account.first_won_on = min(deal.account.first_won_on or closed_on, closed_on)
        elif outcome == "lost":
            deal.lost_reason = random.choice(market.LOST_REASONS) if random.random() < 0.93 else None
            deal.competitor = random.choice(market.COMPETITORS) if deal.lost_reason == "競合採用" else None
    else:
        deal.expected_close_on = closed_on
    deal.confidence = RANK_OF_PHASE[deal.phase] if random.random() < 0.85 else random.choice("ABC")
    deal.activities = _activities(random, deal, min(closed_on, today))


def _outcome(random: Random, quota: market.Quota, deal: Deal, origin: market.Origin) -> str:
    rate = origin.win_rate * market.UNIT_WIN_FACTOR[deal.unit] * SKILL.get(deal.owner, 1.0)
    rate *= market.INDUSTRY_WIN_FACTOR.get(deal.account.industry, 0.95)
    if deal.lead:
        rate *= market.SOURCES[deal.lead.source].win_factor
    if quota.draw(deal.origin, min(rate, 0.7)):
        return "won"
    return random.choices(("lost", "no_decision", "void"), (66, 30, 4))[0]


def _lines(random: Random, bundle: Sequence[str], size: str) -> list[tuple[str, int, int]]:
    factor = market.SIZE_FACTOR[size] * random.lognormvariate(0, 0.22)
    lines = []
    for code in bundle:
        quantity = random.randint(1, 4) if code == "P-401" else 1
        amount = max(50_000, round(PRODUCTS[code].price * quantity * factor / 10_000) * 10_000)
        lines.append((code, quantity, amount))
    return lines


def _toward_month_end(random: Random, day: date) -> date:
    """Customers sign before the closing day, and before the half year ends."""
    if random.random() > 0.45:
        return day
    start = month_start(day)
    if month_number(start) in (2, 8) and random.random() < 0.5:
        start = add_months(start, 1)
    return add_months(start, 1) - timedelta(days=random.choice((1, 1, 2, 3, 4, 6)))


def _phases(random: Random, created_on: date, closed_on: date, last_phase: int, today: date) -> list[tuple[int, date]]:
    span = (closed_on - created_on).days
    steps = [(0, created_on)]
    for phase in range(1, last_phase + 1):
        share = (phase + random.uniform(-0.3, 0.3)) / (last_phase + 1)
        day = business_day_until(created_on + timedelta(days=round(span * share)))
        day = max(day, steps[-1][1])
        if day > today:
            break
        steps.append((phase, day))
    return steps


def _activities(random: Random, deal: Deal, last: date) -> list[tuple[str, date, str]]:
    kinds = [("visit" if random.random() < 0.6 else "meeting", deal.created_on)]
    for phase, day in deal.phase_dates[1:]:
        if phase == PROPOSAL:
            kinds.append(("proposal", day))
        elif random.random() < 0.3:
            kinds.append((random.choice(("visit", "meeting", "demo", "call", "mail")), day))
    return [(kind, day, deal.owner) for kind, day in kinds if day <= last]


def _hand_over(deals: list[Deal], today: date) -> None:
    """The leaver's deals went to his successor, except the open ones nobody has taken over yet."""
    left_on = Reorganisation.seen_from(today).leaver_left_on
    for deal in deals:
        if deal.owner == LEAVER and (deal.created_on > left_on or deal.closed_on is None or deal.closed_on > left_on):
            deal.owner = LEAVER_SUCCESSOR
    for deal in deals:
        deal.activities = [
            (kind, day, LEAVER_SUCCESSOR if who == LEAVER and day > left_on else who)
            for kind, day, who in deal.activities
        ]
    colleagues = (CAPITAL_1, CAPITAL_2)
    still_his = [each for each in deals if each.outcome == "open" and each.unit in colleagues]
    for deal in [each for each in still_his if each.created_on <= left_on][:LEAVER_DEALS]:
        deal.owner = LEAVER


def _set_expectations(random: Random, deals: list[Deal], today: date) -> None:
    """Exactly 40 open deals are past the day on which they were expected to close; the others are not."""
    for deal in deals:
        if deal.closed_on:
            deal.postponed_count = random.choices((0, 1, 2), (70, 22, 8))[0]
            expected = deal.closed_on - timedelta(days=random.randint(-10, 12))
            deal.expected_close_on = max(deal.created_on, expected)
    still_open = [deal for deal in deals if deal.outcome == "open"]
    candidates = sorted(still_open, key=lambda deal: deal.created_on)[: OVERDUE_DEALS * 2]
    overdue = {id(deal) for deal in random.sample(candidates, OVERDUE_DEALS)}
    for deal in still_open:
        if id(deal) in overdue:
            earliest = max(deal.created_on + timedelta(days=7), today - timedelta(days=75))
            days = max(1, (today - earliest).days)
            deal.expected_close_on = today - timedelta(days=random.randint(1, days))
            deal.postponed_count = random.choices((0, 1, 2, 3), (20, 40, 25, 15))[0]
        else:
            spread = deal.expected_close_on + timedelta(days=random.randint(-8, 15))
            deal.expected_close_on = max(today + timedelta(days=1), spread)
            deal.postponed_count = random.choices((0, 1, 2), (75, 20, 5))[0]


def rows(deals: Iterable[Deal]) -> list[dict]:
    return [
        {
            "external_id": deal.external_id,
            "name": f"{deal.account.name}様 {PRODUCTS[deal.main_product].name}",
            "account": deal.account.external_id,
            "owner": deal.owner,
            "created_by": deal.lead.owner if deal.lead else deal.owner,
            "created_on": deal.created_on,
            "expected_close_on": deal.expected_close_on,
            "closed_on": deal.closed_on,
            "outcome": deal.outcome,
            "phase": PHASES[deal.phase],
            "confidence": deal.confidence,
            "amount": deal.amount,
            "gross_profit": deal.gross_profit,
            "origin": deal.origin,
            "lead": deal.lead and deal.lead.external_id,
            "lead_source": deal.lead.source if deal.lead else None,
            "sales_channel": "代理店" if deal.partner else "直販",
            "partner": deal.partner,
            "product": None if deal.has_quote else deal.main_product,
            "customer_type": deal.customer_type,
            "lost_reason": deal.lost_reason,
            "competitor": deal.competitor,
            "postponed_count": deal.postponed_count,
            "last_activity_on": max((day for _, day, _ in deal.activities), default=None),
        }
        for deal in deals
    ]


def line_rows(deals: Iterable[Deal]) -> list[dict]:
    """Lines of the quotes: deals that reached 提案."""
    return [
        {
            "external_id": f"{deal.external_id}-{index}",
            "deal": deal.external_id,
            "product": code,
            "quantity": quantity,
            "amount": amount,
            "gross_profit": round(amount * PRODUCTS[code].margin),
        }
        for deal in deals
        if deal.has_quote
        for index, (code, quantity, amount) in enumerate(deal.lines, start=1)
    ]


def credit_rows(deals: Iterable[Deal]) -> list[dict]:
    """Split deals 70/30, and the inside seller's overlay on deals that came from a lead."""
    rows = []
    for deal in deals:
        credits = []
        if deal.split_with:
            credits = [(deal.owner, "revenue", "70%", "主担当"), (deal.split_with, "revenue", "30%", "支援")]
        if deal.lead and deal.lead.owner:
            credits.append((deal.lead.owner, "overlay", "100%", "商談創出"))
        rows += [
            {
                "external_id": f"{deal.external_id}-C{index}",
                "deal": deal.external_id,
                "person": person,
                "kind": kind,
                "share": share,
                "role": role,
            }
            for index, (person, kind, share, role) in enumerate(credits, start=1)
        ]
    return rows


def phase_rows(deals: Iterable[Deal]) -> list[dict]:
    return [
        {
            "external_id": f"{deal.external_id}-S{index}",
            "deal": deal.external_id,
            "phase": PHASES[phase],
            "entered_at": day,
        }
        for deal in deals
        for index, (phase, day) in enumerate(deal.phase_dates, start=1)
    ]


def activity_rows(random: Random, deals: Iterable[Deal], leads: Iterable[Lead]) -> list[dict]:
    """Visits, proposals … on deals, and the calls to fresh leads."""
    done = [
        {
            "kind": kind,
            "happened_on": day,
            "owner": owner,
            "account": deal.account.external_id,
            "deal": deal.external_id,
        }
        for deal in deals
        for kind, day, owner in deal.activities
    ]
    for lead in leads:
        if lead.mql_on and random.random() < 0.3:
            result = "接続" if random.random() < 0.55 else "不在"
            account = lead.account and lead.account.external_id
            done.append(
                {
                    "kind": "call",
                    "happened_on": lead.mql_on,
                    "owner": lead.owner,
                    "account": account,
                    "lead": lead.external_id,
                    "outcome": result,
                }
            )
    done.sort(key=lambda row: (row["happened_on"], row["owner"]))
    return [{"external_id": f"V{index:06}", **row} for index, row in enumerate(done, start=1)]
