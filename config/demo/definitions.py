"""What company A measures: metrics, KGI → KSF → KPI, targets, and the one KPI that is still typed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from config.demo.plans import DEAL_RATES, CompanyPlan, EntryPlan, MetricPlan, NodePlan, TargetPlan, TreePlan, simple
from config.demo.sakura.dates import add_months, first_day_of_year, fiscal_year, month_start
from config.demo.sakura.deals import PHASES

CLOSED = ["won", "lost", "no_decision"]
METRICS = (
    MetricPlan("bookings", "受注額", "amount", "sum", simple("deals", "closed_on", "sum", "amount", outcome="won")),
    MetricPlan("new_leads", "新規リード獲得数", "count", "sum", simple("leads", "created_on")),
    MetricPlan("mql_count", "MQL数", "count", "sum", simple("leads", "mql_on")),
    MetricPlan("sql_count", "SQL数", "count", "sum", simple("leads", "sql_on")),
    MetricPlan(
        "opportunity_rate",
        "商談化率（MQL→SQL・当月）",
        "percent",
        "rate",
        {"kind": "ratio", "numerator": simple("leads", "sql_on"), "denominator": simple("leads", "mql_on")},
    ),
    MetricPlan("closed_deals", "決着件数", "count", "sum", simple("deals", "closed_on", outcome=CLOSED)),
    MetricPlan("won_deals", "受注件数", "count", "sum", simple("deals", "closed_on", outcome="won")),
    *DEAL_RATES,
    MetricPlan("proposals", "提案数", "count", "sum", simple("activities", "happened_on", kind="proposal")),
    MetricPlan("proposal_review_rate", "提案レビュー実施率", "percent", "rate", {"kind": "manual"}),
    MetricPlan(
        "existing_bookings",
        "既存顧客からの受注額",
        "amount",
        "sum",
        simple("deals", "closed_on", "sum", "amount", outcome="won", customer_type="existing"),
    ),
    MetricPlan(
        "csat_score",
        "顧客満足度（平均点）",
        "score",
        "average",
        simple("surveys", "answered_on", "average", "score", kind="csat"),
    ),
    MetricPlan(
        "proposal_to_quote",
        "フェーズ移行率（提案→見積提示・90日）",
        "percent",
        "rate",
        {
            "kind": "conversion",
            "fact": "deals",
            "from": "step3",
            "to": "step4",
            "window_days": 90,
            "origin": ["lead", "sales_generated", "referral", "existing", "partner", "unknown"],
        },
    ),
    MetricPlan("revenue", "売上額", "amount", "sum", simple("revenues", "recognized_on", "sum", "amount")),
    MetricPlan(
        "gross_margin",
        "粗利率",
        "percent",
        "rate",
        {
            "kind": "ratio",
            "numerator": simple("revenues", "recognized_on", "sum", "gross_profit"),
            "denominator": simple("revenues", "recognized_on", "sum", "amount"),
        },
    ),
)

NODES = (
    NodePlan("bookings", "kgi", "受注額", responsible="E001", reason="年間の受注目標。中期計画の初年度の約束"),
    NodePlan(
        "pipeline_creation",
        "ksf",
        "新しい商談を生み出す",
        "bookings",
        "E071",
        reason="既存顧客だけでは目標の3分の1にしか届かない",
    ),
    NodePlan(
        "new_leads",
        "kpi",
        "新規リード獲得数",
        "pipeline_creation",
        "E071",
        "lagged",
        {"marketing": "full", "field_sales": "partial"},
        "商談の母数。マーケティング部が施策で動かせる",
    ),
    NodePlan(
        "mql_count",
        "kpi",
        "MQL数",
        "pipeline_creation",
        "E072",
        "lagged",
        {"marketing": "full"},
        "育成の結果として営業に渡せる状態になった件数",
    ),
    NodePlan(
        "opportunity_rate",
        "kpi",
        "商談化率（MQL→SQL）",
        "pipeline_creation",
        "E051",
        "lagged",
        {"inside_sales": "full", "marketing": "full"},
        "リードの質と初動の速さが表れる",
    ),
    NodePlan(
        "sql_count", "kpi", "SQL数", "opportunity_rate", "E051", "formula", {"inside_sales": "full"}, "商談化率の分子"
    ),
    NodePlan(
        "closed_deals",
        "kpi",
        "決着件数",
        "pipeline_creation",
        "E011",
        "formula",
        {"field_sales": "full"},
        "受注額 = 決着件数 × 受注率 × 平均受注単価",
    ),
    NodePlan(
        "winning_proposals",
        "ksf",
        "提案の勝率を上げる",
        "bookings",
        "E011",
        reason="競合と比べられた商談で価格以外の理由で選ばれていない",
    ),
    NodePlan(
        "win_rate",
        "kpi",
        "受注率（件数）",
        "winning_proposals",
        "E011",
        "formula",
        {"field_sales": "full", "inside_sales": "partial"},
        "受注額 = 決着件数 × 受注率 × 平均受注単価",
    ),
    NodePlan("won_deals", "kpi", "受注件数", "win_rate", "E011", "formula", {"field_sales": "full"}, "受注率の分子"),
    NodePlan(
        "deal_cycle_days",
        "kpi",
        "平均商談期間",
        "winning_proposals",
        "E031",
        controllable_by={"field_sales": "full"},
        reason="長引く商談ほど見送りになりやすい",
    ),
    NodePlan(
        "proposals",
        "kpi",
        "提案数",
        "winning_proposals",
        "E041",
        "lagged",
        {"field_sales": "full"},
        "受注の前に必ず通る活動",
    ),
    NodePlan(
        "proposal_review_rate",
        "kpi",
        "提案レビュー実施率",
        "winning_proposals",
        "E021",
        controllable_by={"field_sales": "full"},
        reason="レビューは会議で行い、システムに記録が残らないため手入力。半期ごとに自動化を検討する",
    ),
    NodePlan(
        "deal_value",
        "ksf",
        "1件あたりの価値を高める",
        "bookings",
        "E031",
        reason="導入支援や連携を合わせた提案で単価と定着率が上がる",
    ),
    NodePlan(
        "average_deal_size",
        "kpi",
        "平均受注単価",
        "deal_value",
        "E031",
        "formula",
        {"field_sales": "full"},
        "受注額 = 決着件数 × 受注率 × 平均受注単価",
    ),
    NodePlan(
        "gross_margin",
        "kpi",
        "粗利率",
        "deal_value",
        "E001",
        controllable_by={"field_sales": "partial"},
        reason="値引きと機器販売への偏りを早く知る",
    ),
    NodePlan(
        "existing_customers",
        "ksf",
        "既存顧客との取引を深める",
        "bookings",
        "E061",
        reason="受注率が新規の1.3倍あり、商談期間も短い",
    ),
    NodePlan(
        "existing_bookings",
        "kpi",
        "既存顧客からの受注額",
        "existing_customers",
        "E061",
        controllable_by={"customer_success": "partial", "account_owner": "full"},
        reason="追加導入と拠点展開の成果",
    ),
    NodePlan(
        "csat_score",
        "kpi",
        "顧客満足度（平均点）",
        "existing_customers",
        "E062",
        controllable_by={"customer_success": "full"},
        reason="満足度の低下は翌年の解約に先立つ",
    ),
    NodePlan(
        "revenue",
        "kpi",
        "売上額",
        "existing_customers",
        "E061",
        controllable_by={"customer_success": "partial"},
        reason="契約の継続が積み上がる",
    ),
)

# Targets of the running year from April to March, as the company's plan has them; the year before lay 8 % lower.
MILLION = 1_000_000
BOOKINGS = (30, 27, 33, 30, 25, 38, 34, 33, 29, 29, 31, 46)
FLOWS: Mapping[str, Sequence[int]] = {
    "bookings": [each * MILLION for each in BOOKINGS],
    "closed_deals": (48, 43, 53, 48, 40, 61, 54, 53, 46, 46, 50, 74),
    "won_deals": (12, 10, 13, 12, 10, 15, 13, 13, 11, 11, 12, 18),
    "new_leads": (150, 125, 150, 155, 115, 165, 190, 170, 125, 122, 175, 150),
    "mql_count": (82, 70, 80, 82, 75, 85, 100, 95, 75, 72, 90, 82),
    "sql_count": (20, 18, 20, 20, 18, 21, 24, 23, 18, 18, 21, 20),
    "proposals": (33, 30, 34, 33, 30, 36, 35, 35, 32, 31, 34, 40),
    "existing_bookings": [each * MILLION for each in (11, 9, 11, 10, 8, 13, 11, 11, 10, 10, 10, 15)],
    "revenue": [each * MILLION for each in (32, 33, 34, 34, 35, 36, 38, 40, 40, 41, 42, 45)],
}
LEVELS: Mapping[str, tuple[str, str]] = {  # previous year, running year
    "opportunity_rate": ("0.22", "0.23"),
    "win_rate": ("0.22", "0.23"),
    "average_deal_size": ("2500000", "2600000"),
    "deal_cycle_days": ("62", "58"),
    "proposal_review_rate": ("0.70", "0.74"),
    "csat_score": ("3.6", "3.7"),
    "gross_margin": ("0.48", "0.54"),
}
LAST_YEAR = Decimal("0.92")
PLAN_REASON = "年度計画"
RAISE = Decimal("1.1")
RAISE_REASON = "下期から展示会を1回追加し、広告の予算を増やしたため、リード獲得の目標を10%引き上げ"

ENTERED = ("0.72", "0.68", "0.75", "0.81", "0.70", "0.83", "0.78", "0.74", "0.85", "0.66", "0.79", "0.82")
ENTERED_NOTE = "営業会議のレビュー記録から集計"


def company_plan(*, today: date) -> CompanyPlan:
    """Trees of the previous and the running fiscal year, and manual entries up to the last complete month."""
    running = fiscal_year(today)
    return CompanyPlan(
        metrics=METRICS,
        trees=(_tree(running - 1, is_running=False), _tree(running, is_running=True)),
        entries=tuple(_entries(today)),
        phases=PHASES,
    )


def months_of(year: int) -> list[date]:
    """The first days of the twelve closing months of a fiscal year, 4月度 first."""
    return [add_months(first_day_of_year(year), index) for index in range(12)]


def _tree(year: int, *, is_running: bool) -> TreePlan:
    return TreePlan(
        name=f"{year}年度 営業KPIツリー",
        fiscal_year=year,
        style="new_business",
        nodes=NODES,
        targets=tuple(_targets(year, is_running=is_running)),
        changes=tuple(_raised_leads(year)) if is_running else (),
    )


def _targets(year: int, *, is_running: bool) -> Iterator[TargetPlan]:
    months = months_of(year)
    for node, values in FLOWS.items():
        for start, value in zip(months, values, strict=True):
            whole = value if is_running else int(value * LAST_YEAR)
            yield TargetPlan(node, start, Decimal(whole), PLAN_REASON)
    for node, (before, now) in LEVELS.items():
        for start in months:
            yield TargetPlan(node, start, Decimal(now if is_running else before), PLAN_REASON)


def _raised_leads(year: int) -> Iterator[TargetPlan]:
    """The one change in mid-term: more leads from the second half on."""
    for start, value in list(zip(months_of(year), FLOWS["new_leads"], strict=True))[6:]:
        yield TargetPlan("new_leads", start, Decimal(int(value * RAISE)), RAISE_REASON)


def _entries(today: date) -> Iterator[EntryPlan]:
    last = add_months(month_start(today), -1)
    for back, value in enumerate(ENTERED):
        yield EntryPlan("proposal_review_rate", add_months(last, -back), Decimal(value), ENTERED_NOTE)
