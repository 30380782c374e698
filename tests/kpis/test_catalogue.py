"""The catalogue: what it says of each metric, and how a company takes one over."""

import pytest
from django.test import Client

from kpis.engine.catalogue import CATALOGUE
from kpis.engine.specs import Conversion, canonical, parse_spec, to_data
from kpis.engine.templates import TEMPLATES
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


def test_a_code_that_the_company_defines_otherwise_is_not_taken_over_silently(owner: Client) -> None:
    spec = to_data(CATALOGUE["opportunity_rate_cohort"].metric.spec)
    shape = {"unit": "percent", "accumulation": "rate", "spec": spec}
    body = {"code": "opportunity_rate", "name": "商談化率（自社）", **shape}
    made = owner.post("/api/v1/metrics/", body, content_type="application/json").json()
    answer = owner.post(f"{ADDRESS}opportunity_rate/add/", headers={"accept-language": "en"})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["field"], error["code"]) == ("code", "defined_otherwise")
    assert "商談化率（自社）" in error["message"]
    assert "was not added" in error["message"]
    rows = {row["code"]: row for row in owner.get(ADDRESS).json()["results"]}
    assert (rows["opportunity_rate"]["metric"], rows["opportunity_rate"]["is_defined_otherwise"]) == (made["id"], True)
    assert rows["opportunity_rate_cohort"]["is_defined_otherwise"] is False
    page = owner.get("/kpis/catalogue/", headers={"accept-language": "en"}).content.decode()
    assert "Your metric 商談化率（自社） has this code with another definition." in page
    added = owner.post(f"{ADDRESS}opportunity_rate_cohort/add/")
    assert added.status_code == 201, "the same definition has a code of its own"


@pytest.mark.parametrize(
    "code",
    ["opportunity_rate", "opportunity_rate_leads", "created_deals", "customers_with_revenue", "revenue_per_customer"],
)
def test_templates_and_catalogue_mean_the_same_by_a_code(code: str) -> None:
    entry = CATALOGUE[code].metric
    told = [metric for template in TEMPLATES.values() for metric in template.metrics if metric.code == code]
    assert told
    assert all(each == entry for each in told)


def test_each_opportunity_rate_has_a_definition_and_a_name_of_its_own() -> None:
    rates = [entry.metric for code, entry in CATALOGUE.items() if code.startswith("opportunity_rate")]
    assert len({canonical(rate.spec) for rate in rates}) == len(rates) == 4
    for name in ({rate.name.english for rate in rates}, {rate.name.japanese for rate in rates}):
        assert len(name) == 4
    for rate in rates:
        is_cohort = isinstance(rate.spec, Conversion)
        assert ("90日以内" in rate.name.japanese, "期間内" in rate.name.japanese) == (is_cohort, not is_cohort)


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
