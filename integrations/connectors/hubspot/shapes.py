"""The rows of HubSpot as records, and its properties as fields."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from integrations.connectors.base import FieldKind, Record, SourceField
from integrations.connectors.hubspot.source import MODIFIED
from integrations.connectors.links import LINK
from kpis.engine.issues import gettext_noop

MERGED = "hs_merged_object_ids"
OWN = {"id": gettext_noop("Record ID"), "createdAt": gettext_noop("Created"), "updatedAt": gettext_noop("Updated")}
"""What a record has beside its properties."""
ASSOCIATION_LABELS = {
    "contacts": gettext_noop("Associated contacts"),
    "contact": gettext_noop("The only associated contact"),
    "companies": gettext_noop("Associated companies"),
    "company": gettext_noop("The only associated company"),
}
ASSOCIATED: Mapping[str, Mapping[str, str]] = {"deals": {"contacts": "contact", "companies": "company"}}
"""By object whom its records are associated with: the kind of object, and what the only one is called."""
EARLIEST = datetime.min.replace(tzinfo=UTC)
KINDS: Mapping[str, FieldKind] = {
    "number": "number",
    "bool": "flag",
    "date": "date",
    "datetime": "moment",
    "enumeration": "choice",
}
HISTORIES = {"contacts": "lifecyclestage", "companies": "lifecyclestage", "deals": "dealstage"}
BEFORE_MQL, HANDED = ("subscriber", "lead"), ("marketingqualifiedlead", "salesqualifiedlead")
UNTOUCHED = (*BEFORE_MQL, "other")
"""Stages of leads with whom nobody has dealt yet."""
BACK = ":back"
"""Marks a stage before MQL right after one in which sales had the lead."""

PAGES = {"contacts": "0-1", "companies": "0-2", "deals": "0-3"}
"""How the address of a record's page calls its kind."""
_UI_DOMAIN = re.compile(r"app(-[a-z0-9]+)?\.hubspot\.com")


def pages_of(account: Mapping[str, Any]) -> str:
    """What the addresses of an account's records begin with; "" where it does not say its number.

    >>> pages_of({"portalId": 62515}), pages_of({"portalId": 7, "uiDomain": "app-eu1.hubspot.com"})
    ('https://app.hubspot.com/contacts/62515/record/', 'https://app-eu1.hubspot.com/contacts/7/record/')
    """
    number, domain = str(account.get("portalId") or ""), str(account.get("uiDomain") or "")
    host = domain if _UI_DOMAIN.fullmatch(domain) else "app.hubspot.com"
    return f"https://{host}/contacts/{number}/record/" if number.isdigit() else ""


def records_of(object: str, rows: Sequence[Mapping[str, Any]], *, link: str = "") -> list[Record]:
    """The records, each followed by those that were merged into it: they themselves are archived without a word.

    `link`: what stands before the id of a record in the address of its page.
    """
    found: list[Record] = []
    for row in rows:
        id, properties = str(row["id"]), row.get("properties") or {}
        changed = moment_of(properties.get(MODIFIED[object]) or row.get("updatedAt"))
        address = {LINK: f"{link}{id}"} if link else {}
        found.append(Record(id, {**_values(id, row, properties), **address}, changed))
        losers = [each.strip() for each in str(properties.get(MERGED) or "").split(";")]
        found += [Record(each, {"id": each}, changed, merged_into=id) for each in losers if each not in {"", id}]
    return found


