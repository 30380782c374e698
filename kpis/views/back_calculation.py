"""Working back from the KGI: the goal, what it takes, and the targets that follow."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import BoundField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from kpis.choices import BackCalculationScenario, DimensionCode, TreeStatus
from kpis.forms.back_calculation import ApplyForm, BackCalculationForm, first_values
from kpis.models import KpiTree, Target
from kpis.permissions import check_reach
from kpis.selectors.approvals import approval_steps
from kpis.selectors.back_calculation import (
    Basis,
    BenchmarkRate,
    Fate,
    NodeTargets,
    OwnRate,
    WorkedBack,
    plan_targets,
    read_basis,
    unit_of,
    work_back_goal,
)
from kpis.selectors.back_calculation.tables import month_table, scenario_rows, step_rows, swing_rows
from kpis.selectors.back_calculation.wording import rate_words, stage_words
from kpis.selectors.today import find_tree
from kpis.selectors.visibility import sight_of
from kpis.services.back_calculation import apply_back_calculation
from kpis.services.refusal import RefusedError
from kpis.views.choices import Choice
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

PAGE = "kpis/back_calculation.html"
UNPROCESSABLE = 422


@dataclass(frozen=True)
class AssumptionRow:
    """One rate: what the company and the industry have, and the fields that choose."""

    name: str
    unit: str
    own: OwnRate | None
    benchmark: BenchmarkRate | None
    source: BoundField
    typed: BoundField


@dataclass(frozen=True)
class StageFields:
    """The optional fields of one stage; `own_days` is the company's own lead time, None where it is not known."""

    name: str
    own_days: int | None
    days: BoundField
    people: BoundField
    each: BoundField


@dataclass(frozen=True)
class Asked:
    """What the reader asked, and the answer where the form is sound; `rows` are the targets that would follow."""

    tree: KpiTree
    basis: Basis
    form: BackCalculationForm
    worked: WorkedBack | None
    rows: list[NodeTargets]

    @property
    def scenario(self) -> str:
        return self.form.cleaned_data.get("scenario") or BackCalculationScenario.STANDARD.value

    @property
    def kept(self) -> dict[str, str]:
        """The question as the address holds it."""
        fields = {name: str(self.form.data.get(name, "")) for name in self.form.fields}
        return {"tree": str(self.tree.public_id), **{name: value for name, value in fields.items() if value}}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def back_calculation(request: HttpRequest) -> HttpResponse:
    """GET works back from what the address says; POST applies the same as targets."""
    scope = require(request.user, Capability.SET_TARGETS)
    tree = _chosen_tree(request)
    if tree is None:
        return render(request, PAGE, {"page": {"tree": None}})
    asked = _read(request, tree)
    may_apply = asked.worked is not None and _may_apply(request, scope, asked.rows)
    reason = {"reason": _("Worked back from the KGI.")}
    apply_form = ApplyForm(request.POST if request.method == "POST" else None, initial=reason)
    if request.method == "POST":
        if asked.worked is not None and not may_apply:
            raise PermissionDenied(_("This is not yours to write: your role reaches your own people and KPIs."))
        if asked.worked is not None and apply_form.is_valid() and _apply(request, asked, apply_form):
            return redirect(f"{reverse('back-calculation')}?{urlencode(asked.kept)}")
    approvals = approval_steps(user=request.user, tree=tree, today=timezone.localdate())
    page = {**_page(asked), "apply_form": apply_form, "may_apply": may_apply, "approvals": approvals}
    status = UNPROCESSABLE if request.method == "POST" else None
    return render(request, PAGE, {"page": page, "currency": company_settings().currency}, status=status)


def _chosen_tree(request: HttpRequest) -> KpiTree | None:
    """The tree of the address, else the one in force, else any that is not retired."""
    trees = KpiTree.objects.exclude(status=TreeStatus.RETIRED)
    asked = request.POST.get("tree") or request.GET.get("tree")
    if asked:
        found: KpiTree = get_object_or_404(trees, public_id=_uuid(asked))
        return found
    return find_tree(today=timezone.localdate()) or trees.first()


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _read(request: HttpRequest, tree: KpiTree) -> Asked:
    now = timezone.now()
    basis = read_basis(tree, now=now)
    given = request.POST if request.method == "POST" else request.GET
    form = BackCalculationForm(
        {**first_values(tree, basis, _goal_of(tree, basis)), **given.dict()}, tree=tree, basis=basis
    )
    if basis.places.goal is None or not form.is_valid():
        if "value" not in given:  # nobody has been asked yet
            form.errors.pop("value", None)
        return Asked(tree, basis, form, None, [])
    worked = work_back_goal(form.request(), basis, now=now)
    if worked.issues:
        for issue in worked.issues:
            form.add_fault(issue.field, issue.translated(_))
        return Asked(tree, basis, form, None, [])
    plan = worked.plan(form.cleaned_data["scenario"] or BackCalculationScenario.STANDARD)
    rows = plan_targets(basis.places, plan, has_goal=worked.has_goal, first=form.chosen_first)
    return Asked(tree, basis, form, worked, rows)


