"""`manage.py create_api_key SLUG --name NAME --scope read --scope write`: prints only the key, which is shown once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from integrations.choices import Scope
from integrations.services.api_keys import create_api_key
from tenants.context import public_context, tenant_context
from tenants.models import Company


class Command(BaseCommand):
    help = "Makes an API key for a company and prints it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the company's address name")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=Scope.values,
            help="what the key may do; may be given several times",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with public_context():
            company = Company.objects.ready().clients().filter(slug=options["slug"]).first()
        if company is None:
            raise CommandError(f"There is no ready company “{options['slug']}”. Create it with create_company first.")
        with tenant_context(company):
            _key, text = create_api_key(name=options["name"], scopes=options["scope"], actor=None, now=timezone.now())
        self.stdout.write(text)
