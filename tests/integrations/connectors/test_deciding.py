"""Many rows decided at once come to what each comes to alone."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors import deciding
from integrations.connectors.deciding import decide
from integrations.connectors.mapping import Accepted, FieldRule, Row, StreamMapping, Tally

TOKYO = ZoneInfo("Asia/Tokyo")
MAPPING = StreamMapping(
    stream="deals",
    resource="deals",
    position=10,
    reads="deals",
    rules=(
        FieldRule("external_id", column="id"),
        FieldRule("name", template="{id} {name}", optional=True),
        FieldRule("created_on", column="created"),
        FieldRule("amount", column="amount", optional=True),
        FieldRule("outcome", column="stage", values={"受注": "won", "": "open"}, unlisted="empty"),
        FieldRule("lead_source", column="from", values={"web": "Web"}),
        FieldRule("attributes.rank", column="rank", optional=True),
        FieldRule("origin", constant="lead"),
    ),
    skip_blank=("id",),
    tax="included",
    tax_rate=Decimal("0.08"),
)
cells = st.fixed_dictionaries(
    {"created": st.sampled_from(["2026-10-01", "2026/10/1", "", None, "謎", "R8.10.1", 46296])},
    optional={
        "name": st.sampled_from(["青木", "", None, 1.0]),
        "amount": st.sampled_from([1, True, 1.0, Decimal("1.0"), "￥1,000", "△5", "x", None]),
        "stage": st.sampled_from(["受注", " 受注", "謎", "won", "", None]),
        "from": st.sampled_from(["ＷＥＢ", "Web", "展示会", None]),
        "rank": st.sampled_from(["A", "", None, 3]),
    },
)
ids = st.lists(st.sampled_from(["", *(f"D{number}" for number in range(40))]), max_size=8, unique=True)


@given(ids, st.lists(cells, min_size=8, max_size=8))
def test_deciding_at_once_is_deciding_one_by_one(ids, cells):
    rows = [Row(number, {"id": id, **each}) for number, (id, each) in enumerate(zip(ids, cells, strict=False), 2)]
    together, alone = Tally(), Tally()
    at_once = list(decide(MAPPING, rows, zone=TOKYO, tally=together))
    one_by_one = [each for row in rows for each in decide(MAPPING, [row], zone=TOKYO, tally=alone)]
    assert repr(at_once) == repr(one_by_one)
    assert (together.blank, together.mapped, together.unmapped) == (alone.blank, alone.mapped, alone.unmapped)
    assert (together.read, together.accepted, together.refused, together.skipped) == (
        alone.read,
        alone.accepted,
        alone.refused,
        alone.skipped,
    )


def test_a_row_that_says_again_what_one_long_before_it_said_is_told_apart(monkeypatch):
    monkeypatch.setattr(deciding, "ROWS_AT_ONCE", 2)
    cells = [{"id": name, "created": "2026-10-01", "stage": stage} for name, stage in SAID]
    tally = Tally()
    decisions = list(decide(MAPPING, [Row(*each) for each in enumerate(cells, 2)], zone=TOKYO, tally=tally))
    assert [isinstance(each, Accepted) for each in decisions] == [True, True, True, False]
    assert (tally.repeated, decisions[-1].problems[0].params) == (1, {"value": "D2", "row": 3})


def test_an_optional_column_that_is_not_there_is_neither_blank_nor_given():
    tally = Tally()
    (decision,) = decide(MAPPING, [Row(2, {"id": "D1", "created": "2026-10-01", "from": ""})], zone=TOKYO, tally=tally)
    assert "amount" not in decision.record
    assert tally.blank == {"name": 1, "lead_source": 1, "outcome": 1}


SAID = (("D1", "受注"), ("D2", "受注"), ("D3", ""), ("D1", "受注"), ("D2", ""))
