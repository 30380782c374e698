"""People who log in, their roles and what they changed, in the admin of console and companies."""

from __future__ import annotations

from typing import Any

from auditlog.models import LogEntry
from django.contrib import admin
from django.contrib.admin.models import LogEntry as AdminLogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tenants.accounts.models import User
from tenants.accounts.services import assign_roles
from tenants.backoffice import ReadOnlyAdmin
from tenants.capabilities import assignable_roles


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """Nobody gives a role that is above his own, and a mirrored consultant belongs to the console."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "name", "role_names", "is_active", "last_login", "mirrored_from")
    list_filter = ("is_active", "groups")
    search_fields = ("username", "name", "email")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined", "expires_at")
    fieldsets = (
        (None, {"fields": ("username", "password", "name", "email", "language")}),
        (_("Access"), {"fields": ("groups", "is_active", "expires_at", "last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "name", "email", "groups", "password1", "password2")}),)

    @admin.display(description=_("Roles"))
    def role_names(self, user: User) -> str:
        return ", ".join(sorted(group.name for group in user.groups.all()))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        allowed = super().has_change_permission(request, obj)
        if obj is None or not allowed:
            return bool(allowed)
        return obj.mirrored_from is None and obj.roles <= assignable_roles(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["queryset"] = Group.objects.filter(name__in=assignable_roles(request.user))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        own = ("groups", "is_active") if obj is not None and obj.pk == request.user.pk else ()
        return (*self.readonly_fields, *own)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        assign_roles(user=form.instance, roles=form.instance.groups.values_list("name", flat=True))


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(ReadOnlyAdmin):
    """The roles are fixed; what each may do is one table in the code."""

    list_display = ("name",)
    fields = ("name",)


admin.site.unregister(LogEntry)


@admin.register(LogEntry)
class AuditAdmin(ReadOnlyAdmin):
    """Who changed what, field by field."""

    list_display = ("timestamp", "actor", "action", "content_type", "object_repr")
    list_filter = ("action", "content_type")
    list_select_related = ("actor", "content_type")
    search_fields = ("object_repr", "actor__name", "actor__username")
    fields = ("timestamp", "actor", "action", "content_type", "object_repr", "changes", "remote_addr")


@admin.register(AdminLogEntry)
class AdminLogAdmin(ReadOnlyAdmin):
    """What was done on these admin pages."""

    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag")
    list_filter = ("action_flag", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr",)
