"""By what a number can be divided."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import DimensionCode

LABEL_LENGTH = 80


class Dimension(models.Model):
    """One way to divide numbers: built in, or one of five that the company names."""

    code = models.CharField(_("Code"), max_length=20, unique=True, choices=DimensionCode.choices)
    name = models.CharField(_("Name"), max_length=LABEL_LENGTH, blank=True)
    attribute = models.CharField(
        _("Attribute"),
        max_length=LABEL_LENGTH,
        blank=True,
        help_text=_("The custom field that fills a segment of the company"),
    )
    is_active = models.BooleanField(_("Active"), default=True)

    class Meta:
        verbose_name = _("Dimension")
        verbose_name_plural = _("Dimensions")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["attribute"],
                condition=models.Q(is_active=True) & ~models.Q(attribute=""),
                name="dimension_attribute_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.get_code_display()


class DimensionMember(models.Model):
    """One value of a dimension. Every dimension has one member that stands for what is not assigned."""

    dimension = models.ForeignKey(Dimension, models.PROTECT, related_name="members", verbose_name=_("Dimension"))
    code = models.CharField(_("Code"), max_length=200)
    name = models.CharField(_("Name"), max_length=200)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children", verbose_name=_("Parent")
    )
    aliases = models.JSONField(_("Aliases"), default=list, blank=True)
    is_active = models.BooleanField(_("Active"), default=True)
    is_unassigned = models.BooleanField(_("Unassigned"), default=False)

    class Meta:
        verbose_name = _("Dimension member")
        verbose_name_plural = _("Dimension members")
        ordering = ["dimension", "is_unassigned", "name"]
        constraints = [
            models.UniqueConstraint(fields=["dimension", "code"], name="dimensionmember_once"),
            models.UniqueConstraint(
                fields=["dimension"], condition=models.Q(is_unassigned=True), name="dimensionmember_one_unassigned"
            ),
        ]

    def __str__(self) -> str:
        return self.name
