"""What people fill in about connections, files and keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.choices import KEEP_AT_MOST_DAYS, Carries, Scope
from integrations.connectors.presets import PRESETS

FREQUENCIES = [
    ("", _("Only by hand")),
    ("60", _("Every hour")),
    ("1440", _("Every day")),
    ("10080", _("Every week")),
    ("44640", _("Every month")),
]


# In place of a preset: a sample shows what the columns are called.
BY_SAMPLE = "sample"


class FrequencyField(forms.TypedChoiceField):
    """How often data is due, as an interval; None = only by hand."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            choices=FREQUENCIES,
            required=False,
            empty_value=None,
            coerce=lambda minutes: timedelta(minutes=int(minutes)),
            label=_("Frequency"),
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        return str(int(value.total_seconds() // 60)) if isinstance(value, timedelta) else value


class IdentityForm(forms.Form):
    """What every connection is called, and which system it stands for."""

    name = forms.CharField(max_length=120, label=_("Name"))
    carries = forms.ChoiceField(choices=Carries.choices, label=_("System"))
    source = forms.CharField(
        max_length=60,
        label=_("Source code"),
        help_text=_("A short name such as crm. Ids are unique within a source; it cannot be changed later."),
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*$", _("Use lower-case letters, digits, - and _."))],
    )


class ConnectionForm(IdentityForm):
    """A new file connection."""

    preset = forms.ChoiceField(label=_("Preset"), help_text=_("How the columns of the files are named"))
    sample = forms.FileField(
        required=False,
        allow_empty_file=True,
        label=_("Sample of another file"),
        help_text=_("CSV or Excel (.xlsx) with its headings: in the next step you say what its columns mean."),
    )
    every = FrequencyField(help_text=_("Files are then looked for in the connection's folder."))

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["preset"].choices = [  # type: ignore[attr-defined]
            (BY_SAMPLE, _("Another file: by a sample of it")),
            *((preset.code, preset.label) for preset in PRESETS.values()),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        preset, sample = cleaned.get("preset"), cleaned.get("sample")
        if preset == BY_SAMPLE and not sample and "sample" not in self.errors:
            self.add_error("sample", gettext("Choose a preset, or send a sample of your file."))
        elif preset and preset != BY_SAMPLE and sample:
            message = gettext("Leave this out, or choose “another file” above: the preset names the columns.")
            self.add_error("sample", message)
        return cleaned


class FrequencyForm(forms.Form):
    """How often a connection's data is due."""

    every = FrequencyField()


class PushedForm(FrequencyForm):
    """How often a source that sends its data itself is due to."""

    source = forms.CharField(max_length=60, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["every"].choices = [("", _("Not agreed")), *FREQUENCIES[1:]]  # type: ignore[attr-defined]


class ResyncForm(forms.Form):
    """From when on a source is read again."""

    since = forms.DateField(
        required=False,
        label=_("Changed since"),
        help_text=_("Leave it empty to read everything from the beginning."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )


class KeepForm(forms.Form):
    """How long what a source said is kept."""

    days = forms.IntegerField(
        min_value=0,
        max_value=KEEP_AT_MOST_DAYS,
        label=_("Keep for, days"),
        help_text=_("0 = keep nothing: a changed mapping then reads the source again."),
    )


class SeveralFilesInput(forms.ClearableFileInput):
    """A file input that takes several files."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or more files."""

    widget = SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) and data else [data or None]
        # Size and content are judged by the connector, whose sentences say what to do about them.
        return [super(FilesField, self).clean(file, initial) for file in files]


class UploadForm(forms.Form):
    """Files to import."""

    uploads = FilesField(label=_("Files"), allow_empty_file=True, help_text=_("CSV or Excel (.xlsx), several at once"))


class SampleForm(forms.Form):
    """A file that shows what its columns are called; with `reads`, those of a kind of file that is read already."""

    sample = forms.FileField(
        allow_empty_file=True, label=_("Sample file"), help_text=_("CSV or Excel (.xlsx) with its headings")
    )
    reads = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)


class ValueForm(forms.Form):
    """What a word of the source means."""

    stream = forms.SlugField()
    field = forms.CharField()
    word = forms.CharField(max_length=200)
    meaning = forms.CharField(max_length=200, label=_("Meaning"))


class ApiKeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(max_length=120, label=_("Name"), help_text=_("What the key is for"))
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, label=_("Scopes"), initial=[Scope.READ]
    )
