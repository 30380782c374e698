"""Open pages: which version they show, and what they are told when they ask whether it is still the one."""

import re
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from kpis.models import ValuesVersion
from kpis.selectors.today import read_today
from kpis.services.recompute import recompute
from kpis.services.targets import TargetEntry, set_target
from kpis.views import today
from tenants.context import tenant_context
from tests.kpis.pages.conftest import NOW, send

pytestmark = pytest.mark.django_db
ASK = "/values-version/"
PLACE = re.compile(r'data-refresh="([^"]+)" data-version="([^"]*)"')


def shown_version(client, path: str) -> str:
    """The version that a page names, with the address at which it asks."""
    found = PLACE.search(client.get(path).content.decode())
    assert found is not None, path
    assert found[1] == ASK
    return found[2]


def win_a_deal() -> None:
    send(
        "deals",
        {"external_id": "N1", "created_on": "2026-11-02", "amount": 5, "outcome": "won", "closed_on": NOW.date()},
    )
    recompute(now=NOW)


class TestVersion:
    def test_is_the_one_the_page_names_until_something_is_computed(self, world, alice, acme, client_for):
        client = client_for(alice, acme)
        version = shown_version(client, "/")
        assert str(ValuesVersion.objects.get().version) in version
        assert client.get(ASK, headers={"if-none-match": f'"{version}"'}).status_code == 304
        win_a_deal()
        answer = client.get(ASK, headers={"if-none-match": f'"{version}"'})
        assert answer.status_code == 200
        assert answer.json() == {"version": shown_version(client, "/")} != {"version": version}
        assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'

    def test_is_another_one_when_a_target_was_set(
        self, world, alice, dave, acme, client_for, django_capture_on_commit_callbacks
    ):
        """No recompute follows, but what pages show is another verdict."""
        client = client_for(alice, acme)
        version = shown_version(client, "/")
        with tenant_context(acme), django_capture_on_commit_callbacks(execute=True):
            entry = TargetEntry(world.goal, date(2026, 11, 1), Decimal(7), reason="found too high")
            set_target(entry=entry, actor=dave, now=NOW)
        assert client.get(ASK, headers={"if-none-match": f'"{version}"'}).status_code == 200

    def test_is_never_kept_by_a_browser(self, world, alice, acme, client_for):
        assert "no-store" in client_for(alice, acme).get(ASK).headers["Cache-Control"]

    def test_a_page_is_never_older_than_the_version_it_names(self, world, alice, acme, client_for, monkeypatch):
        """What is computed while the page is made counts as newer, so that the page looks again."""
        client = client_for(alice, acme)
        before = shown_version(client, "/")

        def read_late(**asked):
            win_a_deal()
            return read_today(**asked)

        monkeypatch.setattr(today, "read_today", read_late)
        assert shown_version(client, "/") == before
        assert client.get(ASK, headers={"if-none-match": f'"{before}"'}).status_code == 200

    @pytest.mark.parametrize("language", ["ja", "en"])
    def test_what_is_said_is_in_the_readers_language(self, world, alice, acme, client_for, language):
        page = client_for(alice, acme).get("/", headers={"accept-language": language}).content.decode()
        said = {"ja": "このページの数字が更新されました。", "en": "The numbers on this page were updated."}
        assert f'data-said="{said[language]}"' in page

    def test_costs_few_queries(self, world, alice, acme, client_for, django_assert_max_num_queries):
        client = client_for(alice, acme)
        version = shown_version(client, "/")
        with django_assert_max_num_queries(8):  # company, session, user, roles, version; the rest are search paths
            client.get(ASK, headers={"if-none-match": f'"{version}"'})

    def test_is_not_counted_against_the_callers_limit(self, world, alice, acme, client_for, settings):
        settings.API_CALLS_PER_MINUTE = 2
        client = client_for(alice, acme)
        for _poll in range(5):
            assert client.get(ASK).status_code == 200
        assert client.get("/api/v1/trees/").status_code == 200


class TestWhoMayAsk:
    def test_nobody_who_is_signed_out_and_without_a_redirect(self, world, acme, client_for):
        assert client_for(None, acme).get(ASK).status_code == 401

    def test_nobody_who_reads_no_results(self, world, hana, acme, client_for):
        assert client_for(hana, acme).get(ASK).status_code == 403


class TestPages:
    @pytest.mark.parametrize("name", ["home", "kpi-tree", "budget-table", "forecast"])
    def test_refresh_themselves(self, world, alice, acme, client_for, name):
        assert shown_version(client_for(alice, acme), reverse(name))

    def test_of_a_kpi_refresh_themselves(self, world, alice, acme, client_for):
        assert shown_version(client_for(alice, acme), reverse("kpi", args=[world.goal.public_id]))

    def test_where_people_type_do_not(self, world, alice, acme, client_for):
        page = client_for(alice, acme).get(reverse("target-grid")).content.decode()
        assert "data-refresh" not in page

    def test_that_show_what_was_refused_do_not(self, world, dave, acme, client_for):
        """The next look would take what was typed away, with the reason why it was refused."""
        client = client_for(dave, acme)
        refused = client.post(reverse("forecast"), {"value": "much"}).content.decode()
        assert "data-refresh" not in refused
        assert "much" in refused
