"""What follows from records about teams, people and products: dimension members, memberships, links, aliases."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import date, datetime

from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from kpis.engine.issues import Issue, gettext_noop
from kpis.models import ExternalIdentity, Person, PersonLink, Team, TeamLeader, TeamMembership, UnresolvedReference
from kpis.services import dependents, same_people

_BACKWARDS = Issue(
    "ends_on", "invalid", gettext_noop("ends_on lies before starts_on. Correct one of the two at the source.")
)
_OVERLAP = Issue(
    "credited",
    "overlap",
    gettext_noop(
        "This person has another credited membership at the same time. End that one first, or send credited: false."
    ),
)


def impossible_memberships(cursor: CursorWrapper, *, source: str) -> dict[int, Issue]:
    """Index → fault of the memberships of a batch that end before they start or give a person two credited teams."""
    cursor.execute(
        """
        CREATE TEMPORARY TABLE proposed ON COMMIT DROP AS
        SELECT n.index, f.id,
               CASE WHEN 'person' = ANY(n.present) THEN n.person_id ELSE f.person_id END AS person_id,
               CASE WHEN 'starts_on' = ANY(n.present) THEN n.starts_on ELSE f.starts_on END AS starts_on,
               CASE WHEN 'ends_on' = ANY(n.present) THEN n.ends_on ELSE f.ends_on END AS ends_on,
               CASE WHEN 'credited' = ANY(n.present) THEN n.credited ELSE coalesce(f.credited, true) END AS credited
        FROM incoming n LEFT JOIN kpis_teammembership f ON f.source = %s AND f.external_id = n.external_id
        WHERE NOT n.is_deleted
        """,
        [source],
    )
    cursor.execute("DELETE FROM proposed WHERE ends_on < starts_on RETURNING index")
    refused = {row[0]: _BACKWARDS for row in cursor.fetchall()}
    cursor.execute(
        """
        SELECT p.index FROM proposed p WHERE p.credited AND (
            EXISTS (
                SELECT FROM proposed q WHERE q.index < p.index AND q.credited AND q.person_id = p.person_id
                AND daterange(q.starts_on, q.ends_on) && daterange(p.starts_on, p.ends_on)
            ) OR EXISTS (
                SELECT FROM kpis_teammembership f WHERE f.person_id = p.person_id AND f.credited
                AND NOT f.is_derived AND f.deleted_at IS NULL
                AND f.id NOT IN (SELECT id FROM proposed WHERE id IS NOT NULL)
                AND f.id NOT IN (SELECT d.id FROM incoming n JOIN kpis_teammembership d
                                 ON d.external_id = n.external_id AND d.source = %s WHERE n.is_deleted)
                AND daterange(f.starts_on, f.ends_on) && daterange(p.starts_on, p.ends_on)
            )
        )
        """,
        [source],
    )
    refused |= {row[0]: _OVERLAP for row in cursor.fetchall()}
    cursor.execute("DROP TABLE proposed")
    return refused


def after_upsert(cursor: CursorWrapper, resource: str, *, now: datetime) -> None:
    """Do what follows from the rows in `affected`; nothing for resources without consequences of this kind."""
    if resource == "people":
        same_people.hide_gone(cursor)
    if resource in {"teams", "people", "products"}:
        _mirror_members(cursor, resource)
    regrouped = same_people.find_same_people(cursor, now=now) if resource == "people" else frozenset()
    if resource in {"teams", "people"}:
        _follow_person_teams(cursor, resource, regrouped, now=now)
        _link_teams(cursor)
    if resource == "memberships":
        _drop_derived_memberships(cursor, now=now)


def _mirror_members(cursor: CursorWrapper, resource: str) -> None:
    """Every team, person and product is a member of its dimension, by its external id (with source on a clash)."""
    table, dimension = {
        "teams": ("kpis_team", "team"),
        "people": ("kpis_person", "person"),
        "products": ("kpis_product", "product"),
    }[resource]
    cursor.execute(
        f"""
        WITH wanted AS (
            SELECT t.id, t.name, d.id AS dimension_id,
                   CASE WHEN EXISTS (SELECT FROM kpis_dimensionmember m
                                     WHERE m.dimension_id = d.id AND m.code = t.external_id)
                        THEN t.source || ':' || t.external_id ELSE t.external_id END AS code
            FROM {table} t JOIN affected a USING (id), kpis_dimension d
            WHERE d.code = %s AND t.member_id IS NULL
        ), made AS (
            INSERT INTO kpis_dimensionmember (dimension_id, code, name, aliases, is_active, is_unassigned)
            SELECT dimension_id, code, name, '[]', true, false FROM wanted RETURNING id, code
        )
        UPDATE {table} t SET member_id = made.id FROM wanted JOIN made USING (code) WHERE t.id = wanted.id
        """,
        [dimension],
    )
    cursor.execute(
        f"UPDATE kpis_dimensionmember m SET name = t.name, is_active = t.deleted_at IS NULL"
        f" FROM {table} t JOIN affected a USING (id) WHERE m.id = t.member_id"
    )
    if resource != "people":
        cursor.execute(
            f"UPDATE kpis_dimensionmember m SET parent_id = p.member_id"
            f" FROM {table} t LEFT JOIN {table} p ON p.id = t.parent_id"
            " WHERE m.id = t.member_id AND m.parent_id IS DISTINCT FROM p.member_id"
        )


def name_aliases(cursor: CursorWrapper, *, source: str) -> None:
    """A product is also found under its aliases; of two products with one alias the later one is."""
    cursor.execute(
        "INSERT INTO kpis_externalidentity (entity, source, external_id, row_id)"
        " SELECT DISTINCT ON (alias) 'products', %s, alias, p.id FROM kpis_product p JOIN affected a USING (id),"
        " jsonb_array_elements_text(p.aliases) AS alias ORDER BY alias, p.id DESC"
        " ON CONFLICT (entity, source, external_id) DO UPDATE SET row_id = excluded.row_id",
        [source],
    )


def _follow_person_teams(cursor: CursorWrapper, resource: str, regrouped: AbstractSet[int], *, now: datetime) -> None:
    if resource == "people":
        cursor.execute("SELECT p.id FROM kpis_person p JOIN affected a USING (id) WHERE p.refs ? 'team'")
    else:
        cursor.execute("SELECT fact_id FROM kpis_unresolvedreference WHERE fact = 'people' AND field = 'team'")
    follow_teams(cursor, {*regrouped, *(row[0] for row in cursor.fetchall())}, now=now)


def follow_teams(cursor: CursorWrapper, ids: Iterable[int], *, now: datetime) -> None:
    """Keep one membership for each of these people whose record names a team and for whom none were sent.

    Of several records of one person the first that names a team is followed.
    """
    links = dict(PersonLink.objects.filter(undone_at=None).order_by("person").values_list("person", "same_as"))
    heads = {links.get(each, each) for each in ids}
    rows = Person.objects.prefetch_related("memberships").in_bulk(
        [*heads, *(person for person, head in links.items() if head in heads)]
    )
    telling: dict[int, Person] = {}
    for pk in (*heads, *links):
        head = links.get(pk, pk)
        if head in heads and "team" in rows[pk].refs:
            known = telling.setdefault(head, rows[pk])
            telling[head] = known if known.refs["team"] else rows[pk]
    teams = _find_teams(record.refs["team"] for record in telling.values())
    touched: list[int] = []
    UnresolvedReference.objects.filter(fact="people", field="team", fact_id__in=list(rows)).delete()
    for head, record in telling.items():
        reference = record.refs["team"]
        team = teams.get((reference[0], reference[1])) if reference else None
        if reference and team is None:
            UnresolvedReference.objects.create(
                fact="people",
                fact_id=record.pk,
                field="team",
                entity="teams",
                source=reference[0],
                external_id=reference[1],
            )
            continue
        touched += _place_person(cursor, rows[head], record, team, now=now)
    if touched:
        dependents.mark_members(cursor, touched)


def _find_teams(references: Iterable[list[str] | None]) -> dict[tuple[str, str], Team]:
    wanted = {(reference[0], reference[1]) for reference in references if reference}
    ids = [external_id for _source, external_id in wanted]
    found = {(team.source, team.external_id): team for team in Team.objects.filter(external_id__in=ids)}
    named = ExternalIdentity.objects.filter(entity="teams", external_id__in=ids)
    by_id = Team.objects.in_bulk([each.row_id for each in named])
    return {(each.source, each.external_id): by_id[each.row_id] for each in named if each.row_id in by_id} | found


def _place_person(
    cursor: CursorWrapper, person: Person, record: Person, team: Team | None, *, now: datetime
) -> list[int]:
    """Move a person into the team of a record of it, from the day that changed; ids of the touched memberships."""
    live = [each for each in person.memberships.all() if each.deleted_at is None]
    if any(not each.is_derived for each in live):
        return []
    current = next((each for each in live if each.ends_on is None), None)
    if team is not None and current is not None and current.team_id == team.pk:
        return []
    changed_on = timezone.localdate(record.source_updated_at or now)
    if current is None:
        starts_on = changed_on if live else person.hired_on
        return [] if team is None else [_join(person, record, team, starts_on, now=now)]
    if current.starts_on is not None and changed_on <= current.starts_on and team is not None:
        current.team = team
        current.save(update_fields=["team"])
        return [current.pk]
    dependents.mark_members(cursor, [current.pk])  # what happened after the day leaves the team too
    current.ends_on = changed_on
    current.save(update_fields=["ends_on"])
    if team is None:
        return [current.pk]
    return [current.pk, _join(person, record, team, changed_on, now=now)]


def _join(person: Person, record: Person, team: Team, starts_on: date | None, *, now: datetime) -> int:
    """One that was taken back before is the same one again."""
    membership, _is_new = TeamMembership.objects.update_or_create(
        source=record.source,
        external_id=f"{record.external_id}@{team.external_id}@{starts_on or ''}"[:200],
        defaults={
            "person": person,
            "team": team,
            "starts_on": starts_on,
            "ends_on": None,
            "is_derived": True,
            "changed_at": now,
            "deleted_at": None,
        },
        create_defaults={
            "person": person,
            "team": team,
            "starts_on": starts_on,
            "is_derived": True,
            "recorded_at": now,
            "changed_at": now,
        },
    )
    return membership.pk


def _link_teams(cursor: CursorWrapper) -> None:
    """Leaders and predecessors of all teams as their records name them; a handful of rows, so always all of them."""
    cursor.execute("SELECT EXISTS (SELECT FROM kpis_team WHERE refs ?| array['leaders', 'succeeds'])")
    if not cursor.fetchone()[0]:
        return
    UnresolvedReference.objects.filter(fact="teams", field__in=["leaders", "succeeds"]).delete()
    for field, entity, table, insert in (
        (
            "leaders",
            "people",
            "kpis_person",
            "INSERT INTO kpis_teamleader (team_id, person_id, is_deputy) SELECT team_id, target_id, false FROM named"
            " WHERE target_id IS NOT NULL ON CONFLICT DO NOTHING",
        ),
        (
            "succeeds",
            "teams",
            "kpis_team",
            "INSERT INTO kpis_team_succeeds (from_team_id, to_team_id) SELECT team_id, target_id FROM named"
            " WHERE target_id IS NOT NULL ON CONFLICT DO NOTHING",
        ),
    ):
        cursor.execute(
            f"""
            CREATE TEMPORARY TABLE named ON COMMIT DROP AS
            SELECT t.id AS team_id, r->>0 AS source, r->>1 AS external_id,
                   coalesce(CASE WHEN x.deleted_at IS NULL THEN x.id END, i.row_id, x.id) AS target_id
            FROM kpis_team t CROSS JOIN jsonb_array_elements(t.refs->'{field}') AS r
            LEFT JOIN {table} x ON x.source = r->>0 AND x.external_id = r->>1
            LEFT JOIN kpis_externalidentity i ON i.entity = '{entity}' AND i.source = r->>0 AND i.external_id = r->>1
            WHERE t.deleted_at IS NULL
            """
        )
        _forget_links(cursor, field)
        cursor.execute(insert)
        cursor.execute(
            "INSERT INTO kpis_unresolvedreference (fact, fact_id, field, entity, source, external_id)"
            " SELECT 'teams', team_id, %s, %s, source, external_id FROM named WHERE target_id IS NULL",
            [field, entity],
        )
        cursor.execute("DROP TABLE named")


def _forget_links(cursor: CursorWrapper, field: str) -> None:
    """Drop links that the records of their teams no longer name; those typed by a person have dates and stay."""
    if field == "leaders":
        TeamLeader.objects.filter(team__refs__has_key="leaders", is_deputy=False, starts_on=None, ends_on=None).delete()
    else:
        cursor.execute(
            "DELETE FROM kpis_team_succeeds s USING kpis_team t WHERE t.id = s.from_team_id AND t.refs ? 'succeeds'"
        )


def _drop_derived_memberships(cursor: CursorWrapper, *, now: datetime) -> None:
    """Memberships that were sent for a person replace the one taken from the person's own record."""
    cursor.execute(
        "UPDATE kpis_teammembership m SET deleted_at = %s FROM kpis_teammembership sent JOIN affected a USING (id)"
        " WHERE m.person_id = sent.person_id AND m.is_derived AND m.deleted_at IS NULL AND NOT sent.is_derived"
        " RETURNING m.id",
        [now],
    )
    dropped = [row[0] for row in cursor.fetchall()]
    if dropped:
        dependents.mark_members(cursor, dropped)
