"""Setting up Salesforce, HubSpot and kintone by the fields that their own screens name."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from integrations.models import Checkpoint, Connection
from integrations.services.connections import create_source
from integrations.services.credentials import unseal

KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
S3CRET = "t0p-s3cret"
IDENTITY = {"name": "連携", "carries": "sfa", "source": "crm"}
SALESFORCE = {"domain": "acme", "auth": "client_credentials", "objects": ["Account", "Opportunity"]}
HUBSPOT = {"auth": "service_key", "objects": ["contacts", "deals"]}
KINTONE = {"domain": "example.cybozu.com", "apps": "12 案件\nhttps://example.cybozu.com/k/15/ 顧客"}


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


def asked(page: str) -> list[str]:
    return re.findall(r'name="secret_(\w+)"', page)


def set_up(owner: Any, kind: str, **given: Any) -> Any:
    return owner.post(reverse("connection_setup", args=[kind]), {**IDENTITY, **given})


def faulty(answer: Any) -> set[str]:
    """The fields beside which a fault stands."""
    assert answer.status_code == 422
    form = answer.context["access"]
    return set(form.errors)


class TestFromNothing:
    @pytest.mark.parametrize(
        ("kind", "given", "secrets", "description"),
        [
            (
                "salesforce",
                SALESFORCE,
                {"client_id": S3CRET, "client_secret": S3CRET},
                {"domain": "acme.my", "auth": "client_credentials", "objects": ["Account", "Opportunity"]},
            ),
            (
                "salesforce",
                {**SALESFORCE, "auth": "jwt", "others": "Visit__c、Plan__c"},
                {"client_id": S3CRET, "username": "sync@example.com", "private_key": KEY},
                {"domain": "acme.my", "auth": "jwt", "objects": ["Account", "Opportunity", "Visit__c", "Plan__c"]},
            ),
            ("hubspot", HUBSPOT, {"token": S3CRET}, {"auth": "service_key", "objects": ["contacts", "deals"]}),
            (
                "hubspot",
                {**HUBSPOT, "auth": "oauth"},
                {"client_id": S3CRET, "client_secret": S3CRET},
                {"auth": "oauth", "objects": ["contacts", "deals"]},
            ),
            (
                "kintone",
                KINTONE,
                {"tokens": "one, two"},
                {
                    "subdomain": "example",
                    "basic_auth": False,
                    "apps": [
                        {"app": 12, "name": "app12", "label": "案件"},
                        {"app": 15, "name": "app15", "label": "顧客"},
                    ],
                },
            ),
            (
                "kintone",
                {"domain": "https://example.kintone.com/k/", "apps": "１２", "guest_space": "7", "basic_auth": "on"},
                {"tokens": "one", "username": "gate", "password": S3CRET},
                {
                    "base_url": "https://example.kintone.com",
                    "basic_auth": True,
                    "guest_space": 7,
                    "apps": [{"app": 12, "name": "app12"}],
                },
            ),
        ],
    )
    def test_is_set_up_without_writing_json(self, owner, in_acme, kind, given, secrets, description):
        address = reverse("connection_setup", args=[kind])
        assert address in page_of(owner.get(reverse("connection_new")))
        looked = page_of(owner.post(address, {**IDENTITY, **given, "look": "1"}))
        assert asked(looked) == list(secrets)
        answer = set_up(owner, kind, **given, **{f"secret_{name}": value for name, value in secrets.items()})
        made = Connection.objects.get()
        assert (answer.status_code, answer.url) == (302, reverse("source_test", args=[made.public_id]))
        assert made.description == description
        kept = {name: "\n".join(value.splitlines()) for name, value in unseal(connection=made).items()}
        assert kept == secrets
        edited = page_of(owner.get(reverse("source_edit", args=[made.public_id])))
        assert not any(secret in edited for secret in (S3CRET, "BEGIN PRIVATE KEY"))

    @pytest.mark.parametrize(
        ("kind", "names"),
        [("salesforce", ["client_id", "client_secret"]), ("hubspot", ["token"]), ("kintone", ["tokens"])],
    )
    def test_the_first_page_asks_for_credentials_and_says_where_they_are(self, owner, in_acme, kind, names):
        page = page_of(owner.get(reverse("connection_setup", args=[kind])))
        assert asked(page) == names
        assert "<textarea" not in page or kind == "kintone"
        assert 'name="description"' not in page
        assert '<ol class="steps">' in page

    def test_salesforce_is_told_of_the_external_client_app_in_both_languages(self, owner, in_acme):
        address = reverse("connection_setup", args=["salesforce"])
        for language, word in (("ja", "外部クライアントアプリケーション"), ("en", "External Client App")):
            for page in (address, reverse("connection_new")):
                assert word in page_of(owner.get(page, headers={"accept-language": language}))
        assert "接続アプリ" not in page_of(owner.get(address, headers={"accept-language": "ja"}))

    def test_salesforce_is_read_with_the_history_of_leads_and_the_splits_of_deals(self, owner, in_acme):
        page = page_of(owner.get(reverse("connection_setup", args=["salesforce"])))
        for name in ("Lead", "LeadHistory", "OpportunitySplit"):
            assert re.search(rf'name="objects" value="{name}"[^>]* checked', page), name
        assert not re.search(r'name="objects" value="Asset"[^>]* checked', page)

    def test_hubspot_is_told_the_address_of_the_way_back(self, owner, in_acme):
        page = page_of(owner.get(reverse("connection_setup", args=["hubspot"])))
        assert f"http://acme.localhost{reverse('consented')}" in page or reverse("consented") in page


class TestRefused:
    @pytest.mark.parametrize(
        ("kind", "given", "places"),
        [
            ("salesforce", {**SALESFORCE, "domain": ""}, {"domain"}),
            ("salesforce", {**SALESFORCE, "domain": "login.salesforce.com"}, {"domain"}),
            ("salesforce", {**SALESFORCE, "objects": []}, {"objects"}),
            ("salesforce", {**SALESFORCE, "others": "Visit"}, {"objects"}),
            ("hubspot", {**HUBSPOT, "objects": []}, {"objects"}),
            ("kintone", {**KINTONE, "domain": "ex ample"}, {"domain"}),
            ("kintone", {**KINTONE, "apps": "deals"}, {"apps"}),
            ("kintone", {**KINTONE, "apps": "12\n12"}, {"apps"}),
            ("kintone", {**KINTONE, "apps": "\n".join(map(str, range(1, 12)))}, {"apps"}),
        ],
    )
    def test_stands_beside_its_field(self, owner, in_acme, kind, given, places):
        secrets = dict.fromkeys(["client_id", "client_secret", "token", "tokens"], S3CRET)
        answer = set_up(owner, kind, **given, **{f"secret_{name}": value for name, value in secrets.items()})
        assert faulty(answer) == places
        assert S3CRET not in page_of(answer)
        assert not Connection.objects.exists()

    def test_a_credential_that_is_missing(self, owner, in_acme):
        assert faulty(set_up(owner, "hubspot", **HUBSPOT)) == {"secret_token"}


@pytest.fixture
def kintone(in_acme) -> Connection:
    """As another program set it up, with names of its own for the streams."""
    apps = [{"app": 12, "name": "deals", "label": "案件"}]
    made = create_source(
        name="kintone",
        kind="kintone",
        source="crm",
        carries="sfa",
        description={"subdomain": "example", "apps": apps},
        secrets={"tokens": "one"},
        now=timezone.now(),
    )
    Checkpoint.objects.create(connection=made, stream="deals", cursor={"position": {}}, saved_at=timezone.now())
    return made


class TestEdit:
    def sent(self, page: Any) -> dict[str, Any]:
        """What the page shows, as it is."""
        form = page.context["access"]
        shown = {field.name: field.value() for field in form.own_fields}
        return {name: value for name, value in shown.items() if value not in (None, False)}

    @pytest.mark.parametrize(
        ("kind", "description", "secrets"),
        [
            (
                "salesforce",
                {"auth": "jwt", "domain": "acme.my", "objects": ["Visit__c", "Lead", "Account"]},
                {"client_id": "x", "username": "y", "private_key": KEY},
            ),
            ("hubspot", {"auth": "service_key"}, {"token": "x"}),
            (
                "kintone",
                {"subdomain": "example", "guest_space": 3, "apps": [{"app": 4, "name": "deals", "label": "案件"}]},
                {"tokens": "x"},
            ),
        ],
    )
    def test_saving_what_is_shown_changes_nothing(self, owner, in_acme, kind, description, secrets):
        made = create_source(
            name="連携",
            kind=kind,
            source="crm",
            carries="sfa",
            description=description,
            secrets=secrets,
            now=timezone.now(),
        )
        address = reverse("source_edit", args=[made.public_id])
        assert owner.post(address, self.sent(owner.get(address))).status_code == 302
        made.refresh_from_db()
        assert made.description == description
        assert dict(unseal(connection=made)) == secrets

    def test_an_app_that_is_read_keeps_its_stream(self, owner, kintone):
        address = reverse("source_edit", args=[kintone.public_id])
        assert "12 案件" in page_of(owner.get(address))
        sent = {"domain": "example", "apps": "12 商談\n15 顧客"}
        assert owner.post(address, sent).status_code == 302
        kintone.refresh_from_db()
        assert [each["name"] for each in kintone.description["apps"]] == ["deals", "app15"]
        assert kintone.description["apps"][0]["label"] == "商談"
        assert unseal(connection=kintone)["tokens"] == "one"

    def test_another_way_to_sign_in_asks_for_its_credentials(self, owner, in_acme):
        made = create_source(
            name="HubSpot",
            kind="hubspot",
            source="hubspot",
            carries="both",
            description={"auth": "service_key", "objects": ["deals"]},
            secrets={"token": "x"},
            now=timezone.now(),
        )
        address = reverse("source_edit", args=[made.public_id])
        page = page_of(owner.post(address, {"auth": "oauth", "objects": ["deals"], "look": "1"}))
        assert asked(page) == ["client_id", "client_secret"]
        assert owner.post(address, {"auth": "oauth", "objects": ["deals"]}).status_code == 422
