"""How sources differ from what was mapped, in words and with the KPIs that it hurts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from integrations.choices import describe_drift
from integrations.connectors.drift import Drift
from integrations.models import Connection
from integrations.selectors.labels import field_label, resource_label
from kpis.models import Metric
from kpis.selectors.field_uses import metrics_by_field


@dataclass(frozen=True)
class DriftWarning:
    """One difference: which field of what it fills, in words; `metrics` are computed from it."""

    connection: Connection
    stream: str
    resource: str
    is_bad: bool
    sentence: str
    metrics: tuple[Metric, ...]

    @property
    def metric_names(self) -> str:
        return "、".join(each.name for each in self.metrics)


# Where nothing of a record is wrong, only its name is another.
HARMLESS = frozenset({"word_renamed", "word_gone"})


def drift_warnings(*, connections: list[Connection], day: date) -> list[DriftWarning]:
    """The differences that were found last, the bad ones first. Two queries where there are any, else none."""
    if not any(each.drift for each in connections):
        return []
    readers = metrics_by_field(day=day)
    found = [warning for connection in connections for warning in _warnings(connection, connection.drift, readers)]
    return sorted(found, key=lambda each: not each.is_bad)


def said_of(*, connection: Connection, found: Sequence[Drift], day: date) -> list[DriftWarning]:
    """Differences that were just found, as they stand. One query where there are any, else none."""
    readers = metrics_by_field(day=day) if found else {}
    return list(_warnings(connection, [asdict(each) for each in found], readers))


def _warnings(
    connection: Connection, drift: Iterable[Mapping[str, Any]], readers: Mapping[tuple[str, str], Sequence[Metric]]
) -> Iterator[DriftWarning]:
    for each in drift:
        field = f"{resource_label(each['resource'])}・{field_label(each['resource'], each['field'])}"
        yield DriftWarning(
            connection=connection,
            stream=each["stream"],
            resource=each["resource"],
            is_bad=each["code"] not in HARMLESS,
            sentence=describe_drift(each["code"], {**each["params"], "column": each["column"], "field": field}),
            metrics=tuple(readers.get((each["resource"], each["field"]), ())),
        )


def warnings_for(*, metric: Metric, day: date) -> list[DriftWarning]:
    """The bad differences that hurt one metric. One query where there are none."""
    drifted = list(Connection.objects.exclude(drift=[]))
    found = drift_warnings(connections=drifted, day=day)
    return [each for each in found if each.is_bad and metric.pk in {one.pk for one in each.metrics}]
