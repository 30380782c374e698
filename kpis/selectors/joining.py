"""What the rules for leads found, for people to look at: links, duplicates, card scans, and questions."""

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice

from django.db.models import Count, Q, QuerySet

from kpis.choices import ExclusionReason
from kpis.engine.joining import piles
from kpis.models import Deal, Lead, LeadExclusion, LeadLink, Person, PersonLink
from kpis.selectors.lead_rules import find_lead_rules


@dataclass(frozen=True, slots=True)
class Question:
    """A deal for which a rule finds several leads."""

    link: LeadLink
    candidates: Sequence[Lead]


@dataclass(frozen=True, slots=True)
class Origin:
    """The lead that a deal came from; `rule` says why, "" where the deal's source says it itself."""

    lead: Lead
    rule: str


@dataclass(frozen=True, slots=True)
class Scan:
    """Leads that came in one pile and wait to be confirmed, all of one source and lead source.

    `day`: where only the day is known on which they came; it begins and ends at its first moment in UTC then.
    """

    source: str
    lead_source: str
    begins_at: datetime
    ends_at: datetime
    leads: Sequence[Lead]
    day: date | None = None

    @property
    def ids(self) -> str:
        """Its leads as one text, for a form."""
        return ",".join(str(lead.pk) for lead in self.leads)


@dataclass(frozen=True, slots=True)
class Namesakes:
    """Two people of different sources with one name, of whom nobody has said whether they are one."""

    person: Person
    same_as: Person


@dataclass(frozen=True, slots=True)
class JoinCounts:
    """How many deals each rule linked, how many were taken off again, and how many leads are kept out of the count."""

    by_rule: Sequence[tuple[str, int]]
    undone: int
    duplicates: int
    held: int


def count_questions() -> int:
    """Deals with several leads, and leads held back as a card scan that wait for a word; two queries."""
    return _ambiguous().count() + len(_waiting().order_by().values("lead__source", "lead__lead_source").distinct())


def read_counts() -> JoinCounts:
    """Three queries."""
    found = LeadLink.objects.filter(undone_at=None, lead__isnull=False).order_by("rule")
    kept_out = LeadExclusion.objects.filter(is_out=True).aggregate(
        duplicates=Count("pk", filter=Q(reason=ExclusionReason.DUPLICATE)),
        held=Count("pk", filter=Q(reason=ExclusionReason.SCAN)),
    )
    return JoinCounts(
        by_rule=tuple(found.values_list("rule").annotate(count=Count("pk"))),
        undone=LeadLink.objects.exclude(undone_at=None).count(),
        duplicates=kept_out["duplicates"],
        held=kept_out["held"],
    )


def find_questions(text: str = "") -> QuerySet[LeadLink]:
    """Deals for which a rule finds several leads, the latest first; narrowed as `find_links` is."""
    found = _ambiguous().select_related("deal__account").order_by("-deal__created_on", "-pk")
    return found.filter(_names(text, "deal")) if text else found


def with_candidates(links: Sequence[LeadLink]) -> tuple[Question, ...]:
    """Each of these deals with the leads to choose from; one query."""
    leads = Lead.objects.select_related("account", "owner").in_bulk({pk for link in links for pk in link.candidates})
    return tuple(Question(link, [leads[pk] for pk in link.candidates if pk in leads]) for link in links)


