"""Inside sales and ABM: leads nurtured into opportunities, customers who renew and grow."""

from kpis.engine.specs import Conversion, Manual, Ratio, Retention
from kpis.engine.templates.metrics import (
    AVERAGE_DEAL_SIZE,
    BOOKINGS,
    CLOSED_DEALS,
    CREATED_DEALS,
    NEW_LEADS,
    OPPORTUNITY_RATE_LEADS,
    WIN_RATE,
    WON_DEALS,
    activities,
    where,
)
from kpis.engine.templates.shapes import Driver, Step, Template, TemplateMetric, TemplateNode, Text

_RENEWAL_RATE = TemplateMetric(
    "renewal_rate",
    Text("Renewal rate", "契約更新率"),
    "percent",
    "rate",
    Retention("renewal_rate"),
)
_NRR = TemplateMetric(
    "nrr",
    Text("NRR", "NRR（売上維持率）"),
    "percent",
    "rate",
    Retention("nrr", window_months=12),
)

_NODES = (
    TemplateNode("bookings", "kgi", BOOKINGS.name, metric="bookings"),
    TemplateNode(
        "opportunities",
        "ksf",
        Text("Leads that become opportunities", "リードの商談化"),
        parent="bookings",
        reason=Text(
            "Buyers make up their shortlist before the first meeting: whoever is not in touch by then is left out.",
            "買い手は最初の商談の前に候補を絞り込みます。それまでに接点を持てなければ選ばれません。",
        ),
    ),
    TemplateNode(
        "new_leads",
        "kpi",
        NEW_LEADS.name,
        parent="opportunities",
        metric="new_leads",
        link="lagged",
        reason=Text("The base from which opportunities come.", "商談の母数になるため。"),
        controllable_by={"marketing": "full"},
    ),
    TemplateNode(
        "opportunity_rate_leads",
        "kpi",
        OPPORTUNITY_RATE_LEADS.name,
        parent="opportunities",
        metric="opportunity_rate_leads",
        link="lagged",
        reason=Text("Shows how well leads are nurtured.", "リードの育成の成果が表れるため。"),
        controllable_by={"inside_sales": "full"},
    ),
    TemplateNode(
        "created_deals",
        "kpi",
        CREATED_DEALS.name,
        parent="opportunities",
        metric="created_deals",
        link="lagged",
        reason=Text(
            "What is handed to sales now is won, or missing, in the months to come.",
            "今つくった商談が、数か月後の受注として表れるため。",
        ),
        controllable_by={"inside_sales": "full", "field_sales": "partial"},
    ),
    TemplateNode(
        "winning",
        "ksf",
        Text("Opportunities that are won", "商談の質"),
        parent="bookings",
        reason=Text(
            "Opportunities handed over too early cost the field its time and are lost.",
            "育っていない商談を渡すと、営業の時間を使っても失注に終わります。",
        ),
    ),
    TemplateNode(
        "win_rate",
        "kpi",
        WIN_RATE.name,
        parent="winning",
        metric="win_rate",
        link="formula",
        reason=Text("Shows the quality of the opportunities.", "渡した商談の質が表れるため。"),
        controllable_by={"field_sales": "full", "inside_sales": "partial"},
    ),
    TemplateNode(
        "won_deals",
        "kpi",
        WON_DEALS.name,
        parent="win_rate",
        metric="won_deals",
        link="formula",
        reason=Text("The numerator of the win rate.", "受注率の分子。"),
        controllable_by={"field_sales": "full"},
    ),
    TemplateNode(
        "closed_deals",
        "kpi",
        CLOSED_DEALS.name,
        parent="win_rate",
        metric="closed_deals",
        link="formula",
        reason=Text("The denominator of the win rate.", "受注率の分母。"),
        controllable_by={"field_sales": "full"},
    ),
    TemplateNode(
        "average_deal_size",
        "kpi",
        AVERAGE_DEAL_SIZE.name,
        parent="winning",
        metric="average_deal_size",
        link="formula",
        reason=Text(
            "Shows whether opportunities are found in the accounts that were aimed at.",
            "狙った規模の顧客で商談をつくれているかが表れるため。",
        ),
        controllable_by={"field_sales": "partial", "inside_sales": "partial"},
    ),
    TemplateNode(
        "relationships",
        "ksf",
        Text("Customers who stay and grow", "既存顧客の継続と拡大"),
        parent="bookings",
        reason=Text(
            "What existing customers renew and add need not be won anew.",
            "既存顧客の更新と追加は、新たに獲得し直す必要のない売上です。",
        ),
    ),
    TemplateNode(
        "renewal_rate",
        "kpi",
        _RENEWAL_RATE.name,
        parent="relationships",
        metric="renewal_rate",
        reason=Text("Says whether the relationship is kept.", "関係が続いているかが分かるため。"),
        controllable_by={"customer_success": "full"},
    ),
    TemplateNode(
        "nrr",
        "kpi",
        _NRR.name,
        parent="relationships",
        metric="nrr",
        reason=Text("Growth from existing customers.", "既存顧客からの成長を表すため。"),
        controllable_by={"customer_success": "full"},
    ),
)

