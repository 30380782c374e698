"""Why the KGI is not its target, asked by another system and by people."""

import pytest

pytestmark = pytest.mark.django_db

OCTOBER = {"grain": "month", "period_start": "2026-10-01"}


@pytest.fixture
def sales(api, plan):
    """October: 8 of 20 deals won at 100, where 25 deals, a rate of 50 % and bookings of 1,000 were planned."""
    spec = {"kind": "formula", "expression": "bookings / won_deals"}
    api.made(
        "metrics/", {"code": "deal_size", "name": "size", "unit": "amount", "accumulation": "average", "spec": spec}
    )
    size = {"tree": plan["tree"], "parent": plan["bookings"], "level": "kpi", "metric": "deal_size", "link": "formula"}
    api.made("nodes/", size)
    send(api, "teams", {"external_id": "north", "name": "North"}, {"external_id": "south", "name": "South"})
    send(api, "people", {"external_id": "bob", "name": "Bob", "team": "north"})
    send(
        api,
        "deals",
        *(
            {
                "external_id": f"D{n}",
                "created_on": "2026-10-01",
                "closed_on": "2026-10-05",
                "outcome": "won" if n < 8 else "lost",
                "amount": 100,
                "owner": "bob" if n % 2 else None,
            }
            for n in range(20)
        ),
    )
    for node, value in (("bookings", 1000), ("closed_deals", 25), ("win_rate", 0.5), ("deal_size", 80)):
        api.made("targets/", {"tree": plan["tree"], "node": node, "period_start": "2026-10-01", "value": value})
    return plan


def send(api, resource, *records):
    result = api.made(f"facts/{resource}/bulk/?wait=1", {"source": "crm", "records": records})
    assert result["rejected"] == []


class TestContributions:
    def test_shares_timing_and_the_rest_add_up_to_the_gap(self, api, sales):
        found = api.shown("contributions/", tree=sales["tree"], **OCTOBER)
        cells = api.shown(
            "matrix/", tree=sales["tree"], nodes="bookings", grain="month", **{"from": "2026-10-01", "to": "2026-11-01"}
        )["cells"]
        assert found["gap"] == cells["value"][0][0][0] - cells["target"][0][0][0] == -200
        assert sum(share["amount"] for share in found["shares"]) + found["not_explained"] + found["timing"] == -200
        assert {share["code"]: share["amount"] for share in found["shares"]} == {
            "closed_deals": -200,
            "win_rate": -200,
            "deal_size": 200,
        }
        share = next(share for share in found["shares"] if share["code"] == "win_rate")
        assert share.items() >= {"node": sales["win_rate"], "method": "log_mean", "period_start": "2026-10-01"}.items()

    def test_names_the_bottleneck_and_what_each_lever_needs(self, api, sales):
        found = api.shown("contributions/", tree=sales["tree"], **OCTOBER)
        assert (found["goal"], found["unit"], found["currency"]) == (sales["bookings"], "amount", "JPY")
        assert found["bottleneck"] in {"closed_deals", "win_rate"}
        assert {lever["code"]: lever["needed"] for lever in found["levers"]} == {
            "closed_deals": 25,
            "win_rate": 0.5,
            "deal_size": 125,
        }

    def test_without_a_target_nothing_is_explained(self, api, sales):
        found = api.shown("contributions/", tree=sales["tree"], **OCTOBER | {"period_start": "2026-09-01"})
        assert found["gap"] is None
        assert found["shares"] == []

    def test_of_one_member(self, api, sales):
        for node, value in (("bookings", 600), ("closed_deals", 10), ("win_rate", 0.5), ("deal_size", 120)):
            body = {"tree": sales["tree"], "node": node, "period_start": "2026-10-01", "value": value}
            api.made("targets/", {**body, "dimension": "team", "member": "north"})
        found = api.shown("contributions/", tree=sales["tree"], dimension="team", member="north", **OCTOBER)
        assert found["gap"] == -200
        assert sum(share["amount"] for share in found["shares"]) == -200

    def test_a_reader_asks_only_for_members_in_sight(self, signed_in, bob, hana, sales):
        asked = {"tree": sales["tree"], **OCTOBER}
        assert signed_in(bob).get("contributions/", **asked).status_code == 200
        assert signed_in(bob).get("contributions/", dimension="team", member="south", **asked).status_code == 403
        assert signed_in(hana).get("contributions/", **asked).status_code == 403

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"tree": "nothing"}, "tree"),
            ({"grain": "day"}, "grain"),
            ({"period_start": "2026-10-02"}, "period_start"),
            ({"dimension": "region"}, "member"),
            ({"dimension": "region", "member": "mars"}, "member"),
        ],
    )
    def test_bad_parameters_are_named(self, api, plan, change, field):
        response = api.get("contributions/", **{"tree": plan["tree"], **OCTOBER, **change})
        assert response.status_code == 400
        assert field in {error["field"] for error in response.json()["errors"]}
