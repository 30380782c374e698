"""In how many of the company's months things become what they became."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kpis.engine.specs import Filter, Simple
from kpis.models import DimensionMember
from kpis.selectors.close_profile import Lag, read_lag
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
YEAR = {"since": date(2026, 4, 1), "until": date(2027, 4, 1)}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


def send(resource: str, *records: dict) -> None:
    assert not upsert_facts(resource=resource, source="crm", records=records, now=NOW).rejected
    recompute(now=NOW)


def shares(lag: Lag) -> list[Decimal]:
    assert lag.profile is not None
    return [round(share, 4) for share in lag.profile.shares]


def deal(external_id: str, created: str | None, closed: str | None, outcome: str = "won", **more: object) -> dict:
    return {"external_id": external_id, "created_on": created, "closed_on": closed, "outcome": outcome, **more}


class TestDeals:
    def test_counts_months_from_creation_to_the_win(self) -> None:
        send(
            "deals",
            deal("same", "2026-06-01", "2026-06-29"),
            deal("next", "2026-05-31", "2026-06-01"),
            deal("third", "2026-03-02", "2026-06-10"),
            deal("fourth", "2026-06-02", "2026-06-03"),
            deal("lost", "2026-01-01", "2026-06-10", "lost"),
            deal("open", "2026-06-10", None, "open"),
            deal("undated", None, "2026-06-10"),
        )
        lag = read_lag(**YEAR)
        assert shares(lag) == [Decimal("0.5"), Decimal("0.25"), 0, Decimal("0.25")]
        assert lag.profile.median_days == Decimal("14.5")
        assert lag.profile.cases == 4
        assert (lag.ended, lag.known_share) == (5, Decimal("0.8"))
        assert lag.started == 4  # created in the year: same, next, fourth, open

    def test_another_end_has_its_own_lags(self) -> None:
        send("deals", deal("won", "2026-06-01", "2026-06-02"), deal("lost", "2026-04-01", "2026-06-02", "lost"))
        assert shares(read_lag(end=Simple("deals", "closed_on", "count"), **YEAR)) == [
            Decimal("0.5"),
            0,
            Decimal("0.5"),
        ]

    def test_only_some_of_the_starts(self) -> None:
        send("leads", {"external_id": "l1", "created_on": "2026-04-10", "lead_source": "展示会"})
        send(
            "deals",
            deal("referred", "2026-04-01", "2026-06-01", origin="referral"),
            deal("from a lead", "2026-06-01", "2026-06-02", lead="l1"),
            deal("referred and open", "2026-06-01", None, "open", origin="referral"),
        )
        referred = Simple("deals", "created_on", "count", filters=(Filter("origin", "in", ("referral",)),))
        lag = read_lag(of=referred, **YEAR)
        assert shares(lag) == [0, 0, 1]
        assert (lag.started, lag.ended, lag.known_share) == (2, 2, Decimal("0.5"))
        fair = Simple("leads", "created_on", "count", filters=(Filter("lead_source", "eq", "展示会"),))
        assert shares(read_lag(start="leads.created_on", of=fair, **YEAR)) == [0, 0, 1]
        other = Simple("leads", "created_on", "count", filters=(Filter("lead_source", "eq", "Web"),))
        assert read_lag(start="leads.created_on", of=other, **YEAR).profile is None

    def test_follows_the_credit_of_the_day(self) -> None:
        send("teams", {"external_id": "east", "name": "East"}, {"external_id": "west", "name": "West"})
        send("people", {"external_id": "bob", "name": "Bob", "team": "east"})
        send("deals", deal("d1", "2026-05-01", "2026-06-01", owner="bob"), deal("d2", "2026-06-01", "2026-06-02"))
        east, west = (DimensionMember.objects.get(dimension__code="team", code=code) for code in ("east", "west"))
        assert shares(read_lag(dimension="team", member=east, **YEAR)) == [0, 1]
        assert read_lag(dimension="team", member=west, **YEAR).profile is None


class TestLeads:
    def test_a_deal_knows_its_lead_or_is_known_by_it(self) -> None:
        send(
            "leads",
            {"external_id": "l1", "created_on": "2026-04-10"},
            {"external_id": "l2", "created_on": "2026-06-01"},
        )
        send("deals", deal("d1", "2026-05-01", "2026-06-01", lead="l1"), deal("d2", "2026-06-05", "2026-07-02"))
        send("leads", {"external_id": "l2", "created_on": "2026-06-01", "converted_deal": "d2"})
        lag = read_lag(start="leads.created_on", **YEAR)
        assert shares(lag) == [0, Decimal("0.5"), Decimal("0.5")]
        assert lag.started == 2

    def test_from_stage_to_stage(self) -> None:
        send("leads", {"external_id": "l1", "created_on": "2026-04-10", "mql_on": "2026-05-01", "sql_on": "2026-08-01"})
        mql = Simple("leads", "mql_on", "count")
        assert shares(read_lag(start="leads.created_on", end=mql, **YEAR)) == [0, 1]

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("deals.closed_on", Simple("deals", "closed_on", "count")),
            ("deals.created_on", Simple("leads", "sql_on", "count")),
            ("leads.created_on", Simple("orders", "ordered_on", "count")),
        ],
    )
    def test_refuses_what_is_no_lag(self, start: str, end: Simple) -> None:
        with pytest.raises(ValueError, match=r"is no start|does not end"):
            read_lag(start=start, end=end, **YEAR)
