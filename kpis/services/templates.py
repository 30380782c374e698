"""Trees made from a template: for a new company, as a draft beside others, and driver KPIs added to one."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain, Level
from kpis.engine.issues import gettext_noop
from kpis.engine.targets import spread
from kpis.engine.templates import (
    TEMPLATES,
    Driver,
    Template,
    TemplateMetric,
    TemplateNode,
    TypedNumberError,
    targets_from,
)
from kpis.engine.templates.outlines import in_order
from kpis.models import KpiNode, KpiTree, Metric
from kpis.selectors.calendar import find_period, months_of_year
from kpis.services.definitions import create_metric
from kpis.services.refusal import RefusedError
from kpis.services.targets import TargetEntry, set_targets
from kpis.services.trees import activate_tree, create_node, create_tree
from tenants.registry import ProvisionRequest, TemplateField
from tenants.settings.selectors import company_settings


class TemplateError(RefusedError):
    """A template that cannot be used, or filled from what was typed."""

    code = "invalid_template"


_KNOWN_FIELDS = {
    field.code: field
    for field in (
        TemplateField("average_deal_size", _("Average deal size"), "amount"),
        TemplateField(
            "revenue_per_customer",
            _("Revenue per customer and month"),
            "amount",
            _("Revenue of a month ÷ customers with revenue in it"),
        ),
        TemplateField("win_rate", _("Win rate (count)"), "percent", _("Won ÷ closed deals")),
        TemplateField("opportunity_rate", _("Opportunity rate (MQL→SQL)"), "percent", _("SQL ÷ MQL")),
        TemplateField("mql_rate", _("MQL rate"), "percent", _("MQL ÷ new leads; without it leads get no target")),
        TemplateField("opportunity_rate_leads", _("Opportunity rate (leads)"), "percent", _("Opportunities ÷ leads")),
        TemplateField("referral_win_rate", _("Win rate of referrals"), "percent", _("Won ÷ closed referrals")),
    )
}
_GOALS = {
    "bookings": _("KGI: bookings of the fiscal year"),
    "revenue": _("KGI: revenue of the fiscal year"),
}


def typed_fields(template: Template) -> tuple[TemplateField, ...]:
    """The numbers that are asked for when a company is created from a template."""
    label = _GOALS.get(template.goal, _("KGI of the fiscal year"))
    goal = TemplateField("kgi_amount", label, "amount", _("Without tax"))
    return tuple(goal if code == goal.code else _KNOWN_FIELDS[code] for code in template.typed)


def draft_template(
    *, template: Template, fiscal_year: int, language: str, actor: Any, now: datetime, name: str = ""
) -> KpiTree:
    """A draft of a template's tree. Metrics that the company already has are used as they are. Raises TemplateError."""
    with transaction.atomic():
        metrics = {each.code: _find_or_create_metric(each, language, actor, now) for each in in_order(template.metrics)}
        tree = create_tree(
            name=name or template.name.in_language(language),
            fiscal_year=fiscal_year,
            style=template.style or None,
            actor=actor,
            now=now,
        )
        nodes: dict[str, KpiNode] = {}
        for planned in template.nodes:
            nodes[planned.code] = _create_planned(tree, planned, nodes, metrics, language, actor, now)
    return tree


def instantiate_template(
    *,
    template: Template,
    fiscal_year: int,
    kgi_amount: Decimal | None,
    rates: Mapping[str, Decimal],
    size: Decimal | None,
    language: str,
    actor: Any,
    now: datetime,
) -> KpiTree:
    """An active tree from a template, with monthly targets as far as they follow from what was typed.

    `size` is what the template's goal is divided by (`Template.size`), such as the average deal size.
    Raises TemplateError.
    """
    with transaction.atomic():
        tree = draft_template(template=template, fiscal_year=fiscal_year, language=language, actor=actor, now=now)
        yearly = _targets_from(template, kgi_amount, rates, size)
        _set_monthly_targets(tree, yearly, actor, now)
        return activate_tree(tree=tree, facts_may_follow=True, actor=actor, now=now)


