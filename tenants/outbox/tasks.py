"""The outbox's own tasks: look what is due, run one event, forget what is long done."""

from celery import shared_task
from django.utils import timezone

from tenants.outbox.services import dispatch_events, purge_events, run_event
from tenants.tasks import PublicTask


@shared_task(base=PublicTask)
def dispatch() -> None:
    dispatch_events(now=timezone.now())


@shared_task(base=PublicTask)
def deliver(*, event_id: int) -> None:
    run_event(event_id=event_id, now=timezone.now())


@shared_task(base=PublicTask)
def purge() -> None:
    purge_events(now=timezone.now())
