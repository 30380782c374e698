"""The company's own keys for what it keeps secret."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class DataKey(models.Model):
    """One key that seals credentials of this company, itself sealed by the master key of the installation.

    The newest one seals; older ones are kept until nothing is sealed by them any more.
    """

    wrapped = models.TextField(editable=False)
    created_at = models.DateTimeField(_("Created"))

    class Meta:
        verbose_name = _("Data key")
        verbose_name_plural = _("Data keys")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d}"
