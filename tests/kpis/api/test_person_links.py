"""People of several sources who are one person, over HTTP: found, joined by hand, taken apart."""

import pytest
from django.utils import timezone

from kpis.models import Deal, PersonLink
from kpis.services.recompute import recompute
from tenants.context import tenant_context

pytestmark = pytest.mark.django_db

HANA, SATO = {"source": "ma", "external_id": "7"}, {"source": "crm", "external_id": "U1"}


@pytest.fixture
def two_systems(api, acme):
    """She is Hana of marketing, and Sato of sales with a deal."""

    def send(source: str, resource: str, record: dict) -> None:
        assert not api.made(f"facts/{resource}/bulk/", {"source": source, "records": [record]})["rejected"]

    send("ma", "people", {"external_id": "7", "name": "佐藤 花"})
    send("crm", "people", {"external_id": "U1", "name": "佐藤"})
    send("crm", "deals", {"external_id": "D1", "created_on": "2026-11-09", "owner": "U1"})
    with tenant_context(acme):
        recompute(now=timezone.now())


def owner(acme) -> str:
    with tenant_context(acme):
        recompute(now=timezone.now())
        return Deal.objects.get().owner.source


@pytest.mark.usefixtures("two_systems")
class TestJoining:
    def test_two_are_made_one_listed_and_taken_apart(self, api, acme, dave) -> None:
        assert api.shown("person-links/")["results"] == []
        made = api.made("person-links/", {"person": SATO, "same_as": HANA})
        assert (made["person"], made["same_as"]["name"]) == (SATO | {"name": "佐藤"}, "佐藤 花")
        assert (made["rule"], made["undone_at"]) == ("person", None)
        assert owner(acme) == "ma"
        assert api.shown("person-links/")["results"] == [made]
        parted = api.made(f"person-links/{made['id']}/verdict/", {"verdict": "undo"})
        assert parted["undone_at"] is not None
        assert owner(acme) == "crm"
        assert api.shown("person-links/")["results"] == [parted]

    def test_who_said_it_is_kept(self, api, acme, dave, signed_in) -> None:
        signed_in(dave).made("person-links/", {"person": SATO, "same_as": HANA})
        with tenant_context(acme):
            assert PersonLink.objects.get().decided_by == dave

    def test_refuses_what_cannot_be(self, api) -> None:
        unknown = api.post("person-links/", {"person": SATO | {"external_id": "U9"}, "same_as": HANA})
        assert unknown.status_code == 400
        (error,) = unknown.json()["errors"]
        assert error["field"] == "person.external_id" and "U9" in error["message"]
        assert api.post("person-links/", {"person": SATO, "same_as": SATO}).status_code in {409, 422}
        made = api.made("person-links/", {"person": SATO, "same_as": HANA})
        assert api.post("person-links/", {"person": SATO, "same_as": HANA}).status_code in {409, 422}
        address = f"person-links/{made['id']}/verdict/"
        assert api.post(address, {"verdict": "choose"}).status_code == 400
        api.made(address, {"verdict": "undo"})
        assert api.post(address, {"verdict": "undo"}).status_code in {409, 422}

    def test_is_not_for_everybody(self, signed_in, bob) -> None:
        assert signed_in(bob).get("person-links/").status_code == 403
        assert signed_in(bob).post("person-links/", {"person": SATO, "same_as": HANA}).status_code == 403
