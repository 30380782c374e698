"""How fresh each stream of facts is: told by whoever delivers, read by everything that says "as of"."""

from __future__ import annotations

from datetime import datetime, timedelta

from kpis.models import FactStream


def record_stream(*, source: str, fact: str, last_success_at: datetime, expected_every: timedelta | None) -> None:
    """Note that `source` has delivered this kind of fact, and how often it is due (None = only by hand)."""
    FactStream.objects.update_or_create(
        source=source, fact=fact, defaults={"last_success_at": last_success_at, "expected_every": expected_every}
    )


def expect_stream(*, source: str, fact: str, expected_every: timedelta | None) -> None:
    """Change how often a stream is due, where it has delivered before."""
    FactStream.objects.filter(source=source, fact=fact).update(expected_every=expected_every)
