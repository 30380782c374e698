"""What every admin of this floor shares. Who may see and change a model is said by `model_capabilities`."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.forms import ModelForm
from django.forms.models import construct_instance
from django.http import HttpRequest
from django.utils.translation import gettext
from unfold.admin import ModelAdmin

from kpis.services.refusal import RefusedError


class CompanyAdmin(ModelAdmin):
    """A list that stays quick with many rows, and rows that nobody deletes by hand."""

    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = True
    compressed_fields = True

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(CompanyAdmin):
    """Rows that are derived or come from outside: to be looked at, never typed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        return [field.name for field in self.opts.get_fields() if field.concrete and not field.auto_created]


class ServiceForm(ModelForm):
    """A form whose write is a service: what the service refuses becomes an error of the form, and nothing is stored.

    Subclasses write in `write`; `actor` is the person at the form.
    """

    actor: AbstractBaseUser
    stored: tuple[str, ...]

    def __init_subclass__(cls) -> None:
        """Note the model's fields before an admin adds further ones or leaves out those that stay."""
        super().__init_subclass__()
        if hasattr(cls, "Meta") and not hasattr(cls, "stored"):
            cls.stored = tuple(cls.Meta.fields)

    def write(self) -> models.Model:
        """Call the service with the cleaned data and return the row it made or changed."""
        raise NotImplementedError

    def whole(self) -> dict[str, Any]:
        """Every field of the row as it will be: what was typed, else what it has."""
        return {name: getattr(self.instance, name) for name in self.stored}

    def _post_clean(self) -> None:
        """Check the fields as a model form does, but leave constraints to the service: it knows the whole row."""
        self.instance = construct_instance(self, self.instance, self._meta.fields, self._meta.exclude)
        try:
            self.instance.clean_fields(exclude=self._get_validation_exclusions())
        except ValidationError as faults:
            self._update_errors(faults)
        self.validate_unique()
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.write()
        except RefusedError as refusal:
            for issue in refusal.issues:
                self.add_error(self._place_of(issue.field), issue.translated(gettext))
            if not refusal.issues:
                self.add_error(None, str(refusal))

    def _place_of(self, path: str) -> str | None:
        """The form's field that shows a fault; None shows it above the form."""
        name = path.partition(".")[0]
        return name if name in self.fields else None

    def save(self, commit: bool = True) -> models.Model:
        """The row; it is already stored."""
        return self.instance

    def save_m2m(self) -> None:
        """Related rows are the service's business."""


class ServiceAdmin(CompanyAdmin):
    """An admin that saves through the service of its form."""

    form: type[ServiceForm]

    def get_form(
        self, request: HttpRequest, obj: models.Model | None = None, change: bool = False, **kwargs: Any
    ) -> type[ServiceForm]:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.actor = request.user
        return form

    def save_model(self, request: HttpRequest, obj: models.Model, form: ServiceForm, change: bool) -> None:
        """The service has stored it."""
