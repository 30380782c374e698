"""What each resource of the bulk contract takes, and how a cell becomes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

FieldKind = Literal["text", "ref", "refs", "list", "date", "moment", "number", "integer", "bool", "enum"]


@dataclass(frozen=True)
class FieldType:
    """How one canonical field is read. `dimension`: its values are members, an unmapped one goes to *unassigned*."""

    kind: FieldKind
    choices: frozenset[str] = frozenset()
    required: bool = False
    dimension: bool = False


@dataclass(frozen=True)
class Resource:
    """One bulk door: its fields, and the place in the order in which doors are filled."""

    slug: str
    position: int
    fields: Mapping[str, FieldType]
    taxed: bool = field(default=False)


TEXT, REF, REFS, WORDS = FieldType("text"), FieldType("ref"), FieldType("refs"), FieldType("list")
DATE, MOMENT = FieldType("date"), FieldType("moment")
NUMBER, INTEGER, BOOL = FieldType("number"), FieldType("integer"), FieldType("bool")
MEMBER = FieldType("text", dimension=True)
PRODUCT = FieldType("ref", dimension=True)
COMMON = {"source_url": TEXT, "source_updated_at": MOMENT}


def _one_of(*choices: str) -> FieldType:
    return FieldType("enum", choices=frozenset(choices))


def _needed(kind: FieldType) -> FieldType:
    return FieldType(kind.kind, choices=kind.choices, required=True, dimension=kind.dimension)


def _resource(slug: str, position: int, *, taxed: bool = False, **fields: FieldType) -> Resource:
    return Resource(slug, position, MappingProxyType({"external_id": _needed(TEXT), **fields, **COMMON}), taxed=taxed)


RESOURCES: Mapping[str, Resource] = MappingProxyType(
    {
        resource.slug: resource
        for resource in (
            _resource(
                "people",
                10,
                name=_needed(TEXT),
                employee_code=TEXT,
                email=TEXT,
                team=REF,
                hired_on=DATE,
                left_on=DATE,
            ),
            _resource(
                "teams",
                20,
                name=_needed(TEXT),
                parent=REF,
                region=MEMBER,
                starts_on=DATE,
                ends_on=DATE,
                succeeds=REFS,
                leaders=REFS,
            ),
            _resource(
                "memberships",
                30,
                person=_needed(REF),
                team=_needed(REF),
                starts_on=DATE,
                ends_on=DATE,
                credited=BOOL,
                share=NUMBER,
            ),
            _resource("products", 40, name=_needed(TEXT), parent=REF, aliases=WORDS),
            _resource(
                "accounts",
                50,
                name=_needed(TEXT),
                owner=REF,
                region=MEMBER,
                industry=TEXT,
                size=TEXT,
                parent=REF,
                first_won_on=DATE,
            ),
            _resource("exchange-rates", 55, currency=_needed(TEXT), rate=_needed(NUMBER), starts_on=_needed(DATE)),
            _resource(
                "leads",
                60,
                created_on=_needed(DATE),
                account=REF,
                owner=REF,
                lead_source=MEMBER,
                status=TEXT,
                mql_on=DATE,
                sql_on=DATE,
                disqualified_on=DATE,
                disqualified_reason=TEXT,
                converted_deal=REF,
                email_hash=TEXT,
            ),
            _resource(
                "deals",
                70,
                taxed=True,
                name=TEXT,
                account=REF,
                owner=REF,
                created_by=REF,
                created_on=DATE,
                expected_close_on=DATE,
                closed_on=DATE,
                outcome=_one_of("open", "won", "lost", "no_decision", "void"),
                phase=TEXT,
                confidence=TEXT,
                amount=NUMBER,
                currency=TEXT,
                gross_profit=NUMBER,
                origin=_one_of("lead", "sales_generated", "referral", "existing", "partner", "unknown"),
                lead=REF,
                lead_source=MEMBER,
                sales_channel=MEMBER,
                partner=MEMBER,
                product=PRODUCT,
                region=MEMBER,
                customer_type=_one_of("new", "existing"),
                lost_reason=TEXT,
                competitor=TEXT,
                postponed_count=INTEGER,
                last_activity_on=DATE,
            ),
            _resource(
                "deal-lines",
                80,
                taxed=True,
                deal=_needed(REF),
                product=_needed(PRODUCT),
                quantity=NUMBER,
                amount=_needed(NUMBER),
                gross_profit=NUMBER,
            ),
            _resource(
                "deal-credits",
                81,
                deal=_needed(REF),
                person=_needed(REF),
                kind=_needed(_one_of("revenue", "overlay")),
                share=NUMBER,
                role=TEXT,
            ),
            _resource("deal-stage-events", 82, deal=_needed(REF), phase=_needed(TEXT), entered_at=_needed(MOMENT)),
            _resource("lead-stage-events", 83, lead=_needed(REF), stage=_needed(TEXT), entered_at=_needed(MOMENT)),
            _resource(
                "activities",
                90,
                kind=_needed(_one_of("call", "meeting", "visit", "mail", "demo", "proposal", "other")),
                happened_on=_needed(DATE),
                owner=REF,
                account=REF,
                deal=REF,
                lead=REF,
                outcome=TEXT,
            ),
            _resource(
                "contracts",
                91,
                taxed=True,
                account=_needed(REF),
                starts_on=_needed(DATE),
                ends_on=DATE,
                mrr=_needed(NUMBER),
                currency=TEXT,
                subscription=TEXT,
                renewal_due_on=DATE,
                renewed=BOOL,
                product=PRODUCT,
                owner=REF,
            ),
            _resource(
                "orders",
                92,
                taxed=True,
                account=_needed(REF),
                ordered_on=_needed(DATE),
                amount=_needed(NUMBER),
                currency=TEXT,
                product=PRODUCT,
                owner=REF,
            ),
            _resource(
                "revenues",
                93,
                taxed=True,
                recognized_on=_needed(DATE),
                account=REF,
                deal=REF,
                amount=_needed(NUMBER),
                gross_profit=NUMBER,
                kind=_one_of("one_off", "recurring", "maintenance", "other"),
                product=PRODUCT,
                owner=REF,
            ),
            _resource(
                "surveys",
                94,
                kind=_needed(_one_of("nps", "csat")),
                score=_needed(NUMBER),
                answered_on=_needed(DATE),
                account=REF,
                owner=REF,
            ),
        )
    }
)