def _values(id: str, row: Mapping[str, Any], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    told = {name: _past(entries) for name, entries in (row.get("propertiesWithHistory") or {}).items()}
    past = {name: _stepped(each) if name == "lifecyclestage" else each for name, each in told.items()}
    own = {name: row.get(name) for name in OWN}
    further = {"history": past, "associations": row.get("associations")}
    return {**properties, **own, "id": id, **{name: value for name, value in further.items() if value}}


def _past(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The values of a property, oldest first, each when it began.

    One that was written again goes on; of several at one moment the last counts.
    """
    newest_first = sorted(entries, key=lambda entry: moment_of(entry.get("timestamp")) or EARLIEST, reverse=True)
    by_moment = {entry.get("timestamp"): entry.get("value") or None for entry in reversed(newest_first)}
    found: list[Mapping[str, Any]] = []
    before = None
    for at, value in by_moment.items():
        if value not in {before, None}:
            found.append({"value": value, "at": at})
        before = value
    return found


def _stepped(past: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The stages of a life, each with the step it was: the stage, marked where sales sent the lead back to it; "" for
    a stage that says of nobody's work.

    >>> stages = ["lead", "marketingqualifiedlead", "lead", "customer", "lead"]
    >>> [each["step"] for each in _stepped([{"value": stage} for stage in stages])]
    ['', 'marketingqualifiedlead', 'lead:back', 'customer', '']
    """
    befores = [None, *(each["value"] for each in past)]
    return [{**each, "step": _step(before, each["value"])} for before, each in zip(befores, past, strict=False)]


def _step(before: str | None, value: str) -> str:
    if before in HANDED and value in BEFORE_MQL:
        return f"{value}{BACK}"
    return "" if value in UNTOUCHED else value


def owner_row(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """An owner with the primary team beside the list of all; of several of which none is primary there is none.

    >>> owner_row({"teams": [{"id": "1", "primary": False}, {"id": "2", "primary": True}]})["team"]["id"]
    '2'
    >>> owner_row({"teams": [{"id": "1"}, {"id": "2"}]})["team"], owner_row({"teams": [{"id": "1"}]})["team"]["id"]
    (None, '1')
    """
    teams = [{**team, "id": str(team.get("id"))} for team in row.get("teams") or ()]
    primary = [team for team in teams if team.get("primary")] or teams
    return {**row, "team": primary[0] if len(primary) == 1 else None}


def stage_row(pipeline: Mapping[str, Any], stage: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stage as a row: its metadata are texts; closed with probability 1 is won, with 0 is lost.

    `outcome` is what it says of a deal: open, won or lost; None where it says nothing of that.
    """
    metadata = stage.get("metadata") or {}
    probability = str(metadata.get("probability") or "")
    chance = float(probability) if probability.replace(".", "", 1).isdigit() else None
    said = metadata.get("isClosed")
    is_closed = chance in {0.0, 1.0} if said is None else str(said).lower() == "true"
    closed = {1.0: "won", 0.0: "lost"}.get(chance) if chance is not None else None
    is_told = said is not None or chance is not None
    return {
        "id": str(stage["id"]),
        "label": stage.get("label"),
        "order": stage.get("displayOrder"),
        "archived": bool(stage.get("archived")),
        "probability": probability or None,
        "is_closed": is_closed,
        "is_won": is_closed and closed == "won",
        "is_lost": is_closed and closed == "lost",
        "outcome": (closed if is_closed else "open") if is_told else None,
        "pipeline": {"id": str(pipeline.get("id")), "label": pipeline.get("label")},
    }


FIXED_FIELDS: Mapping[str, tuple[SourceField, ...]] = {
    "owners": (
        SourceField("id", gettext_noop("Owner ID")),
        SourceField("userId", gettext_noop("User ID"), "number"),
        SourceField("email", gettext_noop("Email")),
        SourceField("firstName", gettext_noop("First name")),
        SourceField("lastName", gettext_noop("Last name")),
        SourceField("archived", gettext_noop("Archived"), "flag"),
        SourceField("teams", gettext_noop("Teams"), "list"),
        SourceField("team.id", gettext_noop("Primary team ID")),
        SourceField("team.name", gettext_noop("Primary team name")),
    ),
    "teams": (SourceField("id", gettext_noop("Team ID")), SourceField("name", gettext_noop("Team name"))),
    "pipelines": (
        SourceField("id", gettext_noop("Stage ID")),
        SourceField("label", gettext_noop("Stage name")),
        SourceField("order", gettext_noop("Display order"), "number"),
        SourceField("archived", gettext_noop("Archived"), "flag"),
        SourceField("probability", gettext_noop("Probability"), "number"),
        SourceField("is_closed", gettext_noop("Closed stage"), "flag"),
        SourceField("is_won", gettext_noop("Won"), "flag"),
        SourceField("is_lost", gettext_noop("Lost"), "flag"),
        SourceField("outcome", gettext_noop("Outcome")),
        SourceField("pipeline.id", gettext_noop("Pipeline ID")),
        SourceField("pipeline.label", gettext_noop("Pipeline name")),
    ),
}


def field_of(row: Mapping[str, Any]) -> SourceField:
    """A property as it is described by the properties API, which tells no options of a stage or a pipeline."""
    several = row.get("type") == "enumeration" and row.get("fieldType") == "checkbox"
    options = tuple((str(each["value"]), str(each.get("label") or "")) for each in row.get("options") or ())
    kind: FieldKind = "list" if several else KINDS.get(str(row.get("type")), "text")
    label = str(row.get("label") or row["name"])
    return SourceField(str(row["name"]), label, kind, options, is_calculated=bool(row.get("calculated")))


def with_pipelines(fields: Sequence[SourceField], pipelines: Sequence[Mapping[str, Any]]) -> list[SourceField]:
    """The fields of deals, those of the pipeline and of the stage with the words that the account has for them.

    A stage that is called like one of another pipeline is named with its own. What closes a deal says what it means.

    >>> stages = [{"id": "won", "label": "受注", "metadata": {"isClosed": "true", "probability": "1.0"}}]
    >>> pipelines = [{"id": "1", "label": "新規", "stages": stages}, {"id": "2", "label": "更新", "stages": []}]
    >>> [(each.choices, each.meanings) for each in with_pipelines([SourceField("dealstage", "")], pipelines)]
    [((('won', '受注'),), (('won', 'won'),))]
    """
    stages = [stage_row(pipeline, stage) for pipeline in pipelines for stage in pipeline.get("stages") or ()]
    times = Counter(stage["label"] for stage in stages)
    words = {
        "pipeline": tuple((str(each["id"]), str(each.get("label") or "")) for each in pipelines),
        "dealstage": tuple((each["id"], _named(each, is_alone=times[each["label"]] == 1)) for each in stages),
    }
    meanings = {"dealstage": tuple((each["id"], each["outcome"]) for each in stages if each["outcome"])}
    return [
        replace(field, choices=words.get(field.name, field.choices), meanings=meanings.get(field.name, ()))
        for field in fields
    ]


def _named(stage: Mapping[str, Any], *, is_alone: bool) -> str:
    label = str(stage["label"] or "")
    return label if is_alone else f"{label} ({stage['pipeline']['label']})"


def history_fields(past: SourceField) -> tuple[SourceField, ...]:
    """The fields of the history of a property."""
    path = f"history.{past.name}"
    back = tuple((f"{value}{BACK}", f"{label} ←") for value, label in past.choices if value in BEFORE_MQL)
    onward = tuple(choice for choice in past.choices if choice[0] not in UNTOUCHED)
    stepped = SourceField(f"{path}.step", f"{past.label} ({path}.step)", past.kind, (*onward, *back))
    return (
        SourceField(path, f"{past.label} ({path})", "list"),
        SourceField(f"{path}.value", f"{past.label} ({path}.value)", past.kind, past.choices),
        SourceField(f"{path}.at", f"{past.label} ({path}.at)", "moment"),
        *((stepped,) if past.name == "lifecyclestage" else ()),
    )


def associated_fields(stream: str, objects: Sequence[str]) -> tuple[SourceField, ...]:
    """Whom a record is associated with, of the objects that are read: all of them, and the only one."""
    found: list[SourceField] = []
    for kind, single in ASSOCIATED.get(stream, {}).items():
        if kind in objects:
            found.append(SourceField(f"associations.{kind}", ASSOCIATION_LABELS[kind], "list"))
            found.append(SourceField(f"associations.{single}", ASSOCIATION_LABELS[single]))
    return tuple(found)


def associations_of(kind: str, single: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """What an answer tells of each record: the ids, and the id where it is the only one. None is guessed of several."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        ids = list(dict.fromkeys(str(each["toObjectId"]) for each in row.get("to") or ()))
        found[str(row["from"]["id"])] = {kind: ids, single: ids[0] if len(ids) == 1 else None}
    return found


def moment_of(text: object) -> datetime | None:
    """A moment as HubSpot writes it: ISO, or milliseconds since 1970; None where there is none."""
    written = str(text or "")
    if written.isdigit():
        return datetime.fromtimestamp(int(written) / 1000, UTC)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