def _goal_of(tree: KpiTree, basis: Basis) -> Decimal | None:
    """The sum of the KGI's targets; None where there is none."""
    goal = basis.places.goal
    values = Target.objects.filter(node=goal, member=None, line=tree.official_line).values_list("value", flat=True)
    return sum(values, Decimal(0)) or None


def _may_apply(request: HttpRequest, scope: str, rows: list[NodeTargets]) -> bool:
    sight = sight_of(user=request.user, today=timezone.localdate())
    try:
        for row in rows:
            check_reach(request.user, scope, sight, DimensionCode.COMPANY, None, [row.node])
    except PermissionDenied:
        return False
    return True


def _apply(request: HttpRequest, asked: Asked, form: ApplyForm) -> bool:
    """Write the targets and say what was written and what stayed; False with the faults in the form."""
    assert asked.worked is not None
    written = sum(row.written_count for row in asked.rows)
    locked = sum(row.count(Fate.LOCKED) for row in asked.rows)
    try:
        applied = apply_back_calculation(
            worked=asked.worked,
            scenario=asked.scenario,
            first=asked.form.chosen_first,
            reason=form.cleaned_data["reason"],
            actor=request.user,
            now=timezone.now(),
        )
    except RefusedError as refusal:
        form.add_error(None, str(refusal))
        return False
    if applied.request is not None:
        said = _("%(count)s targets are proposed for approval. Until it is given, the targets in force stay.")
        messages.success(request, said % {"count": written})
    elif written:
        messages.success(request, _("%(count)s targets were set from the back-calculation.") % {"count": written})
    else:
        messages.success(request, _("Every target was as the back-calculation has it already. Nothing was changed."))
    if locked:
        messages.warning(request, _("%(count)s targets of closed periods stayed as they were.") % {"count": locked})
    return True


def _page(asked: Asked) -> dict[str, Any]:
    """What the template shows."""
    goal = asked.basis.places.goal
    page: dict[str, Any] = {
        "tree": asked.tree,
        "trees": KpiTree.objects.exclude(status=TreeStatus.RETIRED),
        "goal": goal,
        "form": asked.form,
        "assumptions": _assumption_rows(asked),
        "stages": _stage_fields(asked),
        "kept": asked.kept,
    }
    if asked.worked is None:
        return page
    plan = asked.worked.plan(asked.scenario)
    assumed, needed = scenario_rows(asked.worked)
    return {
        **page,
        "worked": asked.worked,
        "plan": plan,
        "steps": step_rows(asked.worked, plan),
        "period": dict(asked.form.fields["period"].choices)[asked.form.cleaned_data["period"]],
        "missing": [rate_words(code, asked.basis.places) for code in plan.missing],
        "warnings": [issue.translated(_) for issue in asked.worked.warnings],
        "scenario": asked.scenario,
        "scenarios": _scenario_choices(asked),
        "assumed": assumed,
        "needed": needed,
        "feasible": [asked.worked.plan(each).is_feasible for each in BackCalculationScenario.values],
        "swings": swing_rows(asked.worked),
        "rows": asked.rows,
        "months": month_table(asked.rows),
        "written": sum(row.written_count for row in asked.rows),
        "locked": sum(row.count(Fate.LOCKED) for row in asked.rows),
        "outside": sum(row.count(Fate.OUTSIDE) for row in asked.rows),
    }


def _assumption_rows(asked: Asked) -> list[AssumptionRow]:
    places = asked.basis.places
    return [
        AssumptionRow(
            name=rate_words(code, places),
            unit=unit_of(code),
            own=asked.basis.history.rates.get(code),
            benchmark=asked.basis.benchmarks.get(code),
            source=asked.form[f"source_{code}"],
            typed=asked.form[f"typed_{code}"],
        )
        for code in asked.form.rates
    ]


def _stage_fields(asked: Asked) -> list[StageFields]:
    return [
        StageFields(
            name=stage_words(stage, asked.basis.places),
            own_days=asked.basis.history.lead_days.get(stage),
            days=asked.form[f"days_{stage}"],
            people=asked.form[f"people_{stage}"],
            each=asked.form[f"each_{stage}"],
        )
        for stage in asked.form.stages
    ]


def _scenario_choices(asked: Asked) -> list[Choice]:
    return [
        Choice(str(each.label), f"?{urlencode({**asked.kept, 'scenario': each.value})}", each == asked.scenario)
        for each in BackCalculationScenario
    ]
