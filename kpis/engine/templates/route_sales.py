"""Route sales (ルート営業): customers who stay, come back, and are worth it over the years."""

from kpis.engine.specs import Clv, Manual, Ratio, Repeat, Retention, Score, Simple
from kpis.engine.templates.metrics import CUSTOMERS_WITH_REVENUE, REVENUE, REVENUE_PER_CUSTOMER, REVENUE_SUM
from kpis.engine.templates.shapes import Driver, Template, TemplateMetric, TemplateNode, Text

_CSAT = TemplateMetric(
    "csat",
    Text("Customer satisfaction (CSAT)", "顧客満足度（CSAT）"),
    "percent",
    "rate",
    Score("csat"),
)
_NPS = TemplateMetric("nps", Text("NPS", "NPS"), "score", "rate", Score("nps"))
_REPEAT_RATE = TemplateMetric(
    "repeat_rate",
    Text("Repeat rate", "リピート率"),
    "percent",
    "rate",
    Repeat("orders"),
)
_CHURN_RATE = TemplateMetric(
    "churn_rate",
    Text("Churn rate", "解約率"),
    "percent",
    "rate",
    Retention("logo_churn"),
    direction="down",
)
_CLV = TemplateMetric("clv", Text("CLV", "CLV（顧客生涯価値）"), "amount", "average", Clv("historic"))

_NODES = (
    TemplateNode("revenue", "kgi", REVENUE.name, metric="revenue"),
    TemplateNode(
        "satisfaction",
        "ksf",
        Text("Customers who are content", "顧客の満足"),
        parent="revenue",
        reason=Text(
            "Route sales live on customers who stay: discontent shows in surveys before it shows in revenue.",
            "ルート営業の売上は継続する取引から生まれます。不満は売上より先に調査の回答に表れます。",
        ),
    ),
    TemplateNode(
        "csat",
        "kpi",
        _CSAT.name,
        parent="satisfaction",
        metric="csat",
        reason=Text("The basis of retention.", "取引継続の土台になるため。"),
        controllable_by={"account_owner": "full"},
    ),
    TemplateNode(
        "nps",
        "kpi",
        _NPS.name,
        parent="satisfaction",
        metric="nps",
        reason=Text(
            "Says who would recommend us, and who may leave.", "推奨してくれる顧客と離れそうな顧客が分かるため。"
        ),
        controllable_by={"account_owner": "full"},
    ),
    TemplateNode(
        "continuation",
        "ksf",
        Text("Orders that continue", "取引の継続"),
        parent="revenue",
        reason=Text(
            "Winning back a customer costs more than keeping one; the goal is reached by orders that repeat.",
            "離れた顧客を取り戻すには、続けてもらうより手間がかかります。目標は繰り返しの注文で積み上がります。",
        ),
    ),
    TemplateNode(
        "customers_with_revenue",
        "kpi",
        CUSTOMERS_WITH_REVENUE.name,
        parent="continuation",
        metric="customers_with_revenue",
        link="formula",
        reason=Text(
            "Every customer who did not buy this month is missing from revenue.",
            "今月の取引がなかった顧客の分だけ、売上が欠けるため。",
        ),
        controllable_by={"account_owner": "full"},
    ),
    TemplateNode(
        "repeat_rate",
        "kpi",
        _REPEAT_RATE.name,
        parent="continuation",
        metric="repeat_rate",
        reason=Text("Continued orders.", "継続的な受注の度合いを表すため。"),
        controllable_by={"account_owner": "full"},
    ),
    TemplateNode(
        "churn_rate",
        "kpi",
        _CHURN_RATE.name,
        parent="continuation",
        metric="churn_rate",
        reason=Text("The inverse of retention.", "継続の裏返しとして早く気づくため。"),
        controllable_by={"account_owner": "full"},
    ),
    TemplateNode(
        "profitability",
        "ksf",
        Text("Long-term profitability", "長期の収益性"),
        parent="revenue",
        reason=Text(
            "Time for visits is short: it belongs to the customers who are worth it over the years.",
            "訪問できる時間は限られます。長く収益をもたらす顧客に使う必要があります。",
        ),
    ),
    TemplateNode(
        "revenue_per_customer",
        "kpi",
        REVENUE_PER_CUSTOMER.name,
        parent="profitability",
        metric="revenue_per_customer",
        link="formula",
        reason=Text("Shows whether business with each customer grows.", "1社あたりの取引の広がりが表れるため。"),
        controllable_by={"account_owner": "partial"},
    ),
    TemplateNode(
        "clv",
        "kpi",
        _CLV.name,
        parent="profitability",
        metric="clv",
        reason=Text(
            "Shows which segment to focus on; read it by customer segment, beside the cost of a new customer.",
            "どの顧客層に力を入れるかが分かるため。顧客の区分ごとに、獲得コストと並べて見ます。",
        ),
        controllable_by={"account_owner": "partial"},
    ),
)

_GROSS_MARGIN = TemplateMetric(
    "gross_margin",
    Text("Gross margin", "粗利率"),
    "percent",
    "rate",
    Ratio(Simple("revenues", "recognized_on", "sum", field="gross_profit"), REVENUE_SUM),
)
_CONTACT_COVERAGE = TemplateMetric(
    "contact_coverage", Text("Contact coverage", "接触カバー率"), "percent", "rate", Manual()
)
_DORMANT_CUSTOMERS = TemplateMetric(
    "dormant_customers",
    Text("Dormant customers", "休眠顧客数"),
    "count",
    "stock",
    Repeat("orders", window_months=6, measure="dormant"),
    direction="down",
)

_DRIVERS = (
    Driver(
        _CONTACT_COVERAGE,
        TemplateNode(
            "contact_coverage",
            "kpi",
            _CONTACT_COVERAGE.name,
            parent="satisfaction",
            metric="contact_coverage",
            reason=Text("Who is not visited cannot be kept content.", "接触していない顧客の不満には気づけないため。"),
            controllable_by={"account_owner": "full"},
        ),
    ),
    Driver(
        _DORMANT_CUSTOMERS,
        TemplateNode(
            "dormant_customers",
            "kpi",
            _DORMANT_CUSTOMERS.name,
            parent="continuation",
            metric="dormant_customers",
            reason=Text("A customer is dormant before he is lost.", "解約の前に休眠として表れるため。"),
            controllable_by={"account_owner": "full"},
        ),
    ),
    Driver(
        _GROSS_MARGIN,
        TemplateNode(
            "gross_margin",
            "kpi",
            _GROSS_MARGIN.name,
            parent="profitability",
            metric="gross_margin",
            reason=Text("Revenue bought by discounts does not last.", "値引きで作った売上は続かないため。"),
            controllable_by={"account_owner": "partial"},
        ),
    ),
)

ROUTE_SALES = Template(
    style="route_sales",
    name=Text("Route sales", "ルート営業"),
    metrics=(REVENUE, CUSTOMERS_WITH_REVENUE, REVENUE_PER_CUSTOMER, _CSAT, _NPS, _REPEAT_RATE, _CHURN_RATE, _CLV),
    nodes=_NODES,
    typed=("kgi_amount", "revenue_per_customer"),
    drivers=_DRIVERS,
)
