"""What a metric's filters can name: the fields of a fact in words, and the values that the data holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils.translation import gettext as _

from kpis.choices import VALUE_DIMENSIONS
from kpis.engine import specs
from kpis.engine.facts import ACCOUNT_FIELDS, DEAL_FIELDS, FACTS, Fact, FactField, FieldType
from kpis.models import Account, DimensionMember, Person
from kpis.models.resources import MODELS
from kpis.selectors.wording import field_name, value_name

# The newest records stand for all: of millions nobody waits for every value.
SAMPLED, OFFERED = 5000, 50
_TYPES = {"number": FieldType.NUMBER, "boolean": FieldType.BOOL}
_NAMED: Mapping[str, type[Account] | type[Person]] = {"owner": Person, "created_by": Person, "account": Account}

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class KnownField:
    """One field: its type as the data has it, and values with their words; `is_closed` = there are no others."""

    type: FieldType
    values: Pairs = ()
    is_closed: bool = False


def fields_in_words(fact: Fact, facts: Sequence[str]) -> list[tuple[str, Pairs]]:
    """What can be asked of a fact, in groups: its own fields, its account's and deal's, and the custom ones there are.

    `facts` are those that the records belong to: one, unless a metric reads several.
    """
    main = facts[0]
    own = [(name, field_name(main, name)) for name in fact.fields]
    custom = [(f"{specs.ATTRIBUTES}{key}", key) for each in facts for key in _custom_fields(each)]
    groups = [(str(MODELS[main]._meta.verbose_name), own), (_("Custom fields"), list(dict.fromkeys(custom)))]
    if "account" in fact.fields:
        names = [*ACCOUNT_FIELDS, *(f"{specs.ATTRIBUTES}{key}" for key in _custom_fields("accounts"))]
        of_account = [f"{specs.ACCOUNT}{name}" for name in names]
        groups.append((str(MODELS["accounts"]._meta.verbose_name), [(n, field_name(main, n)) for n in of_account]))
    if "deal" in fact.fields:
        names = [*DEAL_FIELDS, *(f"{specs.ATTRIBUTES}{key}" for key in _custom_fields("deals"))]
        of_deal = [*fact.carried, *(f"{specs.DEAL}{name}" for name in names)]
        groups.append((str(MODELS["deals"]._meta.verbose_name), [(n, field_name(main, n)) for n in of_deal]))
    return [(label, pairs) for label, pairs in groups if pairs]


def custom_numbers(fact: str) -> Pairs:
    """The custom fields of a fact that hold numbers."""
    return [(f"{specs.ATTRIBUTES}{key}", key) for key, kinds in _custom_fields(fact).items() if kinds == {"number"}]


def read_known(fact: str, field: str) -> KnownField:
    """What is known of one field of a fact; one or two queries."""
    if field.startswith(specs.ACCOUNT):
        return read_known("accounts", field.removeprefix(specs.ACCOUNT))
    if field.startswith(specs.DEAL):
        return read_known("deals", field.removeprefix(specs.DEAL))
    if fact in FACTS and field in FACTS[fact].carried:
        return read_known("deals", field)
    if field.startswith(specs.ATTRIBUTES):
        return _known_custom(fact, field.removeprefix(specs.ATTRIBUTES))
    known = ACCOUNT_FIELDS.get(field) if fact == "accounts" else FACTS[fact].fields.get(field)
    if known is None:
        return KnownField(FieldType.TEXT)
    if known.choices or known.type is FieldType.BOOL:
        return KnownField(known.type, _closed(fact, field, known), is_closed=True)
    if field == "product" or (field in VALUE_DIMENSIONS and fact != "accounts"):
        rows = DimensionMember.objects.filter(dimension__code=field, is_unassigned=False, is_active=True)
        return KnownField(known.type, list(rows.order_by("name").values_list("code", "name")[:OFFERED]))
    if field in _NAMED:
        named = _NAMED[field].objects.filter(deleted_at=None).order_by("name")
        return KnownField(known.type, list(named.values_list("external_id", "name")[:OFFERED]))
    if known.type is not FieldType.TEXT:
        return KnownField(known.type)
    return KnownField(known.type, _sampled(fact, f"nullif({connection.ops.quote_name(field)}, '')", []))


def _closed(fact: str, field: str, known: FactField) -> Pairs:
    if known.type is FieldType.BOOL:
        return [("true", _("Yes")), ("false", _("No"))]
    order = [code for code, _label in getattr(MODELS[fact]._meta.get_field(field), "flatchoices", None) or ()]
    codes = [code for code in order if code in known.choices] or sorted(known.choices)
    return [(code, value_name(fact, field, code)) for code in codes]


def _known_custom(fact: str, key: str) -> KnownField:
    kinds = _custom_fields(fact).get(key, frozenset())
    kind = _TYPES.get(next(iter(kinds)), FieldType.ANY) if len(kinds) == 1 else FieldType.ANY
    if kind is FieldType.BOOL:
        return KnownField(kind, [("true", _("Yes")), ("false", _("No"))], is_closed=True)
    return KnownField(kind, _sampled(fact, "nullif(attributes->>%s, '')", [key]))


def _custom_fields(fact: str) -> dict[str, frozenset[str]]:
    """Custom field → the JSON types of its values, among the newest records."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT x.key, array_agg(DISTINCT jsonb_typeof(x.value)) FILTER (WHERE jsonb_typeof(x.value) <> 'null')"
            f" FROM (SELECT attributes FROM {MODELS[fact]._meta.db_table} WHERE deleted_at IS NULL"
            " ORDER BY id DESC LIMIT %s) f, jsonb_each(f.attributes) x GROUP BY 1 ORDER BY 1 LIMIT 200",
            [SAMPLED],
        )
        return {key: frozenset(kinds or ()) for key, kinds in cursor.fetchall()}


def _sampled(fact: str, expression: str, params: list[str]) -> Pairs:
    """The most frequent values of an expression among the newest records."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT value FROM (SELECT {expression} AS value FROM {MODELS[fact]._meta.db_table}"
            " WHERE deleted_at IS NULL ORDER BY id DESC LIMIT %s) f WHERE value IS NOT NULL"
            " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %s",
            [*params, SAMPLED, OFFERED],
        )
        return [(value, value) for (value,) in cursor.fetchall()]
