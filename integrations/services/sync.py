"""One import from beginning to end, for one lap of a worker's time.

Nothing is half-imported: a chunk of records, its rejections, its counts and the checkpoint are one transaction
(services.storing). A worker that is lost between two chunks is replaced, and the run goes on behind its last
checkpoint; what was stored twice changes nothing. How a delivery of files is read stands in services.deliveries, how
a source is asked in services.pulling, how what was kept is mapped again in services.remapping.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError

from integrations.choices import RunKind
from integrations.connectors.errors import ConnectorError
from integrations.models import SyncRun
from integrations.services.comparing import compare_with_source
from integrations.services.credentials import SealedError
from integrations.services.deliveries import store_delivery
from integrations.services.drift import FIELD_PROBLEMS, look_for_drift
from integrations.services.merging import apply_merges
from integrations.services.notified import fetch_notified
from integrations.services.pulling import pull
from integrations.services.remapping import store_kept
from integrations.services.runs import Outcome, claimed_run, fail_run, finish_run, postpone_run, release_run
from integrations.services.sources import is_pulled
from integrations.services.storing import Clock, LostRunError

logger = logging.getLogger(__name__)

LAP_SECONDS = 60


def run_sync(*, run_id: int, owner: str, now: datetime, lap_seconds: float = LAP_SECONDS) -> SyncRun | None:
    """Take a queued or interrupted run on, for one lap. None when it is not to be run now.

    A lap that is over gives the run back to be continued. Raises the database's own errors when it is away, for the
    caller to try again.
    """
    with claimed_run(run_id=run_id, owner=owner, now=now) as run:
        if run is not None:
            with _many_containers():
                _run(run, owner=owner, now=now, lap_seconds=lap_seconds)
        return run


def _run(run: SyncRun, *, owner: str, now: datetime, lap_seconds: float) -> None:
    clock = Clock(now)
    try:
        outcome = _reader_of(run)(run, owner=owner, clock=clock, until=clock.started + lap_seconds)
        apply_merges(run=run, now=clock.now())
        if outcome is None:
            release_run(run=run, now=clock.now())
        else:
            finish_run(run=run, outcome=outcome, now=clock.now())
            _look_for_drift(run, outcome.report, clock)
    except ConnectorError as error:
        if error.wait is not None and not error.permanent:
            postpone_run(run=run, code=error.code, params=dict(error.params), seconds=error.wait, now=clock.now())
        else:
            fail_run(run=run, code=error.code, params=dict(error.params), stops=error.permanent, now=clock.now())
            if error.code in FIELD_PROBLEMS:
                look_for_drift(connection=run.connection, report={}, now=clock.now(), is_due=True)
    except SealedError:
        logger.exception("sync.sealed", extra={"run": str(run.public_id)})
        fail_run(run=run, code="sealed", params={}, stops=True, now=clock.now())
    except LostRunError:
        logger.info("sync.lost", extra={"run": str(run.public_id)})
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("sync.failed", extra={"run": str(run.public_id)})
        _fail_where_it_stands(run, clock)
    run.refresh_from_db()


@contextmanager
def _many_containers() -> Iterator[None]:
    """Records are many small containers of which none is in a cycle: looking for cycles among them all the time
    would take as long as mapping them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _look_for_drift(run: SyncRun, report: Mapping[str, Any], clock: Clock) -> None:
    """Whether the source still is as it was mapped; at once where a stream has just failed for want of a field."""
    if run.kind == RunKind.SYNC and is_pulled(run.connection):
        problems = [each["problem"]["code"] for each in report["streams"] if each["problem"]]
        is_due = any(code in FIELD_PROBLEMS for code in problems)
        look_for_drift(connection=run.connection, report=report, now=clock.now(), is_due=is_due)


def _reader_of(run: SyncRun) -> Callable[..., Outcome | None]:
    """What does the work of a run, for a lap of it."""
    others = {RunKind.EVENTS: fetch_notified, RunKind.COMPARE: compare_with_source, RunKind.REMAP: store_kept}
    if run.kind == RunKind.SYNC:
        return pull if is_pulled(run.connection) else store_delivery
    return others[RunKind(run.kind)]


def _fail_where_it_stands(run: SyncRun, clock: Clock) -> None:
    """End a run that an error of ours stopped, saying how far it came."""
    run.refresh_from_db()
    params = {"row": run.progress_done, "stream": run.connection.name}
    fail_run(run=run, code="interrupted", params=params, now=clock.now())
