"""Company A's files: the same day gives the same bytes, and what real clients have on purpose is in them."""

import csv
import io
from collections import Counter
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from openpyxl import load_workbook

from config.demo.sakura import FILES, build_records, generate
from config.demo.sakura.company import ALIASED, CAPITAL, CAPITAL_1, CAPITAL_2, DUAL_ROLE, KANSAI, LEAVER, WEST
from config.demo.sakura.dates import history_start
from integrations.connectors.deciding import decide
from integrations.connectors.file import read_table
from integrations.connectors.mapping import Tally

TODAY = date(2026, 11, 22)
OTHER_DAYS = [date(2026, 4, 3), date(2026, 4, 20), date(2026, 10, 10), date(2027, 3, 21), date(2028, 2, 29)]


built = cache(lambda today: build_records(today=today))


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("sakura")
    generate(directory=target, today=TODAY)
    return target


@pytest.fixture(scope="module")
def records() -> dict[str, list[dict]]:
    return built(TODAY)


def rows_of(directory: Path, resource: str) -> list[dict]:
    file = next(file for file in FILES if file.resource == resource)
    path = directory / file.name(TODAY)
    if file.is_workbook:
        headings, *rows = load_workbook(io.BytesIO(path.read_bytes())).active.iter_rows(values_only=True)
        return [dict(zip(headings, row, strict=True)) for row in rows]
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(file.encoding), newline="")))


