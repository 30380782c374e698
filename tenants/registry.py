"""What low floors offer and upper floors fill in `AppConfig.ready`, as Django's system checks do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from celery import Task
    from django.http import HttpRequest

    from tenants.models import Company

Entry = TypeVar("Entry")
Text = str | Promise


class DuplicateEntryError(ValueError):
    """Two entries of one registry have the same name."""


class Registry(Generic[Entry]):
    """Named entries in the order of `sort`."""

    def __init__(self, *, name: Callable[[Entry], Any], sort: Callable[[Entry], Any]) -> None:
        self._name = name
        self._sort = sort
        self._entries: dict[Any, Entry] = {}

    def register(self, entry: Entry) -> Entry:
        """Raises DuplicateEntryError for a name that is taken by another entry."""
        name = self._name(entry)
        if self._entries.get(name, entry) != entry:
            raise DuplicateEntryError(f"{name} is registered twice.")
        self._entries[name] = entry
        return entry

    def get(self, name: Any) -> Entry | None:
        return self._entries.get(name)

    def names(self) -> list[Any]:
        return sorted(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(sorted(self._entries.values(), key=self._sort))

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True)
class NavigationEntry:
    """A link of the product's navigation, shown to those who have `capability` (None = everybody)."""

    code: str
    label: Text
    url_name: str
    icon: str
    position: int
    capability: str | None = None


@dataclass(frozen=True)
class PagePanel:
    """A part which an upper floor adds to the page of a lower one; without a context it is left out for this reader."""

    page: str
    code: str
    template: str
    context: Callable[..., dict[str, Any] | None]
    position: int


class ItemStatus(models.TextChoices):
    NOT_STARTED = "not_started", _("Not started")
    IN_PROGRESS = "in_progress", _("In progress")
    DONE = "done", _("Done")
    REGRESSED = "regressed", _("Regressed")
    EXPIRED = "expired", _("Confirmation expired")


class Stage(models.TextChoices):
    SETTING = "setting", _("Setting")
    IMPLEMENTING = "implementing", _("Implementing")
    VISUALISING = "visualising", _("Visualising")
    IMPROVING = "improving", _("Improving")


@dataclass(frozen=True)
class ItemState:
    """What the checklist found: the status, the evidence in a sentence, where to look and what to do next."""

    status: str
    evidence: Text = ""
    evidence_url: str = ""
    next_step: Text = ""
    next_step_url: str = ""


@dataclass(frozen=True)
class ChecklistItem:
    """One of the 23 items, verified from the state of the system on a day."""

    number: int
    stage: str
    title: Text
    check: Callable[[date], ItemState]


@dataclass(frozen=True)
class ProvisionStep:
    """What a floor puts into a new company's schema. Runs again after a repair, so it must be idempotent."""

    code: str
    company_type: str
    run: Callable[[ProvisionRequest], None]
    position: int


@dataclass(frozen=True)
class ProvisionRequest:
    """What a company was asked to be; `template_values` are the answers of the template's form."""

    company: Company
    name: str
    fiscal_start_month: int
    closing_day: int
    currency: str
    template: str | None
    template_values: dict[str, Any]
    now: datetime


@dataclass(frozen=True)
class TemplateField:
    """A number asked for when a company is created: an amount in its currency, or a rate typed in percent."""

    code: str
    label: Text
    unit: Literal["amount", "percent"]
    help_text: Text = ""


@dataclass(frozen=True)
class CompanyTemplate:
    """A sales style that a company can be created from; without `instantiate` it is known but not offered yet.

    `fields` are asked in the console's form and reach `instantiate` in `template_values` as decimal strings by code,
    rates as fractions; the values are empty where a company is created without them.
    """

    code: str
    label: Text
    position: int
    instantiate: Callable[[ProvisionRequest], None] | None = None
    fields: tuple[TemplateField, ...] = ()


@dataclass(frozen=True)
class NotedNumber:
    """What a number was said to be at a moment that people remember, as a meeting; `value` None = it had none."""

    kind: str
    label: Text
    at: datetime
    value: Decimal | None


@dataclass(frozen=True)
class NumberNotes:
    """What a floor knows of moments at which the number of a cell was noted, latest first."""

    code: str
    read: Callable[..., list[NotedNumber]]
    position: int


@dataclass(frozen=True)
class Occasion:
    """A moment since which people ask what has changed, as the last meeting; `label` names it after “since”."""

    kind: str
    label: Text
    at: datetime


@dataclass(frozen=True)
class OccasionSource:
    """What a floor knows of the last occasion at which a number was looked at together; None where there was none."""

    code: str
    read: Callable[..., Occasion | None]
    position: int


