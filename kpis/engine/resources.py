"""The resources of the bulk door, as the contract lists them, and what kind of value each of their fields holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """How a field is read. Of an ADDRESS only its keyed hash is kept, of a DOMAIN that of a company."""

    TEXT = "text"
    DATE = "date"
    MOMENT = "moment"
    NUMBER = "number"
    INTEGER = "integer"
    CURRENCY = "currency"
    FLAG = "flag"
    REF = "ref"
    REFS = "refs"
    TEXTS = "texts"
    ADDRESS = "address"
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource. `may_be_null` says that a required key may still carry null."""

    kind: Kind
    is_required: bool = False
    may_be_null: bool = False
    length: int = 200
    choices: frozenset[str] = frozenset()
    entity: str = ""
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    @property
    def is_reference(self) -> bool:
        return self.kind in {Kind.REF, Kind.REFS}


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of record of the bulk door: its fields and, in `dates`, those that say when something happened."""

    code: str
    fields: Mapping[str, Field]
    dates: tuple[str, ...] = ()
    taxed: tuple[str, ...] = ()

    @property
    def refs(self) -> dict[str, str]:
        """Field → entity, for the fields that hold one reference."""
        return {name: each.entity for name, each in self.fields.items() if each.kind is Kind.REF}


def _text(*, required: bool = False, length: int = 200, choices: str = "") -> Field:
    return Field(Kind.TEXT, required, length=length, choices=frozenset(choices.split()))


def _ref(entity: str, *, required: bool = False) -> Field:
    return Field(Kind.REF, required, entity=entity)


def _number(*, required: bool = False, minimum: str | None = None, maximum: str | None = None) -> Field:
    low, high = (Decimal(each) if each is not None else None for each in (minimum, maximum))
    return Field(Kind.NUMBER, required, minimum=low, maximum=high)


def _date(*, required: bool = False, may_be_null: bool = False) -> Field:
    return Field(Kind.DATE, required, may_be_null)


_NAME = _text(required=True, length=200)
_ADDRESS = Field(Kind.ADDRESS, length=128)
_DOMAIN = Field(Kind.DOMAIN, length=253)
_TAX = {
    "currency": Field(Kind.CURRENCY),
    "tax": _text(choices="included excluded"),
    "tax_rate": _number(minimum="0", maximum="1"),
}


def _resource(code: str, dates: str = "", taxed: str = "", **fields: Field) -> Resource:
    return Resource(code, MappingProxyType(fields), tuple(dates.split()), tuple(taxed.split()))


RESOURCES: Mapping[str, Resource] = MappingProxyType(
    {
        each.code: each
        for each in (
            _resource(
                "people",
                name=_NAME,
                employee_code=_text(length=60),
                email=_text(length=254),
                email_hash=_ADDRESS,
                team=_ref("teams"),
                hired_on=_date(),
                left_on=_date(),
            ),
            _resource(
                "teams",
                name=_NAME,
                parent=_ref("teams"),
                region=_text(),
                starts_on=_date(),
                ends_on=_date(),
                succeeds=Field(Kind.REFS, entity="teams"),
                leaders=Field(Kind.REFS, entity="people"),
            ),
            _resource(
                "memberships",
                person=_ref("people", required=True),
                team=_ref("teams", required=True),
                starts_on=_date(),
                ends_on=_date(),
                credited=Field(Kind.FLAG),
                share=_number(minimum="0", maximum="1"),
            ),
            _resource("products", name=_NAME, parent=_ref("products"), aliases=Field(Kind.TEXTS)),
            _resource(
                "accounts",
                name=_text(required=True, length=300),
                owner=_ref("people"),
                region=_text(),
                industry=_text(),
                size=_text(),
                parent=_ref("accounts"),
                first_won_on=_date(),
                domain=_DOMAIN,
            ),
            _resource(
                "leads",
                dates="created_on mql_on sql_on disqualified_on",
                created_on=_date(required=True),
                created_at=Field(Kind.MOMENT),
                account=_ref("accounts"),
                owner=_ref("people"),
                lead_source=_text(),
                status=_text(),
                mql_on=_date(),
                sql_on=_date(),
                disqualified_on=_date(),
                disqualified_reason=_text(),
                converted_deal=_ref("deals"),
                email_hash=_ADDRESS,
                email_domain=_DOMAIN,
            ),
            _resource(
                "lead-stage-events",
                dates="entered_at",
                lead=_ref("leads", required=True),
                stage=_text(required=True, length=80),
                entered_at=Field(Kind.MOMENT, is_required=True),
            ),
            _resource(
                "deals",
                dates="created_on closed_on",
                taxed="amount gross_profit",
                name=_text(length=300),
                account=_ref("accounts"),
                owner=_ref("people"),
                created_by=_ref("people"),
                created_on=_date(required=True, may_be_null=True),
                expected_close_on=_date(),
                closed_on=_date(),
                outcome=_text(choices="open won lost no_decision void"),
                phase=_text(length=80),
                confidence=_text(length=40),
                amount=_number(),
                gross_profit=_number(),
                origin=_text(choices="lead sales_generated referral existing partner unknown"),
                lead=_ref("leads"),
                lead_source=_text(),
                sales_channel=_text(),
                partner=_text(),
                product=_ref("products"),
                region=_text(),
                customer_type=_text(choices="new existing"),
                lost_reason=_text(),
                competitor=_text(),
                postponed_count=Field(Kind.INTEGER, minimum=Decimal(0), maximum=Decimal(10_000)),
                last_activity_on=_date(),
                email_hash=_ADDRESS,
                **_TAX,
            ),
            _resource(
                "deal-lines",
                dates="",
                taxed="amount gross_profit",
                deal=_ref("deals", required=True),
                product=_ref("products", required=True),
                quantity=_number(minimum="-999999999999", maximum="999999999999"),
                amount=_number(required=True),
                gross_profit=_number(),
                **_TAX,
            ),
            _resource(
                "deal-credits",
                deal=_ref("deals", required=True),
                person=_ref("people", required=True),
                kind=_text(required=True, choices="revenue overlay"),
                share=_number(minimum="0", maximum="1"),
                role=_text(length=80),
            ),
            _resource(
                "deal-stage-events",
                dates="entered_at",
                deal=_ref("deals", required=True),
                phase=_text(required=True, length=80),
                entered_at=Field(Kind.MOMENT, is_required=True),
            ),
            _resource(
                "activities",
                dates="happened_on",
                kind=_text(required=True, choices="call meeting visit mail demo proposal other"),
                happened_on=_date(required=True),
                happened_at=Field(Kind.MOMENT),
                owner=_ref("people"),
                account=_ref("accounts"),
                deal=_ref("deals"),
                lead=_ref("leads"),
                outcome=_text(),
            ),
            _resource(
                "contracts",
                dates="starts_on",
                taxed="mrr",
                account=_ref("accounts", required=True),
                starts_on=_date(required=True),
                ends_on=_date(),
                mrr=_number(required=True),
                subscription=_text(),
                renewal_due_on=_date(),
                renewed=Field(Kind.FLAG),
                product=_ref("products"),
                owner=_ref("people"),
                **_TAX,
            ),
            _resource(
                "orders",
                dates="ordered_on",
                taxed="amount",
                account=_ref("accounts", required=True),
                ordered_on=_date(required=True),
                amount=_number(required=True),
                product=_ref("products"),
                owner=_ref("people"),
                **_TAX,
            ),
            _resource(
                "revenues",
                dates="recognized_on",
                taxed="amount gross_profit",
                recognized_on=_date(required=True),
                account=_ref("accounts"),
                deal=_ref("deals"),
                amount=_number(required=True),
                gross_profit=_number(),
                kind=_text(choices="one_off recurring maintenance other"),
                product=_ref("products"),
                owner=_ref("people"),
                **_TAX,
            ),
            _resource(
                "surveys",
                dates="answered_on",
                kind=_text(required=True, choices="nps csat"),
                score=_number(required=True, minimum="0", maximum="100"),
                answered_on=_date(required=True),
                account=_ref("accounts"),
                owner=_ref("people"),
            ),
            _resource(
                "exchange-rates",
                currency=Field(Kind.CURRENCY, is_required=True),
                rate=_number(required=True, minimum="0.00000001", maximum="1000000"),
                starts_on=_date(required=True),
            ),
        )
    }
)
