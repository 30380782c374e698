"""Company A of the demo: a fictional Japanese software seller, generated as the files its systems would export.

Everything follows from `today` and one fixed seed: the same day gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from config.demo.sakura import company, customers, deals, leads, market
from config.demo.sakura.dates import add_months, history_start
from config.demo.sakura.files import FILES, write

SEED = "sakura"
WARM_UP_MONTHS = 5  # deals that were open when the history starts
ACCOUNTS = 540
CUSTOMERS = 190


@dataclass(frozen=True)
class SakuraFiles:
    """What was written: paths by preset in the order of reading, `counts` is records per resource."""

    directory: Path
    today: date
    paths: Mapping[str, tuple[Path, ...]]
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def generate(*, directory: Path, today: date) -> SakuraFiles:
    """Write the files of company A into `directory`, about 20,000 records over 24 months ending `today`."""
    records = build_records(today=today)
    directory.mkdir(parents=True, exist_ok=True)
    paths: dict[str, tuple[Path, ...]] = {}
    for file in FILES:
        path = directory / file.name(today)
        write(file, records[file.resource], path)
        paths[file.preset] = (*paths.get(file.preset, ()), path)
    counts = {file.resource: len(records[file.resource]) for file in FILES}
    return SakuraFiles(directory=directory, today=today, paths=paths, counts=counts)


def build_records(*, today: date) -> dict[str, list[dict]]:
    """Records per resource in the shapes of the bulk contract; amounts of the accounting system are 税込."""
    start = history_start(today)
    first = add_months(start, -WARM_UP_MONTHS)
    owners = {unit: list(company.STAFF[unit]) for unit in deals.UNITS}
    accounts = market.make_accounts(
        _random("accounts"), count=ACCOUNTS, customers=CUSTOMERS, start=first, owners=owners
    )
    regulars = accounts[:CUSTOMERS]
    prospects = leads.simulate(_random("leads"), first=first, today=today, accounts=accounts)
    pipeline = deals.simulate(
        _random("deals"), first=first, start=start, today=today, accounts=accounts, leads=prospects
    )
    in_use = {id(deal.lead) for deal in pipeline}
    prospects = [lead for lead in prospects if lead.created_on >= start or id(lead) in in_use]
    leads.number(prospects)
    contracts = customers.contracts(_random("contracts"), customers=regulars, deals=pipeline, start=start, today=today)
    left_on = company.Reorganisation.seen_from(today).leaver_left_on
    return {
        "teams": company.teams(today),
        "people": company.people(today),
        "memberships": company.memberships(today),
        "products": company.products(),
        "accounts": [_account_row(account, left_on < today) for account in accounts],
        "leads": leads.rows(prospects),
        "lead-stage-events": leads.stage_rows(prospects),
        "deals": deals.rows(pipeline),
        "deal-lines": deals.line_rows(pipeline),
        "deal-credits": deals.credit_rows(pipeline),
        "deal-stage-events": deals.phase_rows(pipeline),
        "activities": deals.activity_rows(_random("activities"), pipeline, prospects),
        "contracts": contracts,
        "orders": customers.orders(_random("orders"), customers=regulars, deals=pipeline, start=start, today=today),
        "revenues": customers.revenues(
            _random("revenues"), deals=pipeline, contract_rows=contracts, start=start, today=today
        ),
        "surveys": customers.surveys(_random("surveys"), customers=regulars, start=start, today=today),
    }


def _account_row(account: market.Account, has_left: bool) -> dict:
    owner = company.LEAVER_SUCCESSOR if has_left and account.owner == company.LEAVER else account.owner
    return {
        "external_id": account.external_id,
        "name": account.name,
        "owner": owner,
        "region": account.region,
        "industry": account.industry,
        "size": account.size,
        "first_won_on": account.first_won_on,
    }


def _random(topic: str) -> Random:
    """A sequence of its own for each topic, so that a change to one leaves the others as they were."""
    return Random(f"{SEED}:{topic}")  # noqa: S311 - believable, not secret
