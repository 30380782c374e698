"""The records behind a number as they were when it was noted."""

import re
from datetime import UTC, datetime

import pytest

from kpis.choices import Grain
from kpis.models import Deal, FactStream, KpiNode, LeadLink, LockedCell
from kpis.selectors.calendar import find_period
from kpis.services.facts import upsert_facts
from kpis.services.joining import undo_link
from kpis.services.periods import close_period
from kpis.services.recompute import recompute
from kpis.services.snapshots import take_snapshots
from tests.remembering import remembered

from .conftest import NOW, _deal, _metric, send

pytestmark = pytest.mark.django_db
CLOSED_AT = datetime(2026, 11, 16, 1, tzinfo=UTC)
LOADED_AT = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
@remembered
def closed(world):
    """October is closed; then one of its two deals is moved into November."""
    Deal.objects.update(recorded_at=LOADED_AT, changed_at=LOADED_AT)
    period = find_period(Grain.MONTH, datetime(2026, 10, 1, tzinfo=UTC).date())
    close_period(period=period, actor=None, now=CLOSED_AT)
    moved = _deal("d1", "bob", "2026-11-02", 700_000, "won", source_url="https://crm.example/d1")
    upsert_facts(resource="deals", source="crm", records=[moved], now=NOW)
    recompute(now=NOW)
    return world


@pytest.fixture
def read(client_for, acme):
    def read(user, node, language="ja", **params):
        response = client_for(user, acme).get(
            f"/kpis/{node.public_id}/records/",
            {"start": "2026-10-01", **params},
            headers={"accept-language": language},
        )
        assert response.status_code == 200
        return response.content.decode()

    return read


def at_closing() -> dict[str, str]:
    return {"as_of": CLOSED_AT.isoformat()}


class TestAsOf:
    def test_offers_the_moment_of_closing_beside_now(self, closed, dave, read):
        assert "At closing Mon 16 Nov" in read(dave, closed.goal, "en")
        assert "At closing" not in read(dave, closed.goal, "en", start="2026-11-01")

    def test_tells_what_it_was_what_it_is_and_why(self, closed, dave, read):
        page = read(dave, closed.goal, "en", **at_closing())
        assert "At closing 800,000 JPY → now 100,000 JPY: Closed on changed in 1 record" in page
        assert "Mon 5 Oct 2026 → Mon 2 Nov 2026" in page
        assert 'href="https://crm.example/d1"' in page

    def test_lists_what_was_counted_then(self, closed, dave, read):
        assert sorted(set(re.findall(r"Deal d\d", read(dave, closed.goal, **at_closing())))) == ["Deal d1", "Deal d2"]
        assert sorted(set(re.findall(r"Deal d\d", read(dave, closed.goal)))) == ["Deal d2"]

    def test_a_rate_tells_of_both_sides(self, closed, dave, read):
        page = read(dave, closed.rate, "en", **at_closing())
        assert "Numerator" in page and "Denominator" in page

    def test_says_in_words_where_the_history_does_not_reach_back(self, closed, dave, read):
        Deal.objects.update(recorded_at=NOW)
        page = read(dave, closed.goal, "en", **at_closing())
        assert "what they were before is not known" in page
        assert "Deal d2" not in page

    def test_says_where_the_noted_number_was_another(self, closed, dave, read):
        LockedCell.objects.update(value=790_000)
        assert "another one than its records give" in read(dave, closed.goal, "en", **at_closing())

    def test_a_member_sees_the_reason_and_only_own_records(self, closed, bob, read):
        page = read(bob, closed.goal, "en", **at_closing())
        assert "Deal d1" in page
        assert "Deal d2" not in page


