"""What marketing and sales agreed on: when a lead is handed over, when it is accepted, how soon it is answered."""

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class HandoverDefinition(models.Model):
    """One agreement, in force from a day until the next one; of two of the same day the later one. Never changed."""

    effective_from = models.DateField(_("In force from"))
    mql_meaning = models.TextField(_("When marketing hands a lead over (MQL)"))
    sql_meaning = models.TextField(_("When sales accepts it (SQL)"))
    response_hours = models.DecimalField(
        _("First contact within (office hours)"),
        max_digits=6,
        decimal_places=2,
        validators=[MinValueValidator(0)],
    )
    marketing_name = models.CharField(_("Agreed by (marketing)"), max_length=100)
    sales_name = models.CharField(_("Agreed by (sales)"), max_length=100)
    agreed_on = models.DateField(_("Agreed on"))
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Recorded by")
    )
    recorded_at = models.DateTimeField(_("Recorded at"))

    class Meta:
        verbose_name = _("Handover definition")
        verbose_name_plural = _("Handover definitions")
        ordering = ["-effective_from", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(response_hours__gt=0), name="handoverdefinition_hours"),
        ]

    def __str__(self) -> str:
        return str(self.effective_from)
