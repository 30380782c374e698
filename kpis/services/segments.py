"""Segments that the company names: which custom field of its records fills each of the five."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction

from kpis.choices import SEGMENTS
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import Dimension, LockedCell
from kpis.models.dimensions import LABEL_LENGTH
from kpis.selectors.segments import SEGMENT_MEMBERS, count_field
from kpis.services.dependents import mark_segments
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class SegmentError(RefusedError):
    """A segment that cannot be kept."""

    code = "invalid_segment"


def set_segment(
    *,
    code: str,
    name: str | None = None,
    attribute: str | None = None,
    is_active: bool | None = None,
    actor: Any,
    now: datetime,
) -> Dimension:
    """Name one of seg1 to seg5 and say which custom field (a key of `attributes`) fills it; None leaves as it is.

    A record is in the segment that its own field names, else its account's field, else for the keys industry and size
    what the account itself says. Naming a field puts the segment into use unless `is_active` says otherwise, taking
    the field away takes it out of use. A field that no record has is kept: everything is unassigned until one comes.
    Where other records are in other segments now, all of them are looked at again. Raises SegmentError.
    """
    if code not in SEGMENTS:
        template = gettext_noop("%(code)s is not a segment of the company. Those are %(codes)s.")
        raise SegmentError(template, code=code, codes=", ".join(SEGMENTS))
    with transaction.atomic():
        rows = {row.code: row for row in Dimension.objects.select_for_update().filter(code__in=SEGMENTS).order_by("id")}
        segment = rows.pop(code)
        before = segment.attribute, segment.is_active
        segment.name = segment.name if name is None else name.strip()
        segment.attribute = segment.attribute if attribute is None else attribute.strip()
        if is_active is not None:
            segment.is_active = is_active
        elif attribute is not None:
            segment.is_active = bool(segment.attribute)
        _check(segment, list(rows.values()), was=before[0])
        segment.save(update_fields=["name", "attribute", "is_active"])
        if segment.attribute != before[0]:
            segment.members.filter(is_unassigned=False).update(is_active=False)
        if (segment.attribute, segment.is_active) != before and (segment.is_active or before[1]):
            with connection.cursor() as cursor:
                mark_segments(cursor)
            emit(topic="facts.changed", company_id=current_company().pk)
    return segment


def _check(segment: Dimension, others: list[Dimension], *, was: str) -> None:
    """Refuse what cannot hold, field by field. Raises SegmentError."""
    issues = []
    for field in ("name", "attribute"):
        if len(getattr(segment, field)) > LABEL_LENGTH:
            template = gettext_noop("Write at most %(most)s characters.")
            issues.append(Issue(field, "too_long", template, (("most", LABEL_LENGTH),)))
    if segment.is_active and not segment.attribute:
        template = gettext_noop("Say which field fills the segment before it is put into use.")
        issues.append(Issue("attribute", "required", template))
    same = next((row for row in others if row.is_active and row.attribute == segment.attribute), None)
    if segment.is_active and segment.attribute and same is not None:
        template = gettext_noop("%(other)s is filled by %(field)s already. Name another field, or change that segment.")
        issues.append(Issue("attribute", "used", template, (("other", str(same)), ("field", segment.attribute))))
    if segment.attribute != was and LockedCell.objects.filter(dimension=segment.code).exists():
        template = gettext_noop(
            "Periods were closed with this segment filled by %(field)s. Give the other field a segment that is free, or"
            " reopen those periods first."
        )
        issues.append(Issue("attribute", "locked", template, (("field", was),)))
    if not issues and segment.is_active and segment.attribute != was:
        count = count_field(segment.attribute).value_count
        if count > SEGMENT_MEMBERS:
            template = gettext_noop(
                "%(field)s has %(count)s different values. A segment divides into %(most)s at most: name a field with"
                " few values."
            )
            named = (("field", segment.attribute), ("count", count), ("most", SEGMENT_MEMBERS))
            issues.append(Issue("attribute", "too_many", template, named))
    if issues:
        raise SegmentError(issues=issues)
