"""Dimensions and their members: named here, filled by facts."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from kpis.admin.base import ServiceAdmin, ServiceForm
from kpis.choices import SEGMENTS
from kpis.models import Dimension, DimensionMember
from kpis.services.dimensions import rename_dimension, rename_member
from kpis.services.segments import set_segment


class DimensionForm(ServiceForm):
    """The company's own name of a dimension, and what fills a segment."""

    class Meta:
        model = Dimension
        fields = ("name", "attribute", "is_active")

    def write(self) -> Dimension:
        """Name the dimension."""
        if self.instance.code in SEGMENTS:
            return set_segment(code=self.instance.code, **self.cleaned_data, actor=self.actor, now=timezone.now())
        return rename_dimension(dimension=self.instance, name=self.cleaned_data["name"], actor=self.actor)


class MemberForm(ServiceForm):
    """The name of a member."""

    class Meta:
        model = DimensionMember
        fields = ("name",)

    def write(self) -> DimensionMember:
        """Name the member."""
        return rename_member(member=self.instance, name=self.cleaned_data["name"], actor=self.actor)


class NamedAdmin(ServiceAdmin):
    """Rows that come by themselves and are only named."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Dimension)
class DimensionAdmin(NamedAdmin):
    """By what numbers can be divided."""

    form = DimensionForm
    list_display = ("code", "__str__", "attribute", "is_active")
    list_filter = ("is_active",)
    search_fields = ("code", "name")
    fields = ("code", "name", "attribute", "is_active")

    def get_readonly_fields(self, request: HttpRequest, obj: Dimension | None = None) -> tuple[str, ...]:
        """Built-in dimensions are filled by fields of their own, and always in use."""
        return ("code",) if obj is not None and obj.code in SEGMENTS else ("code", "attribute", "is_active")


@admin.register(DimensionMember)
class DimensionMemberAdmin(NamedAdmin):
    """The values of dimensions."""

    form = MemberForm
    list_display = ("name", "code", "dimension", "parent", "is_active", "is_unassigned")
    list_select_related = ("dimension", "parent")
    list_filter = ("dimension", "is_active", "is_unassigned")
    search_fields = ("name", "code")
    fields = ("dimension", "code", "name", "parent", "aliases", "is_active", "is_unassigned")
    readonly_fields = ("dimension", "code", "parent", "aliases", "is_active", "is_unassigned")
