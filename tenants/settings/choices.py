"""The closed lists of a company's settings."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class MonthNamedBy(models.TextChoices):
    LAST_DAY = "last_day", _("The month of its last day")
    FIRST_DAY = "first_day", _("The month of its first day")


class YearNameStyle(models.TextChoices):
    FISCAL_YEAR = "fiscal_year", _("Fiscal year 2026")
    TERM = "term", _("15th term")
    FY = "fy", "FY26"


class WeekRule(models.TextChoices):
    CUT_AT_MONTH = "cut_at_month", _("Cut at the month")
    WHOLE = "whole", _("Whole weeks")


class AmountUnit(models.IntegerChoices):
    ONE = 1, _("1")
    THOUSAND = 1_000, _("thousand")
    MILLION = 1_000_000, _("million")


class Visibility(models.TextChoices):
    PERSON = "person", _("The person and superiors")
    TEAM = "team", _("The team")
    COMPANY = "company", _("The company")


class TargetApproval(models.TextChoices):
    """Who has to agree before a target in force changes."""

    BY_SIZE = "by_size", _("As fits the size of the company")
    NONE = "none", _("Nobody")
    ONE = "one", _("One step: a superior or an owner")
    TWO = "two", _("Two steps: a superior, then an owner")


class RolloutStage(models.TextChoices):
    SETTING = "setting", _("Setting")
    IMPLEMENTING = "implementing", _("Implementing")
    VISUALISING = "visualising", _("Visualising")
    IMPROVING = "improving", _("Improving")
