"""What private surveys say about a KPI: barriers and remedies as plain suggestions, never as an analysis."""

from collections.abc import Mapping
from dataclasses import dataclass

SOURCE_YEAR = 2025


@dataclass(frozen=True)
class Hint:
    """One answer of a survey and the share of respondents who gave it (percent); `text` is an English msgid."""

    text: str
    share: str


@dataclass(frozen=True)
class Hints:
    """Suggested causes and actions for one metric."""

    causes: tuple[Hint, ...] = ()
    actions: tuple[Hint, ...] = ()


def gettext_noop(text: str) -> str:
    """Mark for the catalogue; translated where it is shown."""
    return text


_WIN_RATE = Hints(
    causes=(
        Hint(gettext_noop("Selling skill differs between people"), "36.3"),
        Hint(gettext_noop("We do not stand out from competitors"), "33.3"),
        Hint(gettext_noop("We approach customers who do not fit"), "24.1"),
    ),
    actions=(
        Hint(gettext_noop("Review proposals and sales material"), "50.5"),
        Hint(gettext_noop("Give sales richer information about the customer"), "34.7"),
        Hint(gettext_noop("Put more into the channels that win"), "34.2"),
    ),
)
HINTS: Mapping[str, Hints] = {"win_rate": _WIN_RATE}


def hints_for(metric_code: str) -> Hints:
    """The hints of a metric by its code; empty where no survey says anything.

    >>> [hint.share for hint in hints_for("win_rate").causes]
    ['36.3', '33.3', '24.1']
    >>> hints_for("bookings").actions
    ()
    """
    return HINTS.get(metric_code, Hints())
