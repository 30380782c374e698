"""From facts to blocks: what cells show after changes of every kind, and incremental = full."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from kpis.models import DimensionMember, DirtyFact, KpiEvent, KpiNode, KpiTree, MeasureBlock, Metric, MetricVersion
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.facts import upsert_facts
from kpis.services.measured import mark_groups, measured_terms
from kpis.services.recompute import recompute
from tenants.models import Company
from tests.remembering import remembered

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
CLOSED = {"fact": "deals", "date": "closed_on"}
WON = {"field": "outcome", "op": "in", "value": ["won"]}
SPECS = {
    "bookings": {"kind": "simple", **CLOSED, "aggregate": "sum", "field": "amount", "filters": [WON]},
    "won_deals": {"kind": "simple", **CLOSED, "aggregate": "count", "filters": [WON]},
    "closed_deals": {"kind": "simple", **CLOSED, "aggregate": "count"},
    "win_rate": {"kind": "formula", "expression": "won_deals / closed_deals"},
    "cycle": {
        "kind": "simple",
        **CLOSED,
        "aggregate": "average",
        "days_between": ["created_on", "closed_on"],
        "filters": [WON],
    },
    "median_size": {"kind": "simple", **CLOSED, "aggregate": "median", "field": "amount", "filters": [WON]},
    "buyers": {"kind": "simple", **CLOSED, "aggregate": "distinct", "field": "account", "filters": [WON]},
    "overlay_won": {"kind": "simple", **CLOSED, "aggregate": "count", "credit": "overlay", "filters": [WON]},
    "sqls": {"kind": "simple", "fact": "leads", "date": "sql_on", "aggregate": "count"},
    "big": {
        "kind": "simple",
        **CLOSED,
        "aggregate": "count",
        "filters": [
            {"field": "attributes.tier", "op": "eq", "value": "A"},
            {"field": "amount", "op": "gte", "value": 150},
        ],
    },
}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


@pytest.fixture
@remembered
def tree() -> KpiTree:
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = Metric.objects.create(code=code, name=code, unit="count", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, position=position)
    return tree


def send(resource: str, *records: dict, now: datetime = NOW) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=now)
    assert not result.rejected, result.rejected


def matrix(
    tree: KpiTree,
    *codes: str,
    dimension: str = "company",
    grain: str = "month",
    start: date = date(2026, 10, 1),
    end: date = date(2026, 11, 1),
    org: str = "then",
) -> KpiMatrix:
    recompute(now=NOW)
    query = MatrixQuery(tree, grain, start, end, dimension=dimension, org=org, codes=codes)
    return build_matrix(query, now=NOW)


def by_member(found: KpiMatrix, node: int = 0) -> dict[str | None, Decimal | None]:
    return {member.name: found.value[node][m][0] for m, member in enumerate(found.members) if found.value[node][m][0]}


def deal(external_id: str, amount: int, outcome: str = "won", **more: object) -> dict:
    record = {"external_id": external_id, "created_on": "2026-09-05", "closed_on": "2026-10-05"}
    return record | {"outcome": outcome, "amount": amount} | more


class TestCells:
    def test_the_worked_example(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100), deal("2", 200), deal("3", 300), deal("4", 50, "lost"))
        found = matrix(tree, "bookings", "win_rate")
        assert found.value == [[[Decimal(600)]], [[Decimal("0.75")]]]
        assert (found.numerator[1][0][0], found.denominator[1][0][0]) == (3, 4)

    def test_zero_where_the_stream_was_loaded_and_missing_where_not(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100))
        found = matrix(tree, "bookings", "cycle", start=date(2026, 8, 1), end=date(2027, 1, 1))
        assert found.absence[0][0] == ["missing", None, None, None, "missing"]
        assert found.value[0][0] == [None, 0, 100, 0, None]
        assert found.absence[1][0] == ["missing", "no_denominator", None, "no_denominator", "missing"]

    def test_an_average_shows_its_sum_and_count(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100), deal("2", 100, created_on="2026-10-03"), deal("3", 1, created_on=None))
        found = matrix(tree, "cycle")
        assert (found.value[0][0][0], found.numerator[0][0][0], found.denominator[0][0][0]) == (16, 32, 2)

    def test_median_and_distinct_are_computed_from_facts_at_every_grain(self, tree: KpiTree) -> None:
        send("accounts", {"external_id": "A", "name": "A"})
        for number, (amount, day) in enumerate([(10, "2026-10-05"), (20, "2026-11-05"), (90, "2026-12-05")]):
            send("deals", deal(str(number), amount, account="A", closed_on=day))
        found = matrix(tree, "median_size", "buyers", grain="quarter")
        assert (found.value[0][0][0], found.value[1][0][0]) == (20, 1)

    def test_a_median_of_large_amounts_keeps_its_half(self, tree: KpiTree) -> None:
        send("deals", deal("1", 1_234_567_890_123), deal("2", 1_234_567_890_124))
        assert matrix(tree, "median_size").value[0][0][0] == Decimal("1234567890123.5")
        send("deals", deal("1", 1_234_567_890_123_456), deal("2", 1_234_567_890_123_457))
        assert matrix(tree, "median_size").value[0][0][0] == Decimal("1234567890123456.5")

    def test_filters_on_custom_fields_and_amounts(self, tree: KpiTree) -> None:
        send(
            "deals", deal("1", 200, attributes={"tier": "A"}), deal("2", 100, attributes={"tier": "A"}), deal("3", 200)
        )
        assert matrix(tree, "big").value[0][0][0] == 1

    def test_void_deals_count_nowhere(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100), deal("2", 100, "void"))
        assert matrix(tree, "closed_deals").value[0][0][0] == 1


class TestCredit:
    @pytest.fixture(autouse=True)
    def people(self, in_acme: object) -> None:
        send("teams", {"external_id": "E", "name": "East", "region": "kanto"}, {"external_id": "W", "name": "West"})
        send(
            "people", *({"external_id": p, "name": p, "team": t} for p, t in [("Aoi", "E"), ("Ren", "W"), ("Mei", "W")])
        )

    def test_a_median_is_of_whole_deals_however_they_are_split(self, tree: KpiTree) -> None:
        send("products", {"external_id": "X", "name": "X"}, {"external_id": "Y", "name": "Y"})
        send("deals", deal("1", 100, owner="Aoi"))
        credit = {"deal": "1", "kind": "revenue"}
        send(
            "deal-credits",
            credit | {"external_id": "1a", "person": "Aoi", "share": 0.7},
            credit | {"external_id": "1b", "person": "Ren", "share": 0.3},
        )
        send(
            "deal-lines",
            {"external_id": "x1", "deal": "1", "product": "X", "amount": 25},
            {"external_id": "x2", "deal": "1", "product": "X", "amount": 5},
            {"external_id": "y", "deal": "1", "product": "Y", "amount": 50},
        )
        assert matrix(tree, "median_size").value[0][0][0] == 100
        assert by_member(matrix(tree, "median_size", dimension="person")) == {"Aoi": 100, "Ren": 100}
        assert by_member(matrix(tree, "median_size", dimension="product")) == {"X": 30, "Y": 50, "unassigned": 20}

    def test_a_dimension_in_which_nothing_is_assigned_says_what_the_company_says(self, tree: KpiTree) -> None:
        send("products", {"external_id": "X", "name": "X"})
        send("deals", deal("1", 100), deal("2", 50, closed_on="2026-11-05", product="X"))
        both = {"start": date(2026, 10, 1), "end": date(2026, 12, 1), "dimension": "product"}
        found = matrix(tree, "bookings", "median_size", **both)
        product = DimensionMember.objects.get(dimension__code="product", is_unassigned=False).pk
        blocks = MeasureBlock.objects.filter(group="deals.closed_on:revenue", grain="month", is_of_people=False)
        told = {block.period_start: product in block.member_ids for block in blocks}
        assert told == {date(2026, 10, 1): False, date(2026, 11, 1): True}
        assert [member.name for member in found.members] == ["X", "unassigned"]
        assert found.value[0] == [[0, 50], [100, 0]]
        assert found.value[1] == [[None, 50], [100, None]]

    def test_shares_split_counts_and_amounts_and_add_up(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100, owner="Aoi"))
        credit = {"deal": "1", "kind": "revenue"}
        send(
            "deal-credits",
            credit | {"external_id": "1a", "person": "Aoi", "share": 0.7},
            credit | {"external_id": "1b", "person": "Ren", "share": 0.3},
        )
        found = matrix(tree, "won_deals", "bookings", dimension="person")
        assert by_member(found) == {"Aoi": Decimal("0.7"), "Ren": Decimal("0.3")}
        assert by_member(found, 1) == {"Aoi": 70, "Ren": 30}
        assert matrix(tree, "won_deals").value[0][0][0] == 1

    def test_overlay_counts_in_full_for_the_person_only(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100, owner="Aoi", created_by="Mei"))
        assert by_member(matrix(tree, "overlay_won", dimension="person")) == {"Mei": 1}
        assert matrix(tree, "overlay_won").absence[0][0][0] == "not_applicable"
        assert by_member(matrix(tree, "won_deals", dimension="person")) == {"Aoi": 1}

    def test_a_later_owner_moves_nothing_on_a_closed_deal(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100, owner="Aoi"))
        send("deals", deal("1", 100, owner="Ren"))
        assert by_member(matrix(tree, "won_deals", dimension="person")) == {"Aoi": 1}

    def test_the_team_is_that_of_the_day(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100, owner="Aoi"), deal("2", 100, owner="Aoi", closed_on="2026-10-20"))
        send(
            "people",
            {"external_id": "Aoi", "name": "Aoi", "team": "W", "source_updated_at": "2026-10-10T09:00:00+09:00"},
        )
        assert by_member(matrix(tree, "won_deals", dimension="team")) == {"East": 1, "West": 1}

    def test_the_region_is_the_teams_unless_the_deal_has_its_own(self, tree: KpiTree) -> None:
        send(
            "deals",
            deal("1", 100, owner="Aoi"),
            deal("2", 100, owner="Aoi", region="kansai"),
            deal("3", 9, owner="Ren"),
        )
        assert by_member(matrix(tree, "won_deals", dimension="region")) == {"kanto": 1, "kansai": 1, "unassigned": 1}

    def test_lines_divide_the_amount_by_product_and_count_goes_to_the_largest(self, tree: KpiTree) -> None:
        send("products", {"external_id": "X", "name": "X"}, {"external_id": "Y", "name": "Y"})
        send("deals", deal("1", 100))
        line = {"deal": "1"}
        send(
            "deal-lines",
            line | {"external_id": "l1", "product": "X", "amount": 30},
            line | {"external_id": "l2", "product": "Y", "amount": 60},
        )
        found = matrix(tree, "bookings", "won_deals", dimension="product")
        assert by_member(found) == {"X": 30, "Y": 60, "unassigned": 10}
        assert by_member(found, 1) == {"Y": 1}

    def test_a_successor_reads_its_predecessors_numbers_under_todays_organisation(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100, owner="Aoi"))
        send("teams", {"external_id": "E2", "name": "New East", "succeeds": ["E"]})
        assert by_member(matrix(tree, "won_deals", dimension="team", org="now")) == {"New East": 1}
        assert by_member(matrix(tree, "won_deals", dimension="team")) == {"East": 1}

    def test_who_is_in_no_team_any_more_takes_what_closed_afterwards_out_of_it(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100, owner="Aoi"))
        assert by_member(matrix(tree, "won_deals", dimension="team")) == {"East": 1}
        left = {"external_id": "Aoi", "name": "Aoi", "team": None, "source_updated_at": "2026-09-01T00:00:00+09:00"}
        send("people", left)
        assert by_member(matrix(tree, "won_deals", dimension="team")) == {"unassigned": 1}

    def test_a_parent_team_includes_its_children(self, tree: KpiTree) -> None:
        send("teams", {"external_id": "S", "name": "Sales"}, {"external_id": "N", "name": "North", "parent": "S"})
        send("people", {"external_id": "Yui", "name": "Yui", "team": "N"})
        send("deals", deal("1", 100, owner="Yui"), deal("2", 50, owner="Yui"))
        found = matrix(tree, "won_deals", "median_size", dimension="team")
        assert by_member(found) == {"Sales": 2, "North": 2}
        assert by_member(found, 1) == {"Sales": 75, "North": 75}


class TestReadThrough:
    """What stage events, activities and revenue do not say themselves they read from their deal, lead and account."""

    @pytest.fixture
    @remembered
    def chain(self) -> None:
        send("accounts", {"external_id": "A", "name": "A", "region": "north"})
        send("leads", {"external_id": "L", "created_on": "2026-09-01", "account": "A", "lead_source": "Fair"})
        send("deals", deal("D", 100, lead="L"))
        moment = "2026-10-01T09:00:00+09:00"
        send("lead-stage-events", {"external_id": "E", "lead": "L", "stage": "mql", "entered_at": moment})
        send("deal-stage-events", {"external_id": "G", "deal": "D", "phase": "offer", "entered_at": moment})
        send("activities", {"external_id": "V", "kind": "call", "happened_on": "2026-10-02", "deal": "D"})
        send("revenues", {"external_id": "R", "recognized_on": "2026-10-30", "amount": 90, "deal": "D"})
        recompute(now=NOW)

    def of(self, dimension: str) -> dict[str, str]:
        recompute(now=NOW)
        names = dict(DimensionMember.objects.values_list("id", "name"))
        return {kind: names[member] for kind, member in KpiEvent.objects.values_list("kind", f"{dimension}_id")}

    def test_the_region_of_an_account_that_moves(self, tree: KpiTree, chain: None) -> None:
        assert self.of("region")["lead-stage-events.entered_at"] == "north"
        send("accounts", {"external_id": "A", "name": "A", "region": "south"})
        found = self.of("region")
        assert found["lead-stage-events.entered_at"] == found["activities.happened_on"] == "south"

    def test_the_source_of_a_lead_that_is_corrected(self, tree: KpiTree, chain: None) -> None:
        send("leads", {"external_id": "L", "created_on": "2026-09-01", "account": "A", "lead_source": "Web"})
        found = self.of("lead_source")
        below = ("deal-stage-events.entered_at", "activities.happened_on", "revenues.recognized_on", "deals.closed_on")
        assert {kind: found[kind] for kind in below} == dict.fromkeys(below, "Web")


class TestMoney:
    def test_converts_at_the_days_rate_and_says_where_there_is_none(self, tree: KpiTree) -> None:
        send("deals", deal("1", 10, currency="USD"))
        assert matrix(tree, "bookings").absence[0][0][0] == "no_rate"
        send("exchange-rates", {"external_id": "r", "currency": "USD", "rate": 150.5, "starts_on": "2026-10-01"})
        assert matrix(tree, "bookings").value[0][0][0] == 1505

    def test_a_currency_may_be_written_in_small_letters(self, tree: KpiTree) -> None:
        send("deals", deal("1", 10, currency="usd"))
        send("exchange-rates", {"external_id": "r", "currency": "usd", "rate": 150, "starts_on": "2026-10-01"})
        assert matrix(tree, "bookings").value[0][0][0] == 1500

    def test_the_largest_amount_at_a_high_rate_is_still_counted(self, tree: KpiTree) -> None:
        send("deals", deal("1", 99_999_999_999_999_999, currency="KWD", gross_profit=99_999_999_999_999_999))
        send("exchange-rates", {"external_id": "r", "currency": "KWD", "rate": 100_000, "starts_on": "2026-10-01"})
        assert matrix(tree, "bookings").value[0][0][0] == 99_999_999_999_999_999 * 100_000


class TestLeads:
    def test_a_sql_is_dated_by_its_stage_or_its_deal_whichever_is_earlier(self, tree: KpiTree) -> None:
        send(
            "leads",
            {"external_id": "L1", "created_on": "2026-09-01"},
            {"external_id": "L2", "created_on": "2026-09-01"},
        )
        stage = {"stage": "sql", "entered_at": "2026-11-01T00:00:00+09:00"}
        send(
            "lead-stage-events",
            stage | {"external_id": "e1", "lead": "L1"},
            stage | {"external_id": "e2", "lead": "L2"},
        )
        send("deals", deal("1", 100, created_on="2026-10-03", lead="L1"))
        found = matrix(tree, "sqls", end=date(2026, 12, 1))
        assert found.value[0][0] == [1, 1]


class TestDefinitions:
    def test_a_new_metric_is_measured_over_all_history(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100), deal("2", 100, "lost"))
        matrix(tree, "bookings")
        metric = Metric.objects.create(code="lost", name="lost", unit="count", accumulation="sum")
        spec = {
            "kind": "simple",
            **CLOSED,
            "aggregate": "count",
            "filters": [{"field": "outcome", "op": "eq", "value": "lost"}],
        }
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code="lost", name="lost", metric=metric)
        mark_groups(measured_terms())
        assert matrix(tree, "lost").value[0][0][0] == 1


class TestByDifference:
    """Where few of a period's events changed its block takes over what came and went; else it is computed anew."""

    @pytest.fixture(autouse=True)
    def _quotes(self, in_acme: Company) -> None:
        spec = {"kind": "simple", "fact": "deals", "date": "created_on", "aggregate": "sum", "field": "amount"}
        metric = Metric.objects.create(code="quotes", name="quotes", unit="jpy", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        send("people", {"external_id": "p", "name": "p"}, {"external_id": "q", "name": "q"})
        send("deals", *(quote(number, "p") for number in range(20)), quote(20, "q"))
        mark_groups(measured_terms())
        recompute(now=NOW)

    def test_the_blocks_stay_where_they_are(self) -> None:
        before = quotes()
        send("deals", quote(0, "p", 1), quote(1, "p", 0), quote(2, "p", None))
        recompute(now=NOW)
        assert quotes().keys() == before.keys()
        assert quotes() != before
        assert_as_if_all_were_computed()

    def test_a_sum_of_nothing_but_zero_is_zero(self) -> None:
        send("deals", quote(20, "q", 0))
        recompute(now=NOW)
        assert Decimal(0) in {number for cells in quotes().values() for *_of, number in cells}
        assert_as_if_all_were_computed()

    def test_members_come_and_go(self) -> None:
        before = quotes()
        send("deals", quote(20, "p"), quote(0, None))
        recompute(now=NOW)
        assert not quotes().keys() & before.keys()
        assert_as_if_all_were_computed()

    def test_periods_begin_and_end(self) -> None:
        send("deals", quote(20, "q") | {"created_on": "2026-07-01"})
        recompute(now=NOW)
        assert_as_if_all_were_computed()
        send("deals", quote(20, "q"))
        recompute(now=NOW)
        assert_as_if_all_were_computed()

    def test_a_shared_deal_is_weighed(self) -> None:
        send("deal-credits", {"external_id": "c", "deal": "0", "person": "q", "kind": "revenue", "share": 0.5})
        recompute(now=NOW)
        assert_as_if_all_were_computed()
        send("deal-credits", {"external_id": "c", "deleted": True})
        recompute(now=NOW)
        assert_as_if_all_were_computed()


def quote(number: int, owner: str | None, amount: int | None = 50) -> dict:
    return {"external_id": str(number), "created_on": "2026-09-05", "owner": owner, "amount": amount}


def quotes() -> dict[int, list]:
    blocks = MeasureBlock.objects.filter(group="deals.created_on:revenue")
    return {block.pk: [(block.grain, block.period_start, *cell) for cell in block.cells()] for block in blocks}


def assert_as_if_all_were_computed() -> None:
    by_difference = sorted(quotes().values(), key=repr)
    mark_groups(measured_terms())
    recompute(now=NOW)
    assert by_difference == sorted(quotes().values(), key=repr)


class TestByItself:
    def test_facts_are_in_the_matrix_once_the_outbox_was_worked_through(
        self, tree: KpiTree, drain_outbox: Callable[[], int]
    ) -> None:
        send("deals", deal("1", 100))
        assert drain_outbox()
        query = MatrixQuery(tree, "month", date(2026, 10, 1), date(2026, 11, 1), codes=["bookings"])
        assert build_matrix(query, now=NOW).value == [[[Decimal(100)]]]


class TestNothingDirty:
    def test_recompute_touches_nothing_twice(self, tree: KpiTree) -> None:
        send("deals", deal("1", 100))
        assert recompute(now=NOW).groups
        before = list(KpiEvent.objects.values_list("id", flat=True))
        assert not recompute(now=NOW).groups
        assert list(KpiEvent.objects.values_list("id", flat=True)) == before

    def test_events_that_say_the_same_stay_and_their_blocks_with_them(self, tree: KpiTree) -> None:
        send("leads", {"external_id": "L", "created_on": "2026-08-01"})
        send(
            "lead-stage-events", {"external_id": "S", "lead": "L", "stage": "sql", "entered_at": "2026-08-03T00:00:00Z"}
        )
        send("deals", deal("1", 100, lead="L"))
        recompute(now=NOW)
        of_leads = KpiEvent.objects.filter(kind__startswith="leads.").order_by("id")
        before = list(of_leads.values_list("id", flat=True))
        assert len(before) > 1
        send("deals", deal("1", 150, lead="L"))  # its lead is looked at again
        touched = recompute(now=NOW).groups
        assert list(of_leads.values_list("id", flat=True)) == before
        assert {name.split(".")[0] for name in touched} == {"deals"}

    def test_a_field_that_no_event_says_changes_what_is_measured_by_it(self, tree: KpiTree) -> None:
        send("deals", deal("1", 200, attributes={"tier": "B"}))
        assert matrix(tree, "big").value[0][0][0] == 0
        send("deals", deal("1", 200, attributes={"tier": "A"}))
        assert matrix(tree, "big").value[0][0][0] == 1

    def test_a_changed_deal_asks_again_whose_it_is_and_its_lead_does_not(self, tree: KpiTree) -> None:
        send("leads", {"external_id": "L", "created_on": "2026-09-01"})
        send("deals", deal("1", 100, lead="L"))
        recompute(now=NOW)
        send("deals", deal("1", 150, lead="L"))
        assert set(DirtyFact.objects.values_list("fact", "is_own")) == {("deals", True), ("leads", False)}

    def test_a_changed_row_dirties_only_its_own_periods(self, tree: KpiTree) -> None:
        august = {"created_on": "2026-07-05", "closed_on": "2026-08-05"}
        deals = [deal("1", 100), deal("2", 100, **august), deal("3", 100)]
        send("deals", *deals)
        recompute(now=NOW)
        before = dict(MeasureBlock.objects.filter(grain="month").values_list("id", "period_start"))
        send("deals", deals[0] | {"amount": 150}, *deals[1:])
        touched = recompute(now=NOW).groups
        assert touched
        assert set().union(*touched.values()) == {date(2026, 9, 5), date(2026, 10, 5)}
        after = dict(MeasureBlock.objects.filter(grain="month").values_list("id", "period_start"))
        replaced = {start for block, start in before.items() if block not in after}
        assert replaced == {date(2026, 10, 1)}  # no metric counts deals by the day of their creation
