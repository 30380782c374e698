"""KPI trees and their nodes, and trees made from a template."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from kpis.choices import DEGREES, DEPARTMENTS, Grain, Level, TreeStatus
from kpis.engine import specs
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.targets import spread
from kpis.engine.templates import (
    TEMPLATES,
    Template,
    TemplateMetric,
    TemplateNode,
    TypedNumberError,
    targets_from,
)
from kpis.engine.tree import blocking
from kpis.models import KpiNode, KpiTree, LockedCell, Metric, Person
from kpis.selectors.calendar import find_period, months_of_year
from kpis.selectors.trees import tree_issues
from kpis.services.calendar import ensure_fiscal_year
from kpis.services.definitions import create_metric
from kpis.services.refusal import RefusedError
from kpis.services.targets import TargetEntry, set_targets
from tenants.registry import ProvisionRequest, TemplateField
from tenants.settings.selectors import company_settings


class TreeError(RefusedError):
    """A tree or node that cannot be made, changed or activated."""

    code = "invalid_tree"


class TemplateError(RefusedError):
    """A template that cannot be filled from what was typed."""

    code = "invalid_template"


TYPED_FIELDS = (
    TemplateField("kgi_amount", _("KGI: bookings of the fiscal year"), "amount", _("Without tax")),
    TemplateField("average_deal_size", _("Average deal size"), "amount"),
    TemplateField("win_rate", _("Win rate (count)"), "percent", _("Won ÷ closed deals")),
    TemplateField("opportunity_rate", _("Opportunity rate (MQL→SQL)"), "percent", _("SQL ÷ MQL")),
    TemplateField("mql_rate", _("MQL rate"), "percent", _("MQL ÷ new leads; without it leads get no target")),
)


class NodeFields(TypedDict, total=False):
    """What a caller may say about a node; left out means default, or unchanged."""

    parent: KpiNode | None
    level: str
    code: str
    name: str
    metric: Metric | None
    responsible: Any
    frequency: str
    link: str
    position: int
    controllable_by: Mapping[str, str]
    reason: str


def create_tree(
    *,
    name: str,
    fiscal_year: int,
    style: str | None = None,
    official_line: str = "target",
    actor: Any,
    now: datetime,
) -> KpiTree:
    """A new, empty tree as a draft; the calendar is made to cover its year."""
    ensure_fiscal_year(start_year=fiscal_year)
    return KpiTree.objects.create(name=name, fiscal_year=fiscal_year, style=style, official_line=official_line)


def update_tree(
    *,
    tree: KpiTree,
    name: str | None = None,
    fiscal_year: int | None = None,
    style: str | None = None,
    official_line: str | None = None,
    actor: Any,
    now: datetime,
) -> KpiTree:
    """Change a tree. Its year stays once it has targets: they belong to that year."""
    if fiscal_year is not None and fiscal_year != tree.fiscal_year:
        if tree.nodes.filter(targets__isnull=False).exists():
            raise TreeError(
                gettext_noop("The tree has targets of fiscal year %(year)s. Make a new tree for another year."),
                year=tree.fiscal_year,
            )
        ensure_fiscal_year(start_year=fiscal_year)
    given = {"name": name, "fiscal_year": fiscal_year, "style": style, "official_line": official_line}
    changes = {field: value for field, value in given.items() if value is not None}
    for field, value in changes.items():
        setattr(tree, field, value)
    tree.save(update_fields=list(changes))
    return tree


def activate_tree(*, tree: KpiTree, actor: Any, now: datetime) -> KpiTree:
    """Put a tree in force. Raises TreeError with the issues that keep it from it (people and targets may follow)."""
    issues = blocking(tree_issues(tree))
    if issues:
        raise TreeError(issues=issues)
    tree.status = TreeStatus.ACTIVE
    tree.save(update_fields=["status"])
    return tree


def retire_tree(*, tree: KpiTree, actor: Any, now: datetime) -> KpiTree:
    """Take a tree out of force; its closed numbers stay."""
    tree.status = TreeStatus.RETIRED
    tree.save(update_fields=["status"])
    return tree


def create_node(*, tree: KpiTree, actor: Any, now: datetime, **fields: Unpack[NodeFields]) -> KpiNode:
    """A new place in a tree; code and name default to the metric's, the code of a KSF to a slug of its name.

    Raises TreeError.
    """
    node = KpiNode(tree=tree)
    metric = fields.get("metric")
    if metric is not None:
        fields.setdefault("code", metric.code)
        fields.setdefault("name", metric.name)
    elif "code" not in fields:
        fields["code"] = _free_slug(tree, fields["name"])
    return _save_node(node, fields)


def update_node(*, node: KpiNode, actor: Any, now: datetime, **fields: Unpack[NodeFields]) -> KpiNode:
    """Change a node. Raises TreeError; another metric is refused where closed numbers hang on the node."""
    if "metric" in fields and fields["metric"] != node.metric and _has_closed_numbers(node):
        raise _closed_numbers(node)
    return _save_node(node, fields)


def delete_node(*, node: KpiNode, actor: Any, now: datetime) -> None:
    """Remove a node and what hangs below it.

    Raises TreeError where closed numbers, misses, actions or points of an agenda hang on one of them.
    """
    below = _subtree(node)
    for each in below:
        if _has_closed_numbers(each):
            raise _closed_numbers(each)
    try:
        with transaction.atomic():
            LockedCell.objects.filter(node__in=below).delete()
            KpiNode.objects.filter(pk__in=[each.pk for each in below]).delete()
    except ProtectedError as error:  # what upper floors have written about a node keeps it
        raise TreeError(
            gettext_noop(
                "Misses, improvement actions or meetings refer to %(node)s or a node below it. "
                "Retire the tree and make a new one instead."
            ),
            node=node.name,
        ) from error


def instantiate_template(
    *,
    template: Template,
    fiscal_year: int,
    kgi_amount: Decimal | None,
    rates: Mapping[str, Decimal],
    average_deal_size: Decimal | None,
    language: str,
    actor: Any,
    now: datetime,
) -> KpiTree:
    """An active tree from a template, with monthly targets as far as they follow from what was typed.

    Metrics that the company already has are used as they are. Raises TemplateError.
    """
    with transaction.atomic():
        metrics = {each.code: _find_or_create_metric(each, language, actor, now) for each in template.metrics}
        tree = create_tree(
            name=template.name.in_language(language),
            fiscal_year=fiscal_year,
            style=template.style,
            actor=actor,
            now=now,
        )
        nodes: dict[str, KpiNode] = {}
        for position, planned in enumerate(template.nodes):
            nodes[planned.code] = _create_planned(tree, planned, nodes, metrics, position, language, actor, now)
        yearly = _targets_from(kgi_amount, rates, average_deal_size)
        _set_monthly_targets(tree, nodes, yearly, actor, now)
        return activate_tree(tree=tree, actor=actor, now=now)


def instantiate_requested(request: ProvisionRequest) -> None:
    """Fill a new company from the template it was asked to be made from; harmless when repeated.

    Reads the answers to `TYPED_FIELDS`; one left empty or 0 counts as not given.
    """
    template = TEMPLATES[request.template or ""]
    if KpiTree.objects.filter(style=template.style).exists():
        return
    typed = {field.code: _typed_number(field.code, request.template_values.get(field.code)) for field in TYPED_FIELDS}
    given = {code: number for code, number in typed.items() if number}
    month = find_period(Grain.MONTH, timezone.localdate(request.now))
    if month is None:
        raise TemplateError(gettext_noop("The calendar does not cover today. Extend it and try again."))
    instantiate_template(
        template=template,
        fiscal_year=month.fiscal_year.start_year,
        kgi_amount=given.get("kgi_amount"),
        rates={
            field.code: given[field.code] for field in TYPED_FIELDS if field.unit == "percent" and field.code in given
        },
        average_deal_size=given.get("average_deal_size"),
        language=company_settings().language,
        actor=None,
        now=request.now,
    )


def _free_slug(tree: KpiTree, name: str) -> str:
    """A code for a node without a metric: its name in plain letters, "ksf" where it has none, numbered when taken."""
    base = slugify(name)[:50].strip("-_") or "ksf"
    taken = set(tree.nodes.filter(code__startswith=base).values_list("code", flat=True))
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 2))
    return next(code for code in (base, *numbered) if code not in taken)


def _save_node(node: KpiNode, fields: NodeFields) -> KpiNode:
    if "responsible" in fields:
        responsible = fields.pop("responsible")
        node.responsible = responsible if isinstance(responsible, Person) else None
        node.responsible_user = None if isinstance(responsible, Person) else responsible
    for name, value in fields.items():
        setattr(node, name, value)
    issues = _node_issues(node)
    if issues:
        raise TreeError(issues=issues)
    try:
        with transaction.atomic():
            node.save()
    except IntegrityError:
        raise TreeError(
            issues=[
                Issue(
                    "code",
                    "unique",
                    gettext_noop("The tree has a node %(code)s already. Choose another code."),
                    (("code", node.code),),
                )
            ]
        ) from None
    return node


def _node_issues(node: KpiNode) -> list[Issue]:
    """What cannot even be stored; whether a tree makes sense is asked when it is activated."""
    issues = []
    if not node.code:
        issues.append(Issue("code", "required", gettext_noop("Give the node a code.")))
    if node.level == Level.KSF and node.metric is not None:
        issues.append(
            Issue("metric", "not_allowed", gettext_noop("A KSF has no metric. Put the metric on a KPI below it."))
        )
    if not all(name in DEPARTMENTS and degree in DEGREES for name, degree in node.controllable_by.items()):
        issues.append(
            Issue(
                "controllable_by",
                "unknown",
                gettext_noop("controllable_by maps %(departments)s to %(degrees)s. Leave everything else out."),
                (("departments", ", ".join(DEPARTMENTS)), ("degrees", ", ".join(DEGREES))),
            )
        )
    parent = node.parent
    if parent is not None and parent.tree_id != node.tree_id:
        issues.append(
            Issue("parent", "invalid", gettext_noop("The parent is in another tree. Choose one of this tree."))
        )
    elif parent is not None and node.pk is not None and parent.pk in {each.pk for each in _subtree(node)}:
        issues.append(
            Issue("parent", "invalid", gettext_noop("A node cannot hang below itself. Choose another parent."))
        )
    return issues


def _subtree(node: KpiNode) -> list[KpiNode]:
    children: dict[int | None, list[KpiNode]] = {}
    for each in KpiNode.objects.filter(tree_id=node.tree_id):
        children.setdefault(each.parent_id, []).append(each)
    found = [node]
    for each in found:
        found.extend(children.get(each.pk, []))
    return found


def _has_closed_numbers(node: KpiNode) -> bool:
    """Whether somebody may have used a closed number of this node; those of a draft nobody has."""
    return node.tree.status != TreeStatus.DRAFT and LockedCell.objects.filter(node=node).exists()


def _closed_numbers(node: KpiNode) -> TreeError:
    return TreeError(
        gettext_noop("Closed periods hold numbers of %(node)s. Retire the tree and make a new one instead."),
        node=node.name,
    )


def _find_or_create_metric(planned: TemplateMetric, language: str, actor: Any, now: datetime) -> Metric:
    known = Metric.objects.filter(code=planned.code).first()
    return known or create_metric(
        code=planned.code,
        name=planned.name.in_language(language),
        unit=planned.unit,
        direction=planned.direction,
        accumulation=planned.accumulation,
        spec=specs.to_data(planned.spec),
        actor=actor,
        now=now,
    )


def _create_planned(
    tree: KpiTree,
    planned: TemplateNode,
    nodes: Mapping[str, KpiNode],
    metrics: Mapping[str, Metric],
    position: int,
    language: str,
    actor: Any,
    now: datetime,
) -> KpiNode:
    return create_node(
        tree=tree,
        parent=nodes[planned.parent] if planned.parent else None,
        level=planned.level,
        code=planned.code,
        name=planned.name.in_language(language),
        metric=metrics[planned.metric] if planned.metric else None,
        link=planned.link,
        position=position,
        controllable_by=dict(planned.controllable_by),
        reason=planned.reason.in_language(language) if planned.reason else "",
        actor=actor,
        now=now,
    )


def _targets_from(
    kgi_amount: Decimal | None, rates: Mapping[str, Decimal], average_deal_size: Decimal | None
) -> Mapping[str, Decimal]:
    try:
        return targets_from(kgi_amount, rates, average_deal_size)
    except TypedNumberError as error:
        raise TemplateError(
            gettext_noop("%(field)s cannot be %(value)s. Type an amount above 0, or a rate above 0 and up to 1."),
            field=error.field,
            value=error.value,
        ) from None


def _set_monthly_targets(
    tree: KpiTree, nodes: Mapping[str, KpiNode], yearly: Mapping[str, Decimal], actor: Any, now: datetime
) -> None:
    """Flows are spread evenly over the months of the year, everything else holds in each of them."""
    months = months_of_year(tree.fiscal_year)
    entries = []
    for code, value in yearly.items():
        node = nodes.get(code)
        if node is None or node.metric is None:
            continue
        parts = spread(value, len(months)) if node.metric.accumulation == "sum" else [value] * len(months)
        entries += [
            TargetEntry(node=node, period_start=month.start_date, value=part, line=tree.official_line)
            for month, part in zip(months, parts, strict=True)
        ]
    set_targets(entries=entries, actor=actor, now=now)


def _typed_number(code: str, value: object) -> Decimal | None:
    if value in ("", None):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise TemplateError(
            gettext_noop("%(field)s is %(value)s, which is not a number. Type a number."), field=code, value=value
        ) from None
