"""What happened, as outside systems tell it. Written only through kpis.services.facts."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from kpis.choices import Credit, Origin, Outcome
from kpis.models.dimensions import DimensionMember
from kpis.models.organisation import Person
from kpis.models.sourced import Sourced


def _text(label: str, length: int = 200) -> models.CharField:
    return models.CharField(label, max_length=length, blank=True, default="")


def _date(label: str) -> models.DateField:
    return models.DateField(label, null=True, blank=True)


def _moment(label: str) -> models.DateTimeField:
    return models.DateTimeField(label, null=True, blank=True)


def _money(label: str) -> models.DecimalField:
    return models.DecimalField(label, max_digits=20, decimal_places=2, null=True, blank=True)


def _link(to: str | type[models.Model], label: str, **options: bool) -> models.ForeignKey:
    return models.ForeignKey(
        to, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=label, **options
    )


class Taxed(models.Model):
    """Amounts are stored without tax; the flag and rate say how they were sent."""

    currency = _text(_("Currency"), 3)
    tax = models.CharField(
        _("Sent"),
        max_length=8,
        default="excluded",
        choices=[("excluded", _("without tax")), ("included", _("with tax"))],
    )
    tax_rate = models.DecimalField(_("Tax rate"), max_digits=5, decimal_places=4, null=True, blank=True)

    class Meta:
        abstract = True


class Product(Sourced):
    """One product or product group that the company sells."""

    name = models.CharField(_("Name"), max_length=200)
    parent = _link("self", _("Parent"))
    aliases = models.JSONField(_("Aliases"), default=list, blank=True)
    member = models.OneToOneField(DimensionMember, models.PROTECT, null=True, related_name="product", editable=False)

    class Meta:
        verbose_name = _("Product")
        verbose_name_plural = _("Products")
        ordering = ["name"]
        constraints = Sourced.constraints("product")

    def __str__(self) -> str:
        return self.name


class Account(Sourced):
    """One company that buys or might buy."""

    name = models.CharField(_("Name"), max_length=300)
    owner = _link(Person, _("Person in charge"))
    region = _text(_("Region"))
    industry = _text(_("Industry"))
    size = _text(_("Size"))
    parent = _link("self", _("Parent"))
    first_won_on = _date(_("First won on"))
    domain = _text(_("Domain"), 253)

    class Meta:
        verbose_name = _("Account")
        verbose_name_plural = _("Accounts")
        ordering = ["name"]
        constraints = Sourced.constraints("account")
        indexes = [models.Index(fields=["domain"], condition=~models.Q(domain=""), name="account_domain")]

    def __str__(self) -> str:
        return self.name


class Lead(Sourced):
    """One known prospect."""

    created_on = _date(_("Created on"))
    created_at = _moment(_("Created at"))
    account = _link(Account, _("Account"))
    owner = _link(Person, _("Person in charge"))
    lead_source = _text(_("Lead source"))
    status = _text(_("Status"))
    mql_on = _date(_("MQL on"))
    sql_on = _date(_("SQL on"))
    disqualified_on = _date(_("Disqualified on"))
    disqualified_reason = _text(_("Reason for disqualification"))
    converted_deal = _link("Deal", _("Converted to deal"))
    email_hash = _text(_("E-mail (keyed hash)"), 128)
    email_domain = _text(_("Domain of the e-mail"), 253)

    class Meta:
        verbose_name = _("Lead")
        verbose_name_plural = _("Leads")
        constraints = Sourced.constraints("lead")
        indexes = [
            models.Index(fields=["email_hash"], condition=~models.Q(email_hash=""), name="lead_email"),
            models.Index(fields=["email_domain"], condition=~models.Q(email_domain=""), name="lead_domain"),
            models.Index(
                fields=["source", "created_at"], condition=models.Q(created_at__isnull=False), name="lead_arrival"
            ),
            models.Index(
                fields=["source", "created_on"], condition=models.Q(created_at__isnull=True), name="lead_arrival_day"
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class LeadStageEvent(Sourced):
    """A lead's entry into a stage: mql, sql, returned, disqualified, or one of the company's own."""

    lead = _link(Lead, _("Lead"))
    stage = models.CharField(_("Stage"), max_length=80)
    entered_at = models.DateTimeField(_("Entered at"))

    class Meta:
        verbose_name = _("Lead stage event")
        verbose_name_plural = _("Lead stage events")
        constraints = Sourced.constraints("leadstageevent")

    def __str__(self) -> str:
        return f"{self.external_id} {self.stage}"


class Deal(Sourced, Taxed):
    """One opportunity, from the day it was created to its outcome."""

    name = _text(_("Name"), 300)
    account = _link(Account, _("Account"))
    owner = _link(Person, _("Person in charge"))
    created_by = _link(Person, _("Created by"))
    created_on = _date(_("Created on"))
    expected_close_on = _date(_("Expected close"))
    closed_on = _date(_("Closed on"))
    outcome = models.CharField(_("Outcome"), max_length=11, choices=Outcome.choices, default=Outcome.OPEN)
    phase = _text(_("Phase"), 80)
    confidence = _text(_("Confidence"), 40)
    amount = _money(_("Amount"))
    gross_profit = _money(_("Gross profit"))
    origin = models.CharField(_("Origin"), max_length=15, choices=Origin.choices, default=Origin.UNKNOWN)
    lead = _link(Lead, _("Lead"))
    lead_source = _text(_("Lead source"))
    sales_channel = _text(_("Sales channel"))
    partner = _text(_("Partner"))
    product = _link(Product, _("Product"))
    region = _text(_("Region"))
    customer_type = _text(_("Customer type"), 20)
    lost_reason = _text(_("Reason for loss"))
    competitor = _text(_("Competitor"))
    postponed_count = models.PositiveIntegerField(_("Times postponed"), null=True, blank=True)
    last_activity_on = _date(_("Last activity"))
    email_hash = _text(_("E-mail of the contact (keyed hash)"), 128)
    # Written by us from `owner`, whose own constraint holds: to check it again would be a third of storing a deal.
    owner_at_close = _link(Person, _("Person in charge at close"), db_constraint=False)

    class Meta:
        verbose_name = _("Deal")
        verbose_name_plural = _("Deals")
        constraints = Sourced.constraints("deal")
        indexes = [
            models.Index(fields=["expected_close_on"], condition=models.Q(outcome="open"), name="deal_open_expected"),
            models.Index(
                fields=["closed_on"], condition=models.Q(outcome="lost", lost_reason=""), name="deal_lost_unexplained"
            ),
            models.Index(fields=["email_hash"], condition=~models.Q(email_hash=""), name="deal_email"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class DealLine(Sourced, Taxed):
    """One product within a deal."""

    deal = _link(Deal, _("Deal"))
    product = _link(Product, _("Product"))
    quantity = models.DecimalField(_("Quantity"), max_digits=16, decimal_places=3, null=True, blank=True)
    amount = _money(_("Amount"))
    gross_profit = _money(_("Gross profit"))

    class Meta:
        verbose_name = _("Deal line")
        verbose_name_plural = _("Deal lines")
        constraints = Sourced.constraints("dealline")

    def __str__(self) -> str:
        return self.external_id


class DealCredit(Sourced):
    """A person's part in a deal: shares of revenue add up to one; overlay counts in full and is never summed upward.

    A deal without revenue credits is credited in full to `Deal.owner_at_close`, while it is open to its owner.
    """

    deal = _link(Deal, _("Deal"))
    person = _link(Person, _("Person"))
    kind = models.CharField(_("Kind"), max_length=7, choices=Credit.choices)
    share = models.DecimalField(_("Share"), max_digits=7, decimal_places=6, null=True, blank=True)
    role = _text(_("Role"), 80)

    class Meta:
        verbose_name = _("Deal credit")
        verbose_name_plural = _("Deal credits")
        constraints = Sourced.constraints("dealcredit")

    def __str__(self) -> str:
        return f"{self.external_id} {self.share}"


class DealStageEvent(Sourced):
    """A deal's entry into a phase."""

    deal = _link(Deal, _("Deal"))
    phase = models.CharField(_("Phase"), max_length=80)
    entered_at = models.DateTimeField(_("Entered at"))

    class Meta:
        verbose_name = _("Deal stage event")
        verbose_name_plural = _("Deal stage events")
        constraints = Sourced.constraints("dealstageevent")

    def __str__(self) -> str:
        return f"{self.external_id} {self.phase}"


