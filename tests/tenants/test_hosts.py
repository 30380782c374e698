"""Which host names are answered, and with what."""

import pytest
from django.test import Client

from tenants.choices import CompanyStatus
from tenants.models import Company, Domain
from tenants.services.companies import archive_company, resume_company, suspend_company


def get(host: str, path: str = "/login/"):
    return Client(headers={"host": host}).get(path)


class TestHosts:
    def test_a_ready_company_answers_on_its_exact_host(self, acme):
        assert get("acme.localhost:8000").status_code == 200
        assert get("acme.localhost").status_code == 200
        assert get("ACME.localhost.").status_code == 200

    @pytest.mark.parametrize("host", ["nobody.localhost", "www.acme.localhost", "acme.example.com", "127.0.0.1"])
    def test_an_unknown_host_gets_a_sentence(self, db, host):
        response = Client(headers={"host": host, "accept-language": "en"}).get("/login/")
        assert response.status_code == 404
        assert b"There is no company at this address" in response.content
        assert b"Check the address you typed" in response.content
        assert "入力したアドレスを確認してください" in get(host).content.decode()

    @pytest.mark.parametrize(("path", "status"), [("/tree/%00/", 404), ("/?segment=region:%00", 400)])
    def test_an_address_that_nothing_can_have_gets_a_sentence(self, acme, path, status):
        response = get("acme.localhost", path)
        assert response.status_code == status
        assert "アドレス" in response.content.decode()

    def test_what_asks_for_the_api_gets_a_problem(self, acme):
        unknown = Client(headers={"host": "nobody.localhost", "accept-language": "en"}).get("/api/v1/metrics/")
        assert (unknown.status_code, unknown["Content-Type"]) == (404, "application/problem+json")
        problem = unknown.json()
        assert set(problem) == {"type", "title", "status", "detail", "code", "errors"}
        assert (problem["status"], problem["code"], problem["errors"]) == (404, "unknown_company", [])
        suspend_company(company=acme)
        assert get("acme.localhost", "/api/v1/metrics/").json()["code"] == "suspended"
        Company.objects.filter(id=acme.id).update(status=CompanyStatus.PROVISIONING)
        preparing = get("acme.localhost", "/api/v1/metrics/")
        assert (preparing.status_code, preparing.json()["code"], preparing["Retry-After"]) == (
            503,
            "provisioning",
            "10",
        )

    def test_a_company_in_preparation_says_so(self, acme):
        Company.objects.filter(id=acme.id).update(status=CompanyStatus.PROVISIONING)
        response = get("acme.localhost:8000")
        assert response.status_code == 503
        assert response["Retry-After"] == "10"

    def test_a_suspended_company_is_refused_until_it_is_resumed(self, acme):
        suspend_company(company=acme)
        assert get("acme.localhost:8000").status_code == 403
        resume_company(company=acme)
        assert get("acme.localhost:8000").status_code == 200

    def test_an_archived_company_looks_as_if_it_had_never_been(self, acme):
        from django.utils import timezone

        unknown = get("nobody.localhost").content
        archive_company(company=acme, now=timezone.now())
        response = get("acme.localhost:8000")
        assert response.status_code == 404
        assert response.content == unknown
        assert not Domain.objects.filter(tenant=acme).exists()

    def test_the_base_domain_points_to_the_console(self, db):
        response = get("localhost:8000", "/")
        assert response.status_code == 200
        assert b"http://console.localhost:8000/" in response.content
        assert get("localhost:8000", "/login/").status_code == 404

    def test_leaves_the_connection_where_it_was(self, in_acme, client_for, mallory, globex):
        from tenants.context import assert_schema

        client_for(mallory, globex).get("/login/")
        assert_schema(in_acme)


class TestSessions:
    def test_a_session_of_one_company_is_nothing_in_another(self, client_for, alice, acme, globex):
        client = client_for(alice, acme)
        assert client.get("/login/").status_code == 302
        assert client.get("/login/", headers={"host": "globex.localhost:8000"}).status_code == 200

    def test_cookies_are_for_the_host_alone(self, client_for, acme, alice):
        from tenants.context import tenant_context

        with tenant_context(acme):
            alice.set_password("correct horse battery")
            alice.save()
        client = client_for(None, acme)
        client.post("/login/", {"username": "alice", "password": "correct horse battery"})
        assert client.cookies["sessionid"]["domain"] == ""
