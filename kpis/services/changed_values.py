"""Telling that numbers changed which no recompute computes: targets, typed values, definitions, what was locked."""

import uuid

from django.core.cache import cache
from django.db import transaction

from kpis.selectors.kept import CHANGED_KEY
from tenants.context import current_company
from tenants.outbox.services import emit


def announce_changed_values() -> None:
    """Emit values.changed, and let open pages look again."""
    emit(topic="values.changed", company_id=current_company().pk)
    renew_open_pages()


def renew_open_pages() -> None:
    """Let open pages look again once the change is committed, where something beside the numbers is another one.

    A page that is not told for want of the cache shows it at the next change; the change itself never waits for it.
    """
    transaction.on_commit(lambda: cache.set(CHANGED_KEY, uuid.uuid4().hex, None), robust=True)
