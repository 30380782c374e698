"""`manage.py demo_event`: somebody wins a deal in the demo's CRM, which calls us; open pages follow."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config import embedded
from config.demo.selling import change_a_deal
from config.demo.stage import DemoError


class Command(BaseCommand):
    help = "Changes a deal in the CRM of the running demo, which tells of it by a webhook. Watch a page meanwhile."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo runs with DEBUG=1 only: make demo")
        try:
            change = change_a_deal(embedded.directory(), today=timezone.localdate())
        except DemoError as error:
            raise CommandError(str(error)) from error
        if change.call != HTTPStatus.NO_CONTENT:
            raise CommandError(
                f"The CRM's webhook was not taken ({change.call or 'no answer'}). Wait until the demo says “Ready.”"
            )
        deal = change.deal
        self.stdout.write(f"{deal['id']} {deal['name']}: {deal['stage']}, {deal['amount']:,} JPY. The CRM has called.")