def read_scans() -> tuple[Scan, ...]:
    """Card scans that wait for a word, the latest first; two queries."""
    minutes = find_lead_rules().scan_minutes
    groups: dict[tuple[str, str], dict[int, LeadExclusion]] = defaultdict(dict)
    for row in _waiting().select_related("lead__account", "lead__owner"):
        groups[row.lead.source, row.lead.lead_source][row.lead_id] = row
    found = []
    for (source, lead_source), rows in groups.items():
        by_day: dict[datetime, list[Lead]] = defaultdict(list)
        for row in rows.values():
            if row.lead.created_at is None and row.created_at is not None:
                by_day[row.created_at].append(row.lead)
        found += [Scan(source, lead_source, at, at, leads, at.astimezone(UTC).date()) for at, leads in by_day.items()]
        arrivals = [
            (lead, row.created_at)
            for lead, row in rows.items()
            if row.created_at is not None and row.lead.created_at is not None
        ]
        for pile in piles(arrivals, minutes=minutes):
            times = [at for lead, at in arrivals if lead in set(pile)]
            found.append(Scan(source, lead_source, min(times), max(times), [rows[lead].lead for lead in pile]))
    return tuple(sorted(found, key=lambda scan: scan.begins_at, reverse=True))


def find_links(text: str = "") -> QuerySet[LeadLink]:
    """Links in force, and those that a person took off, the latest first.

    With a `text` those whose deal or lead has it in its name, its id or the name of its account.
    """
    links = LeadLink.objects.exclude(lead=None).select_related("deal__account", "lead__account", "undone_by")
    return links.filter(_names(text, "deal") | _names(text, "lead")) if text else links


def read_origins(deals: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Origin]:
    """Source and external id of deals → the lead each came from, where there is one. Two queries."""
    if not deals:
        return {}
    asked = Q.create([Q(source=source, external_id=name) for source, name in deals], connector=Q.OR)
    rows = list(Deal.objects.filter(asked).exclude(lead=None).select_related("lead"))
    links = LeadLink.objects.filter(deal__in=rows, undone_at=None).exclude(lead=None)
    rules = dict(links.values_list("deal", "rule"))
    return {(row.source, row.external_id): Origin(row.lead, rules.get(row.pk, "")) for row in rows if row.lead}


def find_duplicates(text: str = "") -> QuerySet[LeadExclusion]:
    """Leads that point to another, the latest first; with a `text` those where one of the two has it in its id or the
    name of its account."""
    rows = LeadExclusion.objects.filter(reason=ExclusionReason.DUPLICATE)
    rows = rows.select_related("lead__account", "same_as__account", "verdict_by")
    return rows.filter(_names(text, "lead") | _names(text, "same_as")) if text else rows


def read_person_links(limit: int) -> tuple[PersonLink, ...]:
    """People that are one person, and those that were taken apart again, the latest first; one query."""
    links = PersonLink.objects.select_related("person", "same_as", "decided_by", "undone_by")
    return tuple(links[:limit])


def read_people() -> tuple[Person, ...]:
    """Everybody who stands for himself, by name; one query."""
    return tuple(Person.objects.filter(deleted_at=None).order_by("name", "source", "external_id"))


def find_namesakes(people: Sequence[Person], limit: int) -> tuple[Namesakes, ...]:
    """Pairs with the same name, however it is spaced, in two sources; the one who was there first stays. One query."""
    told = set(PersonLink.objects.values_list("person", "same_as"))
    told |= {(same_as, person) for person, same_as in told}
    by_name: dict[str, list[Person]] = defaultdict(list)
    for each in sorted(people, key=lambda each: each.pk):
        by_name["".join(unicodedata.normalize("NFKC", each.name).casefold().split())].append(each)
    found = (
        Namesakes(other, first)
        for first, *others in by_name.values()
        for other in others
        if other.source != first.source and (other.pk, first.pk) not in told
    )
    return tuple(islice(found, limit))


def _names(text: str, of: str) -> Q:
    fields = ["external_id", "account__name", *(["name"] if of == "deal" else [])]
    return Q.create([Q(**{f"{of}__{field}__icontains": text}) for field in fields], connector=Q.OR)


def _ambiguous() -> QuerySet[LeadLink]:
    return LeadLink.objects.filter(undone_at=None, lead=None, deal__deleted_at=None)


def _waiting() -> QuerySet[LeadExclusion]:
    return LeadExclusion.objects.filter(reason=ExclusionReason.SCAN, is_out=True, verdict="")
