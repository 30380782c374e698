"""Targets as people set and change them: every change is a revision, nothing moves in a closed period.

What needs somebody's approval is not set but requested (kpis.services.target_requests).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from kpis.choices import Direction, Grain, Level, PeriodState, TreeStatus
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.proration import Proration
from kpis.models import DimensionMember, KpiNode, KpiTree, Period, Target, TargetRequest, TargetRevision
from kpis.selectors.approvals import approval_steps
from kpis.services.calendar import ensure_fiscal_year
from kpis.services.changed_values import announce_changed_values
from kpis.services.refusal import RefusedError

OFFICIAL = "official"
BATCH = 1000
VALUES = ("value", "upper", "initial_value", "initial_upper", "prorated")


class TargetError(RefusedError):
    """Targets that cannot be set; an issue's field is "<index of the entry>.<field>"."""

    code = "invalid_target"


class NeedsApprovalError(TargetError):
    """Targets in force that this person may not change alone."""

    code = "needs_approval"


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """One target to set, for one period of the node's own frequency; `line` "official" means the tree's.

    A `value` of None removes the target: no target is not 0. `proration` says that the value is a share of another
    target, from which a later proration is to be counted.
    """

    node: KpiNode
    period_start: date
    value: Decimal | None
    upper: Decimal | None = None
    dimension: str = "company"
    member: DimensionMember | None = None
    line: str = "target"
    reason: str = ""
    proration: Proration | None = None


def set_target(*, entry: TargetEntry, actor: Any, now: datetime) -> Target:
    """Set one target. Raises TargetError."""
    return set_targets(entries=[entry], actor=actor, now=now)[0]


def set_targets(
    *, entries: Sequence[TargetEntry], actor: Any, now: datetime, request: TargetRequest | None = None
) -> tuple[Target, ...]:
    """Set several targets, all or none, and write a revision for each that is new or changed.

    While its tree is a draft a target has no history to keep: initial and current are the same. In an active tree the
    initial target stays, and a change needs its reason. Removing a target is a change like any other. `request` is the
    approved request that asked for them; `actor` is then who proposed it. Raises TargetError naming every entry at
    fault, and NeedsApprovalError where the change has to be requested instead.
    """
    with transaction.atomic():
        writer = _Writer(entries)
        changes = writer.changes()
        if request is None:
            _refuse_unapproved([each.entry for each in changes], actor, now)
        targets = writer.write(actor, now, request)
        if writer.is_changed:
            announce_changed_values()
    return targets


@dataclass(frozen=True, slots=True)
class TargetChange:
    """An entry that would change something: the line it stands for, and the target as it is (None = not set)."""

    index: int
    entry: TargetEntry
    line: str
    existing: Target | None


def find_changes(entries: Sequence[TargetEntry]) -> list[TargetChange]:
    """What setting the entries would change. Raises TargetError where they could not be set."""
    return _Writer(entries).changes()


def _refuse_unapproved(entries: Sequence[TargetEntry], actor: Any, now: datetime) -> None:
    trees: dict[int, KpiTree] = {entry.node.tree_id: entry.node.tree for entry in entries}
    today = timezone.localdate(now)
    if any(approval_steps(user=actor, tree=tree, today=today) for tree in trees.values()):
        raise NeedsApprovalError(
            gettext_noop("These targets are in force. Propose the change; it holds once it is approved.")
        )


def _differs(entry: TargetEntry, existing: Target | None) -> bool:
    """Whether setting the entry says anything new; the same value again keeps how it was prorated."""
    standing = (existing.value, existing.upper) if existing else (None, None)
    if standing != (entry.value, entry.upper):
        return True
    return existing is not None and entry.proration is not None and entry.proration != existing.proration


_Key = tuple[int, date, str, int | None, str]


