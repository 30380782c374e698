"""Whether a number moves as it always does and runs ahead of the KGI, as other systems read it."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import Number, as_number
from kpis.api.queries import find_asked_member, find_asked_period
from kpis.choices import DimensionCode, Grain
from kpis.engine.correlation import Confidence, Connection
from kpis.engine.xmr import Movement, Variation
from kpis.selectors.details import PeriodFigure


class SignalParameters(serializers.Serializer):
    """Up to which period, for the company or one member."""

    grain = serializers.ChoiceField(Grain.choices)
    period_start = serializers.DateField()
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = serializers.CharField(required=False, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find period and member."""
        period = find_asked_period(attrs["grain"], attrs["period_start"])
        member = find_asked_member(attrs["dimension"], attrs["member"])
        return {**attrs, "period": period, "member": member}


class VariationSerializer(serializers.Serializer):
    """The last period that is over, against the natural limits of those before it (individuals chart)."""

    period_start = serializers.DateField(help_text=_("The period that is judged."))
    movement = serializers.ChoiceField(
        [each.value for each in Movement], help_text=_("usual is noise, everything else a signal.")
    )
    is_unusual = serializers.BooleanField()
    value = Number(max_digits=34, decimal_places=14)
    mean = Number(max_digits=34, decimal_places=14)
    lower = Number(max_digits=34, decimal_places=14)
    upper = Number(max_digits=34, decimal_places=14)
    count = serializers.IntegerField(help_text=_("How many periods the limits rest on."))


class LeadSerializer(serializers.Serializer):
    """How the KGI goes with this number of `lag` periods before; never a cause."""

    lag = serializers.IntegerField()
    coefficient = serializers.FloatField()
    low = serializers.FloatField(help_text=_("Bounds of the coefficient with 95 %, widened for the lags tried."))
    high = serializers.FloatField()
    pairs = serializers.IntegerField(help_text=_("How many periods were compared."))
    lags_tried = serializers.IntegerField()
    confidence = serializers.ChoiceField([each.value for each in Confidence])


class SignalsSerializer(serializers.Serializer):
    """Signal or noise, and the lead over the KGI."""

    variation = VariationSerializer(allow_null=True, help_text=_("Null with fewer than eight earlier periods."))
    connection = LeadSerializer(
        allow_null=True, help_text=_("Null of the KGI itself, and with fewer than eight pairs that vary.")
    )


def signals_data(judged: tuple[PeriodFigure, Variation] | None, connection: Connection | None) -> dict[str, Any]:
    """Plain data for JSON."""
    return {
        "variation": _variation(*judged) if judged else None,
        "connection": _connection(connection) if connection else None,
    }


def _variation(period: PeriodFigure, found: Variation) -> dict[str, Any]:
    return {
        "period_start": period.figure.period_start,
        "movement": found.movement.value,
        "is_unusual": found.movement.is_unusual,
        **{name: as_number(getattr(found, name)) for name in ("value", "mean", "lower", "upper")},
        "count": found.count,
    }


def _connection(found: Connection) -> dict[str, Any]:
    names = ("lag", "coefficient", "low", "high", "pairs", "lags_tried")
    return {name: getattr(found, name) for name in names} | {"confidence": found.confidence.value}
