"""What can fill a segment of the company: the custom fields that records have, and how often."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from django.utils.translation import gettext as _

from kpis.choices import SEGMENTS
from kpis.engine.facts import FACTS
from kpis.models import Dimension
from kpis.models.dimensions import LABEL_LENGTH
from kpis.models.resources import MODELS
from kpis.selectors.kept import read_kept, read_rows

# The newest records stand for all: of millions nobody waits for every value.
SAMPLED, OFFERED, EXAMPLES = 50_000, 200, 3
SEGMENT_MEMBERS = 500  # more values than anybody reads side by side: numbers, names, free text

# What an account says beside its custom fields fills a segment by the same name.
_OF_ACCOUNT = "jsonb_strip_nulls(jsonb_build_object('industry', industry, 'size', size)) || attributes"
_RECORDS = " UNION ALL ".join(
    f"SELECT '{resource}' AS resource, x.key, x.value FROM (SELECT {fields} AS fields"
    f" FROM {MODELS[resource]._meta.db_table} WHERE deleted_at IS NULL ORDER BY id DESC LIMIT {SAMPLED}) f,"
    " jsonb_each_text(f.fields) x"
    for resource, fields in (("accounts", _OF_ACCOUNT), *((fact, "attributes") for fact in FACTS))
)
_FIELDS = f"""
    SELECT key, resource, count(*), count(DISTINCT value), (array_agg(DISTINCT value))[1:{EXAMPLES}]
    FROM ({_RECORDS}) AS records WHERE value <> '' AND length(key) <= {LABEL_LENGTH} AND {{which}}
    GROUP BY GROUPING SETS ((key), (key, resource))
"""


@dataclass(frozen=True, slots=True)
class SegmentField:
    """One custom field. `record_count` records have a value, of each resource as in `by_resource`.

    `value_count` is how many different values there are; `examples` are some of them.
    """

    key: str
    record_count: int = 0
    value_count: int = 0
    examples: tuple[str, ...] = ()
    by_resource: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def read_fields() -> list[SegmentField]:
    """The custom fields among the newest records of each kind, the most frequent first; one or two queries."""
    found = _folded(read_kept(_FIELDS.format(which="true"), {}))
    return sorted(found.values(), key=lambda each: (-each.record_count, each.key))[:OFFERED]


def count_field(key: str) -> SegmentField:
    """One custom field as it is now among the newest records of each kind; all zero where none has it."""
    return _folded(read_rows(_FIELDS.format(which="key = %(key)s"), {"key": key})).get(key, SegmentField(key))


def segment_remarks(segment: Dimension) -> list[str]:
    """What is to be known about a segment as it is kept now; one query where it is in use."""
    if not segment.is_active or count_field(segment.attribute).record_count:
        return []
    message = _("No record has a value in %(field)s yet. Everything stays unassigned until a source sends one.")
    return [message % {"field": segment.attribute}]


def list_segments() -> list[Dimension]:
    """The five segments, in use or not, in their order."""
    return list(Dimension.objects.filter(code__in=SEGMENTS).order_by("code"))


def segments_in_use() -> list[Dimension]:
    """Those by which the company's numbers are divided."""
    return [row for row in list_segments() if row.is_active]


def _folded(rows: list[tuple[str, str | None, int, int, list[str]]]) -> dict[str, SegmentField]:
    parts: dict[str, dict[str, int]] = {}
    for key, resource, records, _values, _examples in rows:
        if resource is not None:
            parts.setdefault(key, {})[resource] = records
    return {
        key: SegmentField(key, records, values, tuple(examples), MappingProxyType(parts[key]))
        for key, resource, records, values, examples in rows
        if resource is None
    }
