"""What holds the KGI back, on the first page of the day, in the tree and on the pages of the KGI and its KPIs."""

import re
from datetime import date

import pytest

from kpis.models import DimensionMember, KpiNode, Metric, MetricVersion, Target
from kpis.services.recompute import recompute
from tests.remembering import remembered

from .conftest import NOW, send

pytestmark = pytest.mark.django_db


@pytest.fixture
@remembered
def planned(world):
    """October and November get targets for closed deals and deal size: bookings = closed × win rate × size."""
    spec = {"kind": "formula", "expression": "bookings / won_deals"}
    metric = Metric.objects.create(code="deal_size", name="平均受注単価", unit="amount", accumulation="average")
    MetricVersion.objects.create(metric=metric, number=1, spec=spec)
    KpiNode.objects.create(
        tree=world.tree,
        parent=world.factor,
        level="kpi",
        code="deal_size",
        name="平均受注単価",
        metric=metric,
        link="formula",
    )
    for code, value in (("closed_deals", 4), ("deal_size", 500_000)):
        for month in (10, 11):
            Target.objects.create(
                node=KpiNode.objects.get(code=code), period_start=date(2026, month, 1), initial_value=value, value=value
            )
    return world


@pytest.fixture
def open_page(client_for, acme):
    def read(user, path, **headers):
        response = client_for(user, acme).get(path, headers=headers)
        assert response.status_code == 200, path
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))

    return read


class TestToday:
    def test_names_the_main_cause_with_its_amount(self, planned, alice, open_page):
        page = open_page(alice, "/", accept_language="en")
        assert re.search(r"The main cause is 平均受注単価 \(impact amount −\d", page)
        assert "Furthest behind" not in page

    def test_without_a_plan_for_the_parts_names_what_is_furthest_behind(self, world, alice, open_page):
        assert "Furthest behind" in open_page(alice, "/", accept_language="en")


class TestKgi:
    def test_shows_the_causes_what_each_needs_and_the_gap(self, planned, alice, open_page):
        page = open_page(alice, f"/kpis/{planned.goal.public_id}/?start=2026-10-01", accept_language="en")
        assert "What holds it back most is 決着件数" in page
        assert "Gap to the target −200,000 JPY" in page
        assert "Details of the calculation" in page
        assert "logarithmic mean" in page

    def test_says_when_the_shapley_value_was_used(self, planned, alice, open_page):
        send(
            "deals",
            *(
                {"external_id": f"d{n}", "created_on": "2026-09-05", "closed_on": "2026-10-05", "outcome": "lost"}
                for n in (1, 2)
            ),
        )
        recompute(now=NOW)
        page = open_page(alice, f"/kpis/{planned.goal.public_id}/?start=2026-10-01", accept_language="en")
        assert "the Shapley value was used" in page

    def test_without_a_target_there_is_no_table(self, planned, alice, open_page):
        page = open_page(alice, f"/kpis/{planned.goal.public_id}/?start=2026-09-01", accept_language="en")
        assert "Main causes" not in page

    def test_a_kpi_tells_its_own_impact(self, planned, alice, open_page):
        page = open_page(alice, f"/kpis/{planned.rate.public_id}/?start=2026-11-01", accept_language="en")
        assert "Its impact on 受注額: −" in page

    def test_every_period_and_segment_opens(self, planned, dave, open_page):
        for query in (
            "grain=week&start=2026-10-05",
            "grain=quarter&start=2026-10-01",
            "grain=year&start=2026-10-01",
            "segment=team:east",
        ):
            open_page(dave, f"/kpis/{planned.goal.public_id}/?{query}")


class TestTree:
    def test_every_number_has_its_amount_and_the_factor_their_sum(self, planned, alice, client_for, acme):
        page = (
            client_for(alice, acme).get("/kpis/?start=2026-10-01", headers={"accept-language": "en"}).content.decode()
        )
        assert page.count("node-impact") == 4  # the factor, win rate, closed deals, deal size
        assert 'class="on-worst-path"' in page

    def test_the_list_has_a_column(self, planned, alice, open_page):
        assert "Impact amount" in open_page(alice, "/kpis/?view=list&start=2026-10-01", accept_language="en")


class TestSegments:
    def test_a_rate_tells_mix_from_rate(self, planned, dave, open_page):
        page = open_page(dave, f"/kpis/{planned.rate.public_id}/?by=team", accept_language="en")
        assert "Mix effect" in page
        assert "Rate effect" in page

    def test_who_sees_a_part_only_is_told_no_effects(self, planned, alice, open_page):
        assert "Mix effect" not in open_page(alice, f"/kpis/{planned.rate.public_id}/?by=person", accept_language="en")

    def test_against_targets_of_their_own_segments_tell_the_gap(self, planned, dave, open_page):
        east = DimensionMember.objects.get(dimension__code="team", code="east")
        told = {"period_start": date(2026, 10, 1), "dimension": "team", "member": east}
        Target.objects.create(node=planned.goal, value=900_000, initial_value=900_000, **told)
        path = f"/kpis/{planned.goal.public_id}/?by=team&start=2026-10-01"
        page = open_page(dave, path, accept_language="en")
        assert "Impact amount: what each segment did to the gap to the target" in page
        assert re.search(r"Gap to the target −200,000 JPY ?, of which no segment answers for ±?0 JPY ?\.", page), page
        assert "Mix effect" not in page

    def test_an_amount_counts_what_it_comes_from(self, planned, dave, open_page):
        late = {"created_on": "2026-08-05", "closed_on": "2026-09-06", "outcome": "won", "amount": 90_000}
        send("deals", {"external_id": "s1", "owner": "bob", **late})
        recompute(now=NOW)
        page = open_page(dave, f"/kpis/{planned.goal.public_id}/?by=team&start=2026-09-01", accept_language="en")
        assert "Mix effect" not in page  # nothing was counted in August


class TestMovement:
    @pytest.fixture
    @remembered
    def history(self, planned):
        for month in range(1, 11):
            for n in range(2 + month % 2):
                day = {"created_on": f"2026-{month:02}-02", "closed_on": f"2026-{month:02}-05"}
                send("deals", {"external_id": f"h{month}-{n}", "outcome": "won", "amount": 100_000 + month, **day})
        recompute(now=NOW)
        return planned

    def test_usual_variation_is_said_in_words(self, history, alice, open_page):
        page = open_page(alice, f"/kpis/{KpiNode.objects.get(code='won_deals').public_id}/", accept_language="en")
        assert "How it moves" in page
        assert re.search(r"Usual variation|Unusual movement", page)
        assert "periods compared" in page
        assert "95% interval" in page

    def test_nothing_is_said_without_history(self, planned, alice, open_page):
        page = open_page(alice, f"/kpis/{planned.rate.public_id}/", accept_language="en")
        assert "How it moves" not in page
