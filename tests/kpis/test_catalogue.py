"""The catalogue: what it says of each metric, and how a company takes one over."""

import pytest
from django.test import Client

from kpis.engine.catalogue import CATALOGUE
from kpis.engine.specs import parse_spec, to_data
from kpis.models import Metric

pytestmark = pytest.mark.django_db
ADDRESS = "/api/v1/metric-catalogue/"


@pytest.fixture
def owner(client_for, dave, acme) -> Client:
    return client_for(dave, acme)


def test_every_entry_can_be_used_and_says_all_in_both_languages() -> None:
    for code, entry in CATALOGUE.items():
        assert parse_spec(to_data(entry.metric.spec)) == entry.metric.spec
        assert set(entry.needs) <= set(CATALOGUE), code
        for text in (entry.metric.name, entry.meaning, entry.trap):
            assert text.english and text.japanese


def test_lists_definition_formula_facts_and_traps(owner: Client) -> None:
    rows = {row["code"]: row for row in owner.get(ADDRESS, headers={"accept-language": "ja"}).json()["results"]}
    assert set(rows) == set(CATALOGUE)
    win_rate = rows["win_rate"]
    assert win_rate["formula"] == ["受注件数 ÷ 決着件数"]
    assert win_rate["facts"] == ["deals"]
    assert win_rate["needs"] == ["won_deals", "closed_deals"]
    assert win_rate["metric"] is None
    assert "失注" in win_rate["trap"]


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_entry_can_be_taken_over(owner: Client, code: str) -> None:
    answer = owner.post(f"{ADDRESS}{code}/add/")
    assert answer.status_code == 201, answer.json()
    assert owner.get(f"/api/v1/metrics/{code}/").status_code in {200, 404}
    rows = {row["code"]: row["metric"] for row in owner.get(ADDRESS).json()["results"]}
    assert rows[code] == answer.json()["id"]
    assert all(rows[needed] for needed in CATALOGUE[code].needs)


def test_what_the_company_has_stays_as_it_is(owner: Client) -> None:
    spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}
    body = {"code": "won_deals", "name": "勝ち", "unit": "count", "accumulation": "sum", "spec": spec}
    owner.post("/api/v1/metrics/", body, content_type="application/json")
    owner.post(f"{ADDRESS}win_rate/add/")
    owner.post(f"{ADDRESS}win_rate/add/")
    rows = {row["code"]: row for row in owner.get("/api/v1/metrics/").json()["results"]}
    assert (rows["won_deals"]["name"], len(rows)) == ("勝ち", 3)


def test_an_unknown_code_is_refused(owner: Client) -> None:
    answer = owner.post(f"{ADDRESS}magic/add/")
    assert answer.status_code == 400
    assert "magic" in str(answer.json())


def test_only_who_defines_takes_over(client_for, alice, acme, in_acme) -> None:
    manager = client_for(alice, acme)
    assert manager.post(f"{ADDRESS}nps/add/").status_code == 403
    assert manager.post("/kpis/catalogue/", {"code": "nps"}).status_code == 403
    assert not Metric.objects.exists()


def test_the_page_adds_a_metric(owner: Client) -> None:
    page = owner.get("/kpis/catalogue/", headers={"accept-language": "ja"}).content.decode()
    assert "NRR（売上維持率）" in page
    answer = owner.post("/kpis/catalogue/", {"code": "nrr"}, follow=True, headers={"accept-language": "ja"})
    assert "NRR（売上維持率）をKPIツリーに置けるようになりました" in answer.content.decode()
