"""What may be asked of a back-calculation, read into a request."""

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.api.back_calculations import exact
from kpis.api.fields import Number, OpenObject, TreeReference
from kpis.choices import BackCalculationScenario, Grain
from kpis.engine.back_calculation import BENCHMARK, DEAL_SIZE, FRACTION, OWN, Capacity
from kpis.models import KpiTree, Period
from kpis.selectors.back_calculation import BackCalculationRequest, Places, read_basis, unit_of, work_back_goal
from kpis.selectors.today import find_spoken_period

GRAINS = [(each.value, each.label) for each in Grain if each != Grain.WEEK]
MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
PEOPLE = "people"
LONGEST_LEAD = 1095  # days: three years
SHORT_NAMES = {"leads": "new_leads", "opportunity": "opportunities", "deals": "opportunities", "won": "won_deals"}


@extend_schema_field(
    {
        "oneOf": [{"type": "string"}, {"type": "integer"}],
        "description": "The start of a period (of `grain`, default month), its id, a month (2027-03), a fiscal year "
        "(2026), or a grain alone. Default: the fiscal year of the tree.",
    }
)
class GoalPeriod(serializers.Field):
    """The goal's period as people name it; found once the tree is known."""

    def to_internal_value(self, data: Any) -> str:
        return str(data)

    def to_representation(self, value: Any) -> str:
        return str(value)


SMALLEST = Decimal("0.00000001")  # as targets are stored


def refuse_zero(value: Decimal) -> None:
    """Nothing can be worked back from nothing. The document says "minimum: 0", since it knows whole numbers only."""
    if value < SMALLEST:
        message = serializers.DecimalField.default_error_messages["min_value"].format(min_value=SMALLEST)
        raise serializers.ValidationError(message, code="min_value")


class GoalSerializer(serializers.Serializer):
    """What is to be reached, and by when."""

    metric = serializers.CharField(help_text=gettext_lazy("The code of the KGI's metric, or of a stage."))
    value = Number(min_value=0, validators=[refuse_zero])
    period = GoalPeriod(required=False, default="")
    grain = serializers.ChoiceField(GRAINS, required=False, default=None, allow_null=True)


