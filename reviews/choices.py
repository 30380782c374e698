"""The closed lists of this floor; values are lower-case codes that API and database share."""

from django.db.models import IntegerChoices, TextChoices
from django.utils.translation import gettext_lazy as _


class DecisionKind(TextChoices):
    """How a miss ends and what a meeting can decide: one list everywhere."""

    IMPROVEMENT_ACTION = "improvement_action", _("Improvement action")
    ACCEPTED = "accepted", _("Accepted, no action")
    DATA_ERROR = "data_error", _("Data error")
    TARGET_CHANGE = "target_change", _("Target change")
    KPI_REVIEW = "kpi_review", _("KPI review")
    INFORMATION = "information", _("Information")


class MissStatus(TextChoices):
    OPEN = "open", _("Not answered")
    ANSWERED = "answered", _("Answered")


class ActionStatus(TextChoices):
    PLANNED = "planned", _("Planned")
    IN_PROGRESS = "in_progress", _("In progress")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")


class Verdict(TextChoices):
    EFFECTIVE = "effective", _("Effective")
    NOT_EFFECTIVE = "not_effective", _("No effect confirmed")
    UNDECIDABLE = "undecidable", _("Cannot be judged")


class Interval(TextChoices):
    WEEKLY = "weekly", _("Weekly")
    MONTHLY = "monthly", _("Monthly")


class Weekday(IntegerChoices):
    MONDAY = 0, _("Monday")
    TUESDAY = 1, _("Tuesday")
    WEDNESDAY = 2, _("Wednesday")
    THURSDAY = 3, _("Thursday")
    FRIDAY = 4, _("Friday")
    SATURDAY = 5, _("Saturday")
    SUNDAY = 6, _("Sunday")


class MeetingStatus(TextChoices):
    PLANNED = "planned", _("Planned")
    OPEN = "open", _("In session")
    CLOSED = "closed", _("Closed meeting")


class AgendaKind(TextChoices):
    MISS = "miss", _("Missed")
    ACTION = "action", _("Improvement action")
    CARRIED = "carried", _("Carried over")
    KPI = "kpi", _("KPI")


OPEN_ACTIONS = (ActionStatus.PLANNED, ActionStatus.IN_PROGRESS)
