"""What people fill in about connections, files and keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.functional import lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from integrations.choices import KEEP_AT_MOST_DAYS, Carries, Scope
from integrations.connectors.presets import PRESETS
from integrations.models import Connection
from integrations.selectors.labels import RHYTHMS, frequency_label

STREAM_PREFIX, HAND = "every.", "hand"
BY_HAND, FREQUENCY = _("Only by hand"), _("Frequency")


def _minutes(every: timedelta) -> str:
    """An interval as the value of a choice: whole minutes as such."""
    minutes = every / timedelta(minutes=1)
    return str(int(minutes)) if minutes == int(minutes) else repr(minutes)


def _interval(choice: str) -> timedelta | str:
    return HAND if choice == HAND else timedelta(minutes=float(choice))


# In place of a preset: a sample shows what the columns are called.
BY_SAMPLE = "sample"


class SheetField(forms.CharField):
    """Which sheet of a workbook a sample is; '' = the only one."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=100,
            label=_("Sheet"),
            help_text=_("Where the Excel file has several sheets: the name of the one to read."),
        )


class FrequencyField(forms.TypedChoiceField):
    """How often data is due, as an interval; None = what `empty` says.

    `current`: a rhythm that is in force already is offered too where it is not one of the usual ones, so that saving
    the form leaves it as it is.
    """

    def __init__(
        self,
        *,
        current: timedelta | None = None,
        empty: Any = BY_HAND,
        label: Any = FREQUENCY,
        **options: Any,
    ) -> None:
        rhythms = sorted({*RHYTHMS, *([current] if current is not None else [])})
        super().__init__(
            choices=[("", empty), *((_minutes(every), lazy(frequency_label, str)(every)) for every in rhythms)],
            required=False,
            empty_value=None,
            coerce=_interval,
            initial=current,
            label=label,
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        return _minutes(value) if isinstance(value, timedelta) else value


class StreamFrequencyField(FrequencyField):
    """How often a stream is due: None = as the connection, HAND = only by hand whatever the connection is."""

    def __init__(self, *, stream: str, connection: Connection) -> None:
        own = connection.stream_every.get(stream)
        every = None if own is None else timedelta(minutes=own)
        super().__init__(current=every, empty=_("As the connection"), label=stream)
        self.choices = [*self.choices, (HAND, BY_HAND)]  # type: ignore[misc]
        if own is None and stream in connection.stream_every:
            self.initial = HAND


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
    sheet = SheetField()
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
    """How often a connection's data is due, and each of `streams` that it reads."""

    def __init__(self, *args: Any, connection: Connection, streams: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["every"] = FrequencyField(current=connection.every)
        self._streams = list(dict.fromkeys(streams))
        for stream in self._streams:
            self.fields[f"{STREAM_PREFIX}{stream}"] = StreamFrequencyField(stream=stream, connection=connection)

    @property
    def stream_fields(self) -> list[forms.BoundField]:
        return [self[f"{STREAM_PREFIX}{stream}"] for stream in self._streams]

    @property
    def has_own_rhythms(self) -> bool:
        """Whether one of the streams does not follow the connection."""
        return any(field.value() for field in self.stream_fields)

    @property
    def stream_minutes(self) -> dict[str, int | None]:
        """The rhythms of single streams as chosen (None = only by hand); one that was not asked about keeps its own.

        Of a valid form.
        """
        found: dict[str, int | None] = {}
        for stream in self._streams:
            name = f"{STREAM_PREFIX}{stream}"
            every = self.cleaned_data[name] if name in self.data else self.fields[name].initial
            if every is not None:
                found[stream] = None if every == HAND else every // timedelta(minutes=1)
        return found


class PushedForm(forms.Form):
    """How often a source that sends its data itself is due to; `current` as it is now."""

    source = forms.CharField(max_length=60, widget=forms.HiddenInput)

    def __init__(self, *args: Any, current: timedelta | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["every"] = FrequencyField(current=current, empty=_("Not agreed"))


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
        help_text=_(
            "0 = keep nothing: a changed mapping then reads the source again. Rejected records stay for a week."
        ),
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
    sheet = SheetField()
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
