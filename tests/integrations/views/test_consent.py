"""Being let into an account of HubSpot by a person who agrees there: the way out, the way back, and what goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.models import Connection
from integrations.services.connections import change_source, create_source
from integrations.services.credentials import unseal
from tenants.models import DueSync
from tests.fakes.hubspot import CLIENT, SECRET, HubSpotFake
from tests.fakes.server import served


@pytest.fixture
def fake() -> Iterator[HubSpotFake]:
    made = HubSpotFake("deals", "oauth")
    with served(made):
        yield made


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


@pytest.fixture
def source(in_acme, fake) -> Connection:
    return create_source(
        name="HubSpot",
        kind="hubspot",
        source="hubspot",
        carries="both",
        description=fake.description(),
        secrets={"client_id": CLIENT, "client_secret": SECRET},
        now=timezone.now(),
    )


def asked(client, source) -> str:
    """The page of HubSpot to which a press of the button leads."""
    answer = client.get(reverse("consent", args=[source.public_id]))
    assert answer.status_code == 302
    return answer.url


def told(answer) -> str:
    return unescape(answer.content.decode())


def returned(client, address: str):
    """What the person sees who comes back by this address, in English."""
    parts = urlsplit(address)
    return client.get(f"{parts.path}?{parts.query}", follow=True, headers={"accept-language": "en"})


class TestConsent:
    def test_a_person_agrees_and_the_account_can_be_read(self, owner, source, fake):
        test = reverse("source_test", args=[source.public_id])
        assert reverse("consent", args=[source.public_id]) in told(owner.get(test))
        assert "Nobody has agreed" in told(owner.get(test, headers={"accept-language": "en"}))
        address = asked(owner, source)
        assert address.startswith(f"{fake.url}/oauth/authorize?")
        assert SECRET not in address
        answer = returned(owner, fake.agree(address))
        assert answer.redirect_chain == [(test, 302)]
        assert "The account is connected." in told(answer)
        assert "strip-good" in told(answer)
        kept = unseal(connection=Connection.objects.get())
        assert (kept["refresh_token"], kept["client_secret"]) == (fake.refresh_token, SECRET)
        assert not any(secret in told(answer) for secret in (fake.refresh_token, fake.access_token, SECRET))

    def test_one_that_was_stopped_is_asked_again(self, owner, source, fake):
        Connection.objects.update(stopped_by="reconnect", every=timedelta(hours=1))
        page = told(owner.get(reverse("connection", args=[source.public_id])))
        assert reverse("consent", args=[source.public_id]) in page.split('role="alert"')[1].split("</p>")[0]
        returned(owner, fake.agree(asked(owner, source)))
        source.refresh_from_db()
        assert (source.stopped_by, source.last_run_at) == ("", None)
        assert not DueSync.objects.filter(object_id=str(source.public_id)).exists(), "nothing is mapped yet"

    def test_leads_to_hubspot_itself_where_nothing_else_is_said(self, owner, in_acme):
        made = create_source(
            name="HubSpot",
            kind="hubspot",
            source="hubspot",
            carries="both",
            description={"auth": "oauth", "objects": ["deals"]},
            secrets={"client_id": CLIENT, "client_secret": SECRET},
            now=timezone.now(),
        )
        address = asked(owner, made)
        assert address.startswith("https://app.hubspot.com/oauth/authorize?")
        query = dict(parse_qsl(urlsplit(address).query))
        assert query["redirect_uri"].endswith(reverse("consented"))
        assert {"oauth", "crm.objects.deals.read"} <= set(query["scope"].split())

    def test_nothing_of_it_is_logged(self, owner, source, fake, caplog):
        caplog.set_level(logging.DEBUG)
        returned(owner, fake.agree(asked(owner, source)))
        assert not any(secret in caplog.text for secret in (fake.refresh_token, fake.access_token, SECRET))


class TestRefused:
    def unchanged(self) -> bool:
        return set(unseal(connection=Connection.objects.get())) == {"client_id", "client_secret"}

    def test_a_person_who_does_not_agree(self, owner, source, fake):
        state = dict(parse_qsl(urlsplit(asked(owner, source)).query))["state"]
        answer = returned(owner, f"{reverse('consented')}?error=access_denied&state={state}")
        assert "access_denied" in told(answer)
        assert "Connect again" in told(answer)
        assert self.unchanged()

    @pytest.mark.parametrize("state", ["", "made-up", "eyJ4IjoxfQ:1abcde:forged"])
    def test_a_state_that_is_not_ours(self, owner, source, fake, state):
        answer = returned(owner, f"{reverse('consented')}?code=code-0&state={state}")
        assert answer.redirect_chain[0][0] == reverse("connections")
        assert "belongs to no request of yours" in told(answer)
        assert (self.unchanged(), fake.calls) == (True, [])

    def test_the_state_of_somebody_else(self, owner, source, fake, client_for, acme, carol):
        address = fake.agree(asked(client_for(carol, acme), source))
        assert "belongs to no request of yours" in told(returned(owner, address))
        assert self.unchanged()

    def test_a_state_that_is_too_old(self, owner, source, fake, monkeypatch):
        address = fake.agree(asked(owner, source))
        monkeypatch.setattr("integrations.services.consent.STATE_LIFE", timedelta(seconds=-1))
        assert "belongs to no request of yours" in told(returned(owner, address))
        assert self.unchanged()

    def test_a_code_that_was_used_already(self, owner, source, fake):
        address = fake.agree(asked(owner, source))
        returned(owner, address)
        before = dict(unseal(connection=Connection.objects.get()))
        assert "unknown auth code" in told(returned(owner, address))
        assert dict(unseal(connection=Connection.objects.get())) == before

    def test_an_app_whose_secret_is_wrong(self, owner, source, fake):
        change_source(connection=source, secrets={"client_id": CLIENT, "client_secret": "wr0ng"}, now=timezone.now())
        page = told(returned(owner, fake.agree(asked(owner, source))))
        assert "Enter them anew" in page
        assert "wr0ng" not in page
        assert self.unchanged()

    def test_a_source_that_nobody_has_to_agree_to(self, owner, source):
        Connection.objects.update(description={"auth": "service_key", "objects": ["deals"]})
        assert owner.get(reverse("consent", args=[source.public_id])).status_code == 404

    def test_who_may_not_manage_connections(self, client_for, acme, source, alice):
        assert client_for(alice, acme).get(reverse("consent", args=[source.public_id])).status_code == 403
        assert client_for(alice, acme).get(reverse("consented")).status_code == 403
