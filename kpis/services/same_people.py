"""One person whom several sources know: one row stands for the others, and what hung on them follows and can go back.

What refers to a person is told by `refs` and by names (ExternalIdentity), so that taking a link off gives each record
back to the person that its source named. What people typed for the hidden person is remembered by its id.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.db.backends.utils import CursorWrapper

from kpis.choices import PersonRule
from kpis.engine.addresses import find_address
from kpis.engine.same_people import Known, decide_same_people
from kpis.models import DimensionMember, ExternalIdentity, Person, PersonLink, TeamMembership
from kpis.models.resources import MODELS
from kpis.services import dependents
from kpis.services.merges import TakeOver, references_to, take_over
from kpis.services.sealing import seal_address

PEOPLE = "people"
# What was written down as it was then, and what is moved with the records themselves.
_STAYING = frozenset(
    {
        "kpis.LockedCell",
        "kpis.MetricSnapshot",
        "kpis.OpenRestatement",
        "kpis.PersonLink",
        "kpis.RestatementDecision",
    }
)


def hide_gone(cursor: CursorWrapper, *, rows: str = "SELECT id FROM affected") -> None:
    """Hide people whom no source has any more and those for whom another row stands; show the others."""
    cursor.execute(
        f"""
        UPDATE kpis_person p SET deleted_at = CASE
            WHEN h.same_as_id IS NOT NULL THEN coalesce(p.deleted_at, h.decided_at)
            WHEN NOT EXISTS (
                SELECT FROM kpis_personlink k JOIN kpis_person o ON o.id = k.person_id
                WHERE k.same_as_id = p.id AND k.undone_at IS NULL AND o.gone_at IS NULL
            ) THEN p.gone_at END
        FROM kpis_person q LEFT JOIN kpis_personlink h ON h.person_id = q.id AND h.undone_at IS NULL
        WHERE q.id = p.id AND p.id IN (
            {rows} UNION SELECT same_as_id FROM kpis_personlink WHERE undone_at IS NULL AND person_id IN ({rows}))
        """
    )
    cursor.execute(
        "UPDATE kpis_dimensionmember m SET is_active = p.deleted_at IS NULL FROM kpis_person p"
        f" WHERE m.id = p.member_id AND m.is_active <> (p.deleted_at IS NULL) AND (p.id IN ({rows}) OR p.id IN ("
        f"SELECT same_as_id FROM kpis_personlink WHERE undone_at IS NULL AND person_id IN ({rows})))"
    )


def find_same_people(cursor: CursorWrapper, *, now: datetime) -> frozenset[int]:
    """Join the people who have the same address, part those who no longer have; the people whose rows changed sides."""
    cursor.execute("SELECT EXISTS (SELECT FROM affected)")
    if not cursor.fetchone()[0]:
        return frozenset()
    links = list(PersonLink.objects.select_related("person", "same_as"))
    standing = {each.person_id: each for each in links if each.undone_at is None}
    found = {pk: each.same_as_id for pk, each in standing.items() if each.rule == PersonRule.EMAIL}
    said = {pk: each.same_as_id for pk, each in standing.items() if each.rule != PersonRule.EMAIL}
    refused = {(each.person_id, each.same_as_id) for each in links if each.undone_at is not None}
    decided = decide_same_people(list(_known()), said=said, found=found, refused=refused)
    changed = {pk for pk in found.keys() | decided.keys() if found.get(pk) != decided.get(pk)}
    people = Person.objects.in_bulk({*changed, *(decided[pk] for pk in changed & decided.keys())})
    for pk in sorted(changed & found.keys()):
        part(cursor, standing[pk], actor=None, now=now)
        standing[pk].delete()
        hide_gone(cursor, rows=f"SELECT {pk:d} UNION SELECT {found[pk]:d}")
    for pk in sorted(changed & decided.keys()):
        head = people[decided[pk]]
        join(cursor, people[pk], head, rule=PersonRule.EMAIL, actor=None, now=now)
    return frozenset({*changed, *(found[pk] for pk in changed & found.keys()), *(each for each in people)})


def join(cursor: CursorWrapper, person: Person, same_as: Person, *, rule: str, actor: Any, now: datetime) -> PersonLink:
    """Let one row stand for another of the same person: records, memberships and what people typed follow."""
    names = [[person.source, person.external_id]]
    further = ExternalIdentity.objects.filter(entity=PEOPLE, row_id=person.pk)
    names += [[each.source, each.external_id] for each in further.order_by("pk")]
    own, theirs = (person.source, person.external_id), (same_as.source, same_as.external_id)
    take_over(cursor, PEOPLE, [TakeOver(own, person.pk, theirs, same_as.pk)], actor=actor, run=None, now=now)
    moved: dict[str, Any] = {"names": names, **_move_memberships(cursor, person, same_as, now=now)}
    moved["rows"] = dict(_move_typed(person, same_as))
    if person.user_id and not same_as.user_id:
        moved["user"], login = person.user_id, person.user
        _give_login(person, None)
        _give_login(same_as, login)
    link = PersonLink.objects.create(
        person=person, same_as=same_as, rule=rule, moved=moved, decided_at=now, decided_by=actor
    )
    hide_gone(cursor, rows=f"SELECT {person.pk:d}")
    return link


def part(cursor: CursorWrapper, link: PersonLink, *, actor: Any, now: datetime) -> None:
    """Give back what followed: every record to the person its source named. The caller closes or deletes the link."""
    person, head = link.person, link.same_as
    names = link.moved["names"]
    cursor.execute("CREATE TEMPORARY TABLE own_names (source text, external_id text)")
    cursor.executemany("INSERT INTO own_names VALUES (%s, %s)", names)
    for fact, field in references_to(PEOPLE):
        _give_back(cursor, fact, field, link, actor=actor, now=now)
    ExternalIdentity.objects.filter(
        entity=PEOPLE, row_id=head.pk, source=person.source, external_id=person.external_id
    ).delete()
    cursor.execute(
        "UPDATE kpis_externalidentity i SET row_id = %s FROM own_names n WHERE i.entity = %s AND i.source = n.source"
        " AND i.external_id = n.external_id AND i.row_id = %s",
        [person.pk, PEOPLE, head.pk],
    )
    cursor.execute("DROP TABLE own_names")
    _give_memberships_back(cursor, link, now=now)
    for place, pks in link.moved.get("rows", {}).items():
        label, field = place.rsplit(".", 1)
        mine, theirs = _sides(apps.get_model(label), field, person, head)
        _repoint(apps.get_model(label), field, pks, theirs, mine)
    if link.moved.get("user") and link.moved["user"] == head.user_id:
        login = head.user
        _give_login(head, None)
        _give_login(person, login)


def _known() -> Iterator[Known]:
    """An address that a source sends in the clear is compared by the same hash."""
    for each in Person.objects.only("source", "email", "email_hash", "gone_at", "user", "employee_code"):
        address = find_address(each.email) if each.email and not each.email_hash else ""
        key = seal_address(address) if address else each.email_hash
        weight = 2 * bool(each.user_id) + bool(each.employee_code)
        yield Known(each.pk, each.source, key, each.gone_at is None, weight)


def _give_back(cursor: CursorWrapper, fact: str, field: str, link: PersonLink, *, actor: Any, now: datetime) -> None:
    table = MODELS[fact]._meta.db_table
    named = "(SELECT FROM own_names n WHERE f.refs->%(sent)s->>0 = n.source AND f.refs->%(sent)s->>1 = n.external_id)"
    which = f"EXISTS {named}"
    if field == "owner_at_close":
        # Who owned it when it closed: as the link found it, else whom its changes since, or today's record, name.
        which = f"""(
            EXISTS (SELECT FROM kpis_factchange c WHERE c.fact = 'deals' AND c.fact_id = f.id
                    AND c.changes->'owner_at_close'->0 = jsonb_build_array(%(source)s::text, %(name)s::text))
            OR EXISTS (SELECT FROM kpis_factchange c JOIN own_names n ON c.changes->'owner'->0->>0 = n.source
                    AND c.changes->'owner'->0->>1 = n.external_id
                    WHERE c.fact = 'deals' AND c.fact_id = f.id AND c.at > %(since)s)
            OR EXISTS {named} AND NOT EXISTS (SELECT FROM kpis_factchange c WHERE c.fact = 'deals'
                    AND c.fact_id = f.id AND c.changes ? 'owner' AND c.at > %(since)s)
        )"""
    told: dict[str, Any] = {
        "sent": "owner" if field == "owner_at_close" else field,
        "source": link.person.source,
        "name": link.person.external_id,
        "head": link.same_as_id,
        "since": link.decided_at,
    }
    cursor.execute(
        "CREATE TEMPORARY TABLE given_back ON COMMIT DROP AS"
        f" SELECT f.id, f.external_id, false AS is_new FROM {table} f WHERE f.{field}_id = %(head)s AND {which}",
        told,
    )
    dependents.mark(cursor, fact, rows="given_back")
    cursor.execute(
        f"UPDATE {table} f SET {field}_id = %s, changed_at = %s FROM given_back a WHERE f.id = a.id",
        [link.person_id, now],
    )
    head = link.same_as
    cursor.execute(
        "INSERT INTO kpis_factchange (fact, fact_id, external_id, action, changes, actor_id, at)"
        " SELECT %s, id, external_id, 'updated', jsonb_build_object(%s::text, jsonb_build_array("
        "jsonb_build_array(%s::text, %s::text), jsonb_build_array(%s::text, %s::text))), %s, %s FROM given_back",
        [fact, field, head.source, head.external_id, told["source"], told["name"], actor.pk if actor else None, now],
    )
    dependents.mark(cursor, fact, rows="given_back")
    cursor.execute("DROP TABLE given_back")


def _move_memberships(cursor: CursorWrapper, person: Person, head: Person, *, now: datetime) -> dict[str, list[int]]:
    """Take memberships over as far as they do not contradict those of who stands for both; which were.

    Memberships that were sent count more than one that is taken from a person's record, as ever.
    """
    live = TeamMembership.objects.filter(deleted_at=None).order_by("pk")
    own, theirs = list(live.filter(person=person)), list(live.filter(person=head))
    sent = [each for each in theirs if not each.is_derived]
    dropped: list[TeamMembership] = []
    taken = own
    if theirs:
        taken = [each for each in own if not each.is_derived and not any(_contradict(each, other) for other in sent)]
        dropped = [each for each in theirs if each.is_derived] if taken else []
    dependents.mark_members(cursor, [each.pk for each in (*taken, *dropped)])
    TeamMembership.objects.filter(pk__in=[each.pk for each in dropped]).update(deleted_at=now)
    TeamMembership.objects.filter(pk__in=[each.pk for each in taken]).update(person=head)
    dependents.mark_members(cursor, [each.pk for each in taken])
    return {"memberships": [each.pk for each in taken]}


def _contradict(one: TeamMembership, other: TeamMembership) -> bool:
    if not one.credited or not other.credited:
        return False
    begin = max(one.starts_on or date.min, other.starts_on or date.min)
    return begin < min(one.ends_on or date.max, other.ends_on or date.max)


def _give_memberships_back(cursor: CursorWrapper, link: PersonLink, *, now: datetime) -> None:
    """Those that came over, and those that the other's source has sent or told since."""
    names = {tuple(each) for each in link.moved["names"]}
    theirs = TeamMembership.objects.filter(person=link.same_as)
    own = [
        each.pk
        for each in theirs
        if each.pk in link.moved["memberships"]
        or tuple(each.refs.get("person") or ()) in names
        or (each.is_derived and each.source == link.person.source and each.external_id.startswith(_prefix(link)))
    ]
    dependents.mark_members(cursor, own)
    TeamMembership.objects.filter(pk__in=own).update(person=link.person)
    dependents.mark_members(cursor, own)


