"""`manage.py rotate_credentials`: new data keys for every company, sealed by the newest of CREDENTIAL_KEYS.

To change the master key: put the new one first in CREDENTIAL_KEYS everywhere, run this, then take the old one away.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from integrations.services.credentials import SealedError, rotate
from tenants.context import public_context, tenant_context
from tenants.models import Company


class Command(BaseCommand):
    help = "Seals the credentials of all connections with new keys."

    def handle(self, *args: Any, **options: Any) -> None:
        with public_context():
            companies = list(Company.objects.ready().clients())
        failed = []
        for company in companies:
            with tenant_context(company):
                try:
                    count = rotate(now=timezone.now())
                except SealedError as error:
                    failed.append(company.slug)
                    self.stderr.write(f"{company.slug}: {error}. Nothing was changed there.")
                    continue
            self.stdout.write(f"{company.slug}: {count} sealed anew")
        if failed:
            raise CommandError(f"Keep the old key: it still seals credentials of {', '.join(failed)}.")
