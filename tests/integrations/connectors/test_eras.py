"""Value maps that ended on a day: old months keep what their words meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.base import Record
from integrations.connectors.changes import changes_of
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import Accepted, FieldRule, StreamMapping, Tally, check_mapping

TOKYO = ZoneInfo("Asia/Tokyo")
OUTCOME = FieldRule(
    "outcome",
    column="stage",
    values={"完了": "lost", "受注": "won"},
    dated_by="closed",
    earlier=[
        {"until": "2026-10-01", "values": {"完了": "won"}},
        {"until": "2026-04-01", "values": {"完了": "no_decision"}},
    ],
)
DEALS = StreamMapping(
    "deals",
    "deals",
    10,
    "deals",
    (FieldRule("external_id", column="id"), FieldRule("created_on", column="closed"), OUTCOME),
)


def outcomes(*pairs: tuple[Any, str], mapping: StreamMapping = DEALS) -> list[str]:
    records = [
        Record(str(number), {"id": str(number), "closed": closed, "stage": stage})
        for number, (closed, stage) in enumerate(pairs)
    ]
    found = changes_of(mapping, records, {}, zone=TOKYO, tally=Tally())
    return [
        str(each.record["outcome"]) if isinstance(each, Accepted) else each.problems[0].code
        for each in sorted(found, key=lambda each: each.row.number)
    ]


class TestEras:
    def test_13_a_word_means_what_it_meant_on_its_day(self):
        days = ("2026-03-31", "2026-04-01", "2026-09-30", "2026-10-01", "2026-11-24")
        assert outcomes(*((day, "完了") for day in days)) == ["no_decision", "won", "won", "lost", "lost"]

    def test_13_a_moment_falls_on_the_companys_day(self):
        assert outcomes(("2026-09-30T14:59:00Z", "完了"), ("2026-09-30T15:00:00Z", "完了")) == ["won", "lost"]

    def test_13_a_word_that_was_unknown_then_is_not_guessed(self):
        assert outcomes(("2026-05-01", "受注"), ("2026-11-01", "受注")) == ["unmapped_value", "won"]

    def test_without_a_day_it_is_meant_as_of_now(self):
        assert outcomes((None, "完了"), ("?", "完了"))[0] == "lost"

    @given(st.lists(st.integers(0, 400), max_size=12))
    def test_the_order_of_records_does_not_matter(self, numbers):
        days = [(date(2026, 1, 1) + timedelta(days=each)).isoformat() for each in numbers]
        together = outcomes(*((day, "完了") for day in days))
        assert together == [outcomes((day, "完了"))[0] for day in days]

    @pytest.mark.parametrize(
        "change",
        [
            {"dated_by": ""},
            {"earlier": [{"values": {}}]},
            {"earlier": [{"until": "soon", "values": {}}]},
            {"earlier": [{"until": "2026-01-01", "values": {"x": 1}}]},
            {"earlier": ["x"]},
        ],
    )
    def test_one_that_cannot_be_used_is_refused(self, change):
        faulty = replace(DEALS, rules=(*DEALS.rules[:2], replace(OUTCOME, **change)))
        with pytest.raises(ConnectorError) as caught:
            check_mapping(faulty)
        assert caught.value.code == "bad_earlier"