_CALLS = activities(where("kind", "call"))
_CALL_COUNT = TemplateMetric("calls", Text("Calls", "架電数"), "count", "sum", _CALLS)
_CONNECTION_RATE = TemplateMetric(
    "connection_rate",
    Text("Connection rate", "接続率"),
    "percent",
    "rate",
    Ratio(activities(where("kind", "call"), where("outcome", "connected")), _CALLS),
)
# A deal is qualified once sales took it past the first step, which every deal enters by being created.
_QUALIFIED_RATE = TemplateMetric(
    "qualified_deal_rate",
    Text("Qualified deal rate (past the first step within 30 days)", "有効商談率（30日以内に最初の段階を通過）"),
    "percent",
    "rate",
    Conversion("deals", "created", "step2", window_days=30, origin=("lead",)),
)
_RESPONSE_IN_TIME = TemplateMetric(
    "response_in_time_rate", Text("Responses in time", "期限内対応率"), "percent", "rate", Manual()
)


def _driver(metric: TemplateMetric, parent: str, reason: Text) -> Driver:
    place = TemplateNode(
        metric.code,
        "kpi",
        metric.name,
        parent=parent,
        metric=metric.code,
        reason=reason,
        controllable_by={"inside_sales": "full"},
    )
    return Driver(metric, place)


_DRIVERS = (
    _driver(_CALL_COUNT, "opportunities", Text("The daily work that can be planned.", "日々計画できる活動のため。")),
    _driver(
        _CONNECTION_RATE,
        "opportunities",
        Text("Shows whether lists and hours of the day are right.", "リストと時間帯の良し悪しが表れるため。"),
    ),
    _driver(
        _QUALIFIED_RATE,
        "winning",
        Text(
            "Opportunities the field accepts, not only meetings that took place.",
            "会えた数ではなく、営業が受け入れた商談で見るため。",
        ),
    ),
    _driver(
        _RESPONSE_IN_TIME,
        "opportunities",
        Text(
            "The sooner a lead is answered, the more often it becomes an opportunity.",
            "初動が早いほど商談になりやすいため。",
        ),
    ),
)

INSIDE_SALES = Template(
    style="inside_sales",
    name=Text("Inside sales and ABM", "インサイドセールス・ABM"),
    metrics=(
        BOOKINGS,
        NEW_LEADS,
        OPPORTUNITY_RATE_LEADS,
        CREATED_DEALS,
        WON_DEALS,
        CLOSED_DEALS,
        WIN_RATE,
        AVERAGE_DEAL_SIZE,
        _RENEWAL_RATE,
        _NRR,
    ),
    nodes=_NODES,
    typed=("kgi_amount", "average_deal_size", "win_rate", "opportunity_rate_leads"),
    steps=(
        Step("closed_deals", "won_deals", "win_rate"),
        Step("created_deals", "closed_deals"),
        Step("new_leads", "closed_deals", "opportunity_rate_leads"),
    ),
    drivers=_DRIVERS,
)
