"""`manage.py create_console`: makes an empty database usable and provisions the consultancy's console."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from tenants.selectors import company_address
from tenants.services.installation import prepare_installation


class Command(BaseCommand):
    help = "Provisions the console; does nothing where it is ready."

    def handle(self, *args: Any, **options: Any) -> None:
        console = prepare_installation(now=timezone.now())
        self.stdout.write(self.style.SUCCESS(f"The console is ready at {company_address(console)}"))
