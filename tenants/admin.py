"""Companies and the work between them, in the console's admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tenants.accounts.models import User
from tenants.backoffice import KeptAdmin, ReadOnlyAdmin
from tenants.models import Company, ConsultantGrant, DeadLetter, Domain, DueSync, HandOff
from tenants.services.companies import archive_company, resume_company, suspend_company
from tenants.services.grants import grant_access, revoke_access


@admin.register(Company)
class CompanyAdmin(ReadOnlyAdmin):
    list_display = ("slug", "type", "status", "attempts", "created_at", "ready_at")
    list_filter = ("status", "type")
    search_fields = ("slug",)
    actions = ("suspend", "resume", "archive")

    @admin.action(description=gettext_lazy("Suspend"), permissions=["view"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Company]) -> None:
        self._apply(request, queryset, lambda company: suspend_company(company=company))

    @admin.action(description=gettext_lazy("Resume"), permissions=["view"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Company]) -> None:
        self._apply(request, queryset, lambda company: resume_company(company=company))

    @admin.action(description=gettext_lazy("Archive for good"), permissions=["view"])
    def archive(self, request: HttpRequest, queryset: QuerySet[Company]) -> None:
        now = timezone.now()
        self._apply(request, queryset, lambda company: archive_company(company=company, now=now))

    def _apply(self, request: HttpRequest, queryset: QuerySet[Company], change: Callable[[Company], None]) -> None:
        """The console itself cannot be switched off from inside."""
        chosen = list(queryset.clients())
        for company in chosen:
            change(company)
            self.log_change(request, company, "changed status")
        messages.success(request, _("Changed: %(count)s") % {"count": len(chosen)})


@admin.register(Domain)
class DomainAdmin(ReadOnlyAdmin):
    list_display = ("domain", "tenant", "is_primary")
    list_select_related = ("tenant",)
    search_fields = ("domain",)


class GrantForm(forms.ModelForm):
    """Who may enter which client until when; the user is one of the console's own."""

    consultant = forms.ModelChoiceField(label=gettext_lazy("Console user"), queryset=User.objects.none())

    class Meta:
        model = ConsultantGrant
        fields = ("company", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["consultant"].queryset = User.objects.filter(is_active=True)
        self.fields["company"].queryset = Company.objects.clients().living()


@admin.register(ConsultantGrant)
class ConsultantGrantAdmin(KeptAdmin):
    form = GrantForm
    fields = ("company", "consultant", "expires_at")
    list_display = ("company", "consultant_name", "role", "granted_at", "expires_at", "revoked_at")
    list_filter = ("company",)
    list_select_related = ("company",)
    actions = ("revoke",)

    @admin.display(description=gettext_lazy("Console user"))
    def consultant_name(self, grant: ConsultantGrant) -> str:
        return self._names.get(grant.console_user_id, "–")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConsultantGrant]:
        self._names = {user.public_id: str(user) for user in User.objects.all()}
        return super().get_queryset(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ConsultantGrant, form: GrantForm, change: bool) -> None:
        saved = grant_access(
            company=form.cleaned_data["company"],
            console_user_id=form.cleaned_data["consultant"].public_id,
            granted_by_id=request.user.public_id,
            expires_at=form.cleaned_data["expires_at"],
            now=timezone.now(),
        )
        obj.__dict__.update(saved.__dict__)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ConsultantGrant]) -> None:
        for grant in queryset.select_related("company"):
            revoke_access(company=grant.company, console_user_id=grant.console_user_id, now=timezone.now())
            self.log_change(request, grant, "revoked")


@admin.register(HandOff)
class HandOffAdmin(ReadOnlyAdmin):
    list_display = ("id", "grant", "issued_at", "used_at")
    list_select_related = ("grant",)


@admin.register(DueSync)
class DueSyncAdmin(ReadOnlyAdmin):
    list_display = ("company", "kind", "object_id", "next_run_at", "dispatched_at")
    list_filter = ("kind", "company")
    list_select_related = ("company",)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "task", "company", "reason")
    list_filter = ("task", "company")
    list_select_related = ("company",)
    search_fields = ("task", "reason")
