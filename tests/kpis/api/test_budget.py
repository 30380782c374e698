"""The table of target beside actual over the API: the same rows as the page has."""

import pytest

from kpis.models import KpiNode
from kpis.selectors.budget_shapes import BudgetQuery
from kpis.selectors.budget_table import read_budget_table
from kpis.selectors.visibility import OPEN
from kpis.services.definitions import create_metric
from kpis.services.recompute import recompute
from tests.kpis.pages.conftest import NOW, frozen, world  # noqa: F401


def asked(world, **more):  # noqa: F811
    return {"tree": str(world.tree.public_id), **more}


def cells_of(found, code, label):
    at = [column["label"] for column in found["columns"]].index(label)
    return next(row for row in found["rows"] if row["code"] == code)["cells"][at]


class TestBudget:
    def test_shows_target_and_actual_with_what_follows(self, api, world):  # noqa: F811
        cell = cells_of(api.shown("budget/", **asked(world)), "bookings", "Oct 2026")
        assert (cell["value"], cell["target"], cell["variance"]) == (800_000, 1_000_000, -200_000)
        assert cell["achievement"] == 0.8

    def test_has_the_rows_and_columns_of_the_page(self, api, world):  # noqa: F811
        found = api.shown("budget/", **asked(world))
        table = read_budget_table(BudgetQuery(world.tree), sight=OPEN, now=NOW)
        assert [row["name"] for row in found["rows"]] == [row.name for row in table.rows]
        assert [column["start"] for column in found["columns"]] == [
            column.row.start_date.isoformat() for column in table.columns
        ]
        assert all(len(row["cells"]) in (0, len(found["columns"])) for row in found["rows"])

    def test_an_absent_number_has_its_code(self, api, world):  # noqa: F811
        cell = cells_of(api.shown("budget/", **asked(world)), "bookings", "Dec 2026")
        assert (cell["value"], cell["absence"]) == (None, "missing")

    def test_one_kpi_by_person_shows_only_people_in_sight(self, api, signed_in, bob, world):  # noqa: F811
        by_person = asked(world, dimension="person", node="bookings")
        assert [row["member"] for row in api.shown("budget/", **by_person)["rows"]] == ["bob", "dora"]
        assert [row["member"] for row in signed_in(bob).shown("budget/", **by_person)["rows"]] == ["bob"]

    def test_running_totals_are_months_alone(self, api, world):  # noqa: F811
        found = api.shown("budget/", **asked(world, cumulative=True))
        assert len(found["columns"]) == 12
        november = cells_of(found, "bookings", "Nov 2026")
        assert (november["value"], november["absence"]) == (None, "missing")  # nothing is known of April

    def test_a_running_total_says_why_it_is_none(self, api, world):  # noqa: F811
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "median", "field": "amount"}
        median = {"code": "median_deal", "name": "中央値", "unit": "amount", "accumulation": "average"}
        metric = create_metric(**median, spec=spec, actor=None, now=NOW)
        KpiNode.objects.create(tree=world.tree, level="kpi", code="median_deal", name="中央値", metric=metric)
        recompute(now=NOW)
        november = cells_of(api.shown("budget/", **asked(world, cumulative=True)), "median_deal", "Nov 2026")
        assert (november["value"], november["absence"]) == (None, "not_applicable")
        october = cells_of(api.shown("budget/", **asked(world)), "median_deal", "Oct 2026")
        assert october["value"] == 400_000

    def test_too_few_cases_come_with_their_number(self, api, world):  # noqa: F811
        version = world.goal.metric.versions.get()
        version.spec = {**version.spec, "min_count": 5}
        version.save()
        cell = cells_of(api.shown("budget/", **asked(world)), "bookings", "Oct 2026")
        assert (cell["value"], cell["absence"], cell["cases"]) == (None, "too_few", 2)

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"dimension": "person"}, "node"),
            ({"node": "bookings"}, "node"),
            ({"dimension": "team", "node": "skill"}, "node"),
            ({"dimension": "region", "node": "bookings"}, "dimension"),
            ({"line": "dream"}, "line"),
        ],
    )
    def test_bad_parameters_are_named(self, api, world, more, field):  # noqa: F811
        response = api.get("budget/", **asked(world, **more))
        assert response.status_code == 400
        assert field in {error["field"] for error in response.json()["errors"]}
