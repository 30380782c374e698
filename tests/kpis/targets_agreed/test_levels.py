"""Top-down against bottom-up on every level, and the rest of who has left."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kpis.choices import PeriodState
from kpis.engine.gaps import LevelGap
from kpis.engine.proration import Proration
from kpis.models import Period, Person, Target, TargetRequest
from kpis.selectors.leavers import read_leavers
from kpis.selectors.target_gaps import read_level_gaps
from kpis.selectors.target_grid import GridQuery
from kpis.selectors.visibility import OPEN, sight_of
from kpis.services.leavers import HandOverError, move_targets
from kpis.services.targets import TargetEntry, set_targets
from tests.kpis.pages.conftest import send
from tests.kpis.targets_agreed.conftest import DECEMBER, JANUARY, NOVEMBER, entry_of, member_of, need_steps

pytestmark = pytest.mark.django_db
COLUMN = 7  # November of a year that starts in April
REST = 300_000 - 94_736  # what of 300,000 lies after the 6th of 19 business days


@pytest.fixture
def aim(sales):
    """`aim("person", dora=400)`: targets in thousands, November unless said otherwise."""

    def make(dimension, month=NOVEMBER, **values):
        entries = [entry_of(sales.goal, dimension, code, value, month=month) for code, value in values.items()]
        set_targets(entries=entries, actor=None, now=timezone.now())

    return make


def levels(sales, sight=OPEN, column=COLUMN):
    """(above, below) → (verdict, size in thousands) of one period."""
    query = GridQuery(sales.goal.tree, "target", "month", node=sales.goal)
    found = {}
    for row in read_level_gaps(query, sight=sight):
        gap = row.gaps[column]
        if gap is not None:
            found[row.above.code if row.above else None, row.below] = (gap.verdict.value, int(gap.size) / 1000)
    return found


def leave(code, day):
    send("people", {"external_id": code, "name": code.title(), "team": "east", "left_on": day})


class TestLevels:
    def test_compares_the_company_and_every_team(self, sales):
        assert levels(sales) == {
            (None, "team"): ("even", 0),
            (None, "person"): ("short", 500),
            ("east", "person"): ("short", 100),
        }

    def test_a_sum_above_its_target_is_over(self, sales, aim):
        aim("person", bob=500, dora=400)
        assert levels(sales)["east", "person"] == ("over", 100)
        assert levels(sales)["west", "person"] == ("even", 0)

    def test_what_lies_on_nobody_is_said_apart(self, sales, aim):
        aim("person", unassigned=500)
        assert levels(sales)[None, "person"] == ("unassigned", 500)

    def test_teams_below_teams_do_not_count_twice(self, sales, aim):
        aim("team", sales=1000)
        assert levels(sales)[None, "team"] == ("even", 0)
        assert levels(sales)["sales", "team"] == ("even", 0)
        assert levels(sales)["sales", "person"] == ("short", 500)

    def test_a_moved_person_counts_where_the_period_ends(self, sales, aim):
        send(
            "memberships",
            {"external_id": "m1", "person": "bob", "team": "east", "ends_on": "2026-12-01"},
            {"external_id": "m2", "person": "bob", "team": "west", "starts_on": "2026-12-01"},
        )
        aim("person", month=DECEMBER, bob=300)
        aim("team", month=DECEMBER, west=300)
        assert levels(sales)["east", "person"] == ("short", 100)
        assert levels(sales, column=COLUMN + 1)["west", "person"] == ("even", 0)

    def test_a_target_of_who_has_left_is_held_by_nobody(self, sales, aim):
        aim("person", month=DECEMBER, bob=300, cleo=200)
        aim("team", month=DECEMBER, east=500)
        leave("bob", "2026-11-30")
        assert levels(sales)["east", "person"] == ("short", 100)
        assert levels(sales, column=COLUMN + 1)["east", "person"] == ("unassigned", 300)

    def test_of_the_month_of_leaving_the_days_after_it_are_held_by_nobody(self, sales):
        leave("bob", "2026-11-13")  # 9 of 19 business days
        rest = 300 - 142.105
        assert levels(sales)["east", "person"] == ("short", 100)
        query = GridQuery(sales.goal.tree, "target", "month", node=sales.goal)
        row = next(row for row in read_level_gaps(query, sight=OPEN) if row.above and row.below == "person")
        gap = row.gaps[COLUMN]
        assert (gap.taken_on, gap.unassigned) == (500_000 - rest * 1000, rest * 1000)

    def test_a_removed_target_is_no_part(self, sales):
        entries = [replace(entry_of(sales.goal, "person", code, 0), value=None) for code in ("bob", "cleo")]
        set_targets(entries=entries, actor=None, now=timezone.now())
        assert (None, "person") not in levels(sales)

    def test_rates_have_no_levels(self, sales):
        query = GridQuery(sales.goal.tree, "target", "month", node=sales.world.rate)
        assert read_level_gaps(query, sight=OPEN) == ()

    def test_a_manager_sees_the_levels_whose_parts_he_sees(self, sales, aim, alice):
        aim("person", dora=400)
        sight = sight_of(user=alice, today=date(2026, 11, 16))
        assert set(levels(sales, sight)) == {("east", "person")}

    def test_the_year_is_the_sum_of_its_periods(self, sales, aim):
        aim("person", month=DECEMBER, bob=300)
        aim("team", month=DECEMBER, east=250)
        query = GridQuery(sales.goal.tree, "target", "month", node=sales.goal)
        row = next(row for row in read_level_gaps(query, sight=OPEN) if row.above and row.above.code == "east")
        assert row.total == LevelGap(850_000, 800_000)

    def test_cost_does_not_grow_with_people_or_nodes(self, sales, aim):
        def cost():
            with CaptureQueriesContext(connection) as queries:
                read_level_gaps(GridQuery(sales.goal.tree, "target", "month"), sight=OPEN)
            return len(queries)

        before = cost()
        send("people", *({"external_id": f"p{n}", "name": f"P{n}", "team": "west"} for n in range(9)))
        aim("person", **{f"p{n}": 10 for n in range(9)})
        assert cost() == before <= 8


class TestLeaver:
    @pytest.fixture
    def gone(self, sales, aim):
        """Bob left on 10 November, the 6th of 19 business days; he has targets in November, December and January."""
        for month in (DECEMBER, JANUARY):
            aim("person", month=month, bob=300)
        aim("person", month=DECEMBER, cleo=200)
        leave("bob", "2026-11-10")
        return sales

    def move(self, gone, actor, receiver="cleo", reason="Bob left."):
        leavers = read_leavers(tree=gone.goal.tree, sight=OPEN)
        leaver = next(each for each in leavers if each.person.name == "Bob")
        person = Person.objects.get(external_id=receiver)
        return move_targets(leaver=leaver, receiver=person, reason=reason, actor=actor, now=timezone.now())

    def test_what_remains_begins_after_the_last_day(self, gone):
        (leaver,) = read_leavers(tree=gone.goal.tree, sight=OPEN)
        (rest,) = leaver.rests
        assert (leaver.person.name, rest.period_count, rest.amount) == ("Bob", 3, 600_000 + REST)

    def test_who_leaves_at_the_end_of_a_month_holds_the_months_after(self, gone):
        Person.objects.filter(external_id="bob").update(left_on="2026-11-30")
        (leaver,) = read_leavers(tree=gone.goal.tree, sight=OPEN)
        assert [held.target.period_start for held in leaver.targets] == [DECEMBER, JANUARY]

    def test_moving_and_prorating_agree(self, gone, dave, api):
        self.move(gone, dave)
        body = {"tree": str(gone.goal.tree.public_id), "node": "bookings", "dimension": "person", "member": "bob"}
        answer = api.made("targets/proposals/", {**body, "method": "hand_over", "receiver": "cleo"})
        assert not any(target["is_changed"] for target in answer["targets"])

    def test_moves_the_rest_and_keeps_every_sum(self, gone, dave):
        persons = Target.objects.filter(node=gone.goal, dimension="person").values("period_start")
        before = list(persons.annotate(sum=Sum("value")).order_by("period_start"))
        assert self.move(gone, dave).target_count == 3
        assert list(persons.annotate(sum=Sum("value")).order_by("period_start")) == before
        assert gone.target("person", "bob", NOVEMBER).value == 300_000 - REST
        assert gone.target("person", "cleo", NOVEMBER).value == 200_000 + REST
        assert gone.target("person", "cleo", DECEMBER).value == 500_000
        assert gone.target("person", "bob", DECEMBER).revisions.last().reason == "Bob left."
        assert not read_leavers(tree=gone.goal.tree, sight=OPEN)

    def test_what_only_says_how_it_is_prorated_asks_for_no_new_confirmation(self, gone, dave):
        person, now = {"dimension": "person", "member": member_of("person", "bob")}, timezone.now()
        target = gone.target("person", "bob")
        target.revisions.update(confirmed_at=now)
        mark = Proration(Decimal(400_000), Decimal(300_000))
        entry = TargetEntry(gone.goal, NOVEMBER, Decimal(300_000), reason="Bob left.", proration=mark, **person)
        set_targets(entries=[entry], actor=dave, now=now)
        assert [each.confirmed_at for each in target.revisions.all()] == [now, now]
        set_targets(entries=[replace(entry, value=Decimal(1), proration=None)], actor=dave, now=now)
        assert target.revisions.last().confirmed_at is None

    def test_closed_periods_stay(self, gone, dave):
        Period.objects.filter(grain="month", start_date=DECEMBER).update(state=PeriodState.CLOSED)
        assert self.move(gone, dave).target_count == 2
        assert gone.target("person", "bob", DECEMBER).value == 300_000

    def test_needs_a_reason_and_somebody_who_is_there(self, gone, dave):
        with pytest.raises(HandOverError):
            self.move(gone, dave, reason="")
        Person.objects.filter(external_id="cleo").update(left_on="2026-12-15")
        with pytest.raises(HandOverError):
            self.move(gone, dave)

    def test_waits_for_approval_where_a_manager_needs_it(self, gone, alice):
        need_steps("one")
        moved = self.move(gone, alice)
        assert moved.request == TargetRequest.objects.get(status="waiting")
        assert gone.target("person", "bob", DECEMBER).value == 300_000

    def test_who_led_the_leaver_sees_the_rest(self, gone, alice):
        assert read_leavers(tree=gone.goal.tree, sight=sight_of(user=alice, today=date(2026, 11, 16)))
        Person.objects.filter(external_id="alice").update(user=None)
        assert not read_leavers(tree=gone.goal.tree, sight=sight_of(user=alice, today=date(2026, 11, 16)))

    def test_the_page_moves_it_in_one_action(self, gone, client_for, acme, dave):
        client = client_for(dave, acme)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        asked = f"?tree={gone.goal.tree.public_id}"
        page = client.get(f"/targets/checks/{asked}&by=person&kpi=bookings").content.decode()
        assert "Not allocated: people who have left" in page
        body = {"person": "bob", "receiver": "cleo", "reason": "Bob left."}
        said = client.post(f"/targets/hand-over/{asked}", body, follow=True).content.decode()
        assert "Moved to Cleo: 3 targets." in said
        assert "people who have left" not in client.get(f"/targets/checks/{asked}").content.decode()

    def test_nothing_is_moved_out_of_sight_or_to_nobody(self, gone, client_for, acme, alice, dave):
        asked = f"/targets/hand-over/?tree={gone.goal.tree.public_id}"
        body = {"person": "bob", "receiver": "dora", "reason": "Bob left."}
        assert client_for(alice, acme).post(asked, body).status_code == 403
        assert client_for(dave, acme).post(asked, {**body, "receiver": "nobody"}).status_code == 404
        assert client_for(dave, acme).post(asked, {**body, "person": "dora"}).status_code == 404

    def test_the_grid_marks_what_nobody_holds(self, gone, client_for, acme, dave):
        page = client_for(dave, acme).get("/targets/?by=person&kpi=bookings").content.decode()
        row = re.search(r'<tr data-node[^>]*data-name="Bob".*?</tr>', page, re.DOTALL)[0]
        assert row.count("is-unassigned") == 2


class TestPage:
    def test_says_each_gap_in_words(self, sales, client_for, acme, dave):
        client = client_for(dave, acme)
        page = client.get("/targets/checks/?by=person&kpi=bookings", headers={"accept-language": "en"})
        text = page.content.decode()
        assert 'class="gap gap-short"' in text
        assert "sum of the people" in text

    def test_is_for_who_sets_targets(self, sales, client_for, acme, bob):
        assert client_for(bob, acme).get("/targets/checks/").status_code == 403


class TestApi:
    def test_levels(self, sales, api):
        rows = api.shown("targets/gaps/", tree=str(sales.goal.tree.public_id), node="bookings")["results"]
        found = {(row["above"], row["below"]): row["periods"] for row in rows}
        assert found["east", "person"] == [
            {
                "period_start": "2026-11-01",
                "top_down": 600_000,
                "taken_on": 500_000,
                "unassigned": 0,
                "missing": 100_000,
                "verdict": "short",
            }
        ]

    def test_moves_a_leavers_rest(self, sales, aim, api, signed_in, alice):
        aim("person", month=DECEMBER, bob=300)
        leave("bob", "2026-11-10")
        body = {"tree": str(sales.goal.tree.public_id), "person": "bob", "receiver": "cleo", "reason": "Bob left."}
        assert signed_in(alice).post("targets/hand-over/", {**body, "receiver": "dora"}).status_code == 403
        assert api.made("targets/hand-over/", body) == {"target_count": 2, "request": None}
        assert api.post("targets/hand-over/", body).status_code == 404
        assert sales.target("person", "cleo", DECEMBER).value == 300_000
