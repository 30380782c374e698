"""Reading what is typed in the tree editor."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.choices import BenchmarkVerdict, Direction, EnteredFor, Grain, Level, Link, Style, TargetLine, Unit
from kpis.engine.inputs import LATEST_DUE_DAY
from kpis.engine.status_rules import limit_rules, limits_of, read_rules
from kpis.engine.templates import TEMPLATES
from kpis.engine.tree import PARENTS, TreeInput, TreeNode
from kpis.models import KpiNode, KpiTree, Metric, Person
from kpis.selectors.references import find_responsible
from kpis.selectors.wording import DEPARTMENTS
from tenants.accounts.models import User
from tenants.settings.selectors import company_settings

HUNDRED = Decimal(100)
LIMITS = ("on_track", "at_risk", "met")
AIMS = ("target", "upper")
TOLD = ("level", "metric", "name", "responsible", "frequency", "due_business_day", "deputy", "link", "reason")
NEW = "(new)"  # no code can be this
DEGREES = [("", "–"), ("full", gettext_lazy("fully")), ("partial", gettext_lazy("partly"))]
FREQUENCIES = [(each.value, each.label) for each in (Grain.MONTH, Grain.WEEK)]


def _limit(label: str, usual: str) -> forms.DecimalField:
    """A limit of the status in percent of the target; empty = as usual."""
    widget = forms.NumberInput(attrs={"placeholder": usual, "step": "any"})
    return forms.DecimalField(
        label=label, required=False, min_value=1, max_value=200, max_digits=6, decimal_places=2, widget=widget
    )


class NodeForm(forms.Form):
    """One place in a tree. A rate's target is typed in percent and kept as a fraction."""

    level = forms.ChoiceField(label=gettext_lazy("Level"), choices=Level.choices)
    metric = forms.ModelChoiceField(
        Metric.objects.order_by("name"),
        label=gettext_lazy("Metric"),
        required=False,
        to_field_name="code",
        empty_label=gettext_lazy("None (KSF)"),
    )
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    parent = forms.CharField(widget=forms.HiddenInput, required=False)
    responsible = forms.ChoiceField(label=gettext_lazy("KPI owner"), required=False)
    frequency = forms.ChoiceField(label=gettext_lazy("Frequency"), choices=FREQUENCIES, initial=Grain.MONTH)
    entered_for = forms.ChoiceField(
        label=gettext_lazy("Typed for"), choices=EnteredFor.choices, initial=EnteredFor.COMPANY, required=False
    )
    due_business_day = forms.IntegerField(
        label=gettext_lazy("Typed by business day"),
        required=False,
        min_value=1,
        max_value=LATEST_DUE_DAY,
        help_text=gettext_lazy("After the end of the period. Empty: by the day on which it becomes provisional."),
    )
    deputy = forms.ModelChoiceField(
        Person.objects.none(),
        label=gettext_lazy("Deputy"),
        required=False,
        to_field_name="public_id",
        empty_label=gettext_lazy("No deputy"),
        help_text=gettext_lazy("Types the values when the KPI owner is away or late."),
    )
    link = forms.ChoiceField(label=gettext_lazy("Link to the parent"), choices=Link.choices, initial=Link.INFLUENCE)
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Why the level above is decided here."),
    )
    on_track = _limit(gettext_lazy("On track from (%)"), "95")
    at_risk = _limit(gettext_lazy("At risk from (%)"), "85")
    met = _limit(gettext_lazy("Met from (%)"), "100")
    target = forms.DecimalField(
        label=gettext_lazy("First target per period"),
        required=False,
        max_digits=18,
        decimal_places=4,
        help_text=gettext_lazy("Set for every period of the fiscal year; change single ones later."),
    )
    upper = forms.DecimalField(
        label=gettext_lazy("Upper end of the range"),
        required=False,
        max_digits=18,
        decimal_places=4,
        help_text=gettext_lazy(
            "Only for a metric that is to stay within a range: the first target is its lower end. Otherwise empty."
        ),
    )

    def __init__(self, *args: Any, tree: KpiTree, node: KpiNode | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tree = tree
        self.node = node
        self.fields["responsible"].choices = _responsible_choices(node)
        self.fields["deputy"].queryset = _people_here(node.deputy_id if node else None)
        for name in AIMS:
            self.fields[name].widget.attrs["step"] = "any"
        for code, label in DEPARTMENTS.items():
            self.fields[f"moves_{code}"] = forms.ChoiceField(label=label, choices=DEGREES, required=False)
        has_targets = node is not None and node.targets.exists()
        if has_targets or not Metric.objects.filter(direction=Direction.RANGE).exists():
            del self.fields["upper"]
        if has_targets:
            del self.fields["target"]
        if node is not None and limits_of(read_rules(node.status_rules)[0]) is None:  # said in more detail elsewhere
            for name in LIMITS:
                del self.fields[name]

    @property
    def movers(self) -> list[forms.BoundField]:
        """The fields that say who can move the number."""
        return [self[f"moves_{code}"] for code in DEPARTMENTS]

    @property
    def limits(self) -> list[forms.BoundField]:
        """The fields that say from where on a status is reached."""
        return [self[name] for name in LIMITS if name in self.fields]

    @property
    def is_typed(self) -> bool:
        """Whether the values of its metric are typed by people."""
        metric = self.node.metric if self.node else None
        newest = metric.versions.order_by("-number").first() if metric else None
        return newest is not None and newest.spec.get("kind") == "manual"

    @staticmethod
    def initial_of(node: KpiNode) -> dict[str, Any]:
        """A node as the form shows it."""
        return {
            "level": node.level,
            "metric": node.metric.code if node.metric else None,
            "name": node.name,
            "parent": node.parent.code if node.parent else "",
            "responsible": _reference(node),
            "frequency": node.frequency,
            "entered_for": node.entered_for,
            "due_business_day": node.due_business_day,
            "deputy": node.deputy and node.deputy.public_id,
            "link": node.link,
            "reason": node.reason,
            **{f"moves_{code}": degree for code, degree in node.controllable_by.items() if degree != "none"},
            **{name: limit * HUNDRED for name, limit in _limits(node).items() if limit is not None},
        }

    @staticmethod
    def initial_below(parent: KpiNode | None) -> dict[str, Any]:
        """A new node below another: the level that belongs there, and, below a KPI, the same person."""
        levels = [level for level, above in PARENTS.items() if (parent.level in above if parent else not above)]
        return {
            "level": levels[0],
            "parent": parent.code if parent else "",
            "responsible": _reference(parent) if parent and parent.level == Level.KPI else "",
        }

    def clean(self) -> dict[str, Any]:
        fields = super().clean() or {}
        if fields.get("level") == Level.KSF:
            fields["metric"] = None
        elif not fields.get("metric") and not self.errors.get("metric"):
            self.add_error("metric", _("A KGI or KPI measures something. Choose its metric."))
        if (fields.get("on_track") or 95) <= (fields.get("at_risk") or 85):
            self.add_error(
                "on_track", _("On track begins above at risk. Type a higher number here, or a lower one there.")
            )
        if not fields.get("name"):
            if fields.get("metric"):
                fields["name"] = fields["metric"].name
            elif fields.get("level") == Level.KSF:
                self.add_error("name", _("Name the factor."))
        self._check_range(fields)
        return fields

    def _check_range(self, fields: Mapping[str, Any]) -> None:
        """A range has two ends, any other target has one."""
        if "upper" not in self.fields or self.errors.get("target") or self.errors.get("upper"):
            return
        metric, lower, upper = fields.get("metric"), fields.get("target"), fields.get("upper")
        if metric is None or metric.direction != Direction.RANGE:
            if upper is not None:
                self.add_error("upper", _("Only a metric that is to stay within a range has an upper end. Empty this."))
        elif lower is not None and upper is None:
            self.add_error("upper", _("%(name)s is to stay within a range. Type its upper end too.") % {"name": metric})
        elif upper is not None and lower is None:
            self.add_error("target", _("Type the lower end of the range too."))
        elif lower is not None and upper is not None and upper < lower:
            self.add_error("upper", _("The upper end lies below the lower one. Type a higher number."))

    def clean_responsible(self) -> Any:
        """The person, or the login of somebody who is not in the organisation yet; None for nobody."""
        chosen = self.cleaned_data["responsible"]
        return find_responsible(chosen) if chosen else None

    def clean_target(self) -> Decimal | None:
        return self._fraction(self.cleaned_data["target"])

    def clean_upper(self) -> Decimal | None:
        return self._fraction(self.cleaned_data["upper"])

    def _fraction(self, typed: Decimal | None) -> Decimal | None:
        """What is typed in percent as a fraction, where the metric is a rate."""
        metric = self.cleaned_data.get("metric")
        return typed / HUNDRED if typed is not None and metric is not None and metric.unit == Unit.PERCENT else typed

    @property
    def first_target(self) -> dict[str, Decimal | None]:
        """The first target with the upper end of its range; None where nothing is typed."""
        return {"value": self.cleaned_data.get("target"), "upper": self.cleaned_data.get("upper")}

    def node_fields(self) -> dict[str, Any]:
        """What the service is told."""
        fields = self.cleaned_data
        told = {name: fields[name] for name in TOLD}
        told["entered_for"] = fields["entered_for"] or EnteredFor.COMPANY
        moved = {code: fields.get(f"moves_{code}") for code in DEPARTMENTS}
        told["controllable_by"] = {code: degree for code, degree in moved.items() if degree}
        if self.limits:
            limits = {name: fields[name] for name in LIMITS}
            told["status_rules"] = limit_rules(**{k: v and v / HUNDRED for k, v in limits.items()})
        return told

    def draft(self, read: TreeInput) -> TreeNode:
        """The node as it is typed at the moment, however incomplete, for the engine to look at."""
        fields = self.cleaned_data
        metric: Metric | None = fields.get("metric")
        person = fields.get("responsible")
        known = next((each for each in read.nodes if self.node and each.code == self.node.code), None)
        same = next((each for each in read.nodes if metric is not None and each.metric == metric.code), None)
        return TreeNode(
            code=self.node.code if self.node else NEW,
            level=fields.get("level") or Level.KPI,
            parent=fields.get("parent") or None,
            metric=metric.code if metric else None,
            reason=fields.get("reason") or "",
            has_responsible=person is not None,
            has_target=(known.has_target if known else False) or fields.get("target") is not None,
            name=fields.get("name") or (metric.name if metric else _("This node")),
            person=str(person) if person else "",
            has_source=same.has_source if same else True,
            link=fields.get("link") or Link.INFLUENCE,
        )


def _reference(node: KpiNode) -> str:
    """Who answers for a node, as the form names people."""
    person = node.responsible or node.responsible_user
    return str(person.public_id) if person else ""


def _limits(node: KpiNode) -> Mapping[str, Decimal | None]:
    return limits_of(read_rules(node.status_rules)[0]) or {}


def _responsible_choices(node: KpiNode | None) -> list[tuple[Any, Any]]:
    """Everybody of the organisation who is there, logins without a person, and who answers for the node now."""
    people = _people_here(node.responsible_id if node else None)
    logins = User.objects.filter(Q(is_active=True, person=None) | Q(pk=node.responsible_user_id if node else None))
    groups = ((_("People"), people), (_("Logins"), logins.order_by("username")))
    return [
        ("", _("Not decided")),
        *((label, [(str(row.public_id), str(row)) for row in rows]) for label, rows in groups if rows),
    ]


def _people_here(kept: int | None) -> QuerySet[Person]:
    """Everybody of the organisation who has not left, and the one who is chosen already."""
    here = Q(deleted_at=None) & (Q(left_on=None) | Q(left_on__gt=timezone.localdate()))
    return Person.objects.filter(here | Q(pk=kept))


class TreeForm(forms.Form):
    """A new tree: empty, or from the template of a sales style."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    fiscal_year = forms.IntegerField(
        label=gettext_lazy("Fiscal year"),
        min_value=1950,
        max_value=2199,
        help_text=gettext_lazy("The calendar year in which it starts"),
    )
    template = forms.ChoiceField(label=gettext_lazy("Begin with"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = company_settings().language
        offered = list(TEMPLATES.values())
        self.fields["template"].choices = [
            ("", _("An empty tree")),
            *((each.style, each.name.in_language(language)) for each in offered),
        ]


class HeadForm(forms.Form):
    """What is said of a whole tree, in the editor's head."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    style = forms.ChoiceField(
        label=gettext_lazy("Sales style"),
        required=False,
        choices=[("", gettext_lazy("None of these")), *Style.choices],
        help_text=gettext_lazy("Decides which benchmarks and driver KPIs are offered."),
    )
    official_line = forms.ChoiceField(
        label=gettext_lazy("Official target line"),
        choices=TargetLine.choices,
        help_text=gettext_lazy("The line by which everything is judged. Closed periods keep theirs."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, auto_id="head_%s", **kwargs)  # a node's form stands on the same page

    @staticmethod
    def initial_of(tree: KpiTree) -> dict[str, Any]:
        """A tree as the form shows it."""
        return {"name": tree.name, "style": tree.style or "", "official_line": tree.official_line}

    def clean_style(self) -> str | None:
        return self.cleaned_data["style"] or None


class CopyForm(forms.Form):
    """Next year's tree. Growth is typed in percent; empty means without targets."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    fiscal_year = forms.IntegerField(
        label=gettext_lazy("Fiscal year"),
        min_value=1950,
        max_value=2199,
        help_text=gettext_lazy("The calendar year in which it starts"),
    )
    growth = forms.DecimalField(
        label=gettext_lazy("Take targets along, with growth in %"),
        required=False,
        min_value=Decimal(-100),
        max_value=Decimal(1000),
        decimal_places=2,
        help_text=gettext_lazy(
            "Of the company and of every team, person and other segment, on all lines. Sums grow by it, rates stay. "
            "Left out are members who are not there any more when the year begins. Empty: the copy has no targets yet."
        ),
    )

    def clean_growth(self) -> Decimal | None:
        percent = self.cleaned_data["growth"]
        return 1 + percent / HUNDRED if percent is not None else None

    @staticmethod
    def initial_of(tree: KpiTree) -> Mapping[str, Any]:
        """The next year, and the name with its number."""
        later = tree.fiscal_year + 1
        return {"name": tree.name.replace(str(tree.fiscal_year), str(later)), "fiscal_year": later}


class BenchmarkReviewForm(forms.Form):
    """Whether a benchmark was consulted, and what follows."""

    verdict = forms.ChoiceField(
        label=gettext_lazy("Verdict"), choices=BenchmarkVerdict.choices, widget=forms.RadioSelect
    )
    note = forms.CharField(label=gettext_lazy("What follows for the target"), widget=forms.Textarea(attrs={"rows": 2}))
