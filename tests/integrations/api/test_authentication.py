"""A key says who calls; a wrong one is refused in words, and a scope opens only what it names."""

import io

import pytest
from django.core.management import CommandError, call_command

from integrations.models import ApiKey
from integrations.services.api_keys import BadKeyError, ScopeError, create_api_key, find_api_key, revoke_api_key
from tenants.context import tenant_context
from tests.integrations.conftest import NOW

DOOR = "/api/v1/facts/products/bulk/"
BODY = {"source": "erp", "records": [{"external_id": "P1", "name": "箱"}]}


def post(client, address=DOOR, body=BODY):
    return client.post(address, body, content_type="application/json")


class TestApiKeyAuthentication:
    def test_lets_a_key_with_the_scope_in(self, caller, key_for):
        answer = post(caller(key_for("read", "write")))
        assert answer.status_code == 200, answer.content
        assert answer.json()["inserted"] == 1

    def test_refuses_a_scope_that_does_not_reach(self, caller, key_for):
        answer = post(caller(key_for("read")))
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")

    @pytest.mark.parametrize("text", ["", "nonsense", "0123abcd.wrong", "あ.い"])
    def test_refuses_a_wrong_key_in_words(self, caller, key_for, text):
        key_for("write")
        answer = post(caller(text.encode().decode("latin-1")))
        assert answer.status_code == 401
        assert answer["Content-Type"].startswith("application/problem+json")
        assert answer.json()["code"] == "invalid_api_key"
        assert answer["WWW-Authenticate"] == "Api-Key"

    def test_refuses_the_right_prefix_with_another_secret(self, caller, key_for):
        text = key_for("write")
        assert post(caller(text[:-1] + ("a" if text[-1] != "a" else "b"))).status_code == 401

    def test_refuses_a_revoked_key(self, caller, key_for):
        text = key_for("write")
        revoke_api_key(key=ApiKey.objects.get(), now=NOW)
        answer = post(caller(text))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")

    def test_refuses_a_key_of_another_company(self, caller, globex):
        with tenant_context(globex):
            text = create_api_key(name="theirs", scopes=["write"], actor=None, now=NOW)[1]
        assert post(caller(text)).status_code == 401

    def test_asks_whoever_brings_no_key(self, client_for, acme):
        answer = post(client_for(None, acme))
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")

    def test_lets_an_owner_in_by_session_but_no_member(self, client_for, acme, dave, bob):
        assert post(client_for(dave, acme)).status_code == 200
        assert post(client_for(bob, acme)).status_code == 403


class TestKeys:
    def test_keeps_only_a_hash(self, in_acme):
        key, text = create_api_key(name="x", scopes=["write", "read", "read"], actor=None, now=NOW)
        assert text.startswith(f"{key.prefix}.")
        assert text not in str(list(ApiKey.objects.values()))
        assert key.scopes == ["read", "write"]

    def test_notes_its_last_use(self, in_acme):
        text = create_api_key(name="x", scopes=["read"], actor=None, now=NOW)[1]
        assert find_api_key(text=text, now=NOW).name == "x"
        assert ApiKey.objects.get().last_used_at == NOW

    @pytest.mark.parametrize("scopes", [[], ["root"], ["read", "root"]])
    def test_refuses_scopes_that_do_not_exist(self, in_acme, scopes):
        with pytest.raises(ScopeError):
            create_api_key(name="x", scopes=scopes, actor=None, now=NOW)

    def test_does_not_know_an_empty_key(self, in_acme):
        with pytest.raises(BadKeyError):
            find_api_key(text="", now=NOW)


class TestCreateApiKeyCommand:
    def test_prints_only_the_key(self, acme):
        out = io.StringIO()
        call_command("create_api_key", "acme", "--name=BI", "--scope=read", "--scope=write", stdout=out)
        with tenant_context(acme):
            assert find_api_key(text=out.getvalue().strip(), now=NOW).scopes == ["read", "write"]
        assert len(out.getvalue().split()) == 1

    def test_names_a_company_that_does_not_exist(self, acme):
        with pytest.raises(CommandError, match="nobody"):
            call_command("create_api_key", "nobody", "--name=BI", "--scope=read")
