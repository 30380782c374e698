"""The records behind a number as they were when it was noted."""

import re
from datetime import UTC, datetime

import pytest

from kpis.choices import Grain
from kpis.models import Deal, LockedCell
from kpis.selectors.calendar import find_period
from kpis.services.facts import upsert_facts
from kpis.services.periods import close_period
from kpis.services.recompute import recompute

from .conftest import NOW, _deal

pytestmark = pytest.mark.django_db
CLOSED_AT = datetime(2026, 11, 16, 1, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def closed(world):
    """October is closed; then one of its two deals is moved into November."""
    Deal.objects.update(recorded_at=LOADED_AT, changed_at=LOADED_AT)
    period = find_period(Grain.MONTH, datetime(2026, 10, 1, tzinfo=UTC).date())
    close_period(period=period, actor=None, now=CLOSED_AT)
    moved = _deal("d1", "bob", "2026-11-02", 700_000, "won", source_url="https://crm.example/d1")
    upsert_facts(resource="deals", source="crm", records=[moved], now=NOW)
    recompute(now=NOW)
    return world


@pytest.fixture
def read(client_for, acme):
    def read(user, node, language="ja", **params):
        response = client_for(user, acme).get(
            f"/kpis/{node.public_id}/records/",
            {"start": "2026-10-01", **params},
            headers={"accept-language": language},
        )
        assert response.status_code == 200
        return response.content.decode()

    return read


def at_closing() -> dict[str, str]:
    return {"as_of": CLOSED_AT.isoformat()}


class TestAsOf:
    def test_offers_the_moment_of_closing_beside_now(self, closed, dave, read):
        assert "At closing Mon 16 Nov" in read(dave, closed.goal, "en")
        assert "At closing" not in read(dave, closed.goal, "en", start="2026-11-01")

    def test_tells_what_it_was_what_it_is_and_why(self, closed, dave, read):
        page = read(dave, closed.goal, "en", **at_closing())
        assert "At closing 800,000 JPY → now 100,000 JPY: Closed on changed in 1 record" in page
        assert "Mon 5 Oct 2026 → Mon 2 Nov 2026" in page
        assert 'href="https://crm.example/d1"' in page

    def test_lists_what_was_counted_then(self, closed, dave, read):
        assert sorted(set(re.findall(r"Deal d\d", read(dave, closed.goal, **at_closing())))) == ["Deal d1", "Deal d2"]
        assert sorted(set(re.findall(r"Deal d\d", read(dave, closed.goal)))) == ["Deal d2"]

    def test_a_rate_tells_of_both_sides(self, closed, dave, read):
        page = read(dave, closed.rate, "en", **at_closing())
        assert "Numerator" in page and "Denominator" in page

    def test_says_in_words_where_the_history_does_not_reach_back(self, closed, dave, read):
        Deal.objects.update(recorded_at=NOW)
        page = read(dave, closed.goal, "en", **at_closing())
        assert "what they were before is not known" in page
        assert "Deal d2" not in page

    def test_says_where_the_noted_number_was_another(self, closed, dave, read):
        LockedCell.objects.update(value=790_000)
        assert "another one than its records give" in read(dave, closed.goal, "en", **at_closing())

    def test_a_member_sees_the_reason_and_only_own_records(self, closed, bob, read):
        page = read(bob, closed.goal, "en", **at_closing())
        assert "Deal d1" in page
        assert "Deal d2" not in page
