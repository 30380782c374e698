"""A metric where two dimensions cross."""

import pytest

from tests.remembering import remembered

pytestmark = pytest.mark.django_db

OCTOBER = {"grain": "month", "from": "2026-10-01", "to": "2026-11-01"}


@pytest.fixture
@remembered
def sales(api, plan):
    """October: Bob (north) wins 3 of 4 of X, one of them from the web; Mei (south) 1 of 2 of X and 2 of Y."""
    send(api, "teams", {"external_id": "north", "name": "North"}, {"external_id": "south", "name": "South"})
    send(api, "people", {"external_id": "bob", "name": "Bob", "team": "north"})
    send(api, "people", {"external_id": "mei", "name": "Mei", "team": "south"})
    send(api, "products", {"external_id": "X", "name": "X"}, {"external_id": "Y", "name": "Y"})
    day = {"created_on": "2026-10-01", "closed_on": "2026-10-05"}
    made = [("bob", "X", "won", 100)] * 3 + [("bob", "X", "lost", 5)]
    made += [("mei", "X", "won", 70), ("mei", "X", "lost", 9), ("mei", "Y", "won", 10), ("mei", "Y", "won", 30)]
    send(
        api,
        "deals",
        *(
            day | {"external_id": f"D{n}", "owner": owner, "product": product, "outcome": outcome, "amount": amount}
            for n, (owner, product, outcome, amount) in enumerate(made)
        ),
    )
    return plan


def send(api, resource, *records):
    result = api.made(f"facts/{resource}/bulk/?wait=1", {"source": "crm", "records": records})
    assert result["rejected"] == []


def by_pair(found, name="value"):
    return {tuple(cell["members"]): cell[name] for cell in found["cells"]}


class TestBreakdown:
    def test_a_rate_by_team_and_product_with_its_sides(self, api, sales):
        found = api.shown("breakdowns/", metric="win_rate", by="team,product", **OCTOBER)
        assert by_pair(found) == {("north", "X"): [0.75], ("south", "X"): [0.5], ("south", "Y"): [1]}
        assert by_pair(found, "numerator")["south", "Y"] == [2]

    def test_adds_up_to_the_matrix(self, api, sales):
        found = api.shown("breakdowns/", metric="bookings", by="product,team", **OCTOBER)
        matrix = api.shown("matrix/", tree=sales["tree"], nodes="bookings", dimension="product", **OCTOBER)
        codes = [member["code"] for member in matrix["members"]]
        total = matrix["cells"]["value"][0][codes.index("X")][0]
        assert sum(value[0] for pair, value in by_pair(found).items() if pair[0] == "X") == total == 370

    def test_a_median_is_of_each_pairs_own_deals(self, api, sales):
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "median", "field": "amount"}
        api.made("metrics/", {"code": "half", "name": "h", "unit": "amount", "accumulation": "average", "spec": spec})
        found = api.shown("breakdowns/", metric="half", by="team,product", **OCTOBER)
        assert by_pair(found) == {("north", "X"): [100], ("south", "X"): [39.5], ("south", "Y"): [20]}

    def test_a_month_before_the_first_record_is_missing_not_zero(self, api, sales):
        asked = OCTOBER | {"from": "2026-09-01", "metric": "won_deals", "by": "team,product"}
        cells = api.shown("breakdowns/", **asked)["cells"]
        assert {(cell["value"][0], cell["absence"][0]) for cell in cells} == {(None, "missing")}

    def test_a_member_finds_nobody_elses_numbers(self, sales, signed_in, bob):
        found = signed_in(bob).shown("breakdowns/", metric="won_deals", by="person,product", **OCTOBER)
        assert {pair[0] for pair in by_pair(found)} <= {"bob"}

    @pytest.mark.parametrize("by", ["team", "team,team", "team,colour", "company,team"])
    def test_asks_for_two_dimensions(self, api, sales, by):
        response = api.get("breakdowns/", metric="won_deals", by=by, **OCTOBER)
        assert response.status_code == 400
        assert "by" in str(response.json())

    def test_says_why_a_typed_number_cannot_be_crossed(self, api, sales):
        api.made(
            "metrics/",
            {"code": "typed", "name": "Typed", "unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}},
        )
        response = api.get("breakdowns/", metric="typed", by="team,product", **OCTOBER)
        assert response.status_code == 400
        assert "Typed" in str(response.json())
