"""The KPI tree page."""

import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def open_tree(client_for, acme):
    def read(user, query="", status=200):
        response = client_for(user, acme).get(f"/kpis/{query}")
        assert response.status_code == status
        return response.content.decode()

    return read


class TestTree:
    def test_shows_value_target_and_verdict_of_every_node(self, world, alice, open_tree):
        page = open_tree(alice)
        assert "営業力を高める" in page
        assert "33.3" in page
        assert "遅れ" in page

    def test_joins_the_parts_of_a_formula_by_its_sign(self, world, alice, open_tree):
        assert "÷</span>" in open_tree(alice)

    def test_emphasises_the_worst_path(self, world, alice, open_tree):
        page = open_tree(alice)
        assert page.count('class="on-worst-path"') == 2

    def test_the_list_holds_the_same_numbers(self, world, alice, open_tree):
        page = open_tree(alice, "?view=list")
        assert "treegrid" in page
        assert "33.3" in page
        assert page.index("受注額</a>") < page.index("営業力を高める") < page.index("受注率（件数）</a>")

    def test_another_period_and_grain(self, world, alice, open_tree):
        assert "800,000" in open_tree(alice, "?grain=month&start=2026-10-01")
        assert "1,100,000" in open_tree(alice, "?grain=quarter&start=2026-10-01")

    def test_a_part_of_the_company(self, world, alice, open_tree):
        assert "700,000" in open_tree(alice, "?start=2026-10-01&segment=team:east")

    def test_a_member_may_not_open_a_colleague(self, world, bob, open_tree):
        open_tree(bob, "?segment=person:cleo", status=403)
        assert "Cleo" not in open_tree(bob)

    def test_a_day_outside_the_calendar_is_not_found(self, world, alice, open_tree):
        open_tree(alice, "?start=1990-01-01", status=404)

    def test_an_unknown_part_is_not_found(self, world, alice, open_tree):
        open_tree(alice, "?segment=team:nowhere", status=404)
