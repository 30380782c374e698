"""Leads of the demo company and how far they come: MQL, SQL, returned, disqualified."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from config.demo.sakura import market
from config.demo.sakura.company import INSIDE_SALES, STAFF
from config.demo.sakura.dates import business_day_from, closing_months, month_number

INSIDE_SELLERS = tuple(STAFF[INSIDE_SALES])[1:]
DISQUALIFIED_REASONS = ("情報収集のみ", "競合企業", "学生・個人", "対象規模外")
STATUS = {"mql": "MQL", "sql": "SQL", "returned": "差し戻し", "disqualified": "対象外"}
WEAK_FAIR_MONTHS = 3  # the story of the demo: leads of the last trade fair turn into deals half as often


@dataclass
class Lead:
    """One prospect in the marketing system, with the days it entered its stages."""

    created_on: date
    source: str
    owner: str | None
    account: market.Account | None
    mql_on: date | None = None
    sql_on: date | None = None
    returned_on: date | None = None
    disqualified_on: date | None = None
    disqualified_reason: str | None = None
    external_id: str = ""
    deal_id: str = ""
    stages: list[tuple[str, date]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """In the marketing system's own words."""
        return STATUS[self.stages[-1][0]] if self.stages else "新規"


def simulate(random: Random, *, first: date, today: date, accounts: list[market.Account]) -> list[Lead]:
    """Leads created from `first` to `today`, as they stand today."""
    quota = market.Quota(random)
    months = list(closing_months(first, today))
    leads = []
    for index, (start, end) in enumerate(months):
        days = (min(end, today + timedelta(days=1)) - start).days
        expected = market.LEADS_PER_MONTH[month_number(start)] * (0.9 + 0.008 * index)
        count = round(expected * random.uniform(0.95, 1.05) * days / (end - start).days)
        is_weak = index >= len(months) - 1 - WEAK_FAIR_MONTHS
        for created_on in sorted(start + timedelta(days=random.randrange(days)) for _ in range(count)):
            leads.append(_lead(random, quota, created_on=created_on, today=today, accounts=accounts, is_weak=is_weak))
    return leads


def _lead(
    random: Random, quota: market.Quota, *, created_on: date, today: date, accounts: list[market.Account], is_weak: bool
) -> Lead:
    source = _source(random, created_on)
    lead = Lead(
        created_on=business_day_from(created_on) if source.name == market.TRADE_FAIR else created_on,
        source=source.name,
        owner=random.choice(INSIDE_SELLERS),
        account=random.choice(accounts) if random.random() < 0.6 else None,
    )
    if lead.created_on > today:
        lead.created_on = created_on
    if not quota.draw(f"mql {source.name}", source.mql_rate):
        if random.random() < 0.15:
            _disqualify(random, lead, lead.created_on, today)
        return lead
    mql_on = business_day_from(lead.created_on + timedelta(days=random.randint(0, 12)))
    if mql_on > today:
        return lead
    lead.mql_on = mql_on
    lead.stages.append(("mql", mql_on))
    sql_rate = source.sql_rate * (0.45 if is_weak and source.name == market.TRADE_FAIR else 1)
    next_on = business_day_from(mql_on + timedelta(days=random.randint(1, 24)))
    if quota.draw(f"sql {source.name}", sql_rate):
        if next_on <= today:
            lead.sql_on = next_on
            lead.stages.append(("sql", next_on))
            lead.account = lead.account or random.choice(accounts)
    elif random.random() < 0.22:
        if next_on <= today:
            lead.returned_on = next_on
            lead.stages.append(("returned", next_on))
    elif random.random() < 0.2:
        _disqualify(random, lead, next_on, today)
    return lead


def _source(random: Random, created_on: date) -> market.Source:
    fair = market.TRADE_FAIR_MONTHS.get(created_on.month, 0.35)
    sources = list(market.SOURCES.values())
    weights = [each.weight * (fair if each.name == market.TRADE_FAIR else 1) for each in sources]
    return random.choices(sources, weights)[0]


def _disqualify(random: Random, lead: Lead, earliest: date, today: date) -> None:
    day = business_day_from(earliest + timedelta(days=random.randint(1, 10)))
    if day <= today:
        lead.disqualified_on = day
        lead.disqualified_reason = random.choice(DISQUALIFIED_REASONS)
        lead.stages.append(("disqualified", day))


def number(leads: list[Lead]) -> None:
    """Give ids in the order of registration, as the marketing system does."""
    leads.sort(key=lambda lead: lead.created_on)
    for index, lead in enumerate(leads, start=1):
        lead.external_id = f"L{index:06}"


def rows(leads: list[Lead]) -> list[dict]:
    return [
        {
            "external_id": lead.external_id,
            "created_on": lead.created_on,
            "account": lead.account and lead.account.external_id,
            "owner": lead.owner,
            "lead_source": lead.source,
            "status": lead.status,
            "mql_on": lead.mql_on,
            "sql_on": lead.sql_on,
            "disqualified_on": lead.disqualified_on,
            "disqualified_reason": lead.disqualified_reason,
            "converted_deal": lead.deal_id or None,
        }
        for lead in leads
    ]


def stage_rows(leads: list[Lead]) -> list[dict]:
    return [
        {"external_id": f"{lead.external_id}-{index}", "lead": lead.external_id, "stage": stage, "entered_at": day}
        for lead in leads
        for index, (stage, day) in enumerate(lead.stages, start=1)
    ]
