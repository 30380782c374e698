"""Who sells, and in which team on which day."""

import uuid

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import PersonRule
from kpis.models.dimensions import DimensionMember
from kpis.models.sourced import Sourced


class Team(Sourced):
    """One team. Its parent never changes: a reorganised team ends and a successor begins."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("Name"), max_length=200)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children", verbose_name=_("Parent")
    )
    region = models.CharField(_("Region"), max_length=200, blank=True, default="")
    starts_on = models.DateField(_("Starts on"), null=True, blank=True)
    ends_on = models.DateField(_("Ends on (exclusive)"), null=True, blank=True)
    succeeds = models.ManyToManyField(
        "self", symmetrical=False, related_name="successors", blank=True, verbose_name=_("Succeeds")
    )
    member = models.OneToOneField(DimensionMember, models.PROTECT, null=True, related_name="team", editable=False)

    class Meta:
        verbose_name = _("Team")
        verbose_name_plural = _("Teams")
        ordering = ["name"]
        constraints = Sourced.constraints("team")

    def __str__(self) -> str:
        return self.name


class Person(Sourced):
    """One person of the sales organisation as one source knows it; a login account is optional.

    `gone_at` is when its own source deleted it. `deleted_at` hides the row: because it is gone everywhere, or because
    another row stands for the same person (PersonLink).
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("Name"), max_length=200)
    employee_code = models.CharField(_("Employee code"), max_length=60, blank=True, default="")
    email = models.EmailField(_("E-mail"), blank=True, default="")
    email_hash = models.CharField(_("E-mail (keyed hash)"), max_length=128, blank=True, default="")
    hired_on = models.DateField(_("Hired on"), null=True, blank=True)
    left_on = models.DateField(_("Left on"), null=True, blank=True)
    gone_at = models.DateTimeField(_("Deleted at its source"), null=True, blank=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="person", verbose_name=_("Login")
    )
    member = models.OneToOneField(DimensionMember, models.PROTECT, null=True, related_name="person", editable=False)

    class Meta:
        verbose_name = _("Person")
        verbose_name_plural = _("People")
        ordering = ["name"]
        constraints = Sourced.constraints("person")

    def __str__(self) -> str:
        return self.name


class PersonLink(models.Model):
    """Two rows of people that are one person: `same_as` stands for `person`, by which rule or by whose word.

    `moved` is what went over with it, to be given back: further names, memberships, and rows that people had typed.
    What a person took off stays, so that no rule brings it back.
    """

    person = models.ForeignKey(Person, models.CASCADE, related_name="same_links", verbose_name=_("Person"))
    same_as = models.ForeignKey(Person, models.CASCADE, related_name="stands_for", verbose_name=_("Same person as"))
    rule = models.CharField(_("Rule"), max_length=6, choices=PersonRule.choices)
    moved = models.JSONField(_("Taken along"), default=dict, blank=True)
    decided_at = models.DateTimeField(_("At"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("By")
    )
    undone_at = models.DateTimeField(_("Taken off at"), null=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("Taken off by")
    )

    class Meta:
        verbose_name = _("People that are one person")
        verbose_name_plural = _("People that are one person")
        ordering = ["-decided_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person"], condition=models.Q(undone_at__isnull=True), name="personlink_one_in_force"
            ),
            models.CheckConstraint(condition=~models.Q(person=models.F("same_as")), name="personlink_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.person} = {self.same_as}"


class TeamLeader(models.Model):
    """Who leads a team or stands in for its leader, from when to when."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="leaders", verbose_name=_("Team"))
    person = models.ForeignKey(Person, models.CASCADE, related_name="leads_teams", verbose_name=_("Person"))
    is_deputy = models.BooleanField(_("Deputy"), default=False)
    starts_on = models.DateField(_("Starts on"), null=True, blank=True)
    ends_on = models.DateField(_("Ends on (exclusive)"), null=True, blank=True)

    class Meta:
        verbose_name = _("Team leader")
        verbose_name_plural = _("Team leaders")
        constraints = [
            models.UniqueConstraint(
                fields=["team", "person", "is_deputy", "starts_on"], name="teamleader_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} → {self.team}"


class DateRange(models.Func):
    """daterange(starts_on, ends_on, '[)'), both ends open when absent."""

    function = "DATERANGE"
    output_field = DateRangeField()


class TeamMembership(Sourced):
    """A person's place in a team. On any day exactly one membership is credited; others give sight and share only."""

    person = models.ForeignKey(Person, models.CASCADE, null=True, related_name="memberships", verbose_name=_("Person"))
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="memberships", verbose_name=_("Team"))
    starts_on = models.DateField(_("Starts on"), null=True, blank=True)
    ends_on = models.DateField(_("Ends on (exclusive)"), null=True, blank=True)
    credited = models.BooleanField(_("Credited"), default=True)
    share = models.DecimalField(_("Share"), max_digits=7, decimal_places=6, null=True, blank=True)
    is_derived = models.BooleanField(_("Taken from the person's team"), default=False)

    class Meta:
        verbose_name = _("Team membership")
        verbose_name_plural = _("Team memberships")
        ordering = ["person", "starts_on"]
        constraints = [
            *Sourced.constraints("teammembership"),
            ExclusionConstraint(
                name="teammembership_one_credited",
                expressions=[
                    ("person", RangeOperators.EQUAL),
                    (DateRange("starts_on", "ends_on", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=models.Q(credited=True, deleted_at__isnull=True),
                deferrable=models.Deferrable.DEFERRED,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} in {self.team}"
