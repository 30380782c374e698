"""What the checklist asks of the data: automatic sources (8), little typing (9), a rhythm for everything (12)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from integrations.choices import Carries, Health
from integrations.models import Connection
from integrations.selectors.connections import health_of
from kpis.choices import Grain, Level, TreeStatus
from kpis.engine.freshness import is_late
from kpis.models import FactStream, KpiNode, MetricVersion
from kpis.selectors.inputs import overdue_twice, read_inputs
from tenants.registry import ItemState, ItemStatus

AUTOMATIC_SHARE = Decimal("0.70")
MANUAL_SHARE = Decimal("0.20")
LATE_BY = 2
# How often a value is due in a month, by the frequency of its KPI.
DUE_PER_MONTH = {Grain.MONTH.value: Decimal(1), Grain.WEEK.value: Decimal(52) / 12}


@dataclass(frozen=True)
class KpiSource:
    """One KPI of an active tree: whether people type its values, how often, and whether it says why."""

    node: KpiNode
    is_manual: bool

    @property
    def due_per_month(self) -> Decimal:
        return DUE_PER_MONTH[self.node.frequency]


def check_automatic(today: date) -> ItemState:
    """Item 8: a healthy sales and a healthy marketing source on schedule, and 70 % of the KPIs automatic."""
    connections = list(Connection.objects.all())
    if not connections:
        return ItemState(
            ItemStatus.NOT_STARTED,
            next_step=_("Connect the sales or marketing system."),
            next_step_url=reverse("connection_new"),
        )
    scheduled = [each for each in connections if each.promised_every is not None and each.carries != Carries.OTHER]
    healthy = [each for each in scheduled if health_of(connection=each, now=_moment(today)) == Health.HEALTHY]
    share = _automatic_share(kpi_sources(today=today))
    evidence = _("Up to date: %(healthy)s of %(all)s scheduled sources. Automatic KPIs: %(share)s%%.") % {
        "healthy": len(healthy),
        "all": len(scheduled),
        "share": "–" if share is None else f"{share * 100:.0f}",
    }
    if _both_systems(healthy) and share is not None and share >= AUTOMATIC_SHARE:
        return ItemState(ItemStatus.DONE, evidence, reverse("connections"))
    delivered = [each for each in scheduled if each.last_success_at is not None]
    status = ItemStatus.REGRESSED if _both_systems(delivered) and not _both_systems(healthy) else ItemStatus.IN_PROGRESS
    step = (
        _("Bring the sources back that are late or failing.")
        if status == ItemStatus.REGRESSED
        else _("Connect a sales and a marketing source, each with a schedule.")
    )
    return ItemState(status, evidence, reverse("connections"), step, reverse("connections"))


def check_manual_entry(today: date) -> ItemState:
    """Item 9: at most 20 % of the values that are due are typed, and every typed KPI says why."""
    sources = kpi_sources(today=today)
    if not sources:
        return ItemState(ItemStatus.NOT_STARTED, next_step=_("Activate a KPI tree."))
    manual = [each for each in sources if each.is_manual]
    due = sum((each.due_per_month for each in sources), Decimal())
    share = sum((each.due_per_month for each in manual), Decimal()) / due
    unexplained = [each.node.name for each in manual if not each.node.reason.strip()]
    evidence = _("Typed by hand: %(manual)s of %(all)s KPIs, %(share)s%% of the values due.") % {
        "manual": len(manual),
        "all": len(sources),
        "share": f"{share * 100:.0f}",
    }
    if unexplained:
        step = _("Say why these KPIs are typed by hand: %(names)s.") % {"names": "、".join(unexplained)}
        return ItemState(ItemStatus.IN_PROGRESS, evidence, next_step=step)
    if share > MANUAL_SHARE:
        step = _("Take values from a source instead of typing them, until at most a fifth is typed.")
        return ItemState(ItemStatus.IN_PROGRESS, evidence, next_step=step, next_step_url=reverse("connections"))
    return ItemState(ItemStatus.DONE, evidence)


def check_frequency(today: date) -> ItemState:
    """Item 12: every stream has a frequency, and none is late by two intervals, nor is a value that people type."""
    streams = list(FactStream.objects.exclude(last_success_at=None))
    if not streams:
        return ItemState(
            ItemStatus.NOT_STARTED,
            next_step=_("Connect a source and say how often its data is due."),
            next_step_url=reverse("connections"),
        )
    without = [each for each in streams if each.expected_every is None]
    late = [each for each in streams if _is_late(each, _moment(today))]
    evidence = _("%(set)s of %(all)s streams have a frequency; %(late)s are late by two intervals.") % {
        "set": len(streams) - len(without),
        "all": len(streams),
        "late": len(late),
    }
    if late:
        step = _("See why nothing arrives from: %(names)s.") % {"names": _names(late)}
        return ItemState(ItemStatus.REGRESSED, evidence, reverse("connections"), step, reverse("connections"))
    untyped = overdue_twice(read_inputs(today=today))
    if untyped:
        step = _("Have the values typed that are two periods late: %(names)s.") % {"names": "、".join(untyped)}
        return ItemState(ItemStatus.REGRESSED, evidence, reverse("inputs"), step, reverse("inputs"))
    if without:
        step = _("Say how often data is due from: %(names)s.") % {"names": _names(without)}
        return ItemState(ItemStatus.IN_PROGRESS, evidence, reverse("connections"), step, reverse("connections"))
    return ItemState(ItemStatus.DONE, evidence, reverse("connections"))


def kpi_sources(*, today: date) -> list[KpiSource]:
    """Every KPI of the active trees with where its values come from. Two queries."""
    nodes = list(
        KpiNode.objects.filter(tree__status=TreeStatus.ACTIVE, level=Level.KPI, metric__isnull=False).order_by(
            "tree_id", "position", "id"
        )
    )
    versions = MetricVersion.objects.filter(metric_id__in={node.metric_id for node in nodes}).order_by("number")
    kinds: dict[int, str] = {}
    for version in versions:
        if version.effective_from is None or version.effective_from <= today or version.metric_id not in kinds:
            kinds[version.metric_id] = version.spec.get("kind", "")
    return [KpiSource(node, kinds.get(node.metric_id or 0) == "manual") for node in nodes]


def _automatic_share(sources: list[KpiSource]) -> Decimal | None:
    if not sources:
        return None
    return Decimal(sum(not each.is_manual for each in sources)) / len(sources)


def _both_systems(connections: list[Connection]) -> bool:
    carried = {each.carries for each in connections}
    return Carries.BOTH in carried or {Carries.SFA, Carries.MA} <= carried


def _is_late(stream: FactStream, now: datetime) -> bool:
    return is_late(stream.last_success_at, stream.expected_every, now=now, intervals=LATE_BY)


def _names(streams: list[FactStream]) -> str:
    return "、".join(f"{each.source} {each.fact}" for each in streams)


def _moment(today: date) -> datetime:
    """The moment a day is judged at: now for today, its end for another day."""
    now = timezone.now()
    if timezone.localdate(now) == today:
        return now
    return timezone.make_aware(datetime.combine(today + timedelta(days=1), time()))
