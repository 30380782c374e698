"""New business (新規開拓): leads that become opportunities, opportunities that are won."""

from kpis.engine.specs import Simple
from kpis.engine.templates.metrics import (
    AVERAGE_DEAL_SIZE,
    BOOKINGS,
    CLOSED_DEALS,
    CREATED_DEALS,
    MQL,
    NEW_LEADS,
    OPPORTUNITY_RATE,
    SQL,
    WIN_RATE,
    WON_DEALS,
    activities,
    deals,
    where,
)
from kpis.engine.templates.shapes import Driver, Template, TemplateMetric, TemplateNode, Text
from kpis.engine.templates.working_back import FUNNEL

_NODES = (
    TemplateNode("bookings", "kgi", BOOKINGS.name, metric="bookings"),
    TemplateNode(
        "new_customers",
        "ksf",
        Text("Winning new customers", "新規獲得"),
        parent="bookings",
        reason=Text(
            "New business lives on first orders: without a steady flow of new prospects that turn into "
            "opportunities and orders, bookings cannot grow.",
            "新規開拓型の受注額は初めての取引から生まれます。新しい見込み客が途切れず、商談と受注につながらなければ伸びません。",
        ),
    ),
    TemplateNode(
        "new_leads",
        "kpi",
        NEW_LEADS.name,
        parent="new_customers",
        metric="new_leads",
        link="lagged",
        reason=Text("The base from which opportunities come.", "商談の母数になるため。"),
        controllable_by={"marketing": "full", "field_sales": "partial"},
    ),
    TemplateNode(
        "opportunity_rate",
        "kpi",
        OPPORTUNITY_RATE.name,
        parent="new_customers",
        metric="opportunity_rate",
        link="lagged",
        reason=Text("Shows the quality of the leads that are handed over.", "引き渡したリードの質が表れるため。"),
        controllable_by={"inside_sales": "full", "marketing": "full"},
    ),
    TemplateNode(
        "mql",
        "kpi",
        MQL.name,
        parent="opportunity_rate",
        metric="mql",
        link="formula",
        reason=Text("The denominator of the opportunity rate.", "商談化率の分母。"),
        controllable_by={"marketing": "full"},
    ),
    TemplateNode(
        "sql",
        "kpi",
        SQL.name,
        parent="opportunity_rate",
        metric="sql",
        link="formula",
        reason=Text("The numerator of the opportunity rate.", "商談化率の分子。"),
        controllable_by={"inside_sales": "full", "marketing": "partial"},
    ),
    TemplateNode(
        "created_deals",
        "kpi",
        CREATED_DEALS.name,
        parent="new_customers",
        metric="created_deals",
        link="lagged",
        reason=Text(
            "What is not begun now cannot be won in the months to come.",
            "今つくらなかった商談は、数か月後の受注の不足として表れるため。",
        ),
        controllable_by={"inside_sales": "full", "field_sales": "full"},
    ),
    TemplateNode(
        "win_rate",
        "kpi",
        WIN_RATE.name,
        parent="new_customers",
        metric="win_rate",
        link="formula",
        reason=Text("Shows the skill of selling.", "営業力が表れるため。"),
        controllable_by={"field_sales": "full"},
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
        "customer_value",
        "ksf",
        Text("Value per customer", "顧客単価"),
        parent="bookings",
        reason=Text(
            "The same number of orders brings the goal nearer only if their size holds.",
            "受注件数が同じでも、1件あたりの金額を保てなければ目標に届きません。",
        ),
    ),
    TemplateNode(
        "average_deal_size",
        "kpi",
        AVERAGE_DEAL_SIZE.name,
        parent="customer_value",
        metric="average_deal_size",
        link="formula",
        reason=Text("Discounts and small deals show here first.", "値引きや小口商談への偏りが最初に表れるため。"),
        controllable_by={"field_sales": "partial"},
    ),
)

_DEAL_CYCLE = TemplateMetric(
    "deal_cycle_days",
    Text("Average deal cycle", "平均商談期間"),
    "days",
    "average",
    Simple(
        "deals",
        "closed_on",
        "average",
        days_between=("created_on", "closed_on"),
        filters=(where("outcome", "won"),),
    ),
    direction="down",
)
_QUALIFIED_DEALS = TemplateMetric(
    "qualified_deals",
    Text("Qualified deals (past the first step)", "有効商談数（最初の段階を通過）"),
    "count",
    "sum",
    deals("count", date="step2_on"),
)
_PROPOSALS = TemplateMetric(
    "proposals", Text("Proposals", "提案数"), "count", "sum", activities(where("kind", "proposal"))
)

_DRIVERS = (
    Driver(
        _DEAL_CYCLE,
        TemplateNode(
            "deal_cycle_days",
            "kpi",
            _DEAL_CYCLE.name,
            parent="new_customers",
            metric="deal_cycle_days",
            reason=Text("Deals that drag on end without a decision.", "長引く商談ほど決まらずに終わりやすいため。"),
            controllable_by={"field_sales": "partial"},
        ),
    ),
    Driver(
        _QUALIFIED_DEALS,
        TemplateNode(
            "qualified_deals",
            "kpi",
            _QUALIFIED_DEALS.name,
            parent="new_customers",
            metric="qualified_deals",
            reason=Text("The stock from which orders are won.", "受注のもとになる商談の量を早く知るため。"),
            controllable_by={"field_sales": "full", "inside_sales": "partial"},
        ),
    ),
    Driver(
        _PROPOSALS,
        TemplateNode(
            "proposals",
            "kpi",
            _PROPOSALS.name,
            parent="new_customers",
            metric="proposals",
            reason=Text("Every order passes through a proposal.", "受注の前に必ず通る活動のため。"),
            controllable_by={"field_sales": "full"},
        ),
    ),
)

NEW_BUSINESS = Template(
    style="new_business",
    name=Text("New business", "新規開拓"),
    metrics=(
        BOOKINGS,
        NEW_LEADS,
        MQL,
        SQL,
        OPPORTUNITY_RATE,
        WON_DEALS,
        CLOSED_DEALS,
        WIN_RATE,
        AVERAGE_DEAL_SIZE,
        CREATED_DEALS,
    ),
    nodes=_NODES,
    typed=("kgi_amount", "average_deal_size", "win_rate", "opportunity_rate", "mql_rate"),
    steps=FUNNEL,
    drivers=_DRIVERS,
)
