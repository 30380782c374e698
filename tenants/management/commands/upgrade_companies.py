"""`manage.py upgrade_companies`: brings public and every ready company to the version of the code."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tenants.services.provisioning import ProvisioningInProgressError
from tenants.services.upgrades import outdated_companies, upgrade_company, upgrade_public


class Command(BaseCommand):
    help = "Applies new migrations to public and to every ready company, with the recurring work that came with them."

    def handle(self, *args: Any, **options: Any) -> None:
        upgrade_public()
        failed = []
        for company in outdated_companies():
            try:
                upgrade_company(company_id=company.id, now=timezone.now())
            except ProvisioningInProgressError:
                self.stdout.write(f"{company.slug} is being worked on by another process")
            except Exception as error:  # one broken company must not keep the others from being upgraded
                failed.append(company.slug)
                self.stderr.write(f"{company.slug} could not be upgraded: {error}")
            else:
                self.stdout.write(self.style.SUCCESS(f"{company.slug} is up to date"))
        if failed:
            raise CommandError(f"Not upgraded: {', '.join(failed)}")
