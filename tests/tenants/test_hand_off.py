"""A consultant enters a client: one signed ticket, one use, one minute, one company, one live grant."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import HandOff
from tenants.services.grants import (
    HandOffError,
    grant_access,
    issue_ticket,
    redeem_ticket,
    revoke_access,
)

NOW = timezone.now()


@pytest.fixture
def ticket(acme, carol):
    return issue_ticket(company=acme, consultant=carol, now=NOW).token


class TestTicket:
    def test_opens_the_company_as_a_consultant_for_eight_hours(self, ticket, acme, carol):
        user = redeem_ticket(token=ticket, company=acme, now=NOW)
        with tenant_context(acme):
            assert user.roles == {"consultant"}
            assert str(user) == "Carol"
            assert user.expires_at == NOW + timedelta(hours=8)
            assert not user.has_usable_password()
        assert user.mirrored_from == carol.public_id

    def test_is_spent_by_its_first_use(self, ticket, acme):
        redeem_ticket(token=ticket, company=acme, now=NOW)
        with pytest.raises(HandOffError):
            redeem_ticket(token=ticket, company=acme, now=NOW)

    def test_is_good_for_a_minute(self, ticket, acme):
        with pytest.raises(HandOffError):
            redeem_ticket(token=ticket, company=acme, now=NOW + timedelta(seconds=60))
        assert HandOff.objects.get().used_at is None

    def test_opens_no_other_company(self, ticket, globex):
        with pytest.raises(HandOffError):
            redeem_ticket(token=ticket, company=globex, now=NOW)

    @pytest.mark.parametrize("forged", ["", "x", "2f1c:abc", "00000000-0000-0000-0000-000000000000"])
    def test_cannot_be_forged(self, acme, forged):
        with pytest.raises(HandOffError):
            redeem_ticket(token=forged, company=acme, now=NOW)

    def test_a_signed_id_that_was_never_issued_opens_nothing(self, ticket, acme):
        HandOff.objects.all().delete()
        with pytest.raises(HandOffError):
            redeem_ticket(token=ticket, company=acme, now=NOW)

    def test_needs_the_grant_when_it_is_used(self, ticket, acme, carol):
        revoke_access(company=acme, console_user_id=carol.public_id, now=NOW)
        with pytest.raises(HandOffError):
            redeem_ticket(token=ticket, company=acme, now=NOW)

    def test_needs_the_console_user_to_be_active(self, ticket, acme, carol, console):
        with tenant_context(console):
            User.objects.filter(id=carol.id).update(is_active=False)
        with pytest.raises(HandOffError):
            redeem_ticket(token=ticket, company=acme, now=NOW)

    def test_is_not_issued_without_a_grant(self, acme, olivia):
        with pytest.raises(HandOffError):
            issue_ticket(company=acme, consultant=olivia, now=NOW)

    def test_is_not_issued_on_a_grant_that_ended(self, acme, carol, olivia):
        grant_access(
            company=acme,
            console_user_id=carol.public_id,
            granted_by_id=olivia.public_id,
            expires_at=NOW,
            now=NOW - timedelta(days=1),
        )
        with pytest.raises(HandOffError):
            issue_ticket(company=acme, consultant=carol, now=NOW)

    def test_two_at_once_let_one_in(self, committed_db, acme, carol):
        from tests import database

        token = issue_ticket(company=acme, consultant=carol, now=NOW).token
        with database.another_connection() as other:
            other.execute("UPDATE tenants_handoff SET used_at = now()")
        with pytest.raises(HandOffError):
            redeem_ticket(token=token, company=acme, now=NOW)


class TestFromConsoleToClient:
    def test_one_click_leads_into_the_company(self, client_for, carol, console, acme):
        console_client = client_for(carol, console)
        response = console_client.post(f"/clients/{acme.id}/open/")
        address = urlsplit(response["Location"])
        assert address.netloc == "acme.localhost:8000"
        browser = Client(headers={"host": "acme.localhost:8000"})
        query = {name: value[0] for name, value in parse_qs(address.query).items()}
        assert browser.get(address.path, query).status_code == 302
        with tenant_context(acme):
            assert browser.session["_auth_user_id"] == str(User.objects.get(mirrored_from=carol.public_id).pk)
            assert browser.session.get_expiry_age() <= 8 * 3600
        again = Client(headers={"host": "acme.localhost:8000"}).get(address.path, query)
        assert again.status_code == 403

    def test_a_revoked_grant_ends_the_visit(self, client_for, carol, acme):
        client = client_for(carol, acme)
        assert client.get("/login/").status_code == 302
        revoke_access(company=acme, console_user_id=carol.public_id, now=timezone.now())
        assert client.get("/enter/")["Location"] == "/login/"
        with tenant_context(acme):
            assert "_auth_user_id" not in client.session

    def test_the_grant_is_asked_once_a_minute(self, client_for, carol, acme, django_assert_num_queries):
        from tenants.selectors import is_grant_live

        with tenant_context(acme):
            assert is_grant_live(company=acme, console_user_id=carol.public_id, now=NOW)
            with django_assert_num_queries(0):
                assert is_grant_live(company=acme, console_user_id=carol.public_id, now=NOW)

    def test_the_visit_ends_after_eight_hours(self, client_for, carol, acme):
        client = client_for(carol, acme)
        with tenant_context(acme):
            User.objects.filter(mirrored_from=carol.public_id).update(expires_at=timezone.now())
        assert client.get("/enter/")["Location"] == "/login/"

    def test_a_mirrored_user_cannot_sign_in_with_a_password(self, client_for, carol, acme):
        client = client_for(None, acme)
        response = client.post("/login/", {"username": f"consultant-{carol.public_id}", "password": ""})
        assert response.status_code == 200
        assert "sessionid" not in client.cookies
