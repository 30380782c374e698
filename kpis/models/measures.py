"""What is derived from facts: dated events, additive measures in blocks, what is dirty, and what was locked."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext_lazy as _

from kpis.choices import Credit, Grain
from kpis.models.definitions import KpiNode, MetricVersion
from kpis.models.dimensions import DimensionMember


class ExactField(models.DecimalField):
    """A number with as many digits as it has: PostgreSQL's numeric without a limit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_digits": 1000, "decimal_places": 500, **kwargs})

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "numeric"


class KpiEvent(models.Model):
    """One dated, credited thing that happened: a lead created, a deal closed, an order.

    A fact with several credits or product lines has several rows: `weight` adds up to one per fact (the row of the
    largest line of each credit carries it), `amount` and `gross_profit` (company currency, unrounded shares) add up
    to the fact's. Member columns are never null: what is not assigned points to the unassigned member.
    """

    kind = models.CharField(max_length=50, help_text=_("Fact and date axis, as deals.closed_on"))
    credit = models.CharField(max_length=7, choices=Credit.choices)
    date = models.DateField()
    fact_id = models.BigIntegerField()
    account_id = models.BigIntegerField(null=True)
    person_id = models.BigIntegerField()
    team_id = models.BigIntegerField()
    region_id = models.BigIntegerField()
    product_id = models.BigIntegerField()
    lead_source_id = models.BigIntegerField()
    sales_channel_id = models.BigIntegerField()
    partner_id = models.BigIntegerField()
    customer_type_id = models.BigIntegerField()
    seg1_id = models.BigIntegerField()
    seg2_id = models.BigIntegerField()
    seg3_id = models.BigIntegerField()
    seg4_id = models.BigIntegerField()
    seg5_id = models.BigIntegerField()
    outcome = models.CharField(max_length=11, default="")
    weight = models.DecimalField(max_digits=7, decimal_places=6)
    # Wide enough for the largest amount of the bulk door at the highest rate.
    amount = models.DecimalField(max_digits=38, decimal_places=8, null=True)
    gross_profit = models.DecimalField(max_digits=38, decimal_places=8, null=True)
    is_rate_missing = models.BooleanField(default=False)
    created_on = models.DateField(null=True, help_text=_("When the deal was created; empty for other facts"))

    class Meta:
        verbose_name = _("Event")
        verbose_name_plural = _("Events")
        indexes = [
            models.Index(fields=["kind", "date"], name="kpievent_kind_date"),
            models.Index(fields=["fact_id", "kind"], name="kpievent_fact"),
            models.Index(fields=["person_id", "date"], name="kpievent_person_date"),
            models.Index(fields=["kind", "credit"], condition=~models.Q(weight=1), name="kpievent_part"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.date}"


class MeasureBlock(models.Model):
    """The measures of one measure group in one period: for people, or for the company and all other dimensions.

    `numbers` has a line for each of `measures` (keys of kpis.engine.specs.measure_key) with a number for each of
    `member_ids` (None, the first, is the company), written as "3,0.5,,2"; empty where nothing was counted. Measures and
    members of which nothing was counted are left out, and so is a dimension in which everything is unassigned.
    """

    group = models.CharField(max_length=60)
    grain = models.CharField(max_length=7, choices=Grain.choices)
    is_of_people = models.BooleanField()
    period_start = models.DateField()
    measures = ArrayField(models.CharField(max_length=40))
    member_ids = ArrayField(models.IntegerField(null=True))
    numbers = ArrayField(models.TextField())

    class Meta:
        verbose_name = _("Measure block")
        verbose_name_plural = _("Measure blocks")
        constraints = [
            models.UniqueConstraint(fields=["group", "grain", "period_start", "is_of_people"], name="measureblock_once")
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.grain} {self.period_start}"

    def cells(self) -> Iterator[tuple[int | None, str, Decimal]]:
        """Member, measure and number of all that was counted."""
        for measure, line in zip(self.measures, self.numbers, strict=True):
            for member, number in zip(self.member_ids, line.split(","), strict=True):
                if number:
                    yield member, measure, Decimal(number)


class ValuesVersion(models.Model):
    """The one row that says which computation the events and blocks are of; without it nothing was computed yet.

    Every recompute that had anything to do gives it another version, in its own transaction.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    version = models.UUIDField(_("Version"))
    computed_at = models.DateTimeField(_("Computed at"))

    class Meta:
        verbose_name = _("Version of the values")
        verbose_name_plural = _("Version of the values")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="valuesversion_one_row")]

    def __str__(self) -> str:
        return f"{self.version}"


class ShownChange(models.Model):
    """One statement that changed something that pages and answers show; triggers write it, nobody else.

    `number` was drawn at random, and the sum of all is the version of what is shown (kpis.selectors.kept). Rows are
    only added, so that nobody who saves waits for another; now and then they become one, which leaves the sum.
    """

    number = models.DecimalField(_("Number"), max_digits=40, decimal_places=0)

    class Meta:
        verbose_name = _("Change of what is shown")
        verbose_name_plural = _("Changes of what is shown")

    def __str__(self) -> str:
        return f"{self.number}"


class DirtyFact(models.Model):
    """A fact whose events have to be derived again.

    Only where it `is_own`, where the record itself may be another, is asked again whose it is; elsewhere only what its
    events read of others (deals, teams, rates) has changed.
    """

    fact = models.CharField(max_length=30)
    fact_id = models.BigIntegerField()
    is_own = models.BooleanField(default=True, db_default=True)

    class Meta:
        verbose_name = _("Dirty fact")
        verbose_name_plural = _("Dirty facts")

    def __str__(self) -> str:
        return f"{self.fact} {self.fact_id}"


class DirtyRange(models.Model):
    """Dates of a measure group whose blocks have to be computed again (end exclusive; no dates = all)."""

    group = models.CharField(max_length=60)
    start_date = models.DateField(null=True)
    end_date = models.DateField(null=True)

    class Meta:
        verbose_name = _("Dirty range")
        verbose_name_plural = _("Dirty ranges")

    def __str__(self) -> str:
        return f"{self.group} {self.start_date}-{self.end_date}"


class LockedCell(models.Model):
    """What a node's number was when its period was closed; evaluation reads nothing else."""

    node = models.ForeignKey(KpiNode, models.PROTECT, related_name="locked_cells", verbose_name=_("Node"))
    metric_version = models.ForeignKey(MetricVersion, models.PROTECT, null=True, related_name="+")
    grain = models.CharField(_("Grain"), max_length=7, choices=Grain.choices)
    period_start = models.DateField(_("Period"))
    dimension = models.CharField(_("Dimension"), max_length=20)
    member = models.ForeignKey(DimensionMember, models.PROTECT, null=True, related_name="+", verbose_name=_("Member"))
    target = models.DecimalField(_("Target"), max_digits=34, decimal_places=14, null=True)
    numerator = models.DecimalField(_("Numerator"), max_digits=34, decimal_places=14, null=True)
    denominator = models.DecimalField(_("Denominator"), max_digits=34, decimal_places=14, null=True)
    value = models.DecimalField(_("Value"), max_digits=34, decimal_places=14, null=True)
    absence = models.CharField(_("Absence"), max_length=20, blank=True, default="")
    achievement = models.DecimalField(_("Achievement rate"), max_digits=34, decimal_places=14, null=True)
    status = models.CharField(_("Status"), max_length=10)
    content_hash = models.CharField(max_length=64)
    locked_at = models.DateTimeField(_("Locked at"))

    class Meta:
        verbose_name = _("Locked cell")
        verbose_name_plural = _("Locked cells")
        constraints = [
            models.UniqueConstraint(
                fields=["node", "grain", "period_start", "dimension", "member"],
                name="lockedcell_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.node} {self.period_start}"
