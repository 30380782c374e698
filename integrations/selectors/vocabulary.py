"""What the words of a source can mean in each field: closed lists, people, products, members of dimensions, stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from integrations.connectors.catalogue import fields_of
from integrations.connectors.mapping import Unlisted, elsewhere
from integrations.selectors.labels import value_label
from kpis.engine.resources import Field, Kind
from kpis.models import DealPhase, DimensionMember, ExternalIdentity, Person, Product
from kpis.selectors.known_values import read_known

# The stages of a lead that numbers are made of, in their order; a company may have more of its own.
STAGES = {
    "mql": _("MQL"),
    "sql": _("SQL"),
    "returned": _("Returned to marketing"),
    "disqualified": _("Disqualified"),
}
BY_MEMBERS = ("region", "lead_source", "sales_channel", "partner")
MOST_OPTIONS = 1_000
_RECORDS: Mapping[str, type[Person] | type[Product]] = {"people": Person, "products": Product}


@dataclass(frozen=True)
class Vocabulary:
    """What words can mean in one field, as (code, name).

    `is_closed`: there are no other values. `understood` are words that are ids of the source itself and need no
    meaning. `unlisted` says what becomes of a word without meaning, before a person chooses otherwise.
    """

    options: tuple[tuple[str, str], ...]
    is_closed: bool = False
    understood: frozenset[str] = frozenset()
    unlisted: Unlisted = "keep"


def vocabularies(*, resource: str, source: str) -> dict[str, Vocabulary]:
    """The fields of a resource whose words can be given a meaning. A few queries, none for closed lists."""
    known: dict[str, Vocabulary] = {}
    found: dict[str, Vocabulary] = {}
    for name, spec in fields_of(resource).items():
        if spec.choices:
            options = tuple((code, value_label(resource, name, code)) for code in sorted(spec.choices))
            found[name] = Vocabulary(options, is_closed=True)
        elif spec.kind is Kind.REF and spec.entity in _RECORDS:
            if spec.entity not in known:
                known[spec.entity] = _records(spec.entity, source)
            found[name] = known[spec.entity]
        elif (open_words := _open(resource, name, spec)) is not None:
            found[name] = open_words
    return found


def _records(entity: str, source: str) -> Vocabulary:
    rows = _RECORDS[entity].objects.filter(deleted_at=None).order_by("name", "external_id")
    told = list(rows.values_list("source", "external_id", "name")[:MOST_OPTIONS])
    names = [name for _source, _id, name in told]
    options = tuple(
        (
            external_id if of == source else elsewhere(of, external_id),
            name if names.count(name) == 1 else f"{name} ({of} {external_id})",
        )
        for of, external_id, name in told
    )
    own = _RECORDS[entity].objects.filter(source=source).values_list("external_id", flat=True)
    further = ExternalIdentity.objects.filter(entity=entity, source=source).values_list("external_id", flat=True)
    return Vocabulary(options, understood=frozenset([*own, *further]))


def _open(resource: str, name: str, spec: Field) -> Vocabulary | None:
    if name in BY_MEMBERS and spec.kind is Kind.TEXT and resource not in ("teams", "accounts"):
        members = DimensionMember.objects.filter(dimension__code=name, is_active=True, is_unassigned=False)
        return Vocabulary(tuple(members.order_by("name").values_list("code", "name")[:MOST_OPTIONS]))
    if name == "phase":
        named = dict(DealPhase.objects.values_list("code", "name"))
        return Vocabulary(_joined(named, read_known("deals", name).values))
    if (resource, name) == ("lead-stage-events", "stage"):
        ours = {code: str(label) for code, label in STAGES.items()}
        return Vocabulary(_joined(ours, read_known(resource, name).values), unlisted="count")
    return None


def _joined(named: Mapping[str, str], used: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """What has a name, and behind it what the data uses besides."""
    return (*named.items(), *(pair for pair in used if pair[0] not in named))
