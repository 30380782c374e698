"""How a source that is called is set up: where it is, how it is read, and its credentials."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.choices import SECRET_LABELS, ConnectionKind
from integrations.connectors.document import EXAMPLE, SECRETS, DocumentError
from integrations.models import Connection
from integrations.services.inspection import secret_names
from integrations.services.sources import KINDS, needed_secrets

PREFIX = "secret_"
LONG = frozenset({"private_key"})
# The field that is asked anew for the credentials when it changes.
LOOK_AGAIN = {
    "hx-post": "",
    "hx-trigger": "change",
    "hx-vals": '{"look": "1"}',
    "hx-target": "#credentials",
    "hx-select": "#credentials",
    "hx-swap": "outerHTML",
}


class KeyInput(forms.Textarea):
    """A secret of several lines; what was entered is not shown again."""

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 6, "autocomplete": "off", "spellcheck": "false", "class": "mono"})

    def format_value(self, value: Any) -> None:
        return None


def _one_line() -> forms.PasswordInput:
    return forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})


class SourceForm(forms.Form):
    """The description of a source of one kind, and the credentials that this description needs.

    A subclass has the fields of its kind and says in `described` what they amount to. With `connection` a source is
    changed: credentials that are left empty stay as they are. Credentials are never sent back to the browser.
    """

    kind: ClassVar[str]
    example: ClassVar[Mapping[str, Any]] = {}
    # Where the vendor's screens show what is asked for, step by step.
    steps: ClassVar[Sequence[str | Promise]] = ()
    # What the vendor calls a credential, and where it is found.
    secret_words: ClassVar[Mapping[str, tuple[str | Promise, str | Promise]]] = {}

    def __init__(self, data: Any = None, *, connection: Connection | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.connection = connection
        self._known = secret_names(connection=connection) if connection is not None else []
        self.needed = self._needed()
        self.may_stay = bool(self._known) and set(self._known) >= set(self.needed)
        for name in self.needed:
            label, where = self.secret_words.get(name, (SECRET_LABELS.get(name, name), ""))
            self.fields[f"{PREFIX}{name}"] = forms.CharField(
                label=label,
                required=not self.may_stay,
                strip=True,
                max_length=10_000,
                error_messages={"required": _("Enter this credential; the source asks for it.")},
                help_text=_("Leave it empty to keep what is set.") if self.may_stay else where,
                widget=KeyInput() if name in LONG else _one_line(),
            )

    @classmethod
    @abstractmethod
    def shown(cls, description: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the fields that show a description."""

    @classmethod
    def typed(cls, data: QueryDict) -> dict[str, Any]:
        """The values of the fields as they were sent, to be shown once more; never credentials."""
        return {name: field.widget.value_from_datadict(data, {}, name) for name, field in cls.base_fields.items()}

    @abstractmethod
    def described(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The description that these values of the fields amount to. Raises ValueError."""

    def needs(self, description: Mapping[str, Any]) -> tuple[str, ...]:
        """The credentials that a description asks for, also where something else in it is at fault."""
        return needed_secrets(kind=self.kind, description=description)

    @property
    def own_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if not name.startswith(PREFIX)]

    @property
    def secret_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(PREFIX)]

    @property
    def secrets(self) -> dict[str, str] | None:
        """What was entered; None when nothing was and what is set stays. Of a valid form only."""
        given = {name: self.cleaned_data.get(f"{PREFIX}{name}", "") for name in self.needed}
        return None if self.may_stay and not any(given.values()) else given

    def add_faults(self, faults: Sequence[tuple[str, str]]) -> None:
        """Put what a service refused beside the fields it concerns."""
        for place, message in faults:
            room, _dot, rest = place.partition(".")
            if room == "secrets" and f"{PREFIX}{rest}" in self.fields:
                self.add_error(f"{PREFIX}{rest}", message)
            elif rest in self.fields:
                self.add_error(rest, message)
            else:
                self.add_error(room if room in self.fields else None, f"{rest}: {message}" if rest else message)

    def _needed(self) -> tuple[str, ...]:
        try:
            return self.needs(self.described(self.typed(self.data) if self.is_bound else self.initial))
        except ValueError:
            return ()


class DescribedForm(SourceForm):
    """A source whose description is typed as it is kept."""

    description = forms.CharField(
        label=_("Description of the source (JSON)"),
        help_text=_("Where the source is and what is read of it. No credentials."),
        widget=forms.Textarea(attrs={"rows": 18, "spellcheck": "false", "class": "mono", **LOOK_AGAIN}),
    )

    @classmethod
    def shown(cls, description: Mapping[str, Any]) -> dict[str, Any]:
        return {"description": written(description)}

    def described(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        given = values.get("description") or ""
        try:
            found = given if isinstance(given, Mapping) else json.loads(given)
        except RecursionError as error:
            raise ValueError(gettext("Give an object.")) from error
        if not isinstance(found, dict):
            raise ValueError(gettext("Give an object."))
        return found

    def clean_description(self) -> Mapping[str, Any]:
        try:
            found = self.described(self.cleaned_data)
        except json.JSONDecodeError as error:
            text = gettext("This is not JSON. Line %(line)s, column %(column)s: %(why)s")
            raise ValidationError(text % {"line": error.lineno, "column": error.colno, "why": error.msg}) from error
        except ValueError as error:
            raise ValidationError(gettext("Give an object.")) from error
        try:
            KINDS[self.kind].read(found)
        except DocumentError as error:
            faults = [f"{issue.field or '·'}: {issue.translated(gettext)}" for issue in error.issues]
            raise ValidationError(faults) from error
        return found


class RestForm(DescribedForm):
    """A REST source by its document."""

    kind = ConnectionKind.REST
    example = EXAMPLE

    def needs(self, description: Mapping[str, Any]) -> tuple[str, ...]:
        auth = description.get("auth")
        return SECRETS.get(str(auth.get("type")), ()) if isinstance(auth, Mapping) else ()


def written(description: Mapping[str, Any]) -> str:
    """A description as a person reads and changes it."""
    return json.dumps(description, ensure_ascii=False, indent=2)