class Activity(Sourced):
    """A call, visit, meeting, mail, demonstration or proposal."""

    kind = models.CharField(_("Kind"), max_length=20)
    happened_on = models.DateField(_("Date"))
    happened_at = _moment(_("Time"))
    owner = _link(Person, _("Person in charge"))
    account = _link(Account, _("Account"))
    deal = _link(Deal, _("Deal"))
    lead = _link(Lead, _("Lead"))
    outcome = _text(_("Result"))

    class Meta:
        verbose_name = _("Activity")
        verbose_name_plural = _("Activities")
        constraints = Sourced.constraints("activity")

    def __str__(self) -> str:
        return f"{self.kind} {self.happened_on}"


class Contract(Sourced, Taxed):
    """One interval of constant monthly recurring revenue; an expansion closes one and opens the next."""

    account = _link(Account, _("Account"))
    starts_on = models.DateField(_("Starts on"))
    ends_on = _date(_("Ends on (exclusive)"))
    mrr = _money(_("Monthly recurring revenue"))
    subscription = _text(_("Subscription"))
    renewal_due_on = _date(_("Renewal due on"))
    renewed = models.BooleanField(_("Renewed"), null=True, blank=True)
    product = _link(Product, _("Product"))
    owner = _link(Person, _("Person in charge"))

    class Meta:
        verbose_name = _("Contract")
        verbose_name_plural = _("Contracts")
        constraints = Sourced.constraints("contract")

    def __str__(self) -> str:
        return self.external_id


