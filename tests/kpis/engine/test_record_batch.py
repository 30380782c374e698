"""Many records read at once come to what each comes to alone."""

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.record_batch import Rejection, read_records
from kpis.engine.records import RecordReader
from kpis.engine.resources import RESOURCES

DEALS = RESOURCES["deals"]
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, 2.5, float("nan")]),
    st.sampled_from([Decimal(1), Decimal("1.0"), Decimal("12.345"), Decimal(10) ** 18]),
    st.sampled_from(["", " ", "won", "WON", "1", "2026-11-24", "2026-02-30", "JPY", "a\x00", "\ud800", "x" * 400]),
    st.sampled_from([date(2026, 11, 24), datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 24)]),  # noqa: DTZ001
    st.sampled_from([{"source": "ma", "external_id": "P1"}, {"source": ""}, ["P1"], [], {"deep": [[["\x00"]]]}]),
)
names = st.sampled_from(
    [
        "external_id",
        "name",
        "owner",
        "created_on",
        "amount",
        "tax",
        "tax_rate",
        "currency",
        "outcome",
        "product",
        "attributes",
        "source_url",
        "source_updated_at",
        "postponed_count",
        "deleted",
        "colour",
    ]
)
good = st.fixed_dictionaries(
    {"external_id": st.sampled_from(["D1", "D2", "D3", "D4"]), "created_on": st.sampled_from(["2026-10-01", None])},
    optional={
        "name": st.sampled_from(["案件", " 案件 ", None]),
        "owner": st.sampled_from(["P1", "P2", ""]),
        "amount": st.sampled_from(["100", 110, Decimal("110.5"), None]),
        "tax": st.sampled_from(["included", "excluded"]),
        "email_hash": st.sampled_from(["hana@example.co.jp", "0f1e", ""]),
    },
)
record = st.one_of(good, st.dictionaries(names, anything, max_size=6), st.just("no record"))


@given(st.lists(record, max_size=12))
def test_reading_at_once_is_reading_one_by_one(records):
    reading = read_records(DEALS, records, source="crm", currency="JPY", seal=str.upper)
    told = {row.index: row for row in reading.rows} | {each.index: each for each in reading.rejections}
    assert sorted(told) == list(range(len(records)))
    alone = {}
    for index, each in enumerate(records):
        reader = RecordReader(DEALS, source="crm", currency="JPY", seal=str.upper)
        row = reader.row(index, each)
        alone[index] = tuple(reader.issues) if reader.issues else row
    for index, each in told.items():
        if not isinstance(each, Rejection):
            assert repr(each) == repr(alone[index])
        elif each.issues[0].code != "duplicate":
            assert repr(each.issues) == repr(alone[index])


def test_of_one_id_the_last_record_counts():
    records = [{"external_id": "P1", "name": name} for name in ("one", "two", "three")]
    reading = read_records(RESOURCES["products"], records, source="crm", currency="JPY")
    assert [row.values["name"] for row in reading.rows] == ["three"]
    assert [(each.index, each.issues[0].code) for each in reading.rejections] == [(0, "duplicate"), (1, "duplicate")]
