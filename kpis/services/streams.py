"""How fresh each stream of facts is: told by whoever delivers, read by everything that says "as of"."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from kpis.models import FactStream
from tenants.context import current_company
from tenants.outbox.services import emit

STREAM_READ = "stream.read"


@transaction.atomic
def record_stream(*, source: str, fact: str, last_success_at: datetime, expected_every: timedelta | None) -> None:
    """Note that `source` has delivered this kind of fact, and how often it is due (None = only by hand)."""
    before = FactStream.objects.select_for_update().filter(source=source, fact=fact).first()
    FactStream.objects.update_or_create(
        source=source, fact=fact, defaults={"last_success_at": last_success_at, "expected_every": expected_every}
    )
    tell_read(before=before.last_success_at if before else None, now=last_success_at)


@transaction.atomic
def expect_stream(*, source: str, fact: str, expected_every: timedelta | None) -> None:
    """Change how often a stream is due, where it has delivered before."""
    FactStream.objects.filter(source=source, fact=fact).update(expected_every=expected_every)
    for stream in FactStream.objects.filter(source=source, fact=fact):
        _emit(stream.last_success_at)


def tell_read(*, before: datetime | None, now: datetime) -> None:
    """Emit stream.read where a stream that was last read at `before` is read for the first time on a day.

    What nobody could say before may be told now, though no record has changed: that there was nothing.
    """
    if before is None or timezone.localdate(before) < timezone.localdate(now):
        _emit(before)


def _emit(before: datetime | None) -> None:
    """The event names the day up to which the stream was known, '' where it never was."""
    since = timezone.localdate(before).isoformat() if before else ""
    emit(topic=STREAM_READ, company_id=current_company().pk, object_id=since)
