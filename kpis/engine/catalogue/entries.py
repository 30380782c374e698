"""What one metric of the catalogue says of itself."""

from dataclasses import dataclass

from kpis.engine.formula import names
from kpis.engine.specs import Formula, Spec
from kpis.engine.templates import TemplateMetric, Text


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One metric of the trade. `trap` is how it misleads those who read it carelessly."""

    metric: TemplateMetric
    meaning: Text
    trap: Text

    @property
    def needs(self) -> tuple[str, ...]:
        """Codes of the other entries that its formula names."""
        spec = self.metric.spec
        return tuple(dict.fromkeys(names(spec.expression))) if isinstance(spec, Formula) else ()


def entry(
    code: str,
    name: tuple[str, str],
    shape: str,
    spec: Spec,
    meaning: tuple[str, str],
    trap: tuple[str, str],
    direction: str = "up",
) -> CatalogueEntry:
    """`shape` is unit and accumulation, as "count sum"."""
    unit, accumulation = shape.split()
    metric = TemplateMetric(code, Text(*name), unit, accumulation, spec, direction)
    return CatalogueEntry(metric, Text(*meaning), Text(*trap))
