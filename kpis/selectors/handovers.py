"""The handover ledger: every lead that marketing handed over, read from leads, stages, deals and activities alone.

Which leads these are, and on which day, say the events of the KPI "MQL": the ledger lists what that number counts.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from django.utils import timezone

from kpis.engine.handover import (
    Handed,
    Moment,
    Office,
    Response,
    Standing,
    Summary,
    find_standing,
    measure_response,
    summarise,
)
from kpis.models import (
    Activity,
    CalendarDay,
    Deal,
    DimensionMember,
    FactStream,
    HandoverDefinition,
    KpiEvent,
    Lead,
    LeadExclusion,
    LeadStageEvent,
)
from kpis.selectors.lead_rules import find_lead_rules
from kpis.selectors.streams import FactsRead, read_facts

# What says that a lead was handed over, and what beside that says what became of it.
HANDED_BY = ("leads", "lead-stage-events")
SETTLED_BY = ("deals",)
RETURNING = ("returned", "disqualified")
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Handover:
    """One lead handed over on `day`: to whom, what became of it, and how soon it was answered.

    `response` is None without a contact; `is_in_time` None where nothing is agreed, the answer is still due, or the
    source does not say the times well enough. `is_contacted` is None where no source delivers contacts.
    """

    lead: Lead
    day: date
    handed_at: datetime | None
    source: DimensionMember
    person: DimensionMember
    standing: Standing
    reason: str
    settled_on: date | None
    contact: Activity | None
    response: Response | None
    agreed_hours: Decimal | None
    is_in_time: bool | None
    deal: Deal | None
    is_contacted: bool | None

    @property
    def account(self) -> str:
        return self.lead.account.name if self.lead.account else ""

    @property
    def owner(self) -> str:
        return self.lead.owner.name if self.lead.owner else ""

    @property
    def counted(self) -> Handed:
        hours = self.response.hours if self.response else None
        return Handed(self.standing, self.is_contacted, hours, self.is_in_time)


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """What the handovers of one lead source come to."""

    source: DimensionMember
    summary: Summary


def find_definition(day: date) -> HandoverDefinition | None:
    """The agreement in force on a day."""
    return HandoverDefinition.objects.filter(effective_from__lte=day).first()


def contacts_as_of() -> datetime | None:
    """Until when contacts are known: the oldest last delivery of who delivers them; None where one never came."""
    moments = list(FactStream.objects.filter(fact="activities").values_list("last_success_at", flat=True))
    known = [moment for moment in moments if moment is not None]
    return min(known) if known and len(known) == len(moments) else None


def read_handovers(start: date, end: date, *, now: datetime) -> tuple[Handover, ...]:
    """Every lead handed over in [start, end), the latest first; a fixed number of queries.

    Person-level rows: the caller narrows them to whom the reader may see (`seen_by`).
    """
    events = list(
        KpiEvent.objects.filter(kind="leads.mql_on", date__gte=start, date__lt=end)
        .order_by("-date", "-fact_id")
        .values_list("fact_id", "date", "lead_source_id", "person_id")
    )
    facts = _Facts.read([lead for lead, *_rest in events])
    members = DimensionMember.objects.in_bulk({pk for _lead, _day, *pair in events for pk in pair})
    known = contacts_as_of()
    until = None if known is None else _local(min(known, now))
    ledger = _Ledger(facts, _office(start), tuple(HandoverDefinition.objects.all()), until)
    return tuple(ledger.row(lead, day, members[source], members[person]) for lead, day, source, person in events)


def seen_by(rows: Iterable[Handover], people: Collection[int] | None) -> tuple[Handover, ...]:
    """Those of the persons in sight (primary keys; None = everybody)."""
    return tuple(row for row in rows if people is None or row.lead.owner_id in people)


def read_ledger_sources(*, now: datetime) -> tuple[FactsRead, FactsRead]:
    """How far leads and their stages are known, and how far these and the deals made of them are. Two queries."""
    return read_facts(*HANDED_BY, now=now), read_facts(*HANDED_BY, *SETTLED_BY, now=now)


def narrow_handovers(
    rows: Iterable[Handover], *, source: str | None = None, owner: str | None = None, standing: str | None = None
) -> tuple[Handover, ...]:
    """Those of one lead source, person (codes of members) and standing; None = any."""
    return tuple(
        row
        for row in rows
        if source in {None, row.source.code} and owner in {None, row.person.code} and standing in {None, row.standing}
    )


def summarise_by_source(rows: Iterable[Handover]) -> tuple[SourceSummary, ...]:
    """One line for each lead source, the most handed over first."""
    by_source: dict[int, list[Handover]] = defaultdict(list)
    for row in rows:
        by_source[row.source.pk].append(row)
    lines = [SourceSummary(of[0].source, summarise([row.counted for row in of])) for of in by_source.values()]
    return tuple(sorted(lines, key=lambda line: (-line.summary.handed, line.source.name)))


def _local(moment: datetime) -> datetime:
    return timezone.localtime(moment).replace(tzinfo=None)


def _moment(moment: datetime) -> Moment:
    """A source that knows only the day writes midnight."""
    local = _local(moment)
    return Moment(local.date(), None if local.time() == time() else local)


def _office(start: date) -> Office:
    rules = find_lead_rules()
    days = dict(CalendarDay.objects.filter(day__gte=start).values_list("day", "is_business_day"))

    def is_business_day(day: date) -> bool:
        return days.get(day, day.weekday() < SATURDAY)

    return Office(is_business_day, rules.opens_at, rules.closes_at)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What belongs to the leads of a ledger, by lead; a duplicate's belongs to the lead that is counted for it."""

    leads: Mapping[int, Lead]
    stages: Mapping[int, Sequence[LeadStageEvent]]
    deals: Mapping[int, Sequence[Deal]]
    contacts: Mapping[int, Sequence[Activity]]
    accepted: Mapping[int, date]

    @classmethod
    def read(cls, leads: Sequence[int]) -> "_Facts":
        heads: dict[int | None, int] = {pk: pk for pk in leads}
        duplicates = LeadExclusion.objects.filter(same_as__in=leads, is_out=True)
        heads |= dict(duplicates.values_list("lead_id", "same_as_id"))
        stages: dict[int, list[LeadStageEvent]] = defaultdict(list)
        for event in LeadStageEvent.objects.filter(lead__in=heads, deleted_at=None).order_by("entered_at", "id"):
            stages[heads[event.lead_id]].append(event)
        deals: dict[int, list[Deal]] = defaultdict(list)
        for deal in Deal.objects.filter(lead__in=heads, deleted_at=None).exclude(outcome="void").order_by("id"):
            deals[heads[deal.lead_id]].append(deal)
        contacts: dict[int, list[Activity]] = defaultdict(list)
        of_deals: dict[int | None, int] = {deal.pk: lead for lead, rows in deals.items() for deal in rows}
        told = (
            Activity.objects.filter(deleted_at=None).exclude(kind="other").order_by("happened_on", "happened_at", "id")
        )
        for contact in told.filter(lead__in=heads):
            contacts[heads[contact.lead_id]].append(contact)
        for contact in told.filter(deal__in=of_deals).exclude(lead__in=heads):
            contacts[of_deals[contact.deal_id]].append(contact)
        accepted = KpiEvent.objects.filter(kind="leads.sql_on", fact_id__in=leads)
        return cls(
            Lead.objects.select_related("account", "owner").in_bulk(leads),
            stages,
            deals,
            contacts,
            dict(accepted.values_list("fact_id", "date")),
        )


