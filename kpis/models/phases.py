"""The steps of a sale, as the company's deals name them."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.engine.specs import DEAL_STEPS


class DealPhase(models.Model):
    """A phase that deals carry, and which step of the sale it is. Phases of the same step count as one.

    A phase without a step (on hold, say) is passed by nobody: conversion looks at the steps alone.
    """

    code = models.CharField(_("Code"), max_length=80, unique=True, help_text=_("As the deals carry it"))
    name = models.CharField(_("Name"), max_length=80)
    step = models.PositiveSmallIntegerField(
        _("Step"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(DEAL_STEPS)],
        help_text=_("1 is the first step of a sale, 9 the last possible. Empty: not a step."),
    )

    class Meta:
        verbose_name = _("Deal phase")
        verbose_name_plural = _("Deal phases")
        ordering = [models.F("step").asc(nulls_last=True), "code"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(step__isnull=True) | models.Q(step__range=(1, DEAL_STEPS)), name="dealphase_step"
            )
        ]

    def __str__(self) -> str:
        return self.name
