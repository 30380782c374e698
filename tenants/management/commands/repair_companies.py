"""`manage.py repair_companies`: finishes every provisioning that was killed or failed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tenants.choices import CompanyStatus
from tenants.models import Company
from tenants.services.provisioning import ProvisioningInProgressError, provision_company


class Command(BaseCommand):
    help = "Finishes the provisioning of every company that is not ready yet."

    def handle(self, *args: Any, **options: Any) -> None:
        failed = []
        waiting = Company.objects.filter(status=CompanyStatus.PROVISIONING).order_by("-type", "created_at")
        for company in waiting:
            try:
                provision_company(company_id=company.id, now=timezone.now())
            except ProvisioningInProgressError:
                self.stdout.write(f"{company.slug} is being provisioned by another process")
            except Exception as error:  # one broken company must not keep the others from being repaired
                failed.append(company.slug)
                self.stderr.write(f"{company.slug} could not be repaired: {error}")
            else:
                self.stdout.write(self.style.SUCCESS(f"{company.slug} is ready"))
        if failed:
            raise CommandError(f"Not repaired: {', '.join(failed)}")
