"""What a form can fill in or offer by itself."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kpis.engine.templates import Text
from kpis.models import DimensionMember, KpiNode, Metric, Person
from kpis.selectors.template_use import template_suggestions
from reviews.engine.hints import SOURCE_YEAR, Hint, hints_for
from reviews.models import Action, Miss
from reviews.selectors.meetings import find_next_meeting

DAYS_WITHOUT_MEETING = 7
OWN_COUNT = 3


@dataclass(frozen=True)
class Suggestion:
    """A text that can be taken over, and where it comes from, in words."""

    text: str
    origin: str


@dataclass(frozen=True)
class Suggestions:
    """Causes and actions that others named; not an analysis of this miss."""

    causes: Sequence[Suggestion]
    actions: Sequence[Suggestion]


def suggestions_for(metric: Metric, *, besides: Miss | None = None) -> Suggestions:
    """What this company logged before about the same metric, what its template suggests, then what surveys say."""
    before = Action.objects.filter(node__metric=metric).order_by("-created_at")
    if besides is not None:
        before = before.exclude(miss=besides)
    own = list(before.values_list("cause", "action")[:OWN_COUNT])
    hints = hints_for(metric.code)
    templates = template_suggestions(metric.code)
    causes = [each for name, suggestion in templates for each in _templated(suggestion.causes, name)]
    actions = [each for name, suggestion in templates for each in _templated(suggestion.actions, name)]
    return Suggestions(
        causes=[*_own(cause for cause, _action in own), *causes, *_surveyed(hints.causes)],
        actions=[*_own(action for _cause, action in own), *actions, *_surveyed(hints.actions)],
    )


def first_values(node: KpiNode, member: DimensionMember | None, *, user: Any, now: datetime.datetime) -> dict[str, Any]:
    """What an action form begins with: who (the segment's person, the KPI's owner, oneself) and by when."""
    owner = Person.objects.filter(member=member).first() if member else None
    owner = owner or node.responsible or Person.objects.filter(user_id=user.pk).first()
    return {"owner": owner, "due_on": default_due_date(now=now)}


def default_due_date(*, now: datetime.datetime) -> datetime.date:
    """The day of the next meeting that lies ahead, else a week from now."""
    today = timezone.localdate(now)
    coming = find_next_meeting()
    if coming is not None:
        day = timezone.localtime(coming.scheduled_at).date()
        if day > today:
            return day
    return today + datetime.timedelta(days=DAYS_WITHOUT_MEETING)


def _own(texts: Any) -> list[Suggestion]:
    return [Suggestion(text, _("logged before")) for text in dict.fromkeys(texts)]


def _templated(texts: Sequence[Text], name: str) -> list[Suggestion]:
    language = get_language() or "ja"
    origin = _("from the template “%(name)s”") % {"name": name}
    return [Suggestion(text.in_language(language), origin) for text in texts]


def _surveyed(hints: Sequence[Hint]) -> list[Suggestion]:
    return [
        Suggestion(_(hint.text), _("%(share)s%% in a %(year)s survey") % {"share": hint.share, "year": SOURCE_YEAR})
        for hint in hints
    ]
