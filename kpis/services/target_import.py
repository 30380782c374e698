"""Targets that come from a file: what was looked at is what is set, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from kpis.engine.issues import Issue, gettext_noop
from kpis.models import Target, TargetRequest
from kpis.services.target_requests import set_or_request
from kpis.services.targets import TargetEntry, TargetError


@dataclass(frozen=True, slots=True)
class ImportedTarget:
    """A target to set, and what it was when the person looked at the change (None = not set)."""

    entry: TargetEntry
    seen: Decimal | None


def import_targets(*, imported: Sequence[ImportedTarget], actor: Any, now: datetime) -> TargetRequest | None:
    """Set all of them, or none; the request where they wait for approval, else None.

    Raises TargetError, also where a target was changed after it was looked at, and TargetRequestError.
    """
    with transaction.atomic():
        issues = tuple(_changed_meanwhile(imported))
        if issues:
            raise TargetError(issues=issues)
        return set_or_request(entries=[each.entry for each in imported], actor=actor, now=now)


def _changed_meanwhile(imported: Sequence[ImportedTarget]) -> list[Issue]:
    nodes = {each.entry.node.pk for each in imported}
    rows = Target.objects.select_for_update().filter(node__in=nodes).order_by("pk")
    present = {(row.node_id, row.member_id, row.line, row.period_start): row.value for row in rows}
    issues = []
    for index, each in enumerate(imported):
        entry = each.entry
        key = (entry.node.pk, entry.member.pk if entry.member else None, entry.line, entry.period_start)
        if present.get(key) != each.seen:
            issues.append(
                Issue(
                    f"{index}.value",
                    "changed_meanwhile",
                    gettext_noop(
                        "The target of %(node)s for %(period)s was changed meanwhile. Look at the file again."
                    ),
                    (("node", entry.node.name), ("period", entry.period_start)),
                )
            )
    return issues