class Order(Sourced, Taxed):
    """One order of a customer."""

    account = _link(Account, _("Account"))
    ordered_on = models.DateField(_("Ordered on"))
    amount = _money(_("Amount"))
    product = _link(Product, _("Product"))
    owner = _link(Person, _("Person in charge"))

    class Meta:
        verbose_name = _("Order")
        verbose_name_plural = _("Orders")
        constraints = Sourced.constraints("order")

    def __str__(self) -> str:
        return self.external_id


class RevenueLine(Sourced, Taxed):
    """One line of recognised revenue, on the day it is booked (計上日)."""

    recognized_on = models.DateField(_("Recognised on"))
    account = _link(Account, _("Account"))
    deal = _link(Deal, _("Deal"))
    amount = _money(_("Amount"))
    gross_profit = _money(_("Gross profit"))
    kind = _text(_("Kind"), 20)
    product = _link(Product, _("Product"))
    owner = _link(Person, _("Person in charge"))

    class Meta:
        verbose_name = _("Revenue line")
        verbose_name_plural = _("Revenue lines")
        constraints = Sourced.constraints("revenueline")

    def __str__(self) -> str:
        return self.external_id


class SurveyResponse(Sourced):
    """One answer to a customer survey."""

    kind = models.CharField(_("Kind"), max_length=4, choices=[("nps", "NPS"), ("csat", "CSAT")])
    score = models.DecimalField(_("Score"), max_digits=6, decimal_places=2)
    answered_on = models.DateField(_("Answered on"))
    account = _link(Account, _("Account"))
    owner = _link(Person, _("Person in charge"))

    class Meta:
        verbose_name = _("Survey response")
        verbose_name_plural = _("Survey responses")
        constraints = Sourced.constraints("surveyresponse")

    def __str__(self) -> str:
        return self.external_id


class ExchangeRate(Sourced):
    """How much of the company's currency one unit of another is worth, from a day on."""

    currency = models.CharField(_("Currency"), max_length=3)
    rate = models.DecimalField(_("Rate"), max_digits=18, decimal_places=8)
    starts_on = models.DateField(_("Starts on"))

    class Meta:
        verbose_name = _("Exchange rate")
        verbose_name_plural = _("Exchange rates")
        ordering = ["currency", "-starts_on"]
        constraints = Sourced.constraints("exchangerate")

    def __str__(self) -> str:
        return f"{self.currency} {self.rate}"
