"""Work of the library that happens in a company: a pushed version arrives, an offer was decided."""

import uuid

from celery import shared_task
from django.utils import timezone

from kpis.library.choices import PushStatus
from kpis.library.services import receive_push, settle_push
from tenants.tasks import CompanyTask


@shared_task(base=CompanyTask)
def receive(*, company_id: str, object_id: str) -> None:
    receive_push(push_id=uuid.UUID(object_id), now=timezone.now())


@shared_task(base=CompanyTask)
def note_taken(*, company_id: str, object_id: str) -> None:
    settle_push(push_id=uuid.UUID(object_id), status=PushStatus.TAKEN, now=timezone.now())


@shared_task(base=CompanyTask)
def note_declined(*, company_id: str, object_id: str) -> None:
    settle_push(push_id=uuid.UUID(object_id), status=PushStatus.DECLINED, now=timezone.now())