class BackCalculationInput(serializers.Serializer):
    """A goal and what is taken for granted.

    A rate is a number, `own` or `benchmark`; what is left out is the company's own of the last twelve months, where
    there is one. A benchmark is used only where it is asked for.
    """

    tree = TreeReference()
    goal = GoalSerializer()
    rates = OpenObject(
        default=dict,
        help_text=gettext_lazy(
            "win_rate, opportunity_rate, mql_rate, lead_share, and <activity>_per_deal: a number, own or benchmark."
        ),
    )
    average_deal_size = Number(required=False, allow_null=True, default=None, min_value=0, validators=[refuse_zero])
    lead_times_days = OpenObject(
        default=dict, help_text=gettext_lazy("Days before the order, by metric: {“new_leads”: 60}.")
    )
    capacity = OpenObject(
        default=dict,
        help_text=gettext_lazy(
            "How many one person can do in a month, by metric, and people: how many there are (default 1, so that a "
            "number is for all). A metric may have people and per_person of its own."
        ),
    )
    has_mql = serializers.BooleanField(required=False, allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Work out the answer; refuse what the tree does not know, naming each fault."""
        now = timezone.now()
        basis = read_basis(attrs["tree"], has_mql=attrs["has_mql"], now=now)
        request = BackCalculationRequest(
            tree=attrs["tree"],
            metric=attrs["goal"]["metric"],
            value=attrs["goal"]["value"],
            period=_goal_period(attrs["tree"], attrs["goal"]["period"], attrs["goal"]["grain"]),
            rates=_rates(attrs["rates"], attrs["average_deal_size"]),
            lead_days=_lead_days(attrs["lead_times_days"], basis.places),
            capacities=_capacities(attrs["capacity"], basis.places),
            has_mql=attrs["has_mql"],
        )
        worked = work_back_goal(request, basis, now=now)
        if worked.issues:
            faults = {
                issue.field: [serializers.ErrorDetail(issue.translated(_), issue.code)] for issue in worked.issues
            }
            raise serializers.ValidationError(faults)
        return {**attrs, "worked": worked}


class ApplyInput(BackCalculationInput):
    """A back-calculation to be applied as targets."""

    scenario = serializers.ChoiceField(BackCalculationScenario.choices, default=BackCalculationScenario.STANDARD)
    reason = serializers.CharField(
        allow_blank=True, default="", help_text=gettext_lazy("Needed where targets in force change.")
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        first = serializers.DateField(
            source="first", required=False, allow_null=True, default=None, help_text=_("Nothing before it changes.")
        )
        return {**super().get_fields(), "from": first}


def _fault(field: str, message: str, code: str = "invalid") -> serializers.ValidationError:
    return serializers.ValidationError({field: message}, code=code)


def _goal_period(tree: KpiTree, given: str, grain: str | None) -> Period:
    found = next(_periods(tree, given, grain), None)
    if found is None or found.grain == Grain.WEEK:
        message = _("%(period)s is no month, quarter, half or year of your calendar; see periods.")
        raise _fault("goal.period", message % {"period": given or grain}, "does_not_exist")
    return found


def _periods(tree: KpiTree, given: str, grain: str | None) -> Iterator[Period]:
    """The periods that may be meant."""
    rows = Period.objects.select_related("fiscal_year").order_by("start_date")
    if given in Grain.values or not given:
        wanted = given or grain or Grain.YEAR
        if wanted == Grain.YEAR:
            yield from rows.filter(grain=wanted, fiscal_year__start_year=tree.fiscal_year)
        elif running := find_spoken_period(tree, wanted, today=timezone.localdate()):
            yield running
    elif given.isascii() and given.isdigit() and len(given) == 4:
        yield from rows.filter(grain=Grain.YEAR, fiscal_year__start_year=int(given))
    elif match := MONTH.fullmatch(given):
        yield from rows.filter(grain=Grain.MONTH, named_year=int(match[1]), named_month=int(match[2]))
    elif day := _as_date(given):
        yield from rows.filter(grain=grain or Grain.MONTH, start_date=day)
    elif identity := _as_uuid(given):
        yield from rows.filter(public_id=identity)


def _as_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _rates(given: Mapping[str, Any], deal_size: Decimal | None) -> dict[str, Decimal | str]:
    rates: dict[str, Decimal | str] = {} if deal_size is None else {DEAL_SIZE: deal_size}
    for code, value in given.items():
        if value is None:
            continue
        if value in (OWN, BENCHMARK):
            rates[code] = value
            continue
        number = exact(value)
        if number is None or number <= 0 or (unit_of(code) == FRACTION and number > 1):
            message = _("A rate is a fraction above 0 and up to 1 (0.2 for 20%), or the word own or benchmark.")
            raise _fault(f"rates.{code}", message)
        rates[code] = number
    return rates


def _stage(name: str, places: Places, field: str) -> str:
    stage = places.stage_of(name) or places.stage_of(SHORT_NAMES.get(name, name))
    if stage is None:
        raise _fault(f"{field}.{name}", _("%(name)s is not on the way from the goal.") % {"name": name}, "unknown")
    return stage


def _lead_days(given: Mapping[str, Any], places: Places) -> dict[str, int]:
    days = {}
    for name, value in given.items():
        number = exact(value)
        if number is None or not 0 <= number <= LONGEST_LEAD:
            message = _("A lead time is a number of days from 0 to %(longest)s.") % {"longest": LONGEST_LEAD}
            raise _fault(f"lead_times_days.{name}", message)
        days[_stage(name, places, "lead_times_days")] = round(number)
    return days


def _capacities(given: Mapping[str, Any], places: Places) -> dict[str, Capacity]:
    people = _positive(given.get(PEOPLE, 1), f"capacity.{PEOPLE}")
    found = {}
    for name, value in given.items():
        if name == PEOPLE:
            continue
        own = value if isinstance(value, dict) else {"per_person": value}
        found[_stage(name, places, "capacity")] = Capacity(
            per_person=_positive(own.get("per_person"), f"capacity.{name}"),
            people=_positive(own.get(PEOPLE, people), f"capacity.{name}.{PEOPLE}"),
        )
    return found


def _positive(value: object, field: str) -> Decimal:
    number = exact(value)
    if number is None or number <= 0:
        raise _fault(field, _("Type a number above 0."))
    return number
