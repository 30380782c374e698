"""A typed metric is set beside an automatic one, and switched over when that has proved itself, or for a reason."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from kpis.choices import Grain, ParallelOutcome
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import KpiTree, Metric, ParallelCheck
from kpis.selectors.calendar import find_period
from kpis.selectors.definitions import formula_references, newest_specs
from kpis.selectors.parallel import cannot_replace, is_typed, read_check
from kpis.services.definitions import typed_issues, update_metric
from kpis.services.refusal import RefusedError

MOST_MONTHS = 12


class ParallelError(RefusedError):
    """A parallel check that cannot be started or ended like this."""

    code = "invalid_parallel_check"


def start_check(
    *,
    metric: Metric,
    candidate: Metric,
    tolerance: Decimal = Decimal(0),
    months_needed: int = 3,
    actor: Any,
    now: datetime,
) -> ParallelCheck:
    """Set an automatic metric beside a typed one. Nothing changes yet: people go on typing. Raises ParallelError.

    `tolerance` is in the metric's unit, rates as fractions.
    """
    issues = [*_metric_issues(metric, timezone.localdate(now)), *_candidate_issues(metric, candidate)]
    if tolerance < 0:
        issues.append(Issue("tolerance", "invalid", gettext_noop("A tolerance is 0 or more.")))
    if not 1 <= months_needed <= MOST_MONTHS:
        template = gettext_noop("Between 1 and %(most)s equal months are asked for.")
        issues.append(Issue("months_needed", "invalid", template, (("most", MOST_MONTHS),)))
    if issues:
        raise ParallelError(issues=issues)
    try:
        with transaction.atomic():
            return ParallelCheck.objects.create(
                metric=metric,
                candidate=candidate,
                tolerance=tolerance,
                months_needed=months_needed,
                started_by=actor,
                started_at=now,
            )
    except IntegrityError:
        raise ParallelError(
            gettext_noop("%(metric)s is being checked already. End that check first."), metric=metric.name
        ) from None


def switch_to_automatic(
    *, check: ParallelCheck, effective_from: date | None = None, reason: str = "", actor: Any, now: datetime
) -> ParallelCheck:
    """Make the automatic definition the metric's from a month on (default: the running one). Raises ParallelError.

    Earlier months stay as they were typed: the definition has a date. Without enough equal months a person has to
    give the reason.
    """
    running = find_period(Grain.MONTH, timezone.localdate(now))
    start = effective_from or (running.start_date if running else timezone.localdate(now))
    equal = read_check(check, _tree_of(check.metric), now=now).equal_count
    issues = [*typed_issues(check.metric, start), *_reason_issues(check, equal, reason, actor)]
    if issues:
        raise ParallelError(issues=issues)
    newest = check.candidate.versions.order_by("-number").first()
    assert newest is not None
    with transaction.atomic():
        ended = _end(
            check, ParallelOutcome.SWITCHED, effective_from=start, equal=equal, reason=reason, actor=actor, now=now
        )
        update_metric(
            metric=check.metric, spec=newest.spec, effective_from=start, is_checked=True, actor=actor, now=now
        )
    return ended


def stop_check(*, check: ParallelCheck, reason: str, actor: Any, now: datetime) -> ParallelCheck:
    """End a check without a switch; people go on typing. Raises ParallelError."""
    if not reason.strip():
        raise ParallelError(issues=[Issue("reason", "required", gettext_noop("Write why the check ends."))])
    with transaction.atomic():
        return _end(check, ParallelOutcome.STOPPED, reason=reason, actor=actor, now=now)


def _end(
    check: ParallelCheck,
    outcome: ParallelOutcome,
    *,
    reason: str,
    actor: Any,
    now: datetime,
    effective_from: date | None = None,
    equal: int | None = None,
) -> ParallelCheck:
    ended = ParallelCheck.objects.filter(pk=check.pk, outcome=ParallelOutcome.RUNNING).update(
        outcome=outcome,
        effective_from=effective_from,
        equal_months=equal,
        reason=reason.strip(),
        ended_by=actor,
        ended_at=now,
    )
    if not ended:
        raise ParallelError(gettext_noop("This check has ended already. Nothing was changed."))
    check.refresh_from_db()
    return check


def _tree_of(metric: Metric) -> KpiTree:
    node = metric.nodes.select_related("tree").order_by("-tree__fiscal_year").first()
    if node is None:
        raise ParallelError(gettext_noop("%(metric)s stands in no tree. Place it in one first."), metric=metric.name)
    return node.tree


def _metric_issues(metric: Metric, today: date) -> list[Issue]:
    if not is_typed(metric, day=today):
        template = gettext_noop("%(metric)s is computed already. Only what is typed is checked against a source.")
        return [Issue("metric", "invalid", template, (("metric", metric.name),))]
    if not metric.nodes.filter(frequency=Grain.MONTH).exists():
        template = gettext_noop(
            "%(metric)s stands in no tree by the month. Months are what is compared; what is typed by the week is"
            " switched on the page of its definition, with the reason why the source is trusted."
        )
        return [Issue("metric", "invalid", template, (("metric", metric.name),))]
    return []


def _candidate_issues(metric: Metric, candidate: Metric) -> list[Issue]:
    spec = newest_specs().get(candidate.code)
    if spec is None or cannot_replace(metric.code, candidate.code, spec, formula_references()):
        template = gettext_noop("%(candidate)s is not computed from data, or from this KPI. Choose another metric.")
        return [Issue("candidate", "invalid", template, (("candidate", candidate.name),))]
    if (candidate.unit, candidate.accumulation) != (metric.unit, metric.accumulation):
        template = gettext_noop("%(candidate)s has another unit or adds up otherwise. Choose another metric.")
        return [Issue("candidate", "invalid", template, (("candidate", candidate.name),))]
    return []


def _reason_issues(check: ParallelCheck, equal: int, reason: str, actor: Any) -> list[Issue]:
    if equal >= check.months_needed or (reason.strip() and actor is not None):
        return []
    template = gettext_noop(
        "%(equal)s of %(needed)s months in a row are equal. Write why the source is trusted all the same;"
        " the reason is kept with your name."
    )
    return [Issue("reason", "required", template, (("equal", equal), ("needed", check.months_needed)))]
