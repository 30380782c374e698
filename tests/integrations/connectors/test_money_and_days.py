"""Amounts and dates as each vendor writes them: no currency is guessed, nothing is zero, no day is shifted."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from integrations.connectors.base import Record
from integrations.connectors.deciding import decide
from integrations.connectors.mapping import Accepted, FieldRule, Refused, StreamMapping, Tally
from integrations.connectors.records import rows_of
from integrations.connectors.salesforce.schema import cleaned
from kpis.engine.record_batch import read_records
from kpis.engine.resources import RESOURCES

TOKYO = ZoneInfo("Asia/Tokyo")


def mapped(values: dict[str, Any], **mapping: Any) -> dict[str, Any]:
    """What the door for facts makes of a deal of these values."""
    rules = tuple(
        FieldRule(name, column=name, optional=True) for name in ("external_id", "created_on", "amount", "currency")
    )
    stream = StreamMapping("deals", "deals", 10, "deals", rules, **mapping)
    record = Record("D1", {"external_id": "D1", "created_on": "2026-10-05", **values})
    decided = list(decide(stream, rows_of(stream, [record]), zone=TOKYO, tally=Tally()))
    if isinstance(decided[0], Refused):
        return {"refused": decided[0].problems[0].code}
    assert isinstance(decided[0], Accepted)
    reading = read_records(RESOURCES["deals"], [decided[0].record], source="crm", currency="JPY")
    if reading.rejections:
        return {"refused": reading.rejections[0].issues[0].code}
    return dict(reading.rows[0].values)


class TestMoney:
    @pytest.mark.parametrize(
        "amount",
        ["1500000", Decimal("1500000.00"), 1_500_000, "1,500,000", "¥1,500,000", "１５０００００"],
        ids=["hubspot", "salesforce", "json", "csv", "yen", "full width"],
    )
    def test_19_an_amount_is_the_same_however_it_is_written(self, amount):
        assert mapped({"amount": amount})["amount"] == Decimal(1_500_000)

    @pytest.mark.parametrize("amount", [None, ""])
    def test_19_an_amount_that_is_missing_is_no_zero(self, amount):
        assert mapped({"amount": amount})["amount"] is None
        assert mapped({"amount": 0})["amount"] == 0

    def test_19_the_currency_of_the_record_is_kept(self):
        assert mapped({"amount": "12.50", "currency": "USD"})["currency"] == "USD"
        assert mapped({"amount": "12.50", "currency": "USD"})["amount"] == Decimal("12.50")

    def test_19_one_that_is_none_is_refused(self):
        assert "refused" in mapped({"amount": "12", "currency": "円"})

    def test_19_yen_have_no_decimals_and_tax_is_taken_off(self):
        assert mapped({"amount": "1100"}, tax="included", tax_rate=Decimal("0.10"))["amount"] == 1000
        assert mapped({"amount": "999"}, tax="included", tax_rate=Decimal("0.10"))["amount"] == 908
        assert mapped({"amount": "1100"}, tax="excluded")["amount"] == 1100


class TestDays:
    @pytest.mark.parametrize(
        ("written", "day"),
        [
            ("2026-04-01", date(2026, 4, 1)),
            ("2026-03-31T15:00:00Z", date(2026, 4, 1)),
            ("2026-03-31T14:59:00Z", date(2026, 3, 31)),
            ("2026-03-31T23:30:00.000+0900", date(2026, 3, 31)),
            ("2026-03-31T15:30:00.000Z", date(2026, 4, 1)),
            (cleaned("2026-03-31T15:30:00.000+0000", "datetime"), date(2026, 4, 1)),
            (cleaned("2026-04-01", "date"), date(2026, 4, 1)),
            ("2026/4/1", date(2026, 4, 1)),
            ("２０２６／４／１", date(2026, 4, 1)),
        ],
    )
    def test_20_a_day_stays_and_a_moment_falls_on_the_companys_day(self, written, day):
        assert mapped({"created_on": written})["created_on"] == day

    def test_20_the_zone_of_the_company_counts_not_ours(self):
        moment = {"created_on": "2026-03-31T15:00:00Z", "external_id": "D1"}
        rules = (FieldRule("external_id", column="external_id"), FieldRule("created_on", column="created_on"))
        stream = StreamMapping("deals", "deals", 10, "deals", rules)

        def day(zone: str) -> Any:
            rows = rows_of(stream, [Record("D1", moment)])
            return next(iter(decide(stream, rows, zone=ZoneInfo(zone), tally=Tally()))).record["created_on"]

        found = [day(zone) for zone in ("Asia/Tokyo", "America/New_York", "UTC")]
        assert found == [date(2026, 4, 1), date(2026, 3, 31), date(2026, 3, 31)]
