"""Rows become records of the contract, or a refusal that names field and reason."""

from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from integrations.connectors.deciding import decide
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import (
    Accepted,
    FieldRule,
    Row,
    StreamMapping,
    Tally,
    check_columns,
    check_mapping,
)
from integrations.connectors.presets import PRESETS

TOKYO = ZoneInfo("Asia/Tokyo")


def deals(*rules, **options):
    return StreamMapping("deals", "deals", 70, "deals*", (FieldRule("external_id", column="id"), *rules), **options)


def run(mapping, *cells):
    tally = Tally()
    rows = [Row(number, each) for number, each in enumerate(cells, start=2)]
    return list(decide(mapping, rows, zone=TOKYO, tally=tally)), tally


def record(mapping, **cells):
    (decision,), _ = run(mapping, {"id": "D1", **cells})
    assert isinstance(decision, Accepted), decision
    return decision.record


def problems(mapping, **cells):
    (decision,), _ = run(mapping, {"id": "D1", **cells})
    return [(problem.field, problem.code) for problem in decision.problems]


STAGE = FieldRule("outcome", column="stage", values={"受注": "won", "Lost": "lost", "": ""})


class TestDecide:
    def test_reads_each_field_in_its_kind(self):
        mapping = deals(FieldRule("amount", column="金額"), FieldRule("closed_on", column="完了日"))
        assert record(mapping, 金額="￥1,200", 完了日="2026年11月24日") == {
            "external_id": "D1",
            "amount": Decimal(1200),
            "closed_on": date(2026, 11, 24),
        }

    def test_translates_words_whatever_their_width(self):
        assert record(deals(STAGE), stage=" ｌｏｓｔ")["outcome"] == "lost"

    def test_refuses_an_outcome_the_map_does_not_name(self):
        assert problems(deals(STAGE), stage="検討中") == [("outcome", "unmapped_value")]

    def test_leaves_an_unknown_member_unassigned_and_counts_it(self):
        mapping = deals(FieldRule("region", column="地域", values={"関西": "西日本"}))
        (decision,), tally = run(mapping, {"id": "D1", "地域": "四国"})
        assert decision.record["region"] is None
        assert tally.as_report()["unmapped"] == [{"field": "region", "value": "四国", "count": 1}]

    def test_keeps_a_dimension_without_value_map_as_it_is(self):
        assert record(deals(FieldRule("region", column="地域")), 地域="四国")["region"] == "四国"

    def test_counts_what_a_value_map_corrected(self):
        mapping = deals(FieldRule("product", column="p", values={"GTXPro": "GTX Pro"}, unlisted="keep"))
        decisions, tally = run(mapping, {"id": "1", "p": "GTXPro"}, {"id": "2", "p": "GTK 500"})
        assert [each.record["product"] for each in decisions] == ["GTX Pro", "GTK 500"]
        assert tally.as_report()["mapped"] == [{"field": "product", "from": "GTXPro", "to": "GTX Pro", "count": 1}]

    def test_counts_blanks_and_sends_them_as_null(self):
        mapping = deals(FieldRule("account", column="a"))
        (decision,), tally = run(mapping, {"id": "1", "a": " "})
        assert decision.record["account"] is None
        assert tally.blank["account"] == 1

    def test_names_every_fault_of_a_row(self):
        mapping = deals(FieldRule("amount", column="a"), FieldRule("closed_on", column="c"), STAGE)
        assert problems(mapping, a="12万", c="2026/13/1", stage="won?") == [
            ("amount", "bad_number"),
            ("closed_on", "bad_date"),
            ("outcome", "unmapped_value"),
        ]

    def test_refuses_a_row_without_its_id(self):
        assert problems(deals(), id="") == [("external_id", "required")]

    def test_takes_a_row_once_that_comes_twice_alike(self):
        decisions, tally = run(deals(), {"id": "D1"}, {"id": "D1"})
        assert len(decisions) == 1
        assert tally.repeated == 1

    def test_refuses_a_second_row_that_contradicts_the_first(self):
        mapping = deals(FieldRule("amount", column="a"))
        (first, second), _ = run(mapping, {"id": "D1", "a": 1}, {"id": "D1", "a": 2})
        assert isinstance(first, Accepted)
        assert second.problems[0].code == "repeated_id"
        assert second.problems[0].params["row"] == 2

    def test_builds_an_id_from_several_columns(self):
        mapping = StreamMapping("m", "products", 1, "*", (FieldRule("external_id", template="{a}/{b}"),))
        (decision,), _ = run(mapping, {"a": "x", "b": 7.0})
        assert decision.record["external_id"] == "x/7"

    def test_skips_rows_that_say_nothing_for_this_stream(self):
        decisions, tally = run(deals(skip_blank=("mql",)), {"id": "1", "mql": ""}, {"id": "2", "mql": "x"})
        assert [each.record["external_id"] for each in decisions] == ["2"]
        assert tally.skipped == 1

    def test_leaves_out_an_optional_column_that_the_file_lacks(self):
        rule = FieldRule("amount", column="a", optional=True)
        assert "amount" not in record(deals(rule))
        assert record(deals(rule), a="")["amount"] is None

    def test_says_that_amounts_carry_tax(self):
        mapping = deals(FieldRule("amount", column="a"), tax="included", tax_rate=Decimal("0.10"))
        assert record(mapping, a="1,100")["tax"] == "included"

    def test_gathers_custom_fields(self):
        assert record(deals(FieldRule("attributes.rank", column="r")), r="A")["attributes"] == {"rank": "A"}


class TestCheckMapping:
    @pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
    def test_every_preset_can_work(self, preset):
        for stream in preset.streams:
            check_mapping(stream)
        assert len({stream.stream for stream in preset.streams}) == len(preset.streams)

    def test_refuses_a_field_that_does_not_exist(self):
        with pytest.raises(ConnectorError) as caught:
            check_mapping(deals(FieldRule("created_on", column="c"), FieldRule("colour", column="c")))
        assert (caught.value.kind, caught.value.code) == ("config", "unknown_field")

    def test_refuses_a_mapping_without_a_required_field(self):
        with pytest.raises(ConnectorError) as caught:
            check_mapping(deals())
        assert caught.value.params["field"] == "created_on"


class TestCheckColumns:
    def test_names_what_is_missing_and_what_is_there(self):
        mapping = deals(FieldRule("amount", column="金額"), FieldRule("name", column="商談名", optional=True))
        with pytest.raises(ConnectorError) as caught:
            check_columns(mapping, ["ＩＤ", "受注額"], file="deals.csv")
        assert caught.value.params["columns"] == "金額"
        assert caught.value.params["found"] == "ＩＤ、受注額"
