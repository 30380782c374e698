"""The company's own lags from each stage to the order: the close profiles that causes are told by, and median days."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from django.db import connection

from kpis.engine.back_calculation import Stage
from kpis.engine.close_profile import CloseProfile, chain
from kpis.engine.specs import Simple
from kpis.selectors.back_calculation.places import Places
from kpis.selectors.close_profile import DEAL_STARTS, WON, read_lag

AXES: Mapping[str, str] = {
    Stage.LEADS: "leads.created_on",
    Stage.MQL: "leads.mql_on",
    Stage.SQL: "leads.sql_on",
    Stage.OPPORTUNITIES: DEAL_STARTS,
}
_ACTIVITY_DAYS = (
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d.closed_on - a.happened_on)"
    " FROM kpis_activity a JOIN kpis_deal d ON d.id = a.deal_id WHERE a.deleted_at IS NULL AND d.deleted_at IS NULL"
    " AND d.outcome = 'won' AND d.closed_on >= a.happened_on AND d.closed_on >= %s AND d.closed_on < %s"
    " AND (cardinality(%s::text[]) = 0 OR a.kind = ANY(%s))"
)


@dataclass(frozen=True, slots=True)
class _Way:
    """The way from a stage to the order: its profile (None: too few cases) and its median days (None: not known)."""

    profile: CloseProfile | None
    days: int | None


def read_lags(places: Places, first: date, end: date) -> tuple[dict[str, CloseProfile], dict[str, int]]:
    """Stage → close profile, and stage → median days before the order, of what ended in [first, end).

    A stage's profile is that of the won deals whose way began there; where too few of them say so, the lag to the next
    stage and the next stage's own, one after the other. A stage that nothing is known of is in neither. Two queries for
    each lag, one for each activity.
    """
    read = partial(_read, first=first, end=end)
    ways: dict[str, _Way] = {Stage.WON: _Way(None, 0), Stage.CLOSED: _Way(None, 0)}
    ways[Stage.OPPORTUNITIES] = opened = read(Stage.OPPORTUNITIES, WON)
    ways[Stage.SQL] = _own_or(read, Stage.SQL, opened)
    before: str = Stage.SQL
    for stage in (Stage.MQL, Stage.LEADS) if places.has_mql else (Stage.LEADS,):
        ways[stage] = _own_or(read, stage, _after(_to_stage(read, stage, before), ways[before]))
        before = stage
    days = {stage: way.days for stage, way in ways.items()}
    days |= {code: _activity_days(first, end, kinds) for code, kinds in places.kinds.items()}
    return (
        {stage: way.profile for stage, way in ways.items() if way.profile is not None},
        {stage: known for stage, known in days.items() if known is not None},
    )


_Reader = Callable[[str, Simple], _Way]


def _read(stage: str, until: Simple, *, first: date, end: date) -> _Way:
    profile = read_lag(start=AXES[stage], end=until, since=first, until=end).profile
    if profile is None:
        return _Way(None, None)
    days = None if profile.median_days is None else round(profile.median_days)
    return _Way(profile if profile.is_reliable else None, days)


def _own_or(read: _Reader, stage: str, other: _Way) -> _Way:
    """The way of the won deals from this stage where there are enough of them, else the other one."""
    own = read(stage, WON)
    return own if own.profile is not None else other


def _to_stage(read: _Reader, stage: str, later: str) -> _Way:
    fact, _dot, day = AXES[later].partition(".")
    return read(stage, Simple(fact, day, "count"))


def _after(first: _Way, then: _Way) -> _Way:
    """One way after the other."""
    return _Way(
        None if first.profile is None or then.profile is None else chain(first.profile, then.profile),
        None if first.days is None or then.days is None else first.days + then.days,
    )


def _activity_days(first: date, end: date, kinds: Sequence[str]) -> int | None:
    params: list[Any] = [first, end, list(kinds), list(kinds)]
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVITY_DAYS, params)
        (days,) = cursor.fetchone()
    return None if days is None else round(days)
