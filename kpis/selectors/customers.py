"""The customers behind a number that is counted customer by customer, each with the records it is made of.

The numbers themselves are stored for every period and segment at once (kpis.services.windows); here one cell is taken
apart by the same definitions.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from kpis.engine.evidence import Part
from kpis.engine.sides import Customers
from kpis.engine.specs import Window
from kpis.models import Period
from kpis.models.resources import MODELS
from kpis.selectors.measures import window_axis, window_condition
from kpis.selectors.records import Record, RecordPage, Where, read_rows, record_of, window_opens

SHOWN_EACH = 10  # records of one customer

# A contract counts where the window found its subscription, whoever carries it on; one begun inside the window counts
# where it is booked, if the customer already paid there.
_RETENTION = """
    contract AS (
        SELECT e.fact_id, e.account_id, coalesce(e.account_id::text, f.source || '/' || f.external_id) AS customer,
               f.source || '/' || coalesce(nullif(f.subscription, ''), f.external_id) AS subscription,
               f.starts_on, e.amount, {here} AS is_here, {credited} AS is_credited,
               f.starts_on < %(opens)s AND (f.ends_on IS NULL OR f.ends_on >= %(opens)s) AS opens,
               f.starts_on < %(closes)s AND (f.ends_on IS NULL OR f.ends_on >= %(closes)s) AS closes
        FROM kpis_kpievent e JOIN kpis_contract f ON f.id = e.fact_id
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND ({where})
          AND f.starts_on < %(closes)s AND (f.ends_on IS NULL OR f.ends_on >= %(opens)s)
    ), mine AS (SELECT * FROM contract WHERE opens AND is_here), part AS (
        SELECT customer, account_id, fact_id, starts_on AS date, is_credited, coalesce(amount, 0) AS before, 0 AS after,
               false AS stays FROM mine
        UNION ALL
        SELECT customer, account_id, fact_id, starts_on, is_credited, 0, coalesce(amount, 0), true FROM contract
        WHERE closes AND (
            (customer, subscription) IN (SELECT customer, subscription FROM mine)
            OR is_here AND customer IN (SELECT customer FROM mine)
            AND (customer, subscription) NOT IN (SELECT customer, subscription FROM contract WHERE opens))
    ), record AS (
        SELECT customer, fact_id, max(date) AS date, NULL::numeric AS amount, sum(before) AS before, sum(after) AS after
        FROM part WHERE is_credited GROUP BY customer, fact_id
    ), customer AS (
        SELECT customer, min(account_id) AS account_id, min(fact_id) AS fact_id, min(date) AS date, count(*) AS cases,
               NULL::numeric AS amount, NULL::numeric AS gross_profit, sum(before) AS before, sum(after) AS after,
               bool_or(stays) AS stays
        FROM part GROUP BY customer
    )
"""
_SALES = """
    record AS (
        SELECT coalesce(e.account_id::text, 'record ' || e.fact_id) AS customer, e.account_id, e.fact_id,
               max(e.date) AS date, sum(e.amount) AS amount, sum(e.gross_profit) AS gross_profit,
               NULL::numeric AS before, NULL::numeric AS after
        FROM kpis_kpievent e {fact}
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND e.date >= %(opens)s AND e.date < %(closes)s
          AND {here} AND ({where}) {known}
        GROUP BY 2, 3
    ), customer AS (
        SELECT customer, min(account_id) AS account_id, min(fact_id) AS fact_id, max(date) AS date, count(*) AS cases,
               sum(amount) AS amount, sum(gross_profit) AS gross_profit, NULL::numeric AS before,
               NULL::numeric AS after, true AS stays
        FROM record GROUP BY customer
    )