class _Writer:
    """One batch: reads what it needs in a fixed number of queries, checks everything, then writes."""

    def __init__(self, entries: Sequence[TargetEntry]) -> None:
        self.entries = entries
        self.issues: list[Issue] = []
        self.is_changed = False
        for year in {entry.node.tree.fiscal_year for entry in entries}:
            ensure_fiscal_year(start_year=year)
        self.periods: Mapping[tuple[str, date], Period] = {
            (period.grain, period.start_date): period
            for period in Period.objects.select_related("fiscal_year").filter(
                start_date__in={entry.period_start for entry in entries}
            )
        }
        self.lines = [entry.node.tree.official_line if entry.line == OFFICIAL else entry.line for entry in entries]
        existing = (
            Target.with_removed.select_for_update(of=("self",))
            .filter(
                node__in={entry.node.pk for entry in entries},
                period_start__in={entry.period_start for entry in entries},
            )
            .order_by("pk")
        )
        self.existing: dict[_Key, Target] = {
            (row.node_id, row.period_start, row.dimension, row.member_id, row.line): row for row in existing
        }

    def changes(self) -> list[TargetChange]:
        """Check everything; the entries that differ from what is set."""
        seen: set[_Key] = set()
        changes = []
        for index, entry in enumerate(self.entries):
            key = self.key(index)
            existing = self.existing.get(key)
            self.check(index, entry, existing)
            if key in seen:
                self.note(index, "period_start", "duplicate", gettext_noop("This target is in the list twice."))
            seen.add(key)
            if _differs(entry, existing):
                changes.append(TargetChange(index, entry, self.lines[index], existing))
        if self.issues:
            raise TargetError(issues=self.issues)
        return changes

    def write(self, actor: Any, now: datetime, request: TargetRequest | None) -> tuple[Target, ...]:
        """Store what differs, new targets and changed ones at once, with a revision for each."""
        made, changed, targets = [], [], []
        written: list[tuple[Target, TargetEntry]] = []
        for index, entry in enumerate(self.entries):
            key = self.key(index)
            target = self.existing.get(key)
            if target is None:
                target = self.existing[key] = _new(key)
                made.append(target)
            elif _differs(entry, target):
                changed.append(target)
            else:
                targets.append(target)
                continue
            target.value, target.upper = entry.value, entry.upper
            target.prorated = entry.proration.data() if entry.proration else None
            if target.initial_value is None or entry.node.tree.status == TreeStatus.DRAFT:
                target.initial_value, target.initial_upper = entry.value, entry.upper
            targets.append(target)
            written.append((target, entry))
        self.is_changed = bool(written)
        Target.objects.bulk_create(made, batch_size=BATCH)
        Target.with_removed.bulk_update(changed, VALUES, batch_size=BATCH)
        earlier = TargetRevision.objects.filter(target__in=changed).order_by("target_id", "-number")
        earlier = earlier.distinct("target_id")
        latest = {each.target_id: each for each in earlier} if changed else {}
        revisions = [_revision(*each, latest.get(each[0].pk), actor, now, request) for each in written]
        TargetRevision.objects.bulk_create(revisions, batch_size=BATCH)
        return tuple(targets)

    def key(self, index: int) -> _Key:
        entry = self.entries[index]
        member = entry.member.pk if entry.member else None
        return entry.node.pk, entry.period_start, entry.dimension, member, self.lines[index]

    def note(self, index: int, field: str, code: str, template: str, **params: object) -> None:
        self.issues.append(Issue(f"{index}.{field}", code, template, tuple(params.items())))

    def check(self, index: int, entry: TargetEntry, existing: Target | None) -> None:
        node = entry.node
        if node.level == Level.KSF or node.metric is None:
            self.note(
                index,
                "node",
                "no_metric",
                gettext_noop("%(node)s measures nothing, so it has no target. Set it on a KPI below."),
                node=node.code,
            )
            return
        if entry.value is None and existing is None:
            self.note(
                index,
                "value",
                "not_set",
                gettext_noop("%(node)s has no target for %(period)s, so there is nothing to remove."),
                node=node.code,
                period=entry.period_start,
            )
        self.check_period(index, entry)
        self.check_bounds(index, entry, node.metric.direction)
        if (entry.dimension == "company") != (entry.member is None):
            self.note(
                index,
                "member",
                "invalid",
                gettext_noop("A target is for the company without a member, or for one member of a dimension."),
            )
        is_change = existing is not None and existing.value is not None and _differs(entry, existing)
        if is_change and node.tree.status == TreeStatus.ACTIVE and not entry.reason.strip():
            self.note(
                index,
                "reason",
                "required",
                gettext_noop("The target of %(node)s for %(period)s is in force. Write why it changes."),
                node=node.code,
                period=entry.period_start,
            )

    def check_period(self, index: int, entry: TargetEntry) -> None:
        period = self.periods.get((entry.node.frequency, entry.period_start))
        year = entry.node.tree.fiscal_year
        if period is None or period.fiscal_year.start_year != year:
            self.note(
                index,
                "period_start",
                "invalid",
                gettext_noop("%(date)s is not the start of a %(grain)s in fiscal year %(year)s. Choose one that is."),
                date=entry.period_start,
                grain=Grain(entry.node.frequency).label,
                year=year,
            )
        elif period.state == PeriodState.CLOSED:
            self.note(
                index,
                "period_start",
                "locked",
                gettext_noop("The period from %(date)s is closed. Reopen it with a reason to change its target."),
                date=entry.period_start,
            )

    def check_bounds(self, index: int, entry: TargetEntry, direction: str) -> None:
        if entry.value is None:
            if entry.upper is not None:
                self.note(index, "upper", "not_allowed", gettext_noop("A target that is removed has no upper bound."))
            return
        if direction != Direction.RANGE and entry.upper is not None:
            self.note(index, "upper", "not_allowed", gettext_noop("Only a metric with a range has an upper bound."))
        if direction == Direction.RANGE and (entry.upper is None or entry.upper < entry.value):
            self.note(index, "upper", "invalid", gettext_noop("A range needs an upper bound, not below the lower one."))


def _new(key: _Key) -> Target:
    node_id, period_start, dimension, member_id, line = key
    return Target(node_id=node_id, period_start=period_start, dimension=dimension, member_id=member_id, line=line)


def _revision(
    target: Target,
    entry: TargetEntry,
    latest: TargetRevision | None,
    actor: Any,
    now: datetime,
    request: TargetRequest | None,
) -> TargetRevision:
    is_same = latest is not None and (latest.value, latest.upper) == (entry.value, entry.upper)
    return TargetRevision(
        target=target,
        number=latest.number + 1 if latest else 1,
        value=entry.value,
        upper=entry.upper,
        reason=entry.reason,
        actor=actor,
        at=now,
        request=request,
        # How it is prorated is nothing new to the person: the value was confirmed.
        confirmed_at=latest.confirmed_at if latest and is_same else None,
    )
