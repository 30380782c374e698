"""Facts as outside systems told them: read-only, with filters for what is faulty in them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kpis.admin.base import ReadOnlyAdmin
from kpis.choices import Outcome
from kpis.models import (
    Account,
    Activity,
    Contract,
    Deal,
    DealCredit,
    DealLine,
    DealStageEvent,
    ExchangeRate,
    Lead,
    LeadStageEvent,
    Order,
    Product,
    RevenueLine,
    SurveyResponse,
    UnresolvedReference,
)
from kpis.models.resources import MODELS

SOURCED = ("source", "external_id", "changed_at")


class UnmatchedFilter(admin.SimpleListFilter):
    """Rows with a reference that was sent but found nothing."""

    title = _("Unmatched references")
    parameter_name = "unmatched"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        names = [(field.name, field.verbose_name) for field in model_admin.opts.fields if field.many_to_one]
        return [("any", _("Any")), *names]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        if self.value() is None:
            return None
        fact = next(code for code, model in MODELS.items() if model is queryset.model)
        unmatched = UnresolvedReference.objects.filter(fact=fact)
        if self.value() != "any":
            unmatched = unmatched.filter(field=self.value())
        return queryset.filter(pk__in=unmatched.values("fact_id"))


class TombstoneFilter(admin.SimpleListFilter):
    """Deleted facts stay as tombstones and are hidden unless asked for."""

    title = _("Deleted")
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [("only", _("Only deleted")), ("with", _("With deleted"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "with":
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() != "only")


def _without_created_on(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.filter(created_on__isnull=True)


def _overdue(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.filter(outcome=Outcome.OPEN, expected_close_on__lt=timezone.localdate())


def _without_amount(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.filter(outcome=Outcome.WON, amount__isnull=True)


def _without_account(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.filter(account__isnull=True)


def _closed_before_created(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.filter(closed_on__lt=F("created_on"))


def _of_a_leaver(deals: QuerySet[Deal]) -> QuerySet[Deal]:
    return deals.filter(outcome=Outcome.OPEN, owner__left_on__lte=timezone.localdate())


class DealFaultFilter(admin.SimpleListFilter):
    """Deals that a number has to leave out or cannot trust until somebody corrects them at the source."""

    title = _("Data faults")
    parameter_name = "fault"
    faults: dict[str, tuple[Any, Callable[[QuerySet[Deal]], QuerySet[Deal]]]] = {
        "no_created_on": (_("No creation date"), _without_created_on),
        "overdue": (_("Open past the expected date"), _overdue),
        "no_amount": (_("Won without an amount"), _without_amount),
        "no_account": (_("No account"), _without_account),
        "closed_before_created": (_("Closed before it was created"), _closed_before_created),
        "leaver": (_("Open with someone who has left"), _of_a_leaver),
    }

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return [(code, label) for code, (label, _narrow) in self.faults.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        if self.value() not in self.faults:
            return None
        return self.faults[self.value()][1](queryset)


class FactAdmin(ReadOnlyAdmin):
    """A resource of the bulk door."""

    search_fields: tuple[str, ...] = ("external_id",)
    list_filter: tuple[Any, ...] = (UnmatchedFilter, TombstoneFilter, "source")


@admin.register(Product)
class ProductAdmin(FactAdmin):
    """Products and product groups."""

    list_display = ("name", "parent", *SOURCED)
    list_select_related = ("parent",)
    search_fields = ("name", "external_id")


@admin.register(Account)
class AccountAdmin(FactAdmin):
    """Companies that buy or might buy."""

    list_display = ("name", "owner", "region", "industry", "size", "first_won_on", *SOURCED)
    list_select_related = ("owner",)
    list_filter = (*FactAdmin.list_filter, "region", "industry")
    search_fields = ("name", "external_id")
    date_hierarchy = "first_won_on"


@admin.register(Lead)
class LeadAdmin(FactAdmin):
    """Leads."""

    list_display = ("external_id", "created_on", "account", "owner", "lead_source", "mql_on", "sql_on", "source")
    list_select_related = ("account", "owner")
    list_filter = (*FactAdmin.list_filter, "lead_source", "status")
    search_fields = ("external_id", "account__name")
    date_hierarchy = "created_on"


@admin.register(LeadStageEvent)
class LeadStageEventAdmin(FactAdmin):
    """Entries of leads into stages."""

    list_display = ("lead", "stage", "entered_at", *SOURCED)
    list_select_related = ("lead",)
    list_filter = (*FactAdmin.list_filter, "stage")
    search_fields = ("external_id", "lead__external_id")
    date_hierarchy = "entered_at"


@admin.register(Deal)
class DealAdmin(FactAdmin):
    """Deals."""

    list_display = (
        "__str__",
        "account",
        "owner",
        "outcome",
        "phase",
        "confidence",
        "amount",
        "created_on",
        "expected_close_on",
        "closed_on",
        "source",
    )
    list_select_related = ("account", "owner")
    list_filter = (DealFaultFilter, *FactAdmin.list_filter, "outcome", "origin", "lead_source", "sales_channel")
    search_fields = ("external_id", "name", "account__name", "owner__name")
    date_hierarchy = "closed_on"


@admin.register(DealLine)
class DealLineAdmin(FactAdmin):
    """Products within deals."""

    list_display = ("deal", "product", "quantity", "amount", "gross_profit", *SOURCED)
    list_select_related = ("deal", "product")
    search_fields = ("external_id", "deal__external_id", "product__name")


@admin.register(DealCredit)
class DealCreditAdmin(FactAdmin):
    """People's parts in deals."""

    list_display = ("deal", "person", "kind", "share", "role", "changed_at")
    list_select_related = ("deal", "person")
    list_filter = (*FactAdmin.list_filter, "kind")
    search_fields = ("external_id", "deal__external_id", "person__name")


