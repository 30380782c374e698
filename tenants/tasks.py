"""The two bases of every Celery task, and the tasks of the tenants floor."""

from __future__ import annotations

import logging
from typing import Any

from celery import Task, shared_task
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from tenants.console.services import refresh_company_health
from tenants.context import WrongSchemaError, assert_schema, public_context, tenant_context
from tenants.models import Company, DeadLetter
from tenants.services.due import dispatch_due
from tenants.services.provisioning import provision_company

logger = logging.getLogger(__name__)


class PublicTask(Task):
    """A task that works in the public schema; being one is a declaration, not a default."""

    abstract = True
    max_retries = 3
    default_retry_delay = 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with public_context():
            return self.run(*args, **kwargs)


class CompanyTask(Task):
    """A task that works in one company's schema: keyword `company_id` required, the company ready.

    The schema is asserted before and after the body. Anything else runs nothing and leaves a dead letter. A worker
    that is lost is replaced `max_retries` times.
    """

    abstract = True
    max_retries = 3
    default_retry_delay = 1

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        company = self._find_company(kwargs.get("company_id"))
        if company is None:
            return self._refuse(kwargs, "It names no company that is ready, so nothing was run.")
        with tenant_context(company):
            try:
                assert_schema(company)
                result = self.run(*args, **kwargs)
                assert_schema(company)
            except WrongSchemaError as error:
                connection.close()
                self._refuse(kwargs, str(error))
                raise
            return result

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any) -> None:
        if not isinstance(exc, WrongSchemaError):
            self._refuse(kwargs, f"{type(exc).__name__}: {exc}")

    @staticmethod
    def _find_company(company_id: Any) -> Company | None:
        try:
            with public_context():
                return Company.objects.ready().filter(id=company_id).first() if company_id else None
        except ValidationError:
            return None

    def _refuse(self, kwargs: dict[str, Any], reason: str) -> None:
        logger.error("task.refused", extra={"task": self.name, "reason": reason})
        with public_context():
            known = Company.objects.filter(id=kwargs["company_id"]).first() if _is_uuid(kwargs) else None
            DeadLetter.objects.create(
                company=known,
                task=self.name,
                arguments={name: str(value)[:200] for name, value in kwargs.items()},
                reason=reason[:2000],
            )


def _is_uuid(kwargs: dict[str, Any]) -> bool:
    try:
        Company._meta.pk.to_python(kwargs.get("company_id"))
    except ValidationError:
        return False
    return bool(kwargs.get("company_id"))


@shared_task(base=PublicTask)
def provision(*, company_id: str, object_id: str = "") -> None:
    provision_company(company_id=company_id, now=timezone.now())


@shared_task(base=PublicTask)
def dispatch_due_work() -> None:
    dispatch_due(now=timezone.now())


@shared_task(base=CompanyTask)
def refresh_health(*, company_id: str, object_id: str = "") -> None:
    refresh_company_health(now=timezone.now())
