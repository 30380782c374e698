"""Handlers for a real worker: one that does its work, one whose worker is killed under it the first time."""

import os
import signal

from celery import shared_task
from django.contrib.auth.models import Group

from tenants.context import current_company
from tenants.outbox.registry import on
from tenants.tasks import CompanyTask


@shared_task(base=CompanyTask, name="tests.probe_work")
def work(*, company_id: str, object_id: str) -> None:
    Group.objects.get_or_create(name=f"{object_id} in {current_company().slug}")


@shared_task(base=CompanyTask, name="tests.probe_die_once")
def die_once(*, company_id: str, object_id: str) -> None:
    _group, is_first = Group.objects.get_or_create(name="died")
    if is_first:
        os.kill(os.getpid(), signal.SIGKILL)
    Group.objects.get_or_create(name="survived")


on("tests.work", work)
on("tests.die", die_once)
