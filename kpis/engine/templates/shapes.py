"""What a template is made of: metrics, places in the tree, the typed numbers, and driver KPIs that may be added."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kpis.engine import specs
from kpis.engine.specs import Spec

# How large one of what makes up a goal is → the count that goal ÷ size gives.
SIZES: Mapping[str, str] = {"average_deal_size": "won_deals", "revenue_per_customer": "customers_with_revenue"}


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

    @property
    def data(self) -> Mapping[str, object]:
        """The definition as CONTRACT "Definitions" writes it.

        >>> TemplateMetric("visits", Text("Visits", "訪問数"), "count", "sum", specs.Manual()).data
        {'kind': 'manual'}
        """
        return specs.to_data(self.spec)


@dataclass(frozen=True, slots=True)
class TemplateNode:
    """A place in the tree. A KSF has no metric; every KSF and KPI says why it stands there, a KPI who can move it."""

    code: str
    level: str
    name: Text
    parent: str | None = None
    metric: str | None = None
    link: str = "influence"
    reason: Text | None = None
    controllable_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Driver:
    """A KPI added from practice, off by default: its metric, and the place it takes below a KSF of the template."""

    metric: TemplateMetric
    node: TemplateNode


@dataclass(frozen=True, slots=True)
class Step:
    """One step back from the goal: `code` = `source` ÷ the typed `rate` (None: the same number)."""

    code: str
    source: str
    rate: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A tree for one sales style; parents stand before their children.

    `typed` are the numbers asked for when a company is created: the goal as `kgi_amount`, and codes of metrics. `steps`
    work targets back from the count that goal ÷ typed size is (SIZES). `is_from_practice`: not from the surveys.
    """

    style: str
    name: Text
    metrics: Sequence[TemplateMetric]
    nodes: Sequence[TemplateNode]
    typed: Sequence[str] = ("kgi_amount",)
    steps: Sequence[Step] = ()
    drivers: Sequence[Driver] = ()
    is_from_practice: bool = False

    @property
    def goal(self) -> str:
        """The code of the KGI."""
        return self.nodes[0].code

    @property
    def size(self) -> str:
        """The typed size by which the goal is divided; the average deal size where none is asked for."""
        return next((code for code in self.typed if code in SIZES), "average_deal_size")
