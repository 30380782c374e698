"""What each fact offers to a metric: its date axes, its fields with their types, and what may be aggregated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class FieldType(StrEnum):
    """The type of a fact's field, which decides the operators a filter may use on it."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    BOOL = "bool"
    REF = "ref"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class FactField:
    """One field: its type and, for a closed list, the codes it may have."""

    type: FieldType
    choices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fact:
    """One resource of the contract as a metric sees it.

    `dates` are the axes a measure may lie on; `fields` are what filters, aggregates and `days_between` may name;
    `carried` are the fields of its deal by which it may be filtered as the deal itself is.

    >>> sorted(FACTS["revenues"].carried), sorted(FACTS["orders"].carried)
    (['customer_type', 'lead_source', 'partner', 'region', 'sales_channel'], [])
    """

    code: str
    dates: tuple[str, ...]
    fields: Mapping[str, FactField] = field(default_factory=dict)
    carried: Mapping[str, FactField] = field(default_factory=dict)
    has_overlay: bool = False

    def of_type(self, kind: FieldType) -> tuple[str, ...]:
        """Names of the fields of one type, in the order of the contract.

        >>> FACTS["contracts"].of_type(FieldType.NUMBER)
        ('mrr',)
        """
        return tuple(name for name, each in self.fields.items() if each.type is kind)


# What a filter may ask of the account that a fact belongs to, beside the account's custom fields.
ACCOUNT_FIELDS: Mapping[str, FactField] = MappingProxyType(
    {name: FactField(FieldType.TEXT) for name in ("industry", "size", "region")}
)


def _choices(*codes: str) -> FactField:
    return FactField(FieldType.TEXT, frozenset(codes))


_ORIGINS = _choices("lead", "sales_generated", "referral", "existing", "partner", "unknown")
_CUSTOMER_TYPES = _choices("new", "existing")
# What a filter may ask of the deal that a fact belongs to, beside the deal's custom fields and what is carried.
DEAL_FIELDS: Mapping[str, FactField] = MappingProxyType({"origin": _ORIGINS})
# What the events of a fact that belongs to a deal say of it.
_CARRIED: Mapping[str, FactField] = MappingProxyType(
    {name: FactField(FieldType.TEXT) for name in ("lead_source", "sales_channel", "partner", "region")}
    | {"customer_type": _CUSTOMER_TYPES, "product": FactField(FieldType.REF)}
)


def _fact(
    code: str,
    dates: str,
    *,
    ref: str = "",
    text: str = "",
    number: str = "",
    flag: str = "",
    other_dates: str = "",
    choices: Mapping[str, FactField] | None = None,
    has_overlay: bool = False,
) -> Fact:
    named = [
        (FieldType.REF, ref),
        (FieldType.TEXT, text),
        (FieldType.NUMBER, number),
        (FieldType.BOOL, flag),
        (FieldType.DATE, f"{dates} {other_dates}"),
    ]
    fields = {name: FactField(kind) for kind, names in named for name in names.split()}
    fields.update(choices or {})
    carried = {name: each for name, each in _CARRIED.items() if "deal" in fields and name not in fields}
    return Fact(code, tuple(dates.split()), MappingProxyType(fields), MappingProxyType(carried), has_overlay)


FACTS: Mapping[str, Fact] = MappingProxyType(
    {
        fact.code: fact
        for fact in (
            _fact(
                "leads",
                "created_on mql_on sql_on disqualified_on",
                ref="account owner converted_deal",
                text="lead_source status disqualified_reason",
            ),
            _fact("lead-stage-events", "entered_at", ref="lead", text="stage"),
            _fact(
                "deals",
                "created_on closed_on expected_close_on",
                ref="account owner created_by lead product",
                text="name phase confidence currency lead_source sales_channel partner region lost_reason competitor",
                number="amount gross_profit postponed_count",
                other_dates="last_activity_on",
                choices={
                    "outcome": _choices("open", "won", "lost", "no_decision", "void"),
                    "origin": _ORIGINS,
                    "customer_type": _CUSTOMER_TYPES,
                },
                has_overlay=True,
            ),
            _fact("deal-stage-events", "entered_at", ref="deal", text="phase"),
            _fact(
                "activities",
                "happened_on",
                ref="owner account deal lead",
                text="outcome",
                choices={"kind": _choices("call", "meeting", "visit", "mail", "demo", "proposal", "other")},
            ),
            _fact(
                "contracts",
                "starts_on ends_on renewal_due_on",
                ref="account product owner",
                text="currency subscription",
                number="mrr",
                flag="renewed",
            ),
            _fact("orders", "ordered_on", ref="account product owner", text="currency", number="amount"),
            _fact(
                "revenues",
                "recognized_on",
                ref="account deal product owner",
                number="amount gross_profit",
                choices={"kind": _choices("one_off", "recurring", "maintenance", "other")},
            ),
            _fact(
                "surveys",
                "answered_on",
                ref="account owner",
                number="score",
                choices={"kind": _choices("nps", "csat")},
            ),
        )
    }
)
