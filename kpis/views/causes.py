"""The lines of the table of main causes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from kpis.models import KpiNode
from kpis.selectors.contributions import Cause, Contributions, NodeShare

ZERO = Decimal(0)


@dataclass(frozen=True)
class CauseRow:
    """One line: a number of the KGI's formula (`cause`), or, named by `label`, a part of it or what is left."""

    label: str
    amount: Decimal
    cause: Cause | None = None
    node: KpiNode | None = None
    is_part: bool = False


def cause_rows(found: Contributions, period_label: str) -> list[CauseRow]:
    """The causes, the costliest first, with what reaches them below; then what nothing of it explains."""
    rows: list[CauseRow] = []
    for cause in sorted(found.causes, key=lambda each: each.amount):
        rows.append(CauseRow(cause.node.name, cause.amount, cause=cause, node=cause.node))
        rows += _start_rows(found, cause.starts, period_label, is_part=True)
        if cause.starts:
            rows.append(CauseRow(_("Timing"), cause.timing, is_part=True))
    rows += _start_rows(found, found.starts, period_label, is_part=False)
    if found.timing or found.starts:
        rows.append(CauseRow(_("Timing"), found.timing))
    if found.not_explained:
        rows.append(CauseRow(_("Not explained"), found.not_explained))
    return rows


def _start_rows(
    found: Contributions, starts: Sequence[NodeShare], period_label: str, *, is_part: bool
) -> Iterator[CauseRow]:
    """Per node what its numbers of this period did, and those of the months before."""
    for node in dict.fromkeys(share.node for share in starts):
        own = [share for share in starts if share.node == node]
        for label, shares in (
            (period_label, [share for share in own if share.period_start >= found.period_start]),
            (_("earlier months"), [share for share in own if share.period_start < found.period_start]),
        ):
            if shares:
                name = _("%(name)s of %(period)s") % {"name": node.name, "period": label}
                yield CauseRow(name, sum((share.amount for share in shares), ZERO), node=node, is_part=is_part)
