"""Taking over the consultancy's templates: a draft, or a new version offered to the tree that follows it.

Nothing changes before somebody of the company decides; then only what the company has not changed itself does.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from kpis.choices import Grain, OfferOutcome, TreeStatus
from kpis.engine import specs
from kpis.engine.issues import gettext_noop
from kpis.engine.templates import TemplateDocument, parse_document, to_data
from kpis.engine.templates.merging import Change, Merge
from kpis.engine.templates.outlines import OutlineMetric, OutlineNode, in_order
from kpis.models import KpiNode, KpiTree, Metric, TemplateUse
from kpis.selectors.calendar import find_period
from kpis.selectors.template_use import find_use, preview_use
from kpis.services.calendar import ensure_calendar
from kpis.services.changed_values import announce_changed_values
from kpis.services.definitions import create_metric, update_metric
from kpis.services.fitness import check_tree
from kpis.services.nodes import TreeError, add_node, change_node, remove_node
from kpis.services.refusal import RefusedError
from kpis.services.templates import draft_template, instantiate_for
from kpis.services.trees import kept_sound
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.registry import ProvisionRequest
from tenants.settings.selectors import company_settings

TAKEN, DECLINED = "template.taken", "template.declined"


class OfferError(RefusedError):
    """An offer that cannot be made, or that is not there to be decided."""

    code = "invalid_offer"


@dataclass(frozen=True, slots=True)
class TemplateCopy:
    """One version of a template as it is handed to a company: plain values, good without the console."""

    template_id: uuid.UUID
    code: str
    name: str
    version: int
    document: TemplateDocument


@dataclass(frozen=True, slots=True)
class Taking:
    """What taking an offer did; `left` are removals that were refused because something hangs on the node."""

    merge: Merge
    left: tuple[Change, ...]


def create_from_copy(*, request: ProvisionRequest, copy: TemplateCopy) -> None:
    """Fill a new company from a template of the consultancy; harmless when repeated. Raises TemplateError."""
    if TemplateUse.objects.filter(template_id=copy.template_id).exists():
        return
    with transaction.atomic():
        tree = instantiate_for(request=request, template=copy.document.template)
        note_use(tree=tree, copy=copy, now=request.now)


def note_use(*, tree: KpiTree, copy: TemplateCopy, now: datetime) -> TemplateUse:
    """Remember that a tree follows a version of a template; a tree that follows one already stays with it."""
    use, _is_new = TemplateUse.objects.get_or_create(
        tree=tree,
        defaults={
            "template_id": copy.template_id,
            "code": copy.code,
            "name": copy.name,
            "version": copy.version,
            "document": to_data(copy.document),
            "taken_at": now,
        },
    )
    return use


def offer_template(*, copy: TemplateCopy, offer_id: uuid.UUID, actor: Any, now: datetime) -> str:
    """Let a version wait in this company for its decision; which of OfferOutcome came of it.

    Where no tree in force follows the template, its tree becomes a draft of the running fiscal year. An offer takes the
    place of an earlier one. Raises OfferError where an earlier draft still waits.
    """
    with transaction.atomic():
        use = find_use(copy.template_id)
        if use is None:
            return _draft(copy, actor, now)
        if use.version == copy.version:
            return OfferOutcome.UNCHANGED
        TemplateUse.objects.filter(pk=use.pk).update(
            offered_version=copy.version,
            offered_document=to_data(copy.document),
            offered_at=now,
            offer_id=offer_id,
            name=copy.name,
        )
    return OfferOutcome.OFFERED


def take_offer(*, use: TemplateUse, actor: Any, now: datetime) -> Taking:
    """Change the tree as the offered version does, as far as the company has not changed it itself.

    Nodes keep their numbers, targets and people. A definition holds from the next month on. Raises OfferError where
    nothing is offered or the tree is not in force, TreeError where it would no longer make sense.
    """
    with transaction.atomic():
        use = _locked_offer(use)
        tree = use.tree
        if tree.status != TreeStatus.ACTIVE:
            raise OfferError(gettext_noop("The tree “%(name)s” is not in force any more."), name=tree.name)
        document = parse_document(use.offered_document)
        merged = preview_use(use, document).merge
        with kept_sound(tree):
            changes = _Changes(tree, merged, actor, now)
            changes.apply_metrics(document)
            left = changes.apply_nodes()
        offer_id = use.offer_id
        use.version, use.document, use.taken_at = use.offered_version or use.version, use.offered_document, now
        _settle(use, TAKEN, offer_id)
        check_tree(tree=tree, today=timezone.localdate(now))
        announce_changed_values()
    return Taking(merged, left)


def decline_offer(*, use: TemplateUse, actor: Any, now: datetime) -> None:
    """Stay with the version in use. Raises OfferError where nothing is offered."""
    with transaction.atomic():
        use = _locked_offer(use)
        _settle(use, DECLINED, use.offer_id)


def copy_use(*, tree: KpiTree, to: KpiTree, now: datetime) -> None:
    """Let the copy of a tree follow the template that the original follows."""
    use = TemplateUse.objects.filter(tree=tree).first()
    if use is not None:
        document = parse_document(use.document)
        note_use(tree=to, copy=TemplateCopy(use.template_id, use.code, use.name, use.version, document), now=now)


def _draft(copy: TemplateCopy, actor: Any, now: datetime) -> str:
    waiting = TemplateUse.objects.filter(template_id=copy.template_id, tree__status=TreeStatus.DRAFT).first()
    if waiting is not None and waiting.version == copy.version:
        return OfferOutcome.UNCHANGED
    if waiting is not None:
        raise OfferError(
            gettext_noop("The draft “%(name)s” of version %(version)s still waits. Activate or retire it first."),
            name=waiting.tree.name,
            version=waiting.version,
        )
    tree = draft_template(
        template=copy.document.template,
        fiscal_year=_running_year(now),
        language=company_settings().language,
        actor=actor,
        now=now,
    )
    note_use(tree=tree, copy=copy, now=now)
    return OfferOutcome.DRAFTED


def _running_year(now: datetime) -> int:
    today = timezone.localdate(now)
    ensure_calendar(first_day=today, last_day=today)
    month = find_period(Grain.MONTH, today)
    assert month is not None
    return month.fiscal_year.start_year


def _next_month(now: datetime) -> date:
    month = find_period(Grain.MONTH, timezone.localdate(now))
    assert month is not None
    return month.end_date


def _locked_offer(use: TemplateUse) -> TemplateUse:
    found = TemplateUse.objects.select_for_update(of=("self",)).select_related("tree").get(pk=use.pk)
    if not found.is_offered:
        raise OfferError(gettext_noop("No version of a template waits for this tree any more."))
    return found


def _settle(use: TemplateUse, topic: str, offer_id: uuid.UUID | None) -> None:
    use.offered_version = use.offered_document = use.offered_at = use.offer_id = None
    use.save()
    emit(topic=topic, company_id=current_company().pk, object_id=offer_id or "")


class _Changes:
    """The taken changes of one merge, carried out on the rows of a tree."""

    def __init__(self, tree: KpiTree, merged: Merge, actor: Any, now: datetime) -> None:
        self.tree, self.merged = tree, merged
        self.acting: dict[str, Any] = {"actor": actor, "now": now}
        self.now = now

    def apply_metrics(self, document: TemplateDocument) -> None:
        """New metrics and new definitions, parts before the formulas that name them."""
        taken = [change for change in self.merged.taken if change.subject == "metric"]
        fields = {code: {each.field for each in taken if each.code == code} for code in {each.code for each in taken}}
        for each in in_order(document.template.metrics):
            metric = self.merged.outline.metrics[each.code]
            if "added" in fields.get(each.code, ()):
                self._create_metric(metric)
            elif each.code in fields:
                self._update_metric(metric, fields[each.code])

    def apply_nodes(self) -> tuple[Change, ...]:
        """Nodes from the top down, so that none ever hangs below itself; what leaves, from the bottom up.

        Returns the removals that something on the node keeps from happening.
        """
        rows = {node.code: node for node in self.tree.nodes.select_related("tree", "metric", "parent")}
        metrics = Metric.objects.in_bulk(list(self.merged.outline.metrics), field_name="code")
        changed = {change.code for change in self.merged.taken if change.subject == "node"}
        for code, planned in self.merged.outline.nodes.items():
            if code in changed:
                parent = rows[planned.parent] if planned.parent else None
                metric = metrics[planned.metric] if planned.metric else None
                rows[code] = self._put_node(rows.get(code), planned, parent, metric)
        return tuple(self._not_removed(rows))

    def _create_metric(self, metric: OutlineMetric) -> None:
        create_metric(
            code=metric.code,
            name=metric.name,
            unit=metric.unit,
            accumulation=metric.accumulation,
            direction=metric.direction,
            spec=specs.to_data(metric.spec),
            **self.acting,
        )

    def _update_metric(self, metric: OutlineMetric, fields: set[str]) -> None:
        row = Metric.objects.get(code=metric.code)
        if "name" in fields:
            update_metric(metric=row, name=metric.name, **self.acting)
        if "meaning" in fields:
            update_metric(
                metric=row, spec=specs.to_data(metric.spec), effective_from=_next_month(self.now), **self.acting
            )

    def _put_node(
        self, row: KpiNode | None, planned: OutlineNode, parent: KpiNode | None, metric: Metric | None
    ) -> KpiNode:
        told: dict[str, Any] = {
            "parent": parent,
            "name": planned.name,
            "metric": metric,
            "link": planned.link,
            "reason": planned.reason,
            "controllable_by": dict(planned.controllable_by),
        }
        if row is None:
            return add_node(tree=self.tree, code=planned.code, level=planned.level, **told)
        return change_node(node=row, **told)

    def _not_removed(self, rows: dict[str, KpiNode]) -> Sequence[Change]:
        left = []
        for change in self.merged.taken:
            if change.subject != "node" or change.field != "removed":
                continue
            try:
                remove_node(node=rows[change.code])
            except TreeError:  # misses, actions or meetings refer to it
                left.append(change)
        return left