@admin.register(DealStageEvent)
class DealStageEventAdmin(FactAdmin):
    """Entries of deals into phases."""

    list_display = ("deal", "phase", "entered_at", *SOURCED)
    list_select_related = ("deal",)
    list_filter = (*FactAdmin.list_filter, "phase")
    search_fields = ("external_id", "deal__external_id")
    date_hierarchy = "entered_at"


@admin.register(Activity)
class ActivityAdmin(FactAdmin):
    """Calls, visits, meetings, mails, demonstrations, proposals."""

    list_display = ("kind", "happened_on", "owner", "account", "deal", "outcome", "source")
    list_select_related = ("owner", "account", "deal")
    list_filter = (*FactAdmin.list_filter, "kind")
    search_fields = ("external_id", "owner__name", "account__name")
    date_hierarchy = "happened_on"


@admin.register(Contract)
class ContractAdmin(FactAdmin):
    """Intervals of constant monthly recurring revenue."""

    list_display = ("account", "starts_on", "ends_on", "mrr", "renewal_due_on", "renewed", "product", "source")
    list_select_related = ("account", "product")
    list_filter = (*FactAdmin.list_filter, "renewed")
    search_fields = ("external_id", "subscription", "account__name")
    date_hierarchy = "starts_on"


@admin.register(Order)
class OrderAdmin(FactAdmin):
    """Orders."""

    list_display = ("external_id", "account", "ordered_on", "amount", "tax", "product", "owner", "source")
    list_select_related = ("account", "product", "owner")
    list_filter = (*FactAdmin.list_filter, "tax")
    search_fields = ("external_id", "account__name")
    date_hierarchy = "ordered_on"


@admin.register(RevenueLine)
class RevenueLineAdmin(FactAdmin):
    """Lines of recognised revenue."""

    list_display = (
        "external_id",
        "recognized_on",
        "account",
        "amount",
        "tax",
        "gross_profit",
        "kind",
        "product",
        "source",
    )
    list_select_related = ("account", "product")
    list_filter = (*FactAdmin.list_filter, "kind", "tax")
    search_fields = ("external_id", "account__name")
    date_hierarchy = "recognized_on"


@admin.register(SurveyResponse)
class SurveyResponseAdmin(FactAdmin):
    """Answers to customer surveys."""

    list_display = ("external_id", "kind", "score", "answered_on", "account", "owner", "source")
    list_select_related = ("account", "owner")
    list_filter = (*FactAdmin.list_filter, "kind")
    search_fields = ("external_id", "account__name")
    date_hierarchy = "answered_on"


@admin.register(ExchangeRate)
class ExchangeRateAdmin(FactAdmin):
    """Exchange rates."""

    list_display = ("currency", "rate", "starts_on", *SOURCED)
    list_filter = (*FactAdmin.list_filter, "currency")
    date_hierarchy = "starts_on"
