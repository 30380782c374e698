"""`manage.py create_company SLUG --name NAME`: provisions a client company and waits until it is ready."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from tenants.models import Company
from tenants.outbox.services import drain
from tenants.registry import templates
from tenants.selectors import company_address
from tenants.services.companies import CompanyRequestError, request_company
from tenants.services.installation import prepare_installation

LONGEST_WAIT = timedelta(minutes=5)


class Command(BaseCommand):
    help = "Creates a client company and waits until it is ready."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the first part of its address: lower-case letters, digits and hyphens")
        parser.add_argument("--name", required=True, help="the name to show")
        shipped = ", ".join(each.code for each in templates)
        parser.add_argument("--template", help=f"{shipped}, or the code of a template that the consultancy published")
        parser.add_argument("--fiscal-start", type=int, default=4, help="month in which the fiscal year starts")
        parser.add_argument("--closing-day", type=int, default=31, help="last day of a month, 31 = its end")
        parser.add_argument("--currency", default="JPY", help="three-letter code")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        prepare_installation(now=now)
        try:
            company = request_company(
                slug=options["slug"],
                name=options["name"],
                fiscal_start_month=options["fiscal_start"],
                closing_day=options["closing_day"],
                currency=options["currency"],
                template=options["template"],
                now=now,
            )
        except CompanyRequestError as error:
            raise CommandError(str(error)) from error
        drain(company_id=company.id, wait=LONGEST_WAIT)
        company = Company.objects.get(id=company.id)
        if not company.is_ready:
            raise CommandError(
                f"{company.slug} is not ready: {company.failure or 'its provisioning is still under way'}. "
                "It is tried again by the worker, or at once by: manage.py repair_companies"
            )
        self.stdout.write(self.style.SUCCESS(f"{company.slug} is ready at {company_address(company)}"))
