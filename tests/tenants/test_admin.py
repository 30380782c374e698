"""The admin: who comes in, which models are where, and that it writes as the services do."""

import pytest
from auditlog.models import LogEntry
from django.apps import apps
from django.conf import settings
from django.contrib import admin

from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import Company, ConsultantGrant
from tenants.settings.models import CompanySettings


def registered_in(kind: str) -> list[type]:
    names = {*settings.TENANT_TYPES[kind]["APPS"]}
    return [model for model in admin.site._registry if apps.get_app_config(model._meta.app_label).name in names]


def changelist(model: type) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


class TestWhoComesIn:
    @pytest.mark.parametrize(("name", "status"), [("dave", 200), ("hana", 200), ("alice", 403), ("vera", 403)])
    def test_follows_from_the_role(self, request, client_for, acme, name, status):
        client = client_for(request.getfixturevalue(name), acme)
        assert client.get("/admin/", follow=True).status_code == status

    def test_a_consultant_comes_in(self, client_for, carol, acme):
        assert client_for(carol, acme).get("/admin/").status_code == 200

    def test_who_is_signed_out_signs_in_first(self, client_for, acme):
        response = client_for(None, acme).get("/admin/", follow=True)
        assert response.redirect_chain[-1][0] == "/login/?next=/admin/"


class TestModels:
    def test_every_list_of_a_company_opens_for_its_owner(self, client_for, dave, acme):
        client = client_for(dave, acme)
        statuses = {changelist(model): client.get(changelist(model)).status_code for model in registered_in("company")}
        assert {url: status for url, status in statuses.items() if status not in (200, 403)} == {}
        assert statuses["/admin/company_settings/companysettings/"] == 200
        assert statuses["/admin/accounts/user/"] == 200

    def test_every_list_of_the_console_opens_for_its_owner(self, client_for, olivia, console):
        client = client_for(olivia, console)
        models = [*registered_in("console"), *registered_in("public")]
        assert {changelist(model): client.get(changelist(model)).status_code for model in models} == {
            changelist(model): 200 for model in models
        }

    def test_a_company_sees_nothing_of_public_or_console(self, client_for, dave, acme):
        client = client_for(dave, acme)
        for url in ("/admin/tenants/company/", "/admin/outbox/event/", "/admin/console/companyhealth/"):
            assert client.get(url).status_code == 403

    def test_a_consultant_of_the_console_sees_no_client_in_its_admin(self, client_for, carol, console):
        assert client_for(carol, console).get("/admin/tenants/company/").status_code == 403

    def test_hr_sees_people_but_no_definitions(self, client_for, hana, acme):
        client = client_for(hana, acme)
        assert client.get("/admin/accounts/user/").status_code == 200
        assert client.get("/admin/company_settings/companysettings/").status_code == 403

    def test_every_model_of_ours_is_there(self):
        missing = [
            model._meta.label
            for config in apps.get_app_configs()
            if config.name.split(".")[0] == "tenants"
            for model in config.get_models()
            if model not in admin.site._registry
        ]
        assert missing == []


class TestUsers:
    def test_a_role_brings_or_takes_the_admin(self, client_for, dave, acme):
        client = client_for(dave, acme)
        with tenant_context(acme):
            bob = User.objects.get(username="bob")
            roles = {group.name: group.pk for group in bob.groups.model.objects.all()}
        form = {"username": "bob", "name": "Bob", "email": "", "language": "", "is_active": "on"}
        response = client.post(f"/admin/accounts/user/{bob.pk}/change/", form | {"groups": [roles["owner"]]})
        assert response.status_code == 302
        with tenant_context(acme):
            bob = User.objects.get(username="bob")
            assert bob.is_staff
            assert bob.roles == {"owner"}

    def test_hr_cannot_make_an_owner_nor_touch_one(self, client_for, hana, dave, bob, acme):
        client = client_for(hana, acme)
        with tenant_context(acme):
            owner = dave.groups.get(name="owner").pk
        form = {"username": "bob", "name": "Bob", "is_active": "on", "groups": [owner]}
        assert client.post(f"/admin/accounts/user/{bob.pk}/change/", form).status_code == 200
        with tenant_context(acme):
            assert User.objects.get(username="bob").roles == {"member"}
        assert client.post(f"/admin/accounts/user/{dave.pk}/password/", {}).status_code == 403

    def test_nobody_changes_his_own_role(self, client_for, hana, acme):
        page = client_for(hana, acme).get(f"/admin/accounts/user/{hana.pk}/change/").content.decode()
        assert 'name="groups"' not in page

    def test_a_mirrored_consultant_belongs_to_the_console(self, client_for, dave, carol, acme):
        with tenant_context(acme):
            mirrored = User.objects.get(mirrored_from=carol.public_id)
        client = client_for(dave, acme)
        assert client.post(f"/admin/accounts/user/{mirrored.pk}/change/", {"username": "x"}).status_code == 403


class TestAudit:
    def test_names_the_consultant_in_the_companys_own_schema(self, client_for, carol, acme, console):
        with tenant_context(acme):
            row = CompanySettings.objects.get()
            form = {
                field.name: value
                for field in CompanySettings._meta.fields
                if (value := field.value_from_object(row)) is not None
            }
        form |= {"segments": "{}", "visibility": "team"}
        response = client_for(carol, acme).post("/admin/company_settings/companysettings/1/change/", form)
        assert response.status_code == 302
        with tenant_context(acme):
            entry = LogEntry.objects.filter(content_type__model="companysettings").latest("timestamp")
            assert str(entry.actor) == "Carol"
            assert entry.changes["visibility"] == ["person", "team"]
        with tenant_context(console):
            assert not LogEntry.objects.filter(content_type__model="companysettings").exists()

    def test_keeps_no_password(self, in_acme, bob):
        bob.set_password("correct horse battery")
        bob.save()
        changes = str([entry.changes for entry in LogEntry.objects.all()])
        assert bob.password not in changes


class TestConsoleActions:
    def test_the_owner_suspends_a_client_but_never_the_console(self, client_for, olivia, console, acme):
        chosen = {"action": "suspend", "_selected_action": [str(acme.pk), str(console.pk)]}
        client_for(olivia, console).post("/admin/tenants/company/", chosen)
        assert Company.objects.get(slug="acme").status == "suspended"
        assert Company.objects.get(slug="console").status == "ready"

    def test_grants_are_given_and_revoked_through_the_services(self, client_for, olivia, console, acme):
        client = client_for(olivia, console)
        form = {"company": str(acme.pk), "consultant": str(olivia.pk), "expires_at_0": "", "expires_at_1": ""}
        assert client.post("/admin/tenants/consultantgrant/add/", form).status_code == 302
        grant = ConsultantGrant.objects.get(console_user_id=olivia.public_id)
        assert grant.granted_by_id == olivia.public_id
        client.post("/admin/tenants/consultantgrant/", {"action": "revoke", "_selected_action": [str(grant.pk)]})
        grant.refresh_from_db()
        assert grant.revoked_at is not None


class TestPolicy:
    def test_is_loose_in_the_admin_alone(self, client_for, dave, acme):
        client = client_for(dave, acme)
        assert "'unsafe-eval'" in client.get("/admin/")["Content-Security-Policy"]
        assert "unsafe" not in client_for(None, acme).get("/login/")["Content-Security-Policy"]
