"""The first page of the day."""

import re
from datetime import UTC, datetime

import pytest
import time_machine

from kpis.models import KpiNode, KpiTree, Metric
from kpis.services.facts import upsert_facts
from tests.remembering import remembered

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_today(client_for, acme):
    """The page as one person sees it."""

    def read(user, language="ja"):
        client = client_for(user, acme)
        response = client.get("/", headers={"accept-language": language})
        assert response.status_code == 200, response
        return response.content.decode()

    return read


class TestToday:
    def test_begins_with_where_the_kgi_lands(self, world, alice, open_today):
        """300,000 after 10 of 19 business days."""
        page = open_today(alice, "en")
        assert (
            "is expected to land at <strong>57.0%</strong> of the target (<strong>430,000 JPY</strong> short)" in page
        )

    def test_says_what_is_there_where_nothing_lands(self, world, alice, open_today):
        Metric.objects.filter(code="bookings").update(accumulation="stock")
        page = open_today(alice)
        assert "2026年11月の受注額は現在300,000円です。目標は1,000,000円です" in page
        assert "着地" not in page

    def test_a_running_sum_is_not_set_against_a_whole_period(self, world, alice, open_today):
        block = re.search(r'<a href="[^"]*" class="figure-block">.*?</a>', open_today(alice), re.DOTALL)[0]
        assert "前の期間" in block
        assert "800,000" in block
        assert "前期間比" not in block

    def test_names_the_number_that_is_furthest_behind(self, world, alice, open_today):
        assert "先行する数値で最も遅れているのは受注率（件数）です（遅れ）。" in open_today(alice)

    def test_a_manager_sees_the_people_of_the_led_team_only(self, world, alice, open_today):
        page = open_today(alice)
        assert "Bob" in page
        assert "Dora" not in page

    def test_an_owner_sees_everybody(self, world, dave, open_today):
        page = open_today(dave)
        assert "Bob" in page
        assert "Dora" in page

    def test_where_there_are_too_many_people_for_a_table_an_owner_sees_their_teams(self, world, dave, open_today):
        records = [{"external_id": f"p{n}", "name": f"P{n}", "team": "west"} for n in range(41)]
        upsert_facts(resource="people", source="crm", records=records, now=world.tree.created_at)
        page = open_today(dave)
        assert '<h2 id="members">チーム</h2>' in page
        assert ">Bob</a>" not in page

    def test_a_member_sees_the_own_numbers_and_nobody_elses(self, world, bob, open_today):
        page = open_today(bob)
        assert "自分の数字" in page
        assert "Cleo" not in page
        assert "Dora" not in page

    def test_a_member_reads_the_own_numbers_before_the_companys(self, world, bob, open_today):
        page = open_today(bob)
        assert page.index("自分の数字") < page.index("figures-lead")

    def test_says_that_nobody_has_a_target_of_their_own(self, world, alice, bob, open_today):
        assert "個人別の目標は未設定" in open_today(alice)
        assert "自分の目標は未設定" in open_today(bob)

    def test_lists_deals_past_their_date_and_without_amount(self, world, dave, open_today):
        page = open_today(dave)
        assert "Deal late" in page
        assert "6日" in page
        assert "Deal bare" in page

    def test_a_member_checks_own_deals(self, world, bob, open_today):
        page = open_today(bob)
        assert "Deal late" in page
        assert "Deal bare" not in page

    def test_says_what_to_do_without_a_tree(self, world, dave, open_today):
        KpiTree.objects.update(status="draft")
        assert "有効なKPIツリーがまだありません" in open_today(dave)

    def test_hr_goes_to_the_administration(self, world, hana, client_for, acme):
        response = client_for(hana, acme).get("/")
        assert response.status_code == 302
        assert response["location"].startswith("/admin/")

    def test_a_stranger_signs_in_first(self, world, client_for, acme):
        assert client_for(None, acme).get("/")["location"].startswith("/login/")

    def test_the_number_of_queries_does_not_grow_with_the_people(
        self, world, dave, client_for, acme, django_assert_max_num_queries
    ):
        client = client_for(dave, acme)
        client.get("/")
        records = [{"external_id": f"p{n}", "name": f"P{n}", "team": "west"} for n in range(20)]
        upsert_facts(resource="people", source="crm", records=records, now=world.tree.created_at)
        with django_assert_max_num_queries(70):
            client.get("/")


class TestSeveralTrees:
    @pytest.fixture
    @remembered
    def second(self, world) -> KpiTree:
        tree = KpiTree.objects.create(name="紹介ツリー", fiscal_year=2026, status="active")
        metric = Metric.objects.get(code="won_deals")
        KpiNode.objects.create(tree=tree, level="kgi", code="won_deals", name="紹介の受注件数", metric=metric)
        return tree

    def test_a_reader_switches_between_trees_in_force(self, world, second, alice, client_for, acme):
        client = client_for(alice, acme)
        first = client.get("/").content.decode()
        assert f'<option value="{second.public_id}">紹介ツリー</option>' in first
        assert "紹介の受注件数" not in first
        other = client.get("/", {"tree": str(second.public_id)}).content.decode()
        assert f'<option value="{second.public_id}" selected>' in other
        assert "紹介の受注件数" in other
        assert "の受注額" not in other

    def test_one_that_is_not_in_force_is_not_found(self, world, second, alice, client_for, acme):
        KpiTree.objects.filter(pk=second.pk).update(status="retired")
        client = client_for(alice, acme)
        assert 'name="tree"' not in client.get("/").content.decode(), "there is nothing to choose"
        for asked in (second.public_id, "nonsense"):
            assert client.get("/", {"tree": str(asked)}).status_code == 404


class TestYoungPeriod:
    def test_speaks_of_the_period_before_until_a_business_day_is_over(self, world, alice, open_today):
        with time_machine.travel(datetime(2026, 11, 1, 3, tzinfo=UTC), tick=False):
            page = open_today(alice)
        assert "2026年11月は始まったばかりです。" in page
        assert "2026年10月の受注額は現在800,000円です。" in page
