"""What came of the calls of a source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max

from integrations.choices import ENDED, EventState, RunKind, describe_problem, describe_refusal
from integrations.models import Connection, InboundEvent, InboundHook, SyncRun


@dataclass(frozen=True)
class HookState:
    """The address of a connection and what came to it.

    `hook` None: there is no address now. The counts are of the notifications that are still kept. `problem`: why the
    last fetching failed, in the reader's language; '' when it did not.
    """

    hook: InboundHook | None
    waiting: int
    done: int
    aside: int
    left: int
    last_done_at: datetime | None
    problem: str

    @property
    def refusal(self) -> str:
        """Why the last call that was refused was, in the reader's language; '' where a good one came since."""
        hook = self.hook
        if hook is None or hook.last_refused_at is None:
            return ""
        is_past = hook.last_received_at is not None and hook.last_received_at > hook.last_refused_at
        return "" if is_past else describe_refusal(hook.refused_by)


def hook_state(*, connection: Connection) -> HookState:
    """Three queries."""
    events = InboundEvent.objects.filter(connection=connection)
    grouped = events.order_by().values("state").annotate(count=Count("pk"), last=Max("done_at"))
    found = {str(each["state"]): each for each in grouped}
    counts = {state: found[state]["count"] if state in found else 0 for state in EventState.values}
    done = found.get(EventState.DONE)
    runs = SyncRun.objects.filter(connection=connection, kind=RunKind.EVENTS, state__in=ENDED)
    last = runs.order_by("-id").first()
    return HookState(
        hook=InboundHook.objects.filter(connection=connection).first(),
        waiting=counts[EventState.WAITING],
        done=counts[EventState.DONE],
        aside=counts[EventState.ASIDE],
        left=counts[EventState.LEFT],
        last_done_at=done["last"] if done else None,
        problem=describe_problem(last.problem_code, last.problem_params) if last and last.problem_code else "",
    )
