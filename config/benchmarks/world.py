"""A large company: a million deals, two million leads with stage events, 500 people in 60 teams, 36 months, 40 nodes.

The records are written by SQL straight into the fact tables, since what is measured begins behind the bulk door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from django.utils import timezone

from kpis.choices import Grain, Level, Link
from kpis.models import Deal, DimensionMember, KpiNode, KpiTree, Lead, LeadStageEvent, Period, Target
from kpis.services import dependents
from kpis.services.calendar import ensure_calendar
from kpis.services.definitions import create_metric
from kpis.services.fact_batch import default_of
from kpis.services.facts import upsert_facts
from kpis.services.trees import activate_tree, create_node, create_tree
from tenants.accounts.choices import Role
from tenants.accounts.models import User
from tenants.accounts.services import create_user
from tenants.context import public_context, tenant_context
from tenants.models import Company
from tenants.services.companies import request_company
from tenants.services.installation import prepare_installation
from tenants.services.provisioning import provision_company

SOURCE = "bench"
FISCAL_START = 4
MONTHS = 36  # the running one is the last
PASSWORD = "mawaru-bench"  # noqa: S105 - a company that exists for a measurement only
LEAD_SOURCES = ("Web", "Exhibition", "Referral", "Seminar", "Mail", "Partner", "Phone", "Advertising")
CHANNELS = ("direct", "partner")


@dataclass(frozen=True, slots=True)
class Size:
    """How many records the company has."""

    deals: int
    leads: int
    people: int = 500
    teams: int = 60
    products: int = 40
    accounts: int = 5000

    @classmethod
    def of(cls, deals: int) -> Size:
        """Two leads to a deal, in the large company."""
        return cls(deals, 2 * deals)


@dataclass(frozen=True, slots=True)
class World:
    """The company with what the measurements ask about."""

    company: Company
    tree: KpiTree
    size: Size
    first_day: date
    last_day: date


def build(size: Size, *, slug: str, say: Callable[[str], None]) -> World:
    """Make the company with all its records; every record waits to be looked at by the first recompute."""
    say(f"Making a company of {size.deals:,} deals and {size.leads:,} leads …")
    now = timezone.now()
    with public_context():
        prepare_installation(now=now)
        company = request_company(
            slug=slug, name=slug, fiscal_start_month=FISCAL_START, closing_day=31, currency="JPY", now=now
        )
    return fill(provision_company(company_id=company.id, now=now), size, now=now)


def fill(company: Company, size: Size, *, now: datetime) -> World:
    """Put all records, targets and the tree into a company that has none."""
    today = timezone.localdate(now)
    first_day = date(today.year - MONTHS // 12, today.month, 1) + timedelta(days=31)
    first_day = first_day.replace(day=1)
    with tenant_context(company):
        with transaction.atomic():
            actor = create_user(username="owner", name="Owner", role=Role.OWNER, password=PASSWORD)
            ensure_calendar(first_day=first_day, last_day=today)
            _organise(size, now)
            tree = _plan(actor, today, now)
        with transaction.atomic():
            _record(size, first_day, today, now)
    return World(company, tree, size, first_day, today)


def _organise(size: Size, now: datetime) -> None:
    """Teams of eight or nine people in six regions, and what they sell."""
    _send(now, "teams", ({**each, "region": f"Region {n % 6}"} for n, each in enumerate(_named("T", size.teams))))
    _send(now, "people", ({**each, "team": f"T{n % size.teams}"} for n, each in enumerate(_named("P", size.people))))
    _send(now, "products", _named("X", size.products))
    _send(now, "accounts", _named("A", size.accounts))


def _named(letter: str, count: int) -> Iterator[dict[str, Any]]:
    return ({"external_id": f"{letter}{n}", "name": f"{letter} {n}"} for n in range(count))


def _send(now: datetime, resource: str, records: Iterator[dict[str, Any]]) -> None:
    result = upsert_facts(resource=resource, source=SOURCE, records=list(records), now=now)
    assert not result.rejected, result.rejected


def _record(size: Size, first_day: date, today: date, now: datetime) -> None:
    """Deals close within four months, three of ten won; seven of ten come from a lead of their time.

    Of the leads four of ten become an MQL and two of ten an SQL, by stage events.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute("CREATE TEMPORARY TABLE people ON COMMIT DROP AS SELECT array_agg(id) AS ids FROM kpis_person")
        for name in ("account", "product"):
            cursor.execute(
                f"CREATE TEMPORARY TABLE {name}s ON COMMIT DROP AS SELECT array_agg(id) AS ids FROM kpis_{name}"
            )
        common = {
            "source": SOURCE,
            "first": first_day,
            "days": (today - first_day).days,
            "now": now,
            "sources": list(LEAD_SOURCES),
            "channels": list(CHANNELS),
            "leads": size.leads,
            "deals": size.deals,
        }
        _insert(cursor, Lead, _LEADS, _LEADS_FROM, common)
        _insert(cursor, LeadStageEvent, _STAGES, _STAGES_FROM, common)
        _insert(cursor, Deal, _DEALS, _DEALS_FROM, common)
        for fact in ("leads", "lead-stage-events", "deals"):
            cursor.execute(
                "INSERT INTO kpis_factstream (source, fact, covered_from, last_success_at) VALUES (%s, %s, %s, %s)",
                [SOURCE, fact, first_day, now],
            )
        dependents.mark_all(cursor)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE kpis_lead, kpis_leadstageevent, kpis_deal, kpis_dirtyfact")


