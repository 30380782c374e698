"""Why a change of this floor was refused."""

from kpis.engine.issues import Issue
from kpis.services.refusal import RefusedError


class ReviewError(RefusedError):
    """A change that cannot be made. `field` names the input it is about, empty where it is about the whole."""

    def __init__(self, template: str, *, field: str = "") -> None:
        super().__init__(template, issues=[Issue(field, self.code, template)] if field else [])
        self.field = field


class AlreadyAnsweredError(ReviewError):
    """The miss has an answer."""

    code = "already_answered"


class ReasonRequiredError(ReviewError):
    """This end or decision needs words."""

    code = "reason_required"


class WrongStateError(ReviewError):
    """The meeting is not in the state in which this can be done."""

    code = "wrong_state"


class MinutesConflictError(ReviewError):
    """Somebody else saved the minutes in between."""

    code = "minutes_conflict"
