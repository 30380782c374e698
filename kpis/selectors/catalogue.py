"""The catalogue of metrics as a company sees it: in its language, with what it has already."""

from collections.abc import Mapping
from dataclasses import dataclass

from kpis.engine import specs
from kpis.engine.catalogue import CATALOGUE, facts_of, is_same
from kpis.engine.specs import Spec
from kpis.models import Metric
from kpis.models.resources import MODELS
from kpis.selectors.definitions import newest_specs
from kpis.selectors.wording import spec_words


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One metric of the trade; `metric` is the company's own of the same code, None where it has none.

    `is_defined_otherwise`: that one is another metric, whatever its code says.
    """

    code: str
    name: str
    unit: str
    direction: str
    accumulation: str
    spec: dict[str, object]
    meaning: str
    trap: str
    formula: tuple[str, ...]
    facts: tuple[str, ...]
    fact_names: tuple[str, ...]
    needs: tuple[str, ...]
    metric: Metric | None
    is_defined_otherwise: bool


def read_catalogue(*, language: str) -> list[CatalogueRow]:
    """Every entry in the order of the catalogue; two queries."""
    own = Metric.objects.in_bulk(list(CATALOGUE), field_name="code")
    definitions = newest_specs()
    names = {code: entry.metric.name.in_language(language) for code, entry in CATALOGUE.items()}
    return [
        CatalogueRow(
            code=code,
            name=names[code],
            unit=entry.metric.unit,
            direction=entry.metric.direction,
            accumulation=entry.metric.accumulation,
            spec=specs.to_data(entry.metric.spec),
            meaning=entry.meaning.in_language(language),
            trap=entry.trap.in_language(language),
            formula=tuple(spec_words(entry.metric.spec, names)),
            facts=facts_of(code),
            fact_names=tuple(str(MODELS[fact]._meta.verbose_name_plural) for fact in facts_of(code)),
            needs=entry.needs,
            metric=own.get(code),
            is_defined_otherwise=is_defined_otherwise(code, definitions),
        )
        for code, entry in CATALOGUE.items()
    ]


def is_defined_otherwise(code: str, definitions: Mapping[str, Spec]) -> bool:
    """Whether the company's own metric of an entry's code, if it has one, means something else than the entry."""
    own = definitions.get(code)
    return own is not None and not is_same(own, CATALOGUE[code].metric.spec)
