"""For whom, and of which periods, each measure is written down every day."""

from collections.abc import Mapping
from types import MappingProxyType

GROUPS = ("company", "team")
# People have what they can move by themselves; whatever else there is of 500 people would be a row each, every day.
DIMENSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "open_pipeline": (*GROUPS, "person"),
        "open_deals": (*GROUPS, "person"),
        "coverage": (*GROUPS, "person"),
        "renewal_due": GROUPS,
        "order_backlog": GROUPS,
        "landing_pace": GROUPS,
        "landing_rollup": GROUPS,
        "landing_call": GROUPS,
    }
)
PERIODS = ("month", "quarter")  # of which a measure that speaks of a period is told
_OF_A_DAY = frozenset({"open_pipeline", "open_deals", "order_backlog"})


def is_written(measure: str, dimension: str) -> bool:
    """Whether a measure is written down for the members of a dimension.

    >>> is_written("coverage", "person"), is_written("landing_pace", "person"), is_written("coverage", "region")
    (True, False, False)
    """
    return dimension in DIMENSIONS[measure]


def is_told(measure: str, dimension: str, grain: str) -> bool:
    """Whether what is written down of a measure can fill a cell: a stock of a day is that of any period it ends.

    >>> is_told("open_pipeline", "company", "year"), is_told("coverage", "company", "year")
    (True, False)
    """
    return is_written(measure, dimension) and (measure in _OF_A_DAY or grain in PERIODS)
