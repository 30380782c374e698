"""Signing in and choosing a language."""

import pytest

from tenants.accounts.models import User
from tenants.context import tenant_context

PASSWORD = "correct horse battery"


@pytest.fixture
def browser(client_for, acme, alice):
    with tenant_context(acme):
        alice.set_password(PASSWORD)
        alice.save()
    return client_for(None, acme)


class TestSignIn:
    def test_opens_the_company(self, browser):
        response = browser.post("/login/", {"username": "alice", "password": PASSWORD})
        assert response["Location"] == "/"

    def test_the_same_name_in_another_company_is_somebody_else(self, browser):
        response = browser.post(
            "/login/", {"username": "alice", "password": PASSWORD}, headers={"host": "globex.localhost:8000"}
        )
        assert response.status_code == 200

    def test_is_closed_after_ten_wrong_passwords(self, browser, client_for, globex):
        for _ in range(10):
            response = browser.post("/login/", {"username": "alice", "password": "wrong"})
        assert response.status_code == 429
        assert browser.post("/login/", {"username": "alice", "password": PASSWORD}).status_code == 429
        elsewhere = client_for(None, globex).post("/login/", {"username": "alice", "password": "wrong"})
        assert elsewhere.status_code == 200

    def test_signing_out_ends_the_session(self, client_for, acme, alice):
        client = client_for(alice, acme)
        client.post("/logout/")
        assert client.get("/login/").status_code == 200


class TestLanguage:
    def test_is_remembered_for_the_next_sign_in(self, client_for, browser, acme, alice):
        client_for(alice, acme).post("/language/", {"language": "en", "next": "/"})
        with tenant_context(acme):
            assert User.objects.get(username="alice").language == "en"
        browser.post("/login/", {"username": "alice", "password": PASSWORD})
        assert browser.cookies["language"].value == "en"

    def test_pages_are_japanese_unless_asked_otherwise(self, browser):
        assert '<html lang="ja"' in browser.get("/login/").content.decode()
        assert '<html lang="en"' in browser.get("/login/", headers={"accept-language": "en"}).content.decode()

    def test_a_language_that_does_not_exist_changes_nothing(self, client_for, acme, alice):
        client_for(alice, acme).post("/language/", {"language": "xx"})
        with tenant_context(acme):
            assert User.objects.get(username="alice").language == ""
