"""The outbox's own tasks: look what is due, run one event, forget what is long done."""

from celery import Task, shared_task
from django.utils import timezone

from tenants.outbox.services import dispatch_events, purge_events, run_event
from tenants.tasks import PublicTask


@shared_task(base=PublicTask)
def dispatch() -> None:
    dispatch_events(now=timezone.now())


@shared_task(base=PublicTask, bind=True)
def deliver(self: Task, *, event_id: int) -> None:
    run_event(event_id=event_id, message=self.request.id or "", now=timezone.now())


@shared_task(base=PublicTask)
def purge() -> None:
    purge_events(now=timezone.now())
