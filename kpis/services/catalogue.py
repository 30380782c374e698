"""Metrics of the catalogue become the company's own."""

from datetime import datetime
from typing import Any

from django.db import transaction

from kpis.engine import specs
from kpis.engine.catalogue import CATALOGUE, with_needs
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import Metric
from kpis.selectors.catalogue import is_defined_otherwise
from kpis.selectors.definitions import newest_specs
from kpis.services.definitions import DefinitionError, create_metric


def add_from_catalogue(*, code: str, language: str, actor: Any, now: datetime) -> Metric:
    """The metric of a catalogue entry, after those that its formula needs; what the company has stays as it is.

    Raises DefinitionError for a code that the catalogue does not have, and for one by which the company defines
    something else: two definitions are two metrics.
    """
    if code not in CATALOGUE:
        template = gettext_noop("The catalogue has no metric %(code)s. See the list of the catalogue.")
        raise DefinitionError(issues=[Issue("code", "unknown", template, (("code", code),))])
    if is_defined_otherwise(code, newest_specs()):
        own = Metric.objects.get(code=code)
        template = gettext_noop(
            "Your metric %(name)s has the code %(code)s already and is defined otherwise, so %(entry)s was not added. "
            "To measure that as well, make a metric of another code with the definition of the catalogue."
        )
        entry_name = CATALOGUE[code].metric.name.in_language(language)
        params = (("name", own.name), ("code", code), ("entry", entry_name))
        raise DefinitionError(issues=[Issue("code", "defined_otherwise", template, params)])
    with transaction.atomic():
        for each in with_needs(code):
            entry = CATALOGUE[each].metric
            if Metric.objects.filter(code=each).exists():
                continue
            create_metric(
                code=each,
                name=entry.name.in_language(language),
                unit=entry.unit,
                accumulation=entry.accumulation,
                direction=entry.direction,
                spec=specs.to_data(entry.spec),
                actor=actor,
                now=now,
            )
    return Metric.objects.get(code=code)
