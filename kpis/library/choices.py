"""The closed lists of the library."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class TemplateStatus(TextChoices):
    DRAFT = "draft", _("Draft")
    PUBLISHED = "published", _("Published")
    RETIRED = "retired", _("Retired")


class PushStatus(TextChoices):
    """How far a version has come in one company; `drafted`, `offered` and `unchanged` are kpis' OfferOutcome."""

    REQUESTED = "requested", _("Under way")
    DRAFTED = "drafted", _("A draft was made")
    OFFERED = "offered", _("Waits for the company")
    UNCHANGED = "unchanged", _("Nothing to change")
    TAKEN = "taken", _("Taken over")
    DECLINED = "declined", _("Declined")
    SUPERSEDED = "superseded", _("Replaced by a later version")
    FAILED = "failed", _("Refused")