@dataclass(frozen=True, slots=True)
class _Ledger:
    """Makes the rows."""

    facts: _Facts
    office: Office
    definitions: Sequence[HandoverDefinition]
    known_until: datetime | None

    def row(self, pk: int, day: date, source: DimensionMember, person: DimensionMember) -> Handover:
        lead = self.facts.leads[pk]
        entries = [_moment(each.entered_at) for each in self.facts.stages.get(pk, ()) if each.stage == "mql"]
        handed = next((each for each in entries if each.day == day), Moment(day))
        latest = entries[-1] if entries and handed.is_before(entries[-1]) else handed
        accepted, returned = self.accepted(pk), self.returned(lead)
        standing = find_standing(handed=latest, accepted=accepted, returned=returned and returned[0])
        contact = self.first_contact(pk, handed)
        agreed = next((each.response_hours for each in self.definitions if each.effective_from <= day), None)
        response = None if contact is None else measure_response(handed, _contact_moment(contact), self.office)
        settled = {Standing.ACCEPTED: accepted, Standing.RETURNED: returned and returned[0]}.get(standing)
        return Handover(
            lead=lead,
            day=day,
            handed_at=timezone.make_aware(handed.at) if handed.at else None,
            source=source,
            person=person,
            standing=standing,
            reason=returned[1] if returned and standing is Standing.RETURNED else "",
            settled_on=settled.day if settled else None,
            contact=contact,
            response=response,
            agreed_hours=agreed,
            is_in_time=self.is_in_time(handed, response, agreed),
            deal=next(iter(self.facts.deals.get(pk, ())), None),
            is_contacted=True if contact else None if self.known_until is None else False,
        )

    def accepted(self, pk: int) -> Moment | None:
        """The day on which it counts as SQL, with its time where a stage says it."""
        day = self.facts.accepted.get(pk)
        if day is None:
            return None
        entries = [_moment(each.entered_at) for each in self.facts.stages.get(pk, ()) if each.stage == "sql"]
        return next((each for each in entries if each.day == day), Moment(day))

    def returned(self, lead: Lead) -> tuple[Moment, str] | None:
        """When it was last sent back or disqualified, and why."""
        told = [each for each in self.facts.stages.get(lead.pk, ()) if each.stage in RETURNING]
        if told:
            reason = told[-1].attributes.get("reason") or lead.disqualified_reason
            return _moment(told[-1].entered_at), str(reason)
        return None if lead.disqualified_on is None else (Moment(lead.disqualified_on), lead.disqualified_reason)

    def first_contact(self, pk: int, handed: Moment) -> Activity | None:
        contacts = self.facts.contacts.get(pk, ())
        after = [each for each in contacts if not _contact_moment(each).is_before(handed)]
        return min(after, key=_contact_order, default=None)

    def is_in_time(self, handed: Moment, response: Response | None, agreed: Decimal | None) -> bool | None:
        """Without a contact it is late as soon as the agreed hours have passed for sure; until then it is open.

        What a source has not delivered yet may hold the contact: the hours end with the last delivery.
        """
        if agreed is None:
            return None
        if response is not None:
            return response.is_within(agreed)
        if self.known_until is None:
            return None
        so_far = measure_response(handed, Moment(self.known_until.date(), self.known_until), self.office)
        return False if so_far.least > agreed else None


def _contact_moment(contact: Activity) -> Moment:
    return _moment(contact.happened_at) if contact.happened_at else Moment(contact.happened_on)


def _contact_order(contact: Activity) -> tuple[date, bool, datetime, int]:
    moment = _contact_moment(contact)
    return moment.day, moment.at is None, moment.at or datetime.combine(moment.day, time()), contact.pk