_ACCOUNT, _PERSON, _PRODUCT = (
    f"{name}.ids[1 + floor(random() * cardinality({name}.ids))::int]" for name in ("accounts", "people", "products")
)
# Of each table what its rows say (all other columns take their default) and where the rows come from.
_FACT = {"source": "%(source)s", "recorded_at": "%(now)s", "changed_at": "%(now)s"}
_WORD = "(%(sources)s::text[])[1 + floor(random() * 8)::int]"
_LEADS = {
    "external_id": "'L' || n",
    "created_on": "%(first)s::date + (n::bigint * %(days)s / %(leads)s)::int",
    "account_id": _ACCOUNT,
    "owner_id": _PERSON,
    "lead_source": _WORD,
}
_LEADS_FROM = "generate_series(0, %(leads)s - 1) AS n, people, accounts"
_STAGES = {
    "external_id": "stage || l.external_id",
    "lead_id": "l.id",
    "stage": "stage",
    "entered_at": "l.created_on + make_interval(days => wait, hours => 3)",
}
_STAGES_FROM = """
    kpis_lead l CROSS JOIN LATERAL (VALUES ('mql', 4, 7), ('sql', 2, 30)) AS s (stage, tenths, wait)
    WHERE right(l.external_id, 1)::int < tenths
"""
_DEALS = {
    "external_id": "'D' || n",
    "refs": "CASE WHEN lead.id IS NULL THEN '{}'"
    " ELSE jsonb_build_object('lead', jsonb_build_array(lead.source, lead.external_id)) END",
    "tax": "'excluded'",
    "name": "'Deal ' || n",
    "account_id": _ACCOUNT,
    "owner_id": _PERSON,
    "created_on": "day",
    "expected_close_on": "day + 60",
    "closed_on": "closed",
    "outcome": "CASE WHEN closed IS NULL THEN 'open' WHEN luck < 0.3 THEN 'won' ELSE 'lost' END",
    "amount": "(50000 + floor(luck * 40) * 10000)::numeric",
    "origin": "CASE WHEN n %% 10 < 7 THEN 'lead' ELSE 'existing' END",
    "lead_id": "CASE WHEN n %% 10 < 7 THEN lead.id END",
    "lead_source": _WORD,
    "sales_channel": "(%(channels)s::text[])[1 + n %% 2]",
    "product_id": _PRODUCT,
}
_DEALS_FROM = """
    (
        SELECT n, random() AS luck, %(first)s::date + (n::bigint * %(days)s / %(deals)s)::int AS day,
               %(first)s::date + (n::bigint * %(days)s / %(deals)s)::int + floor(random() * 120)::int AS ends
        FROM generate_series(0, %(deals)s - 1) AS n
    ) AS made
    CROSS JOIN LATERAL (SELECT CASE WHEN ends < %(first)s::date + %(days)s THEN ends END AS closed) AS ended
    LEFT JOIN kpis_lead lead ON n %% 10 < 7 AND lead.source = %(source)s AND lead.external_id = 'L' || (2 * n),
    people, accounts, products
"""


