"""The moments at which meetings wrote a number down."""

from datetime import datetime

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from kpis.engine.formats import write_date, write_moment
from kpis.models import KpiNode, Period
from kpis.selectors.details import Segment
from reviews.choices import MeetingStatus
from reviews.models import AgendaItem, Meeting
from reviews.selectors.numbers import from_json
from tenants.registry import NotedNumber, Occasion

MEETING = "meeting"


def read_noted_numbers(*, node: KpiNode, period: Period, segment: Segment, language: str) -> list[NotedNumber]:
    """What each opened meeting noted of one cell, on its agenda or as a KGI, latest first; two queries."""
    place = {
        "node_id": node.pk,
        "dimension": str(segment.dimension),
        "member_id": segment.member.pk if segment.member else None,
        "grain": period.grain,
        "period_start": period.start_date.isoformat(),
    }
    items = AgendaItem.objects.filter(frozen__contains=place).select_related("meeting")
    meetings = Meeting.objects.filter(Q(frozen__contains=[place]) | Q(pk__in=[item.meeting_id for item in items]))
    frozen = {item.meeting_id: item.frozen for item in items}
    noted = []
    for meeting in meetings.exclude(opened_at=None).order_by("-opened_at"):
        assert meeting.opened_at is not None
        on_agenda = frozen.get(meeting.pk) or next(goal for goal in meeting.frozen if place.items() <= goal.items())
        day = write_date(timezone.localdate(meeting.opened_at), language=language, short=True)
        label = _("At the meeting %(day)s") % {"day": day}
        noted.append(NotedNumber(MEETING, label, meeting.opened_at, from_json(on_agenda)[1].value))
    return noted


def read_last_meeting(*, node: KpiNode, now: datetime, language: str) -> Occasion | None:
    """The last meeting, of a series that goes on, at which a KGI was looked at, from its opening on; one query.

    A meeting that is in session is not the last one: it asks what changed since the one before.
    """
    held = Meeting.objects.filter(status=MeetingStatus.CLOSED, series__is_active=True, opened_at__lte=now)
    last = held.filter(frozen__contains=[{"node_id": node.pk}]).select_related("series").order_by("-opened_at").first()
    if last is None or last.opened_at is None:
        return None
    moment = write_moment(timezone.localtime(last.opened_at), language=language)
    return Occasion(MEETING, _("%(series)s on %(moment)s") % {"series": last.series, "moment": moment}, last.opened_at)
