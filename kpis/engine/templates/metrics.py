"""Metrics that several templates use."""

from kpis.engine.specs import Conversion, Filter, Formula, Ratio, Simple
from kpis.engine.templates.shapes import TemplateMetric, Text


def where(field: str, *values: str) -> Filter:
    """A condition on one field with one or several allowed values."""
    return Filter(field, "in", values)


def deals(aggregate: str, *filters: Filter, field: str | None = None, date: str = "closed_on") -> Simple:
    """An aggregate over deals, by close date unless said otherwise."""
    return Simple("deals", date, aggregate, field=field, filters=filters)


def activities(*filters: Filter) -> Simple:
    """A count of activities."""
    return Simple("activities", "happened_on", "count", filters=filters)


WON = where("outcome", "won")
CLOSED = where("outcome", "won", "lost", "no_decision")

MQL_COUNT = Simple("leads", "mql_on", "count")
SQL_COUNT = Simple("leads", "sql_on", "count")
REVENUE_SUM = Simple("revenues", "recognized_on", "sum", field="amount")

BOOKINGS = TemplateMetric("bookings", Text("Bookings", "受注額"), "amount", "sum", deals("sum", WON, field="amount"))
REVENUE = TemplateMetric("revenue", Text("Revenue", "売上額"), "amount", "sum", REVENUE_SUM)
NEW_LEADS = TemplateMetric(
    "new_leads", Text("New leads", "新規リード獲得数"), "count", "sum", Simple("leads", "created_on", "count")
)
MQL = TemplateMetric("mql", Text("MQL", "MQL数"), "count", "sum", MQL_COUNT)
SQL = TemplateMetric("sql", Text("SQL", "SQL数"), "count", "sum", SQL_COUNT)
OPPORTUNITY_RATE = TemplateMetric(
    "opportunity_rate",
    Text("Opportunity rate (MQL→SQL, period)", "商談化率（MQL→SQL、期間内）"),
    "percent",
    "rate",
    Ratio(SQL_COUNT, MQL_COUNT),
)
OPPORTUNITY_RATE_LEADS = TemplateMetric(
    "opportunity_rate_leads",
    Text("Opportunity rate (leads→SQL within 90 days)", "商談化率（リード→商談、90日以内）"),
    "percent",
    "rate",
    Conversion("leads", "created", "sql", origin=("lead",)),
)
CREATED_DEALS = TemplateMetric(
    "created_deals", Text("Deals created", "商談作成数"), "count", "sum", deals("count", date="created_on")
)
WON_DEALS = TemplateMetric("won_deals", Text("Won deals", "受注件数"), "count", "sum", deals("count", WON))
CLOSED_DEALS = TemplateMetric("closed_deals", Text("Closed deals", "決着件数"), "count", "sum", deals("count", CLOSED))
WIN_RATE = TemplateMetric(
    "win_rate", Text("Win rate (count)", "受注率（件数）"), "percent", "rate", Formula("won_deals / closed_deals")
)
AVERAGE_DEAL_SIZE = TemplateMetric(
    "average_deal_size",
    Text("Average deal size", "平均受注単価"),
    "amount",
    "average",
    deals("average", WON, field="amount"),
)
# Counted anew in every period, from nothing up: a flow, although a year is not the sum of its months.
CUSTOMERS_WITH_REVENUE = TemplateMetric(
    "customers_with_revenue",
    Text("Customers with revenue", "取引のあった顧客数"),
    "count",
    "sum",
    Simple("revenues", "recognized_on", "distinct", field="account"),
)
REVENUE_PER_CUSTOMER = TemplateMetric(
    "revenue_per_customer",
    Text("Revenue per customer", "顧客単価"),
    "amount",
    "rate",
    Formula("revenue / customers_with_revenue"),
)
