"""What was locked when periods were closed."""

from django.utils import timezone
from django.utils.translation import gettext as _

from kpis.engine.formats import write_date
from kpis.models import KpiNode, LockedCell, Period
from kpis.selectors.details import Segment
from tenants.registry import NotedNumber

CLOSING = "closing"


def read_locked_numbers(*, node: KpiNode, period: Period, segment: Segment, language: str) -> list[NotedNumber]:
    """What closing noted of one cell."""
    cells = LockedCell.objects.filter(
        node=node,
        grain=period.grain,
        period_start=period.start_date,
        dimension=segment.dimension,
        member=segment.member,
    )
    return [
        NotedNumber(
            CLOSING,
            _("At closing %(day)s")
            % {"day": write_date(timezone.localdate(cell.locked_at), language=language, short=True)},
            cell.locked_at,
            cell.value,
        )
        for cell in cells
    ]