def add_driver(*, tree: KpiTree, driver: Driver, language: str, actor: Any, now: datetime) -> KpiNode:
    """Add a driver KPI to a tree, below the KSF that the template names, else below the first. Raises TreeError."""
    with transaction.atomic():
        metrics = {driver.metric.code: _find_or_create_metric(driver.metric, language, actor, now)}
        factors = {node.code: node for node in tree.nodes.filter(level=Level.KSF)}
        wanted = driver.node.parent or ""
        parent = factors.get(wanted) or next(iter(factors.values()), None)
        if parent is None:
            raise TemplateError(gettext_noop("The tree has no KSF yet. Add one first."))
        return _create_planned(tree, driver.node, {wanted: parent}, metrics, language, actor, now)


def instantiate_requested(request: ProvisionRequest) -> None:
    """Fill a new company from the template it was asked to be made from; harmless when repeated.

    Reads the answers to the template's `typed_fields`; one left empty or 0 counts as not given.
    """
    template = TEMPLATES[request.template or ""]
    if not KpiTree.objects.filter(style=template.style).exists():
        instantiate_for(request=request, template=template)


def instantiate_for(*, request: ProvisionRequest, template: Template) -> KpiTree:
    """The tree of a new company in force, from a template and the answers to its `typed_fields`.

    Raises TemplateError.
    """
    fields = typed_fields(template)
    typed = {field.code: _typed_number(field.code, request.template_values.get(field.code)) for field in fields}
    given = {code: number for code, number in typed.items() if number}
    month = find_period(Grain.MONTH, timezone.localdate(request.now))
    if month is None:
        raise TemplateError(gettext_noop("The calendar does not cover today. Extend it and try again."))
    return instantiate_template(
        template=template,
        fiscal_year=month.fiscal_year.start_year,
        kgi_amount=given.get("kgi_amount"),
        rates={field.code: given[field.code] for field in fields if field.unit == "percent" and field.code in given},
        size=given.get(template.size),
        language=company_settings().language,
        actor=None,
        now=request.now,
    )


def _find_or_create_metric(planned: TemplateMetric, language: str, actor: Any, now: datetime) -> Metric:
    known = Metric.objects.filter(code=planned.code).first()
    return known or create_metric(
        code=planned.code,
        name=planned.name.in_language(language),
        unit=planned.unit,
        direction=planned.direction,
        accumulation=planned.accumulation,
        spec=planned.data,
        actor=actor,
        now=now,
    )


def _create_planned(
    tree: KpiTree,
    planned: TemplateNode,
    nodes: Mapping[str, KpiNode],
    metrics: Mapping[str, Metric],
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
        controllable_by=dict(planned.controllable_by),
        reason=planned.reason.in_language(language) if planned.reason else "",
        actor=actor,
        now=now,
    )


def _targets_from(
    template: Template, kgi_amount: Decimal | None, rates: Mapping[str, Decimal], size: Decimal | None
) -> Mapping[str, Decimal]:
    try:
        return targets_from(kgi_amount, rates, size, goal=template.goal, steps=template.steps, sized_by=template.size)
    except TypedNumberError as error:
        raise TemplateError(
            gettext_noop("%(field)s cannot be %(value)s. Type an amount above 0, or a rate above 0 and up to 1."),
            field=error.field,
            value=error.value,
        ) from None


def _set_monthly_targets(tree: KpiTree, yearly: Mapping[str, Decimal], actor: Any, now: datetime) -> None:
    """Flows are spread evenly over the months of the year, everything else holds in each of them."""
    months = months_of_year(tree.fiscal_year)
    entries = []
    for node in tree.nodes.select_related("tree", "metric").filter(code__in=yearly).exclude(metric=None):
        assert node.metric is not None
        value = yearly[node.code]
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