@dataclass(frozen=True)
class SourceTrouble:
    """Why a source of data is not read as it should be.

    `stopped_at`: since when it is not read any more until a person has acted; None = it is tried again. `reason` and
    the page `url` to mend it on are "" for who may not mend it; so is the reason where nothing is known of one.
    """

    source: str
    name: str
    stopped_at: datetime | None
    reason: str = ""
    url: str = ""


@dataclass(frozen=True)
class SourceWatch:
    """What a floor knows of sources in trouble, for a reader at a moment."""

    code: str
    read: Callable[..., list[SourceTrouble]]
    position: int


@dataclass(frozen=True)
class TemplateSource:
    """Templates that are rows rather than code: those offered now, and one by its code, offered or not."""

    code: str
    offered: Callable[[], list[CompanyTemplate]]
    find: Callable[[str], CompanyTemplate | None]


@dataclass(frozen=True)
class DemoSeeder:
    """What a floor adds to a demo company."""

    code: str
    run: Callable[..., None]
    position: int


@dataclass(frozen=True)
class HealthSignal:
    """Fields of the console's summary row which a floor knows; runs in the company's schema."""

    code: str
    read: Callable[[datetime], dict[str, Any]]
    position: int


@dataclass(frozen=True)
class DueKind:
    """Recurring work: the task gets `company_id` and `object_id`, and is sent again if it does not re-schedule."""

    code: str
    task: Task
    retry_after: timedelta


navigation: Registry[NavigationEntry] = Registry(name=lambda entry: entry.code, sort=lambda entry: entry.position)
console_navigation: Registry[NavigationEntry] = Registry(
    name=lambda entry: entry.code, sort=lambda entry: entry.position
)
panels: Registry[PagePanel] = Registry(
    name=lambda panel: (panel.page, panel.code), sort=lambda panel: (panel.page, panel.position)
)
checklist: Registry[ChecklistItem] = Registry(name=lambda item: item.number, sort=lambda item: item.number)
provision_steps: Registry[ProvisionStep] = Registry(
    name=lambda step: (step.company_type, step.code), sort=lambda step: (step.position, step.code)
)
templates: Registry[CompanyTemplate] = Registry(
    name=lambda template: template.code, sort=lambda template: template.position
)
template_sources: Registry[TemplateSource] = Registry(name=lambda source: source.code, sort=lambda source: source.code)
demo_seeders: Registry[DemoSeeder] = Registry(name=lambda seeder: seeder.code, sort=lambda seeder: seeder.position)
number_notes: Registry[NumberNotes] = Registry(name=lambda notes: notes.code, sort=lambda notes: notes.position)
occasions: Registry[OccasionSource] = Registry(name=lambda source: source.code, sort=lambda source: source.position)
source_watches: Registry[SourceWatch] = Registry(name=lambda watch: watch.code, sort=lambda watch: watch.position)
health_signals: Registry[HealthSignal] = Registry(name=lambda signal: signal.code, sort=lambda signal: signal.position)
due_kinds: Registry[DueKind] = Registry(name=lambda kind: kind.code, sort=lambda kind: kind.code)
model_capabilities: dict[str, str] = {}


def offered_templates() -> list[CompanyTemplate]:
    """Every template that a new company can be made from, those of the product first."""
    shipped = [template for template in templates if template.instantiate is not None]
    return [*shipped, *(template for source in template_sources for template in source.offered())]


def find_template(code: str | None) -> CompanyTemplate | None:
    """A template by its code, also one that is no longer or not yet offered."""
    if not code:
        return None
    found = (source.find(code) for source in template_sources)
    return templates.get(code) or next((template for template in found if template is not None), None)


def panels_of(page: str, request: HttpRequest, **objects: Any) -> list[dict[str, Any]]:
    """The panels of one page in order, each with its template and the context it made."""
    return [
        {"code": panel.code, "template": panel.template, "context": context}
        for panel in panels
        if panel.page == page and (context := panel.context(request, **objects)) is not None
    ]


def noted_numbers(**cell: Any) -> list[NotedNumber]:
    """Every moment at which the number of a cell was noted, by the order of who noted it."""
    return [noted for notes in number_notes for noted in notes.read(**cell)]


def source_troubles(*, user: Any, now: datetime) -> list[SourceTrouble]:
    """Every source in trouble that any floor knows of, with what this reader may know of it."""
    return [trouble for watch in source_watches for trouble in watch.read(user=user, now=now)]


def last_occasion(**about: Any) -> Occasion | None:
    """The latest occasion that any floor knows of; None where there was none."""
    known = (source.read(**about) for source in occasions)
    return max((occasion for occasion in known if occasion is not None), key=lambda each: each.at, default=None)
