"""KPI trees shipped by sales style, the industry benchmarks beside them, and the targets that a typed goal implies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from kpis.engine.back_calculation import DEAL_SIZE, GOAL, Stage, funnel, whole_up, work_back
from kpis.engine.specs import Filter, Formula, Ratio, Simple, Spec


@dataclass(frozen=True, slots=True)
class Text:
    """A text that becomes the company's own data, in both languages."""

    english: str
    japanese: str

    def in_language(self, language: str) -> str:
        """
        >>> Text("Bookings", "受注額").in_language("ja")
        '受注額'
        """
        return self.japanese if language.startswith("ja") else self.english


@dataclass(frozen=True, slots=True)
class TemplateMetric:
    """A metric with its definition."""

    code: str
    name: Text
    unit: str
    accumulation: str
    spec: Spec
    direction: str = "up"


@dataclass(frozen=True, slots=True)
class TemplateNode:
    """A place in the tree; a KSF has no metric but a reason, a KPI says who can move it."""

    code: str
    level: str
    name: Text
    parent: str | None = None
    metric: str | None = None
    link: str = "influence"
    reason: Text | None = None
    controllable_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """A tree for one sales style; parents stand before their children."""

    style: str
    name: Text
    metrics: Sequence[TemplateMetric]
    nodes: Sequence[TemplateNode]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An industry figure for guidance, never a target by itself; `low` equals `high` for a single value."""

    metric: str
    kind: str
    low: Decimal
    high: Decimal
    denominator: Text
    population: Text
    years: str
    caveat: Text
    is_confirmed: bool = False


class TypedNumberError(ValueError):
    """A typed number from which no targets can be worked back: which one, and what was typed."""

    def __init__(self, field_name: str, value: Decimal) -> None:
        self.field = field_name
        self.value = value
        super().__init__(f"{field_name} cannot be {value}: type an amount above 0, or a rate above 0 and up to 1.")


def targets_from(
    kgi_amount: Decimal | None, rates: Mapping[str, Decimal], average_deal_size: Decimal | None
) -> Mapping[str, Decimal]:
    """Yearly targets worked back from the goal, only as far as typed numbers reach; counts are rounded up.

    Won deals = amount ÷ deal size; closed deals = won ÷ win rate, each an accepted opportunity (SQL);
    MQL = SQL ÷ opportunity rate; leads = MQL ÷ MQL rate. Raises TypedNumberError.

    >>> yearly = targets_from(Decimal(34_000_000), {"win_rate": Decimal(1), "opportunity_rate": Decimal("0.2")},
    ...                       Decimal(1_000_000))
    >>> int(yearly["mql"])
    170
    """
    _check_typed(kgi_amount, rates, average_deal_size)
    amounts = {"bookings": kgi_amount, DEAL_SIZE: average_deal_size}
    typed = {**{code: amount for code, amount in amounts.items() if amount is not None}, **rates}
    if kgi_amount is None:
        return typed
    needed = work_back(funnel(has_mql=True), GOAL, kgi_amount, typed)
    counted = {stage: whole_up(number) for stage, number in needed.items() if stage not in (GOAL, Stage.OPPORTUNITIES)}
    return {**typed, **counted}


def _check_typed(kgi_amount: Decimal | None, rates: Mapping[str, Decimal], average_deal_size: Decimal | None) -> None:
    for field_name, amount in (("kgi_amount", kgi_amount), ("average_deal_size", average_deal_size)):
        if amount is not None and amount <= 0:
            raise TypedNumberError(field_name, amount)
    for code, rate in rates.items():
        if not 0 < rate <= 1:
            raise TypedNumberError(code, rate)


def _closed(*outcomes: str) -> tuple[Filter, ...]:
    return (Filter("outcome", "in", outcomes),)


_WON = Simple("deals", "closed_on", "count", filters=_closed("won"))
_BOOKINGS = Simple("deals", "closed_on", "sum", field="amount", filters=_closed("won"))
_DEAL_SIZE = Simple("deals", "closed_on", "average", field="amount", filters=_closed("won"))
_CLOSED = Simple("deals", "closed_on", "count", filters=_closed("won", "lost", "no_decision"))
_MQL = Simple("leads", "mql_on", "count")
_SQL = Simple("leads", "sql_on", "count")

NEW_BUSINESS = Template(
    style="new_business",
    name=Text("New business", "新規開拓"),
    metrics=(
        TemplateMetric("bookings", Text("Bookings", "受注額"), "amount", "sum", _BOOKINGS),
        TemplateMetric(
            "new_leads", Text("New leads", "新規リード獲得数"), "count", "sum", Simple("leads", "created_on", "count")
        ),
        TemplateMetric("mql", Text("MQL", "MQL数"), "count", "sum", _MQL),
        TemplateMetric("sql", Text("SQL", "SQL数"), "count", "sum", _SQL),
        TemplateMetric(
            "opportunity_rate",
            Text("Opportunity rate (MQL→SQL)", "商談化率（MQL→SQL）"),
            "percent",
            "rate",
            Ratio(_SQL, _MQL),
        ),
        TemplateMetric("won_deals", Text("Won deals", "受注件数"), "count", "sum", _WON),
        TemplateMetric("closed_deals", Text("Closed deals", "決着件数"), "count", "sum", _CLOSED),
        TemplateMetric(
            "win_rate",
            Text("Win rate (count)", "受注率（件数）"),
            "percent",
            "rate",
            Formula("won_deals / closed_deals"),
        ),
        TemplateMetric("average_deal_size", Text("Average deal size", "平均受注単価"), "amount", "average", _DEAL_SIZE),
    ),
    nodes=(
        TemplateNode("bookings", "kgi", Text("Bookings", "受注額"), metric="bookings"),
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
            Text("New leads", "新規リード獲得数"),
            parent="new_customers",
            metric="new_leads",
            controllable_by={"marketing": "full", "field_sales": "partial"},
        ),
        TemplateNode(
            "opportunity_rate",
            "kpi",
            Text("Opportunity rate (MQL→SQL)", "商談化率（MQL→SQL）"),
            parent="new_customers",
            metric="opportunity_rate",
            controllable_by={"inside_sales": "full", "marketing": "full"},
        ),
        TemplateNode("mql", "kpi", Text("MQL", "MQL数"), parent="opportunity_rate", metric="mql", link="formula"),
        TemplateNode("sql", "kpi", Text("SQL", "SQL数"), parent="opportunity_rate", metric="sql", link="formula"),
        TemplateNode(
            "win_rate",
            "kpi",
            Text("Win rate (count)", "受注率（件数）"),
            parent="new_customers",
            metric="win_rate",
            controllable_by={"field_sales": "full"},
        ),
        TemplateNode(
            "won_deals", "kpi", Text("Won deals", "受注件数"), parent="win_rate", metric="won_deals", link="formula"
        ),
        TemplateNode(
            "closed_deals",
            "kpi",
            Text("Closed deals", "決着件数"),
            parent="win_rate",
            metric="closed_deals",
            link="formula",
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
            Text("Average deal size", "平均受注単価"),
            parent="customer_value",
            metric="average_deal_size",
            controllable_by={"field_sales": "partial"},
        ),
    ),
)

TEMPLATES: Mapping[str, Template] = {NEW_BUSINESS.style: NEW_BUSINESS}

_SURVEYS = Text("BtoB marketers and small firms, private surveys", "BtoBマーケティング担当者・中小企業（民間調査）")
_CAVEAT = Text(
    "From private surveys, mainly of 2025: the sample is biased, and figures differ by industry and company size.",
    "主に2025年の民間調査によります。回答者に偏りがあり、業種や企業規模によって異なります。",
)
_PER_MQL = Text("SQL ÷ MQL", "SQL ÷ MQL")

BENCHMARKS: Sequence[Benchmark] = (
    Benchmark(
        "new_leads",
        "case",
        Decimal(170),
        Decimal(170),
        Text("Leads per month", "1か月あたりのリード数"),
        Text("One mid-sized firm", "中堅企業1社"),
        "2023-2025",
        Text(
            "The case of a single company: it says little about others.",
            "1社の事例のため、他社にそのまま当てはまりません。",
        ),
    ),
    Benchmark("opportunity_rate", "mean", Decimal("0.20"), Decimal("0.20"), _PER_MQL, _SURVEYS, "2025", _CAVEAT),
    Benchmark("opportunity_rate", "usual_aim", Decimal("0.11"), Decimal("0.20"), _PER_MQL, _SURVEYS, "2025", _CAVEAT),
    Benchmark(
        "opportunity_rate", "most_common_target", Decimal("0.15"), Decimal("0.15"), _PER_MQL, _SURVEYS, "2025", _CAVEAT
    ),
    Benchmark(
        "win_rate",
        "band",
        Decimal("0.15"),
        Decimal("0.25"),
        Text("Won ÷ closed deals", "受注件数 ÷ 決着件数"),
        _SURVEYS,
        "2025",
        _CAVEAT,
    ),
)
