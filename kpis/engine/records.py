"""Reading a record as other systems send it: it becomes a typed row, or has reasons why it cannot."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from types import MappingProxyType
from typing import NamedTuple

from kpis.engine.addresses import company_domain, find_address, hash_of
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.resources import Field, Kind, Resource

YEN_LIKE = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})
DEFAULT_TAX_RATE = Decimal("0.10")
_WHOLE, _HUNDREDTH = Decimal(1), Decimal("0.01")
SOURCE_LENGTH, ID_LENGTH = 60, 200
DEEPEST = 20
# What PostgreSQL cannot keep as text: NUL, and the halves of characters that JSON lets through.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
EARLIEST, LATEST = date(1950, 1, 1), date(2199, 12, 31)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_COMMON = frozenset({"external_id", "attributes", "source_url", "source_updated_at", "deleted"})


class Row(NamedTuple):
    """One valid record. `values` holds the plain fields that were sent, `refs` the references as [source, id]."""

    index: int  # type: ignore[assignment]  # the record's place, not a tuple's method
    external_id: str
    values: dict[str, object]
    refs: dict[str, object]
    is_deleted: bool = False
    attributes: dict[str, object] | None = None
    source_url: str | None = None
    source_updated_at: datetime | None = None


def is_storable(value: object, depth: int = 0) -> bool:
    """Whether every text within a JSON value can be stored, and it is not nested without end."""
    if isinstance(value, str):
        return not _UNSTORABLE.search(value)
    if isinstance(value, Mapping):
        return depth < DEEPEST and all(
            is_storable(name) and is_storable(inner, depth + 1) for name, inner in value.items()
        )
    if isinstance(value, list | tuple):
        return depth < DEEPEST and all(is_storable(inner, depth + 1) for inner in value)
    return True


def storable(value: object) -> str:
    """A value as text, with a mark in place of what cannot be stored."""
    return _UNSTORABLE.sub("\ufffd", str(value))


@dataclass(slots=True)
class RecordReader:
    """Reads one record, collecting every fault."""

    resource: Resource
    source: str
    currency: str
    seal: Callable[[str], str]
    issues: list[Issue] = field(default_factory=list)

    def note(self, name: str, code: str, template: str, /, **params: object) -> None:
        self.issues.append(Issue(name, code, template, tuple(params.items())))

    def row(self, index: int, record: object) -> Row | None:
        if not isinstance(record, Mapping):
            self.note("", "invalid", gettext_noop("A record must be an object with an external_id."))
            return None
        for name, value in record.items():
            if not is_storable(value) or not is_storable(name):
                self.note(
                    storable(name),
                    "invalid",
                    gettext_noop(
                        "%(name)s holds NUL, half a character or more than %(depth)s levels, which cannot be stored."
                    ),
                    name=storable(name),
                    depth=DEEPEST,
                )
        if self.issues:
            return None
        external_id = self.external_id(record.get("external_id"))
        is_deleted = record.get("deleted") is True
        if "deleted" in record and not isinstance(record["deleted"], bool):
            self.note("deleted", "invalid", gettext_noop("deleted must be true or false."))
        for name in record:
            if name not in self.resource.fields and name not in _COMMON:
                self.note(
                    str(name),
                    "unknown",
                    gettext_noop("%(resource)s has no field %(name)s. Send custom fields in attributes."),
                    resource=self.resource.code,
                    name=name,
                )
        values, refs = ({}, {}) if is_deleted else self.fields(record)
        if self.issues:
            return None
        self.take_tax_off(values)
        return Row(
            index,
            external_id,
            values,
            refs,
            is_deleted,
            self.attributes(record.get("attributes")),
            self.url(record.get("source_url")),
            self.moment("source_updated_at", record.get("source_updated_at")),
        )

    def external_id(self, value: object) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            self.note(
                "external_id",
                "required",
                gettext_noop("external_id is missing. Send the id that the source gave the record."),
            )
            return ""
        if len(value) > 200 or "\x00" in value:
            self.note("external_id", "invalid", gettext_noop("external_id must be at most 200 plain characters."))
        return value.strip()

    def fields(self, record: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
        values: dict[str, object] = {}
        refs: dict[str, object] = {}
        for name, spec in self.resource.fields.items():
            if name in record:
                (refs if spec.is_reference else values)[name] = self.field(name, spec, record[name])
            elif spec.is_required:
                self.note(name, "required", gettext_noop("%(name)s is missing."), name=name)
        return values, refs

    def field(self, name: str, spec: Field, raw: object) -> object:
        if isinstance(raw, str):
            raw = raw.strip()
        if raw is None or raw == "":
            if spec.is_required and not spec.may_be_null:
                self.note(name, "required", gettext_noop("%(name)s is empty."), name=name)
            return [] if spec.kind in {Kind.REFS, Kind.TEXTS} else None
        return _READERS[spec.kind](self, name, spec, raw)

    def attributes(self, value: object) -> dict[str, object] | None:
        if value is not None and not isinstance(value, Mapping):
            self.note("attributes", "invalid", gettext_noop("attributes must be an object."))
            return None
        return None if value is None else dict(value)

    def url(self, value: object) -> str | None:
        if value in (None, ""):
            return None
        if not isinstance(value, str) or not value.startswith(("https://", "http://")) or len(value) > 1000:
            self.note("source_url", "invalid", gettext_noop("source_url must be an address that begins with https://."))
            return None
        return value

    def reference(self, name: str, spec: Field, raw: object) -> list[str] | None:
        given = {"source": self.source, "external_id": raw}
        if not isinstance(raw, str) and isinstance(raw, Mapping):
            given = dict(raw)
        source, external_id = _plain(given.get("source")), _plain(given.get("external_id"))
        if given.keys() == {"source", "external_id"} and source and external_id:
            if len(source) <= SOURCE_LENGTH and len(external_id) <= ID_LENGTH:
                return [source, external_id]
            self.note(
                name,
                "too_long",
                gettext_noop("%(name)s has more than %(length)s characters. Shorten it at the source."),
                name=name,
                length=ID_LENGTH,
            )
            return None
        self.note(
            name,
            "invalid",
            gettext_noop("%(name)s must be an external id, or an object with source and external_id."),
            name=name,
        )
        return None

    def references(self, name: str, spec: Field, raw: object) -> list[list[str]]:
        if not isinstance(raw, list | tuple):
            self.note(name, "invalid", gettext_noop("%(name)s must be a list of references."), name=name)
            return []
        return [each for each in (self.reference(name, spec, item) for item in raw) if each]

    def text(self, name: str, spec: Field, raw: object) -> str | None:
        if isinstance(raw, bool) or not isinstance(raw, str | int | float | Decimal):
            self.note(name, "invalid", gettext_noop("%(name)s must be a text."), name=name)
            return None
        value = str(raw).replace("\x00", "")
        if spec.choices and value not in spec.choices:
            self.note(
                name,
                "unknown",
                gettext_noop("%(name)s cannot be %(value)s. Use one of %(known)s."),
                name=name,
                value=value,
                known=", ".join(sorted(spec.choices)),
            )
        elif len(value) > spec.length:
            self.note(
                name,
                "too_long",
                gettext_noop("%(name)s has more than %(length)s characters. Shorten it at the source."),
                name=name,
                length=spec.length,
            )
        return value

    def address(self, name: str, spec: Field, raw: object) -> str | None:
        """An address sealed; what is none is taken for a hash that the source made."""
        found = find_address(raw) if isinstance(raw, str) else ""
        return hash_of(found, self.seal) if found else self.text(name, spec, raw)

    def domain(self, name: str, spec: Field, raw: object) -> str | None:
        """The domain of a company; nothing of free mail, or of what is no domain."""
        text = self.text(name, spec, raw)
        return None if text is None else company_domain(text) or None

    def date(self, name: str, spec: Field, raw: object) -> date | None:
        value: date | None = None
        if isinstance(raw, datetime):
            value = raw.date()
        elif isinstance(raw, date):
            value = raw
        elif isinstance(raw, str):
            try:
                value = date.fromisoformat(raw) if _DATE.fullmatch(raw) else None
            except ValueError:
                value = None
        if value is None or not EARLIEST <= value <= LATEST:
            self.note(
                name,
                "invalid",
                gettext_noop("%(name)s must be a date such as 2026-11-24, not %(value)s."),
                name=name,
                value=raw,
            )
            return None
        return value

    def moment(self, name: str, raw: object) -> datetime | None:
        if raw is None or raw == "":
            return None
        value: datetime | None = None
        if isinstance(raw, datetime):
            value = raw
        elif isinstance(raw, str):
            try:
                value = datetime.fromisoformat(raw)
            except ValueError:
                value = None
        if value is None or value.tzinfo is None or not EARLIEST <= value.date() <= LATEST:
            self.note(
                name,
                "invalid",
                gettext_noop(
                    "%(name)s must be a time with its offset, such as 2026-11-24T09:00:00+09:00, not %(value)s."
                ),
                name=name,
                value=raw,
            )
            return None
        return value.astimezone(UTC)

    def required_moment(self, name: str, spec: Field, raw: object) -> datetime | None:
        return self.moment(name, raw)

    def number(self, name: str, spec: Field, raw: object) -> Decimal | None:
        try:
            if isinstance(raw, bool) or not isinstance(raw, int | float | str | Decimal):
                raise InvalidOperation
            value = Decimal(str(raw))
            if not value.is_finite() or abs(value) >= Decimal(10) ** 17:
                raise InvalidOperation
        except InvalidOperation:
            self.note(name, "invalid", gettext_noop("%(name)s must be a number, not %(value)s."), name=name, value=raw)
            return None
        low, high = spec.minimum, spec.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            self.note(
                name,
                "out_of_range",
                gettext_noop("%(name)s must lie between %(low)s and %(high)s, not %(value)s."),
                name=name,
                low="-∞" if low is None else low,
                high="∞" if high is None else high,
                value=raw,
            )
        return value

    def integer(self, name: str, spec: Field, raw: object) -> int | None:
        value = self.number(name, spec, raw)
        if value is not None and value != value.to_integral_value():
            self.note(
                name, "invalid", gettext_noop("%(name)s must be a whole number, not %(value)s."), name=name, value=raw
            )
            return None
        return None if value is None else int(value)

    def currency_code(self, name: str, spec: Field, raw: object) -> str | None:
        value = raw.upper() if isinstance(raw, str) else ""
        if not _CURRENCY.fullmatch(value):
            self.note(
                name,
                "invalid",
                gettext_noop("%(name)s must be a currency code such as JPY, not %(value)s."),
                name=name,
                value=raw,
            )
            return None
        return value

    def flag(self, name: str, spec: Field, raw: object) -> bool | None:
        if not isinstance(raw, bool):
            self.note(
                name, "invalid", gettext_noop("%(name)s must be true or false, not %(value)s."), name=name, value=raw
            )
            return None
        return raw

    def texts(self, name: str, spec: Field, raw: object) -> list[str]:
        if not isinstance(raw, list | tuple) or not all(isinstance(each, str) for each in raw):
            self.note(name, "invalid", gettext_noop("%(name)s must be a list of texts."), name=name)
            return []
        return [each.strip() for each in raw if each.strip()]

    def take_tax_off(self, values: dict[str, object]) -> None:
        """Amounts in their currency's unit, without tax (税抜, 四捨五入).

        What a record with an amount does not say of its currency and tax is the default, whatever was sent before.
        """
        amounts = {name: amount for name in self.resource.taxed if isinstance(amount := values.get(name), Decimal)}
        if not amounts:
            return
        for name in ("currency", "tax", "tax_rate"):
            values.setdefault(name, None)
        for name, amount in amounts.items():
            values[name] = self.net(amount, values["currency"], values["tax"], values["tax_rate"])

    def net(self, amount: Decimal, currency: object, tax: object, rate: object) -> Decimal:
        """One amount without tax, in the unit of its currency."""
        unit = _WHOLE if (currency or self.currency) in YEN_LIKE else _HUNDREDTH
        if tax == "included":
            amount /= 1 + (rate if isinstance(rate, Decimal) else DEFAULT_TAX_RATE)
        return amount.quantize(unit, ROUND_HALF_UP)


def _plain(value: object) -> str:
    """An id as text; empty for what cannot be one."""
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value).strip()
    return ""


_READERS: Mapping[Kind, Callable[[RecordReader, str, Field, object], object]] = MappingProxyType(
    {
        Kind.TEXT: RecordReader.text,
        Kind.DATE: RecordReader.date,
        Kind.MOMENT: RecordReader.required_moment,
        Kind.NUMBER: RecordReader.number,
        Kind.INTEGER: RecordReader.integer,
        Kind.CURRENCY: RecordReader.currency_code,
        Kind.FLAG: RecordReader.flag,
        Kind.TEXTS: RecordReader.texts,
        Kind.REF: RecordReader.reference,
        Kind.REFS: RecordReader.references,
        Kind.ADDRESS: RecordReader.address,
        Kind.DOMAIN: RecordReader.domain,
    }
)
