"""The target grid page: which rows and columns, who may write which of them, what adds up."""

import re
from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kpis.choices import PeriodState
from kpis.models import DimensionMember, KpiNode, Period, Target, TargetRevision
from tests.kpis.pages.conftest import NOW, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_grid(client_for, acme):
    def read(user, query="", status=200):
        response = client_for(user, acme).get(f"/targets/{query}")
        assert response.status_code == status
        return response.content.decode()

    return read


def aim(node, dimension, code, value, month=11, line="target"):
    member = DimensionMember.objects.get(dimension__code=dimension, code=code)
    Target.objects.create(
        node=node,
        period_start=date(2026, month, 1),
        dimension=dimension,
        member=member,
        line=line,
        initial_value=value,
        value=value,
    )


def row_of(page, name):
    return next(row for row in re.findall(r"<tr data-node.*?</tr>", page, re.S) if f'data-name="{name}"' in row)


def checks(page, name):
    found = re.search(rf'<tr data-check="{name}">.*?</tr>', page, re.S)
    return found and [cell.strip() for cell in re.findall(r"<td[^>]*>(?:<span[^>]*>)?([^<]*)", found[0])]


class TestRows:
    def test_every_kpi_is_a_row_and_every_month_a_column(self, world, dave, open_grid):
        page = open_grid(dave)
        assert len(re.findall(r"<tr data-node", page)) == 4
        assert page.count('<th scope="col" class="right"') == 12
        assert 'data-value="1000000"' in row_of(page, "受注額")

    def test_a_tree_with_weekly_kpis_only_opens_on_its_weeks(self, world, dave, open_grid):
        KpiNode.objects.filter(tree=world.tree).exclude(metric=None).update(frequency="week")
        page = open_grid(dave)
        assert len(re.findall(r"<tr data-node", page)) == 4
        assert page.count('<th scope="col" class="right"') > 50
        assert len(re.findall(r"<tr data-node", open_grid(dave, "?grain=month"))) == 4

    def test_a_tree_with_both_opens_on_its_months_and_offers_its_weeks(self, world, dave, open_grid):
        KpiNode.objects.filter(pk=world.goal.pk).update(frequency="week")
        page = open_grid(dave)
        assert len(re.findall(r"<tr data-node", page)) == 3
        assert len(re.findall(r"<tr data-node", open_grid(dave, "?grain=week"))) == 1

    def test_a_tree_that_does_not_exist_is_not_found(self, world, dave, open_grid):
        open_grid(dave, "?tree=nothing", status=404)

    def test_a_ksf_has_no_row(self, world, dave, open_grid):
        assert 'data-name="営業力を高める"' not in open_grid(dave)

    def test_a_line_shows_its_own_targets(self, world, dave, open_grid):
        assert 'data-value="1000000"' not in open_grid(dave, "?line=budget")

    def test_shows_what_was_set_first_beside_what_holds(self, world, dave, open_grid):
        Target.objects.filter(node=world.goal).update(value=900_000)
        row = row_of(open_grid(dave), "受注額")
        assert 'data-value="900000" data-initial="1000000"' in row

    def test_a_cell_tells_why_it_was_set_also_the_first_time(self, world, dave, open_grid):
        target = Target.objects.get(node=world.goal, period_start="2026-10-01")
        TargetRevision.objects.create(target=target, number=1, value=1, reason="期初の計画", actor=dave, at=NOW)
        assert 'title="期初の計画"' in row_of(open_grid(dave), "受注額")

    def test_a_closed_month_is_not_written(self, world, dave, open_grid):
        Period.objects.filter(grain="month", start_date="2026-10-01").update(state=PeriodState.CLOSED)
        row = row_of(open_grid(dave), "受注額")
        assert row.count('aria-readonly="true"') == 1


class TestSegments:
    def test_members_of_a_dimension_for_one_kpi(self, world, dave, open_grid):
        aim(world.goal, "team", "east", 600_000)
        page = open_grid(dave, "?by=team&kpi=bookings")
        assert 'data-value="600000"' in row_of(page, "東日本営業部")
        assert "西日本営業部" in page

    def test_says_what_nobody_has_taken_on(self, world, dave, open_grid):
        aim(world.goal, "team", "east", 600_000)
        aim(world.goal, "team", "west", 300_000)
        page = open_grid(dave, "?by=team&kpi=bookings")
        assert checks(page, "parts")[7] == "900,000"
        assert checks(page, "top")[7] == "1,000,000"
        assert checks(page, "gap")[7] == "100,000"
        assert checks(page, "gap")[6] == ""  # no part has a target in October

    def test_rates_have_no_sum(self, world, dave, open_grid):
        aim(world.rate, "team", "east", "0.5")
        assert checks(open_grid(dave, "?by=team&kpi=win_rate"), "gap") is None

    def test_what_is_not_allocated_is_a_row_of_its_own(self, world, dave, open_grid):
        aim(world.goal, "person", "unassigned", 50_000)
        page = open_grid(dave, "?by=person&kpi=bookings")
        assert re.search(r'data-member="unassigned".*data-value="50000"', page, re.S)


class TestWhoMayWrite:
    def test_a_manager_writes_for_the_own_people_and_reads_the_company(self, world, alice, open_grid):
        assert "data-writable" not in open_grid(alice)
        page = open_grid(alice, "?by=person&kpi=bookings")
        assert "data-writable" in row_of(page, "Bob")
        assert "Dora" not in page
        assert "data-check" not in page

    def test_the_one_who_answers_for_a_kpi_writes_its_company_target(self, world, alice, open_grid):
        world.goal.responsible_user = alice
        world.goal.save()
        page = open_grid(alice)
        assert "data-writable" in row_of(page, "受注額")
        assert "data-writable" not in row_of(page, "受注件数")

    def test_members_and_viewers_set_no_targets(self, world, bob, vera, open_grid):
        open_grid(bob, status=403)
        open_grid(vera, status=403)

    def test_an_unknown_tree_is_not_found(self, world, dave, open_grid):
        open_grid(dave, "?tree=00000000-0000-0000-0000-000000000000", status=404)


class TestQueries:
    def test_cost_does_not_grow_with_the_rows(self, world, dave, client_for, acme):
        client = client_for(dave, acme)

        def cost():
            with CaptureQueriesContext(connection) as queries:
                assert client.get("/targets/?by=person&kpi=bookings").status_code == 200
            return len(queries)

        cost()
        before = cost()
        for code in ("bob", "cleo", "dora"):
            aim(world.goal, "person", code, 1)
        send("people", *({"external_id": f"p{number}", "name": f"Person {number}"} for number in range(9)))
        assert cost() == before
