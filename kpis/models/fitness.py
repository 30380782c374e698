"""What was found about single KPIs: faults and remarks of the nightly check, and benchmarks that people consulted."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import BenchmarkVerdict
from kpis.models.definitions import KpiNode


class KpiFinding(models.Model):
    """One open fault or remark about one KPI: since when, and until when. Written by the nightly check."""

    node = models.ForeignKey(KpiNode, models.CASCADE, related_name="findings", verbose_name=_("KPI"))
    code = models.CharField(_("Finding"), max_length=30)
    is_fault = models.BooleanField(_("Fault"))
    found_on = models.DateField(_("Found on"))
    due_on = models.DateField(_("Due date"))

    class Meta:
        verbose_name = _("Finding about a KPI")
        verbose_name_plural = _("Findings about KPIs")
        ordering = ["node", "-is_fault", "code"]
        constraints = [models.UniqueConstraint(fields=["node", "code"], name="kpifinding_once")]

    def __str__(self) -> str:
        return f"{self.node}: {self.code}"


class BenchmarkReview(models.Model):
    """Somebody's word that the benchmark of one KPI was consulted, or that the own history says more."""

    node = models.OneToOneField(
        KpiNode, models.CASCADE, related_name="benchmark_review", verbose_name=_("KPI"), primary_key=True
    )
    verdict = models.CharField(_("Verdict"), max_length=11, choices=BenchmarkVerdict.choices)
    note = models.TextField(_("Note"))
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    reviewed_at = models.DateTimeField(_("At"))

    class Meta:
        verbose_name = _("Benchmark review")
        verbose_name_plural = _("Benchmark reviews")
        ordering = ["-reviewed_at"]

    def __str__(self) -> str:
        return f"{self.node}: {self.get_verdict_display()}"
