"""Industry figures beside a KPI: guidance with its caveat, never a target by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kpis.engine.templates.shapes import Text

KINDS = ("mean", "usual_aim", "most_common_target", "band", "case", "forecast", "varies")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One figure about a metric in one sales style.

    `low` and `high` are in the metric's unit (fractions for rates) and equal for a single value; `high` None means "or
    more"; both None with the kind `varies`: no figure holds for everybody, the company's own history does.
    """

    style: str
    metric: str
    kind: str
    low: Decimal | None
    high: Decimal | None
    denominator: Text
    population: Text
    years: str
    source: Text
    note: Text
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True)
class SurveyNote:
    """What a survey said about watching or moving a metric; guidance in one sentence."""

    text: Text
    years: str


_BTOB = Text("BtoB marketers and small firms", "BtoBマーケティング担当者・中小企業")
_PRIVATE = Text("Private surveys", "民間調査")
_CAVEAT = Text(
    "From private surveys, mainly of 2025: the sample is biased, and figures differ by industry and company size.",
    "主に2025年の民間調査によります。回答者に偏りがあり、業種や企業規模によって異なります。",
)
_FORECAST = Text(
    "A forecast of private surveys, not a measurement: the sample is biased, and figures differ by industry and size.",
    "民間調査による予測で、実測ではありません。回答者に偏りがあり、業種や企業規模によって異なります。",
)
_VARIES = Text(
    "It differs so much by company that no figure helps: compare with your own last 12 months.",
    "企業による差が大きく、共通の目安はありません。自社の直近12か月と比べてください。",
)
_PER_MQL = Text("SQL ÷ MQL", "SQL ÷ MQL")
_PER_CLOSED = Text("Won ÷ closed deals", "受注件数 ÷ 決着件数")


def _surveyed(style: str, metric: str, kind: str, low: str, high: str | None, denominator: Text) -> Benchmark:
    is_forecast = kind == "forecast"
    return Benchmark(
        style,
        metric,
        kind,
        Decimal(low),
        Decimal(high) if high is not None else None,
        denominator,
        _BTOB,
        "2026" if is_forecast else "2025",
        _PRIVATE,
        _FORECAST if is_forecast else _CAVEAT,
    )


def _varying(style: str, metric: str, denominator: Text) -> Benchmark:
    return Benchmark(style, metric, "varies", None, None, denominator, _BTOB, "2025", _PRIVATE, _VARIES)


BENCHMARKS: Sequence[Benchmark] = (
    Benchmark(
        "new_business",
        "new_leads",
        "case",
        Decimal(170),
        Decimal(170),
        Text("Leads per month", "1か月あたりのリード数"),
        Text("One mid-sized firm", "中堅企業1社"),
        "2023-2025",
        Text("A published case", "公開事例"),
        Text(
            "The case of a single company: it says little about others.",
            "1社の事例のため、他社にそのまま当てはまりません。",
        ),
    ),
    _surveyed("new_business", "opportunity_rate", "mean", "0.20", "0.20", _PER_MQL),
    _surveyed("new_business", "opportunity_rate", "usual_aim", "0.11", "0.20", _PER_MQL),
    _surveyed("new_business", "opportunity_rate", "most_common_target", "0.15", "0.15", _PER_MQL),
    _surveyed("new_business", "win_rate", "band", "0.15", "0.25", _PER_CLOSED),
    _varying("route_sales", "csat", Text("Top-two answers ÷ responses", "上位2段階の回答 ÷ 回答数")),
    _varying("route_sales", "nps", Text("Share of 9-10 minus share of 0-6", "9〜10点の割合 − 0〜6点の割合")),
    _varying(
        "route_sales",
        "repeat_rate",
        Text("Customers with two orders or more ÷ with one or more", "2回以上注文した顧客 ÷ 1回以上注文した顧客"),
    ),
    _varying("route_sales", "clv", Text("Gross profit to date per customer", "顧客1社あたりの累計粗利")),
    _varying("route_sales", "churn_rate", Text("Customers lost ÷ customers at the start", "解約した顧客 ÷ 期首の顧客")),
    _surveyed(
        "inside_sales",
        "opportunity_rate_leads",
        "forecast",
        "0.20",
        "0.30",
        Text("Opportunities ÷ leads", "商談 ÷ リード"),
    ),
    _surveyed("inside_sales", "win_rate", "forecast", "0.15", "0.25", _PER_CLOSED),
    _surveyed(
        "inside_sales",
        "renewal_rate",
        "forecast",
        "0.80",
        None,
        Text("Renewed ÷ due contracts", "更新した契約 ÷ 更新期限を迎えた契約"),
    ),
    _varying(
        "inside_sales", "nrr", Text("MRR today of the starting customers ÷ MRR then", "期首顧客の現在のMRR ÷ 期首のMRR")
    ),
)

_ABOUT_KPIS = SurveyNote(
    Text(
        "39.0% of small BtoB firms (59.0% of those that live on referrals) have no clear KPI. Private survey; differs"
        " by industry and size.",
        "BtoBの中小企業の39.0%（紹介中心の企業では59.0%）は明確なKPIを持っていません。民間調査によるもので、"
        "業種や企業規模によって異なります。",
    ),
    "2025",
)
_ABOUT_QUOTAS = SurveyNote(
    Text(
        "84% of sellers worldwide missed their quota. A worldwide survey: not a measure of firms in Japan.",
        "世界では営業担当者の84%が目標に届きませんでした。世界全体の調査で、日本企業の実態を示すものではありません。",
    ),
    "2025",
)
SURVEY_NOTES: Mapping[str, Sequence[SurveyNote]] = {
    "new_leads": (
        SurveyNote(
            Text(
                "The KPI watched most (32.1%), because marketing can control it (58.0%).",
                "最も重視されているKPIです（32.1%）。マーケティングが自ら動かせることが理由です（58.0%）。",
            ),
            "2025",
        ),
    ),
    "referrals": (_ABOUT_KPIS,),
    "bookings": (_ABOUT_QUOTAS, _ABOUT_KPIS),
    "win_rate": (
        SurveyNote(Text("The KPI watched second most (11.1%).", "2番目に重視されているKPIです（11.1%）。"), "2025"),
    ),
    "opportunity_rate_leads": (
        SurveyNote(
            Text(
                "85% of buyers have a shortlist before the first meeting.",
                "買い手の85%は、最初の商談の前に候補を絞り込んでいます。",
            ),
            "2025",
        ),
    ),
    "nrr": (
        SurveyNote(
            Text(
                "Firms move from MQL and pipeline toward NRR and CLV.",
                "MQLや商談量から、NRRやCLVへ重点を移す企業が増えています。",
            ),
            "2025",
        ),
    ),
}


def benchmarks_for(metric: str, style: str | None) -> tuple[Benchmark, ...]:
    """The figures about a metric in a sales style; of every style where the tree has none or the style says nothing.

    >>> [benchmark.kind for benchmark in benchmarks_for("win_rate", "inside_sales")]
    ['forecast']
    >>> benchmarks_for("bookings", "new_business")
    ()
    """
    known = tuple(each for each in BENCHMARKS if each.metric == metric)
    own = tuple(each for each in known if each.style == style)
    return own or known