def _prefix(link: PersonLink) -> str:
    return f"{link.person.external_id}@"


def _places() -> Iterator[tuple[type[models.Model], str]]:
    """Every column of what people typed that points at a person or at its member of the dimension."""
    own = {Person, DimensionMember, *MODELS.values()}
    for target in (Person, DimensionMember):
        for relation in target._meta.get_fields(include_hidden=True):
            if not isinstance(relation, models.ManyToOneRel) or relation.related_model in own:
                continue
            if relation.related_model._meta.label not in _STAYING:
                yield relation.related_model, relation.field.name


def _sides(model: type[models.Model], field: str, person: Person, head: Person) -> tuple[int | None, int | None]:
    if model._meta.get_field(field).related_model is Person:
        return person.pk, head.pk
    return person.member_id, head.member_id


def _move_typed(person: Person, head: Person) -> Iterator[tuple[str, list[int]]]:
    """Move what people typed for one to the other; (column, ids). What both have stays with each."""
    for model, field in _places():
        mine, theirs = _sides(model, field, person, head)
        if mine is None or theirs is None:
            continue
        pks = list(model._base_manager.filter(**{field: mine}).order_by("pk").values_list("pk", flat=True))
        if moved := _repoint(model, field, pks, mine, theirs):
            yield f"{model._meta.label}.{field}", moved


def _repoint(model: type[models.Model], field: str, pks: list[int], old: int | None, new: int | None) -> list[int]:
    """Point these rows at `new` where they still point at `old` and nothing stands there; the ids of those moved."""
    rows = model._base_manager.filter(**{field: old})
    try:
        with transaction.atomic():
            rows.filter(pk__in=pks).update(**{field: new})
            return pks
    except IntegrityError:
        return [pk for pk in pks if _repoint_one(rows, field, pk, new)]


def _repoint_one(rows: "models.QuerySet[Any]", field: str, pk: int, new: int | None) -> bool:
    try:
        with transaction.atomic():
            return bool(rows.filter(pk=pk).update(**{field: new}))
    except IntegrityError:
        return False


def _give_login(person: Person, user: Any) -> None:
    person.user = user
    person.save(update_fields=["user"])
