"""Which tree came from which of the consultancy's templates, and the version that waits to be taken over."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.models.definitions import KpiTree


class TemplateUse(models.Model):
    """One tree and the version of the template that it follows, as a copy: nothing refers to the console.

    `document` is what the company took last, the base of the next comparison. `offered_…` is a version that waits for
    the company's decision, all empty where none does.
    """

    tree = models.OneToOneField(
        KpiTree, models.CASCADE, related_name="template_use", verbose_name=_("KPI tree"), primary_key=True
    )
    template_id = models.UUIDField(_("Template"))
    code = models.SlugField(_("Code"), max_length=30)
    name = models.CharField(_("Name"), max_length=200)
    version = models.PositiveIntegerField(_("Version"), help_text=_("0 = the template was taken from this tree"))
    document = models.JSONField(_("Document"))
    taken_at = models.DateTimeField(_("Taken over at"))
    offered_version = models.PositiveIntegerField(_("Offered version"), null=True, blank=True)
    offered_document = models.JSONField(_("Offered document"), null=True, blank=True)
    offered_at = models.DateTimeField(_("Offered at"), null=True, blank=True)
    offer_id = models.UUIDField(_("Offer"), null=True, blank=True)

    class Meta:
        verbose_name = _("Use of a template")
        verbose_name_plural = _("Uses of templates")
        ordering = ["tree"]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def is_offered(self) -> bool:
        return self.offered_version is not None