"""
# Who bought for the first time is told over all customers' purchases; where it counts is where that purchase does.
_HISTORY = """
    purchase AS (
        SELECT e.*, e.date = min(e.date) OVER (PARTITION BY e.account_id) AS is_first
        FROM kpis_kpievent e {fact}
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND e.account_id IS NOT NULL AND ({where})
    ), record AS (
        SELECT e.account_id::text AS customer, e.account_id, e.fact_id, max(e.date) AS date, sum(e.amount) AS amount,
               NULL::numeric AS before, NULL::numeric AS after,
               bool_or(e.is_first AND e.date >= %(starts)s) AS is_new, bool_or(e.date >= %(opens)s) AS is_active
        FROM purchase e WHERE e.date < %(closes)s AND {here} GROUP BY 1, 2, 3
    ), customer AS (
        SELECT customer, min(account_id) AS account_id, min(fact_id) AS fact_id, max(date) AS date, count(*) AS cases,
               sum(amount) AS amount, NULL::numeric AS gross_profit, NULL::numeric AS before, NULL::numeric AS after,
               true AS stays, bool_or(is_new) AS is_new, bool_or(is_active) AS is_active
        FROM record GROUP BY customer
    )
"""
_TABLES = {"retention": _RETENTION, "purchases": _SALES, "margin": _SALES, "history": _HISTORY}
# Subject → part of a window → what a customer gives to it, and which customers do.
_PARTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "retention": {
        "customers": ("1", "true"),
        "lost": ("1", "NOT stays"),
        "mrr": ("before", "true"),
        "away": ("CASE WHEN stays THEN greatest(before - after, 0) ELSE before END", "after < before OR NOT stays"),
        "net_away": ("before - after", "after <> before OR NOT stays"),
        "kept": ("least(before, after)", "stays"),
        "retained": ("after", "stays"),
    },
    "purchases": {
        "customers": ("1", "true"),
        "repeaters": ("1", "cases >= %(least)s"),
        "amount": ("amount", "true"),
    },
    "history": {"new": ("1", "is_new"), "dormant": ("1", "NOT is_active")},
    "margin": {
        "customers": ("1", "account_id IS NOT NULL"),
        "gross_profit": ("gross_profit", "true"),
        "revenue": ("amount", "true"),
    },
}

# Subject, or a part that is measured otherwise → a record's weight in its window, and what is measured of it.
_RECORDS: Mapping[str, tuple[str, str]] = {
    "retention": ("before", "after"),
    "purchases": ("1", "amount"),
    "history": ("1", "amount"),
    "margin": ("1", "gross_profit"),
    "revenue": ("1", "amount"),
}


@dataclass(frozen=True, slots=True)
class _Customer:
    """One customer as it is read."""

    key: str
    account: int | None
    fact: int
    date: date
    cases: int
    amount: Decimal | None
    before: Decimal | None
    after: Decimal | None
    stays: bool
    share: Decimal | None


def read_customers(side: Customers, period: Period, where: Where, *, offset: int = 0, limit: int = 50) -> RecordPage:
    """The customers on a side of a number, who gives most first, each with its records; at most seven queries.

    A contract or sale without an account is listed by itself.
    """
    tables, params = _tables(side.window, period, where)
    share, is_listed = _PARTS[side.window.subject][side.part]
    params |= {"factor": side.factor, "least": side.window.min_count, "offset": offset, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {tables}, listed AS (SELECT *, {share} * %(factor)s::numeric AS share FROM customer"
            f" WHERE {is_listed}) SELECT customer, account_id, fact_id, date, cases, amount, before, after, stays,"
            " share, (SELECT count(*) FROM listed), (SELECT sum(share) FROM listed) FROM listed"
            " ORDER BY abs(share) DESC NULLS LAST, customer OFFSET %(offset)s LIMIT %(limit)s",
            params,
        )
        found = cursor.fetchall()
    customers = [_Customer(*row[:-2]) for row in found]
    records = _records(side.window, tables, params, customers)
    accounts = read_rows("accounts", [each.account for each in customers if each.account])
    alone = read_rows(side.fact, [each.fact for each in customers if not each.account])
    return RecordPage(
        tuple(
            _record(side.window, each, accounts.get(each.account or 0) or alone[each.fact], records[each.key])
            for each in customers
        ),
        *(found[0][-2:] if found else (0, None)),
    )


def read_shares(side: Customers, period: Period, where: Where) -> dict[str, Decimal | None]:
    """Every customer on a side of a number with what it gives there; two queries."""
    tables, params = _tables(side.window, period, where)
    share, is_listed = _PARTS[side.window.subject][side.part]
    params |= {"factor": side.factor, "least": side.window.min_count}
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {tables} SELECT customer, {share} * %(factor)s::numeric FROM customer WHERE {is_listed}", params
        )
        return dict(cursor.fetchall())


def read_window_parts(
    side: Customers, period: Period, where: Where, *, ids: Collection[int]
) -> dict[int, tuple[str, date, Part]]:
    """Of these facts those that the side's window reads: for which customer, of which day, and its part; two queries.

    Of retention the weight is what it paid at the start, and measured what at the end.
    """
    tables, params = _tables(side.window, period, where)
    weight, measured = _RECORDS.get(side.part) or _RECORDS[side.window.subject]
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {tables} SELECT fact_id, customer, date, coalesce({weight}, 0)::numeric, {measured} FROM record"
            " WHERE fact_id = ANY(%(ids)s)",
            {**params, "ids": list(ids)},
        )
        return {fact: (who, day, Part(weight, measured)) for fact, who, day, weight, measured in cursor.fetchall()}


def _tables(window: Window, period: Period, where: Where) -> tuple[str, dict[str, Any]]:
    """SQL of `customer`, one row for each, and `record`, one row for each of its records; and the parameters."""
    counted, params = window_condition(window)
    here, of_place = where.clauses()
    is_fact_needed = "f." in counted
    sql = _TABLES[window.subject].format(
        here=here,
        credited=where.is_credited,
        where=counted,
        fact=f"JOIN {MODELS[window.fact]._meta.db_table} f ON f.id = e.fact_id" if is_fact_needed else "",
        known="AND e.account_id IS NOT NULL" if window.subject == "purchases" else "",
    )
    return sql, {
        **params,
        **of_place,
        "kind": f"{window.fact}.{window_axis(window)}",
        "opens": window_opens(window.months, period),
        "starts": period.start_date,
        "closes": period.end_date,
    }


def _records(
    window: Window, tables: str, params: dict[str, Any], customers: Sequence[_Customer]
) -> Mapping[str, list[Record]]:
    """Customer → its records, latest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH {tables}, numbered AS (SELECT *, row_number() OVER (PARTITION BY customer ORDER BY date DESC,"
            " fact_id DESC) AS number FROM record WHERE customer = ANY(%(customers)s))"
            " SELECT customer, fact_id, date, amount, before, after FROM numbered WHERE number <= %(shown)s"
            " ORDER BY customer, number",
            {**params, "customers": [each.key for each in customers], "shown": SHOWN_EACH},
        )
        found = cursor.fetchall()
    rows = read_rows(window.fact, [fact_id for _customer, fact_id, *_rest in found])
    records: dict[str, list[Record]] = defaultdict(list)
    for customer, fact_id, day, amount, before, after in found:
        part = {"date": day, "weight": Decimal(1), "amount": amount, "before": before, "after": after}
        records[customer].append(record_of(window.fact, rows[fact_id], **part))
    return records


def _record(window: Window, customer: _Customer, row: Any, records: Sequence[Record]) -> Record:
    return record_of(
        "accounts" if customer.account else window.fact,
        row,
        account=str(row) if customer.account else "",
        date=customer.date,
        weight=Decimal(1),
        amount=customer.amount,
        result=_words(window, customer),
        share=customer.share,
        before=customer.before,
        after=customer.after,
        records=tuple(records),
    )


def _words(window: Window, customer: _Customer) -> str:
    """What became of a customer, or how often it bought."""
    if window.subject != "retention":
        return ngettext("%(count)s record", "%(count)s records", customer.cases) % {"count": customer.cases}
    if not customer.stays:
        return _("Lost customer")
    assert customer.before is not None and customer.after is not None
    if customer.after == customer.before:
        return _("Unchanged")
    return _("Expanded") if customer.after > customer.before else _("Reduced")
