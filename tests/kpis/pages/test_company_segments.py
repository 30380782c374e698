"""The page on which a segment of the company gets its name and field, and the pages that divide numbers by it."""

import re
from html import unescape

import pytest

from kpis.models import Dimension
from kpis.services.recompute import recompute
from tests.kpis.pages.conftest import NOW, _deal, send

pytestmark = pytest.mark.django_db

PAGE = "/segments/"
SEG1 = {"segment": "seg1", "seg1-name": "業種", "seg1-attribute": "industry"}


@pytest.fixture
def dave_at(client_for, acme, dave):
    client = client_for(dave, acme)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


@pytest.fixture
def sold(world):
    """Two customers: a maker of which nothing else is known, and a trader that is a target account."""
    send(
        "accounts",
        {"external_id": "A1", "name": "Maker", "industry": "製造業"},
        {"external_id": "A2", "name": "Trader", "industry": "商社", "attributes": {"rank": "A"}},
    )
    send(
        "deals",
        _deal("d1", "bob", "2026-10-05", 700_000, "won", account="A1"),
        _deal("d2", "dora", "2026-10-06", 100_000, "won", account="A2"),
    )
    recompute(now=NOW)
    return world


def texts(response):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", response.content.decode())))


def test_fields_that_records_have_are_offered_with_how_often(dave_at, sold) -> None:
    page = dave_at.get(PAGE)
    assert "industry 2 Account 2 2 商社 · 製造業 –" in texts(page)
    assert '<option value="rank">1 record</option>' in page.content.decode()


def test_a_segment_is_named_and_divides_every_page(dave_at, sold) -> None:
    assert "業種" not in texts(dave_at.get("/targets/"))
    assert "業種 is kept." in texts(dave_at.post(PAGE, SEG1, follow=True))
    recompute(now=NOW)
    assert "2 商社 · 製造業 業種" in texts(dave_at.get(PAGE))
    assert "商社" in texts(dave_at.get("/targets/?by=seg1&kpi=bookings"))
    rows = texts(dave_at.get("/budget/?rows=seg1&kpi=bookings"))
    assert all(name in rows for name in ("業種", "製造業", "商社", "Unassigned"))
    tree = dave_at.get("/kpis/?segment=seg1:製造業&start=2026-10-01")
    assert "700,000" in texts(tree)
    by = dave_at.get(f"/kpis/{sold.goal.public_id}/?by=seg1&start=2026-10-01")
    assert all(name in texts(by) for name in ("製造業", "商社"))
    records = dave_at.get(f"/kpis/{sold.goal.public_id}/records/?segment=seg1:商社&start=2026-10-01")
    assert "Deal d2" in texts(records)
    assert "Deal d1" not in texts(records)


def test_what_nobody_fills_is_no_part_of_the_table(dave_at, sold) -> None:
    assert ">業種<" not in dave_at.get("/budget/?rows=seg1&kpi=bookings").content.decode()
    dave_at.post(PAGE, SEG1)
    recompute(now=NOW)
    assert ">業種<" in dave_at.get("/budget/").content.decode()
    assert "業種 is not in use any more." in texts(dave_at.post(PAGE, {"segment": "seg1", "act": "stop"}, follow=True))
    assert ">業種<" not in dave_at.get("/budget/").content.decode()


def test_a_field_that_no_record_has_is_said(dave_at, sold) -> None:
    page = texts(dave_at.post(PAGE, {**SEG1, "seg1-attribute": "area"}, follow=True))
    assert "No record has a value in area yet." in page


def test_what_is_refused_stands_at_the_field_and_nothing_is_kept(dave_at, sold) -> None:
    dave_at.post(PAGE, SEG1)
    again = {"segment": "seg2", "seg2-name": "Sector", "seg2-attribute": "industry"}
    refused = dave_at.post(PAGE, again)
    assert refused.status_code == 422
    assert "業種 is filled by industry already." in texts(refused)
    assert dave_at.post(PAGE, {**again, "seg2-attribute": ""}).status_code == 422
    assert not Dimension.objects.get(code="seg2").is_active
    assert dave_at.post(PAGE, {"segment": "region"}).status_code == 404


def test_the_administration_says_it_too(client_for, acme, dave, sold) -> None:
    client = client_for(dave, acme)
    address = f"/admin/kpis/dimension/{Dimension.objects.get(code='seg1').pk}/change/"
    client.post(address, {"name": "業種", "attribute": "industry", "is_active": "on"})
    segment = Dimension.objects.get(code="seg1")
    assert (segment.name, segment.attribute, segment.is_active) == ("業種", "industry", True)
    assert client.post(address, {"name": "業種", "attribute": "", "is_active": "on"}).status_code == 200
    assert Dimension.objects.get(code="seg1").attribute == "industry"


def test_the_checklist_leads_here(client_for, acme, dave, sold) -> None:
    assert 'href="/segments/"' in client_for(dave, acme).get("/checklist/").content.decode()