def _insert(cursor: CursorWrapper, model: type[Model], says: dict[str, str], rows: str, params: dict[str, Any]) -> None:
    values = {
        column.column: literal
        for column in model._meta.concrete_fields
        if not column.primary_key and (literal := default_of(column)) is not None
    }
    values |= _FACT | says
    cursor.execute(
        f"INSERT INTO {model._meta.db_table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {rows}",
        params,
    )


def _plan(actor: User, today: date, now: datetime) -> KpiTree:
    """A tree of 40 nodes: a KGI, a KSF, and under it counts, sums, averages, a median and rates."""
    year = today.year - (today.month < FISCAL_START)
    tree = create_tree(name=str(year), fiscal_year=year, style=None, actor=actor, now=now)
    factor: KpiNode | None = None
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = create_metric(
            code=code,
            name=code,
            unit="ratio" if spec["kind"] == "formula" else "count",
            accumulation="rate" if spec["kind"] == "formula" else "sum",
            direction="up",
            spec=spec,
            actor=actor,
            now=now,
        )
        node = create_node(
            tree=tree,
            parent=factor,
            level=Level.KPI if factor else Level.KGI,
            code=code,
            name=code,
            metric=metric,
            link=Link.INFLUENCE,
            position=2 * position,
            actor=actor,
            now=now,
        )
        if factor is None:
            factor = create_node(
                tree=tree, parent=node, level=Level.KSF, name="Sales", position=1, actor=actor, now=now
            )
    _aim(tree)
    return activate_tree(tree=tree, facts_may_follow=True, actor=actor, now=now)


def _aim(tree: KpiTree) -> None:
    """A monthly target of every node for the company and each team."""
    months = Period.objects.filter(grain=Grain.MONTH, fiscal_year__start_year=tree.fiscal_year)
    members = [("company", None), *(("team", m.pk) for m in DimensionMember.objects.filter(dimension__code="team"))]
    Target.objects.bulk_create(
        (
            Target(
                node=node,
                period_start=month.start_date,
                dimension=dimension,
                member_id=member,
                initial_value=100,
                value=100,
            )
            for node in tree.nodes.all()
            for month in months
            for dimension, member in members
        ),
        batch_size=5000,
    )


def _simple(fact: str, axis: str, *filters: tuple[str, str], **more: Any) -> dict[str, Any]:
    conditions = [{"field": field, "op": "eq", "value": value} for field, value in filters]
    return {"kind": "simple", "fact": fact, "date": axis, "aggregate": "count", "filters": conditions} | more


def _share(part: str, whole: str) -> dict[str, Any]:
    return {"kind": "formula", "expression": f"{part} / {whole}"}


_WON = ("outcome", "won")
_SUM = {"aggregate": "sum", "field": "amount"}
SPECS: dict[str, dict[str, Any]] = {
    "bookings": _simple("deals", "closed_on", _WON, **_SUM),
    "won": _simple("deals", "closed_on", _WON),
    "lost": _simple("deals", "closed_on", ("outcome", "lost")),
    "closed": _simple("deals", "closed_on"),
    "win_rate": _share("won", "closed"),
    "deal_size": _share("bookings", "won"),
    "median_size": _simple("deals", "closed_on", _WON, aggregate="median", field="amount"),
    "cycle": _simple("deals", "closed_on", _WON, aggregate="average", days_between=["created_on", "closed_on"]),
    "buyers": _simple("deals", "closed_on", _WON, aggregate="distinct", field="account"),
    "opportunities": _simple("deals", "created_on"),
    "pipeline_made": _simple("deals", "created_on", **_SUM),
    "leads": _simple("leads", "created_on"),
    "mqls": _simple("leads", "mql_on"),
    "sqls": _simple("leads", "sql_on"),
    "mql_rate": _share("mqls", "leads"),
    "sql_rate": _share("sqls", "mqls"),
    "leads_per_deal": _share("leads", "opportunities"),
    **{f"won_{n}": _simple("deals", "closed_on", _WON, ("lead_source", name)) for n, name in enumerate(LEAD_SOURCES)},
    **{f"leads_{n}": _simple("leads", "created_on", ("lead_source", name)) for n, name in enumerate(LEAD_SOURCES)},
    **{f"share_{n}": _share(f"won_{n}", "won") for n in range(6)},
}