class TestFiles:
    def test_the_same_day_gives_the_same_bytes(self, directory, tmp_path):
        generate(directory=tmp_path, today=TODAY)
        written = {path.name: path.read_bytes() for path in directory.iterdir()}
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == written
        assert set(written) == {file.name(TODAY) for file in FILES}

    def test_come_as_each_system_exports_them(self, directory):
        assert (directory / "リード一覧_20261122.csv").read_bytes().startswith(b"\xef\xbb\xbf")
        assert (directory / "社員_20261122.xlsx").read_bytes().startswith(b"PK")
        with pytest.raises(UnicodeDecodeError):
            (directory / "商談一覧_20261122.csv").read_text(encoding="utf-8")
        assert list(rows_of(directory, "deals")[0])[:4] == ["商談ID", "商談名", "取引先コード", "担当者コード"]

    def test_hold_every_record(self, directory, records):
        for file in FILES:
            assert len(rows_of(directory, file.resource)) == len(records[file.resource])

    @pytest.mark.parametrize("file", FILES, ids=lambda file: file.resource)
    def test_are_read_completely_by_their_preset(self, file, directory, records):
        table = read_table(directory / file.name(TODAY), name=file.resource, max_bytes=10_000_000)
        rows = table.rows(file.stream.needed_columns)
        tally = Tally()
        decided = list(decide(file.stream, rows, zone=ZoneInfo("Asia/Tokyo"), tally=tally))
        assert (tally.accepted, tally.refused) == (len(records[file.resource]), 0)
        assert not tally.unmapped
        assert [row.record["external_id"] for row in decided] == [row["external_id"] for row in records[file.resource]]

    def test_amounts_of_the_accounting_system_include_tax(self, directory, records):
        assert {file.resource for file in FILES if file.stream.tax == "included"} == {"orders", "revenues"}
        won = {row["external_id"]: row["amount"] for row in records["deals"] if row["outcome"] == "won"}
        orders = [int(row["受注金額（税込）"].replace(",", "")) for row in rows_of(directory, "orders")]
        assert {amount * 11 // 10 for amount in won.values()} & set(orders)


class TestRecords:
    @pytest.mark.parametrize("today", [TODAY, *OTHER_DAYS])
    def test_about_twenty_thousand_over_24_months(self, today):
        records = built(today)
        assert 18_000 <= sum(map(len, records.values())) <= 25_000
        created = [row["created_on"] for row in records["leads"]]
        assert min(created) <= history_start(today)
        assert max(created) <= today

    @pytest.mark.parametrize("today", [TODAY, *OTHER_DAYS])
    def test_forty_open_deals_are_past_their_expected_date(self, today):
        deals = built(today)["deals"]
        overdue = [d for d in deals if d["outcome"] == "open" and d["expected_close_on"] < today]
        assert len(overdue) == 40

    @pytest.mark.parametrize("today", [TODAY, *OTHER_DAYS])
    def test_nothing_happened_after_today(self, today):
        happened = {
            "leads": ("created_on", "mql_on", "sql_on", "disqualified_on"),
            "lead-stage-events": ("entered_at",),
            "deals": ("created_on", "closed_on", "last_activity_on"),
            "deal-stage-events": ("entered_at",),
            "activities": ("happened_on",),
            "orders": ("ordered_on",),
            "revenues": ("recognized_on",),
            "surveys": ("answered_on",),
        }
        records = built(today)
        for resource, fields in happened.items():
            days = [row[field] for row in records[resource] for field in fields if row[field]]
            assert max(days) <= today, resource

    @pytest.mark.parametrize("today", [TODAY, *OTHER_DAYS])
    def test_every_reference_is_there(self, today):
        records = built(today)
        ids = {resource: {row["external_id"] for row in rows} for resource, rows in records.items()}
        ids["products"] |= set(ALIASED)
        targets = {
            "owner": "people",
            "created_by": "people",
            "person": "people",
            "team": "teams",
            "account": "accounts",
            "deal": "deals",
            "converted_deal": "deals",
            "lead": "leads",
            "product": "products",
        }
        for resource, rows in records.items():
            assert len(ids[resource]) >= len(rows), resource
            for field, target in targets.items():
                named = {row[field] for row in rows if row.get(field)}
                assert named <= ids[target], (resource, field)

    def test_teams_were_reorganised_in_april_and_october(self, records):
        teams = {row["external_id"]: row for row in records["teams"]}
        assert teams[CAPITAL]["succeeds"] == [CAPITAL_1, CAPITAL_2]
        assert teams[CAPITAL_1]["ends_on"] == teams[CAPITAL]["starts_on"] == date(2026, 4, 1)
        assert teams[KANSAI]["succeeds"] == [WEST]
        assert teams[WEST]["ends_on"] == teams[KANSAI]["starts_on"] == date(2026, 10, 1)

    @pytest.mark.parametrize("today", [TODAY, *OTHER_DAYS])
    def test_everybody_is_credited_to_one_team_at_a_time(self, today):
        spans: dict[str, list] = {}
        for row in built(today)["memberships"]:
            assert row["ends_on"] is None or row["starts_on"] < row["ends_on"]
            if row["credited"]:
                spans.setdefault(row["person"], []).append((row["starts_on"], row["ends_on"] or date.max))
        for periods in spans.values():
            periods.sort()
            assert all(end <= start for (_, end), (start, _) in pairwise(periods))

    def test_one_person_has_two_roles(self, records):
        rows = [row for row in records["memberships"] if row["person"] == DUAL_ROLE]
        assert Counter(row["credited"] for row in rows) == {True: 1, False: 1}
        assert {row["person"] for row in records["memberships"] if not row["credited"]} == {DUAL_ROLE}

    @pytest.mark.parametrize("today", [TODAY, *OTHER_DAYS])
    def test_one_leaver_still_holds_open_deals(self, today):
        records = built(today)
        left = {row["external_id"]: row["left_on"] for row in records["people"] if row["left_on"]}
        assert list(left) == [LEAVER]
        his = [deal for deal in records["deals"] if deal["owner"] == LEAVER]
        assert sum(deal["outcome"] == "open" for deal in his) >= 3
        assert all(deal["created_on"] <= left[LEAVER] for deal in his)
        assert all(deal["closed_on"] <= left[LEAVER] for deal in his if deal["closed_on"])

    def test_some_deals_are_split_and_inside_sales_has_overlay_credit(self, records):
        split = Counter(row["deal"] for row in records["deal-credits"] if row["kind"] == "revenue")
        assert len(split) >= 10
        assert set(split.values()) == {2}
        shares = {row["share"] for row in records["deal-credits"] if row["kind"] == "revenue"}
        assert shares == {"70%", "30%"}
        overlay = {row["deal"] for row in records["deal-credits"] if row["kind"] == "overlay"}
        assert overlay == {row["external_id"] for row in records["deals"] if row["origin"] == "lead"}

    def test_referral_and_partner_deals_never_were_leads(self, records):
        others = [row for row in records["deals"] if row["origin"] in ("referral", "partner")]
        assert Counter(row["origin"] for row in others).keys() == {"referral", "partner"}
        assert all(row["lead"] is None and row["lead_source"] is None for row in others)
        assert all(bool(row["partner"]) == (row["origin"] == "partner") for row in others)
        assert all(row["lead"] for row in records["deals"] if row["origin"] == "lead")

    def test_open_deals_have_a_rank(self, records):
        ranks = Counter(row["confidence"] for row in records["deals"] if row["outcome"] == "open")
        assert set(ranks) == {"A", "B", "C"}

    def test_some_rows_spell_a_product_differently(self, records):
        spelled = [row["product"] for row in records["revenues"] if row["product"] in ALIASED]
        assert len(spelled) == 12


class TestFunnel:
    @pytest.mark.parametrize("today", [TODAY, *OTHER_DAYS])
    def test_a_fifth_to_a_quarter_of_closed_deals_is_won(self, today):
        outcomes = Counter(row["outcome"] for row in built(today)["deals"])
        closed = outcomes["won"] + outcomes["lost"] + outcomes["no_decision"]
        assert 0.20 <= outcomes["won"] / closed <= 0.25

    def test_origins_sources_and_teams_differ(self, records):
        closed = [row for row in records["deals"] if row["outcome"] in ("won", "lost", "no_decision")]

        def rate(**wanted) -> float:
            rows = [row for row in closed if all(row[field] == value for field, value in wanted.items())]
            return sum(row["outcome"] == "won" for row in rows) / len(rows)

        assert rate(origin="referral") > rate(origin="partner") > rate(origin="lead") > 0.1
        assert rate(lead_source="Web問い合わせ") > rate(lead_source="展示会")
        assert rate(customer_type="existing") > rate(customer_type="new")
