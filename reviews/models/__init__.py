"""How it gets better: misses, improvement actions, review meetings."""

from reviews.models.actions import Action, ActionChange
from reviews.models.meetings import AgendaItem, Decision, Meeting, MeetingSeries
from reviews.models.misses import Miss

__all__ = ["Action", "ActionChange", "AgendaItem", "Decision", "Meeting", "MeetingSeries", "Miss"]
