"""What an org says about its objects, and which of it a reading selects. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from integrations.connectors import values
from integrations.connectors.base import FieldKind, Record, SourceField, as_utc
from integrations.connectors.errors import BadValueError, ConnectorError
from integrations.connectors.links import LINK
from integrations.connectors.salesforce.description import cursors_of

KINDS: Mapping[str, FieldKind] = {
    "boolean": "flag",
    "double": "number",
    "currency": "number",
    "percent": "number",
    "int": "number",
    "long": "number",
    "date": "date",
    "datetime": "moment",
    "picklist": "choice",
    "combobox": "choice",
    "multipicklist": "list",
}
# Several values in one: a job cannot select them, and their parts are fields of their own.
COMPOUND = frozenset({"address", "location", "base64"})
# What can be asked of an owner that may be a user or a queue.
SHARED_BY_OWNERS: Mapping[str, str] = {
    **dict.fromkeys(("Id", "UserRoleId", "Name", "Type", "Email", "Title", "Username"), "string"),
    "IsActive": "boolean",
}
# Objects whose records are called by a field Name.
NAMED = frozenset({"Account", "Campaign", "Group", "Lead", "Opportunity", "Profile", "RecordType", "User", "UserRole"})
# What else can be mapped of an object that is referred to.
FURTHER: Mapping[str, tuple[str, FieldKind]] = {"OpportunitySplitType": ("IsTotalValidated", "flag")}
# Parts of other records, which have no page of their own.
WITHOUT_PAGE = ("History", "Split", "SplitType", "Stage", "UserRole")
ZONE = ZoneInfo("UTC")


@dataclass(frozen=True)
class Field:
    """One field of an object; `relation` is the name by which the records it refers to (`targets`) are reached."""

    name: str
    label: str
    type: str
    relation: str = ""
    targets: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    is_calculated: bool = False


@dataclass(frozen=True)
class Described:
    """An object as the connection's user sees it: what is hidden from that user looks as if it did not exist."""

    name: str
    label: str
    is_queryable: bool
    fields: Mapping[str, Field]


Describe = Callable[[str], Described]


@dataclass(frozen=True)
class Selection:
    """What one reading asks of an object. `types` are the columns (paths from the object) with their types."""

    object: str
    cursor: str
    types: Mapping[str, str]
    link: str = ""
    """What stands before the id of a record in the address of its page; "" where it has none, or nobody asks."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.types)

    @property
    def is_for_jobs(self) -> bool:
        return not COMPOUND & set(self.types.values())

    def record(self, cells: Mapping[str, Any]) -> Record:
        """A record of the values found at the columns, the same whichever way they came. Raises ConnectorError."""
        try:
            clean = {column: cleaned(cells.get(column), type) for column, type in self.types.items()}
            changed = moment_of(clean[self.cursor])
        except (BadValueError, InvalidOperation) as error:
            raise ConnectorError("data", "incomplete_answer", permanent=False, stream=self.object) from error
        if not clean["Id"] or changed is None:
            raise ConnectorError("data", "incomplete_answer", permanent=False, stream=self.object)
        return Record(
            external_id=clean["Id"],
            values=_nested(clean) | ({LINK: f"{self.link}{clean['Id']}/view"} if self.link else {}),
            updated_at=changed,
            is_deleted=clean.get("IsDeleted") is True,
            merged_into=clean.get("MasterRecordId") or "",
        )


def read_describe(body: Mapping[str, Any]) -> Described:
    """Raises KeyError, TypeError for an answer that is no description of an object."""
    fields = [
        Field(
            name=each["name"],
            label=each["label"],
            type=each["type"],
            relation=each.get("relationshipName") or "",
            targets=tuple(each.get("referenceTo") or ()),
            choices=tuple((word["value"], word.get("label") or word["value"]) for word in each["picklistValues"]),
            is_calculated=each.get("calculated") is True,
        )
        for each in body["fields"]
    ]
    by_name = {field.name: field for field in fields}
    return Described(body["name"], body.get("label") or body["name"], bool(body["queryable"]), by_name)


def select_columns(described: Described, wanted: Sequence[str], describe: Describe, *, instance: str = "") -> Selection:
    """What to ask so that `wanted` and what the reading itself needs is there; `instance` is the org's address.

    Raises ConnectorError naming every wanted field that does not exist or is hidden from the connection's user.
    """
    cursor = next((name for name in cursors_of(described.name) if name in described.fields), "")
    own = ("Id", cursor or cursors_of(described.name)[0])
    if_there = [name for name in ("IsDeleted", "MasterRecordId") if name in described.fields]
    columns = tuple(dict.fromkeys([*own, *if_there, *(each for each in wanted if each != LINK)]))
    types = {column: _type_at(described, column, describe) for column in columns}
    gone = [column for column, type in types.items() if type is None]
    if gone:
        raise ConnectorError("config", "field_gone", stream=described.name, fields=", ".join(gone))
    has_page = LINK in wanted and not described.name.endswith(WITHOUT_PAGE)
    link = f"{instance.rstrip('/')}/lightning/r/{described.name}/" if has_page else ""
    return Selection(described.name, cursor, {column: type for column, type in types.items() if type is not None}, link)


def source_fields(described: Described) -> list[SourceField]:
    """The fields that a mapping can use, and what it can use of the records they refer to: their names above all."""
    found = []
    for field in described.fields.values():
        if field.type in COMPOUND:
            continue
        kind = KINDS.get(field.type, "text")
        found.append(SourceField(field.name, field.label, kind, field.choices, field.is_calculated))
        if field.relation and field.targets and set(field.targets) <= NAMED:
            found.append(SourceField(f"{field.relation}.Name", f"{field.label} · Name"))
        elif field.relation and len(field.targets) == 1 and field.targets[0] in FURTHER:
            name, kind = FURTHER[field.targets[0]]
            found.append(SourceField(f"{field.relation}.{name}", f"{field.label} · {name}", kind))
    return found


def cleaned(value: Any, type: str) -> Any:
    """A value of a field: jobs write all as text and nothing as an empty one, and moments in another way.

    >>> cleaned("", "currency"), cleaned("12.50", "currency"), cleaned("true", "boolean")
    (None, Decimal('12.50'), True)
    >>> cleaned("2020-10-22T21:03:23.000+0000", "datetime") == cleaned("2020-10-22T21:03:23.000Z", "datetime")
    True
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return value
    match KINDS.get(type, "text"):
        case "flag":
            return value == "true"
        case "number":
            return int(value) if type in {"int", "long"} and value.lstrip("-").isdigit() else Decimal(value)
        case "moment":
            return value.removesuffix("+0000") + "Z" if value.endswith("+0000") else value
        case _:
            return value


def moment_of(text: Any) -> datetime | None:
    """The moment of a cursor field."""
    found = values.parse_moment(text, zone=ZONE)
    return as_utc(found) if found else None


def _type_at(described: Described, column: str, describe: Describe) -> str | None:
    """The type of what lies at a path; None where there is nothing, or nothing that may be seen."""
    relation, _, rest = column.partition(".")
    if not rest:
        return described.fields[column].type if column in described.fields else None
    targets = next((field.targets for field in described.fields.values() if field.relation == relation), ())
    if len(targets) != 1:
        return SHARED_BY_OWNERS.get(rest) if targets else None
    try:
        return _type_at(describe(targets[0]), rest, describe)
    except ConnectorError as error:
        if error.code == "object_hidden":
            return None
        raise


def _nested(cells: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, value in cells.items():
        *relations, name = column.split(".")
        here = found
        for relation in relations:
            here = here.setdefault(relation, {})
        here[name] = value
    return found
