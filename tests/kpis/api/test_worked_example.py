"""The worked example of the contract, from an empty company to 0.75 and 600."""

import pytest

pytestmark = pytest.mark.django_db


def deal(number: int, amount: int, outcome: str) -> dict:
    closed = {"closed_on": "2026-10-05", "outcome": outcome}
    return {"external_id": f"D{number}", "created_on": "2026-09-01", "amount": amount, **closed}


class TestWorkedExample:
    def test_three_of_four_deals_and_600(self, api, plan):
        records = [deal(1, 100, "won"), deal(2, 200, "won"), deal(3, 300, "won"), deal(4, 900, "lost")]
        stored = api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": records})
        assert stored["inserted"] == 4

        asked = {"tree": plan["tree"], "grain": "month", "from": "2026-10-01", "to": "2026-11-01"}
        answer = api.shown("matrix/", **asked, nodes="win_rate,bookings")
        at = {node["code"]: place for place, node in enumerate(answer["nodes"])}
        cells = answer["cells"]
        assert cells["value"][at["win_rate"]] == [[0.75]]
        assert cells["numerator"][at["win_rate"]] == [[3]]
        assert cells["denominator"][at["win_rate"]] == [[4]]
        assert cells["value"][at["bookings"]] == [[600]]
        assert cells["absence"] == [[[None]], [[None]]]
        assert answer["members"] == [{"id": None, "code": None, "name": "company", "parent": None}]
        assert [period["start"] for period in answer["periods"]] == ["2026-10-01"]
        assert answer["currency"] == "JPY"
        assert set(cells) >= {"value", "numerator", "denominator", "target", "achievement", "status", "absence"}