class TestGrounds:
    """What a number stands on where it is not one list of deals."""

    @pytest.fixture
    def node(self, world):
        def node(code, spec, unit="count", accumulation="sum"):
            metric = _metric(code, code, unit, accumulation, spec)
            return KpiNode.objects.create(
                tree=world.tree, parent=world.rate, level="kpi", code=code, name=code, metric=metric
            )

        return node

    def test_a_formula_names_its_metrics_with_their_values_and_records(self, node, dave, read):
        efforts = node("efforts", {"kind": "formula", "expression": "closed_deals * 10 - won_deals"})
        page = read(dave, efforts, "en", start="2026-11-01")
        assert "typed by hand" not in page
        operands = re.findall(
            r'<span class="grow">(\S+)</span><span class="num">(\d+).*?href="[^"]*(operand=\w+)', page, re.DOTALL
        )
        assert operands == [("決着件数", "3", "operand=closed_deals"), ("受注件数", "1", "operand=won_deals")]
        inside = read(dave, efforts, "en", start="2026-11-01", operand="closed_deals")
        assert sorted(set(re.findall(r"Deal d\d", inside))) == ["Deal d3", "Deal d4", "Deal d5"]

    def test_only_metrics_of_the_formula_are_its_operands(self, node, dave, client_for, acme):
        efforts = node("efforts", {"kind": "formula", "expression": "closed_deals * 10"})
        path = f"/kpis/{efforts.public_id}/records/"
        assert client_for(dave, acme).get(path, {"operand": "bookings"}).status_code == 404
        assert client_for(dave, acme).get(path, {"operand": "closed_deals"}).status_code == 200

    def test_what_is_typed_says_so(self, node, dave, read):
        page = read(dave, node("visits", {"kind": "manual"}), "en")
        assert "This number is typed by hand, so no records stand behind it." in page

    def test_nps_shows_promoters_and_detractors_with_their_sign(self, node, dave, read):
        answers = enumerate((10, 9, 9, 7, 3))
        send(
            "surveys",
            *(
                {"external_id": f"s{n}", "kind": "nps", "score": score, "answered_on": "2026-10-05"}
                for n, score in answers
            ),
        )
        recompute(now=NOW)
        nps = node("nps", {"kind": "score", "survey": "nps"}, "score", "rate")
        recompute(now=NOW)
        page = read(dave, nps, "en")
        assert re.findall(r'<td class="num main"><span class="num">(\S+?)<', page) == ["−1", "1", "1", "1"]
        assert re.search(r'4 records · Sum <span class="num">2<', page)

    def test_churn_lists_the_customers_with_their_contracts(self, node, dave, read):
        send("accounts", {"external_id": "A", "name": "甲商事"}, {"external_id": "B", "name": "乙工業"})
        contract = {"external_id": "K1", "account": "A", "starts_on": "2026-01-01", "mrr": 100}
        send("contracts", contract | {"ends_on": "2026-10-09", "source_url": "https://crm.example/K1"})
        send("contracts", contract | {"external_id": "K2", "account": "B"})
        churn = node("churn", {"kind": "retention", "measure": "logo_churn"}, "percent", "rate")
        recompute(now=NOW)
        page = read(dave, churn, "en")
        assert "甲商事" in page and 'href="https://crm.example/K1"' in page and "Lost customer" in page
        assert "乙工業" not in page
        below = read(dave, churn, "en", side="denominator")
        assert "乙工業" in below and "2 records" in below
        week = read(dave, churn, "en", grain="week", start="2026-10-05")
        assert "Choose a month to see its records" in week

    def test_a_pipeline_shows_the_deals_of_the_day_it_was_written_down(self, node, dave, read):
        stock = node("open", {"kind": "snapshot", "measure": "open_deals"}, "count", "stock")
        assert "Nothing was written down" in read(dave, stock, "en", start="2026-11-01")
        FactStream.objects.update_or_create(source="crm", fact="deals", defaults={"last_success_at": NOW})
        take_snapshots(now=NOW)
        page = read(dave, stock, "en", start="2026-11-01")
        assert "Written down on" in page and "Deal late" in page and "Deal bare" in page
        assert "Deal d3" not in page

    def test_of_a_landing_only_the_number_is_kept(self, node, dave, read):
        landing = node("landing", {"kind": "snapshot", "measure": "landing_pace"}, "amount", "stock")
        FactStream.objects.update_or_create(source="crm", fact="deals", defaults={"last_success_at": NOW})
        take_snapshots(now=NOW)
        page = read(dave, landing, "en", start="2026-11-01")
        assert "what was written down on the day is kept, not the records" in page


class TestOrigin:
    """Which lead a deal came from, and why."""

    @pytest.fixture
    def linked(self, world):
        mail = {"email_hash": "a" * 64}
        for name, more in (("L1", mail), ("L2", {})):
            record = {"external_id": name, "created_on": "2026-09-01", **more}
            upsert_facts(resource="leads", source="ma", records=[record], now=NOW)
        deals = [
            _deal("d1", "bob", "2026-10-05", 500_000, "won", **mail),
            _deal("d2", "dora", "2026-10-06", 300_000, "won", lead={"source": "ma", "external_id": "L2"}),
        ]
        upsert_facts(resource="deals", source="crm", records=deals, now=NOW)
        recompute(now=NOW)
        return world

    def test_says_the_lead_the_reason_and_where_to_undo_it(self, linked, dave, read):
        page = read(dave, linked.goal, "en")
        assert re.search(r"From lead L1\s*· The same e-mail address", page)
        assert '<a href="/handover/joining/?q=d1">See or undo the link</a>' in page
        assert re.search(r"From lead L2\s*· said by the source", page)
        assert "?q=d2" not in page

    def test_offers_to_undo_it_only_to_those_who_may(self, linked, alice, read):
        page = read(alice, linked.goal, "en")
        assert "From lead L1" in page
        assert "See or undo the link" not in page

    def test_a_link_that_was_taken_off_is_not_said(self, linked, dave, read):
        undo_link(link=LeadLink.objects.get(), actor=dave, now=NOW)
        recompute(now=NOW)
        assert "From lead L1" not in read(dave, linked.goal, "en")
