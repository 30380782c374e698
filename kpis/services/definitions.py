"""Metrics and their definitions: created, corrected, or changed from a date on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from kpis.choices import AchievementFormula, Grain, TreeStatus
from kpis.engine import specs
from kpis.engine.cells import block_group
from kpis.engine.formula import RESERVED_NAMES, names
from kpis.engine.graph import calculation_order
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import LockedCell, ManualEntry, Metric, MetricVersion
from kpis.selectors.calendar import find_period
from kpis.selectors.definitions import formula_references, stands_for_typed
from kpis.services.calendar import ensure_calendar
from kpis.services.measured import mark_groups
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit

READINGS = ("unit", "direction", "accumulation")
CODE = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)


class DefinitionError(RefusedError):
    """A definition that cannot be used; `issues` names every fault."""

    code = "invalid_definition"


def create_metric(
    *,
    code: str,
    name: str,
    unit: str,
    accumulation: str,
    spec: Mapping[str, object],
    direction: str = "up",
    achievement_formula: str = AchievementFormula.DIFFERENCE,
    effective_from: date | None = None,
    actor: Any,
    now: datetime,
) -> Metric:
    """A new metric with its first definition. Raises DefinitionError with all issues."""
    parsed, found = _checked(code, spec, effective_from)
    issues = [*_code_issues(code), *found]
    if parsed is None or issues:
        raise DefinitionError(issues=issues)
    try:
        with transaction.atomic():
            metric = Metric.objects.create(
                code=code,
                name=name,
                unit=unit,
                direction=direction,
                accumulation=accumulation,
                achievement_formula=achievement_formula,
            )
            _add_version(metric, parsed, effective_from, 1, actor)
    except IntegrityError:
        raise DefinitionError(issues=[_code_taken(code)]) from None
    return metric


def update_metric(
    *,
    metric: Metric,
    name: str | None = None,
    unit: str | None = None,
    direction: str | None = None,
    accumulation: str | None = None,
    achievement_formula: str | None = None,
    spec: Mapping[str, object] | None = None,
    effective_from: date | None = None,
    reason: str = "",
    is_checked: bool = False,
    actor: Any,
    now: datetime,
) -> Metric:
    """Change how a metric is called or shown, and its definition.

    A spec with a date holds from that period on, as a new version (or in place of the version of that date). A spec
    without a date corrects the newest version, unless a closed period was computed by it. Unit, direction and
    accumulation say how all numbers are read, the closed ones too, so they stay once a period is closed. Where people
    have typed values, something else takes their place only after the last of them, and only with the `reason` of a
    person, which is kept, or at the end of a parallel check (`is_checked`). Raises DefinitionError.
    """
    given = {
        "name": name,
        "unit": unit,
        "direction": direction,
        "accumulation": accumulation,
        "achievement_formula": achievement_formula,
    }
    with transaction.atomic():
        metric = Metric.objects.select_for_update().get(pk=metric.pk)
        changes = {field: value for field, value in given.items() if value not in {None, getattr(metric, field)}}
        _refuse_reading_anew(metric, changes)
        for field, value in changes.items():
            setattr(metric, field, value)
        if changes:
            metric.save(update_fields=list(changes))
        if spec is not None:
            _redefine(metric, spec, effective_from, actor, reason=reason.strip(), is_checked=is_checked)
        elif changes:
            emit(topic="definition.changed", company_id=current_company().pk, object_id=metric.public_id)
    return metric


def _refuse_reading_anew(metric: Metric, changes: Mapping[str, str]) -> None:
    """A closed number was locked, judged and perhaps evaluated by how the metric was read then."""
    fields = [field for field in changes if field in READINGS]
    here = Q(node__metric=metric) | Q(metric_version__metric=metric)
    if not fields or not LockedCell.objects.filter(here).exclude(node__tree__status=TreeStatus.DRAFT).exists():
        return
    template = gettext_noop(
        "Closed periods hold numbers of %(name)s, which would be read in another way. Make a new metric of another code"
        " and put it in the place of this one from the next tree on."
    )
    raise DefinitionError(issues=[Issue(field, "locked", template, (("name", metric.name),)) for field in fields])


def find_issues(*, code: str, spec: Mapping[str, object], effective_from: date | None = None) -> tuple[Issue, ...]:
    """What would be refused of a definition of the metric `code` ("" = one that has none yet), without storing it."""
    return tuple(_checked(code, spec, effective_from)[1])


def _redefine(
    metric: Metric,
    data: Mapping[str, object],
    effective_from: date | None,
    actor: Any,
    *,
    reason: str,
    is_checked: bool,
) -> None:
    parsed, issues = _checked(metric.code, data, effective_from)
    if parsed is None or issues:
        raise DefinitionError(issues=issues)
    versions = list(metric.versions.order_by("number"))
    same_date = [version for version in versions if version.effective_from == effective_from]
    current = same_date[0] if same_date else versions[-1] if effective_from is None else None
    is_taking_over = not isinstance(parsed, specs.Manual) and stands_for_typed(metric, effective_from)
    if is_taking_over:
        untold = [] if is_checked or (reason and actor is not None) else [_untold(metric)]
        issues = [*typed_issues(metric, effective_from), *untold]
        if issues:
            raise DefinitionError(issues=issues)
    reason = reason if is_taking_over and not is_checked else ""
    if current is None:
        _add_version(metric, parsed, effective_from, versions[-1].number + 1, actor, reason)
        return
    before = specs.parse_spec(current.spec)
    if specs.canonical(before) == specs.canonical(parsed):
        return
    if LockedCell.objects.filter(metric_version=current).exclude(node__tree__status=TreeStatus.DRAFT).exists():
        raise DefinitionError(issues=[_locked(metric.code)])
    current.spec = specs.to_data(parsed)
    if is_taking_over:
        current.reason, current.created_by = reason, actor
    current.save(update_fields=["spec", "reason", "created_by"])
    _note_change(metric, [before, parsed])


def typed_issues(metric: Metric, start: date | None) -> list[Issue]:
    """What was typed stays as it was typed, so what takes its place from `start` on (None = always) begins after it."""
    typed = ManualEntry.objects.filter(metric=metric, period_start__gte=start or date.min)
    last = typed.order_by("period_start").last()
    if last is None:
        return []
    template = gettext_noop("The value from %(last)s was typed and stays. Choose a later month to begin with.")
    return [Issue("effective_from", "invalid", template, (("last", last.period_start),))]


def _untold(metric: Metric) -> Issue:
    template = gettext_noop(
        "People type %(name)s. Set the source beside it in a parallel check, or write why the source is trusted without"
        " one; the reason is kept with your name."
    )
    return Issue("reason", "required", template, (("name", metric.name),))


def _add_version(
    metric: Metric, spec: specs.Spec, effective_from: date | None, number: int, actor: Any, reason: str = ""
) -> None:
    MetricVersion.objects.create(
        metric=metric,
        number=number,
        spec=specs.to_data(spec),
        effective_from=effective_from,
        created_by=actor,
        reason=reason,
    )
    _note_change(metric, [spec])


def _note_change(metric: Metric, changed: Iterable[specs.Spec]) -> None:
    mark_groups(block_group(term) for spec in changed for term in specs.terms(spec))
    emit(topic="definition.changed", company_id=current_company().pk, object_id=metric.public_id)


def _checked(
    code: str, data: Mapping[str, object], effective_from: date | None
) -> tuple[specs.Spec | None, list[Issue]]:
    """The definition, None where it cannot be read, and all that is wrong with it."""
    issues = _date_issues(effective_from)
    try:
        parsed = specs.parse_spec(data)
    except specs.SpecError as error:
        return None, [*issues, *(replace(each, field=f"spec.{each.field}") for each in error.issues)]
    return parsed, [*issues, *_formula_issues(code, parsed)]


def _code_issues(code: str) -> list[Issue]:
    if not CODE.fullmatch(code):
        return [
            Issue(
                "code",
                "invalid",
                gettext_noop(
                    "%(code)s cannot be used in formulas. Write small letters, digits and _, starting with a letter."
                ),
                (("code", code),),
            )
        ]
    if code in RESERVED_NAMES:
        return [
            Issue(
                "code",
                "reserved",
                gettext_noop("%(code)s is a function of formulas. Choose another code."),
                (("code", code),),
            )
        ]
    return [_code_taken(code)] if Metric.objects.filter(code=code).exists() else []


def _code_taken(code: str) -> Issue:
    return Issue(
        "code", "unique", gettext_noop("There is a metric %(code)s already. Choose another code."), (("code", code),)
    )


def _locked(code: str) -> Issue:
    return Issue(
        "effective_from",
        "locked",
        gettext_noop(
            "Closed periods were computed by this definition of %(code)s. Say from which period the new one holds."
        ),
        (("code", code),),
    )


def _date_issues(effective_from: date | None) -> list[Issue]:
    if effective_from is None:
        return []
    ensure_calendar(first_day=effective_from, last_day=effective_from)
    month = find_period(Grain.MONTH, effective_from)
    if month is not None and month.start_date == effective_from:
        return []
    return [
        Issue(
            "effective_from",
            "invalid",
            gettext_noop("A definition holds from the start of a month. %(date)s is not one: choose %(start)s."),
            (("date", effective_from), ("start", month.start_date if month else None)),
        )
    ]


def _formula_issues(code: str, spec: specs.Spec) -> Sequence[Issue]:
    """Unknown names and circles that this formula would bring in; those that are there already are not its fault."""
    if not isinstance(spec, specs.Formula):
        return []
    named = names(spec.expression)
    references = {**formula_references(), code: named}
    issues = calculation_order(references).issues
    return [
        Issue("spec.expression", issue.code, issue.template, issue.params)
        for issue in issues
        if issue.field == code or code in str(dict(issue.params).get("cycle", "")).split(" → ")
    ]
