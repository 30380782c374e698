"""Reads of improvement actions."""

import datetime

from django.db import models

from reviews.models import Action
from reviews.models.actions import ActionQuerySet


def actions_for_meeting(*, due_by: datetime.date, new_since: datetime.datetime | None) -> ActionQuerySet:
    """Unfinished actions that are due by the day of a meeting, or logged since the meeting before (None = all)."""
    unfinished = Action.objects.unfinished().select_related("miss", "node", "member")
    if new_since is None:
        return unfinished
    return unfinished.filter(models.Q(due_on__lte=due_by) | models.Q(created_at__gte=new_since))
