"""The console's pages: all clients with their state, one more."""

import re
from decimal import Decimal

import pytest
from django.utils import timezone

from tenants.console.models import CompanyHealth
from tenants.console.services import (
    SUMMARY_FIELDS,
    UnknownSummaryError,
    refresh_company_health,
    update_company_health,
)
from tenants.context import tenant_context
from tenants.models import Company, ConsultantGrant, DueSync
from tenants.registry import ChecklistItem, CompanyTemplate, ItemState, TemplateField, health_signals, templates
from tenants.services.grants import revoke_access

NOW = timezone.now()
FORM = {"name": "アンブレラ", "slug": "umbrella", "fiscal_start": "4", "closing_day": "20", "currency": "jpy"}


class TestCompanyHealth:
    def test_is_one_row_per_company(self, acme, console):
        update_company_health(company=acme, summary={"name": "Acme", "unanswered_miss_count": 3}, now=NOW)
        update_company_health(company=acme, summary={"kgi_achievement": Decimal("0.9")}, now=NOW)
        with tenant_context(console):
            row = CompanyHealth.objects.get()
        assert (row.name, row.unanswered_miss_count, row.kgi_achievement) == ("Acme", 3, Decimal("0.9"))

    def test_can_be_written_from_inside_the_company(self, in_acme):
        update_company_health(company=in_acme, summary={"name": "Acme"}, now=NOW)

    def test_refuses_what_the_console_does_not_keep(self, acme):
        with pytest.raises(UnknownSummaryError, match="revenue"):
            update_company_health(company=acme, summary={"revenue": 1}, now=NOW)


class TestClients:
    def test_shows_each_client_with_its_state(self, client_for, carol, console, acme):
        update_company_health(
            company=acme,
            summary={"name": "Acme", "kgi_name": "受注額", "kgi_achievement": Decimal("0.873")},
            now=NOW,
        )
        page = client_for(carol, console).get("/").content.decode()
        assert "87.3%" in page
        assert 'data-client="acme"' in page
        assert 'data-client="globex"' in page

    def test_a_consultant_sees_only_clients_with_a_grant(self, client_for, carol, olivia, console, globex):
        revoke_access(company=globex, console_user_id=carol.public_id, now=NOW)
        assert 'data-client="globex"' not in client_for(carol, console).get("/").content.decode()
        assert 'data-client="globex"' in client_for(olivia, console).get("/").content.decode()

    def test_the_form_may_lead_to_the_clients_hosts(self, client_for, carol, console):
        policy = client_for(carol, console).get("/")["Content-Security-Policy"]
        assert "form-action 'self' *.localhost:8000" in policy

    def test_costs_the_same_for_any_number_of_clients(self, carol, console, django_assert_num_queries):
        from tenants.console.selectors import list_clients

        with tenant_context(console):
            assert carol.roles == {"consultant"}  # asked once per request
            with django_assert_num_queries(4):
                list_clients(user=carol, now=NOW)

    def test_needs_somebody_signed_in(self, client_for, console):
        assert client_for(None, console).get("/")["Location"] == "/login/?next=/"


class TestOpenClient:
    def test_without_a_grant_says_so(self, client_for, olivia, console, acme):
        response = client_for(olivia, console).post(f"/clients/{acme.id}/open/", follow=True)
        assert response.redirect_chain == [("/", 302)]
        assert "messages" in response.context

    def test_is_not_done_by_following_a_link(self, client_for, carol, console, acme):
        assert client_for(carol, console).get(f"/clients/{acme.id}/open/").status_code == 405

    def test_the_console_itself_is_no_client(self, client_for, carol, console):
        assert client_for(carol, console).post(f"/clients/{console.id}/open/").status_code == 404


class TestAddClient:
    def test_asks_for_a_company_which_its_adder_may_enter(self, client_for, carol, console):
        response = client_for(carol, console).post("/clients/add/", FORM)
        assert response["Location"] == "/"
        company = Company.objects.get(slug="umbrella")
        assert company.status == "provisioning"
        assert ConsultantGrant.objects.get(company=company).console_user_id == carol.public_id
        page = client_for(carol, console).get("/").content.decode()
        assert "アンブレラ" in page
        assert "hx-trigger" in page

    def test_a_taken_slug_is_a_sentence_beside_the_field(self, client_for, carol, console):
        response = client_for(carol, console).post("/clients/add/", FORM | {"slug": "acme"})
        assert response.status_code == 422
        assert "acme" in str(response.context["form"].errors["slug"])

    def test_hands_the_templates_answers_over_as_fractions(self, client_for, carol, console, monkeypatch):
        from tenants.console.models import CompanyRequest

        fields = (TemplateField("kgi_amount", "KGI", "amount"), TemplateField("win_rate", "Win rate", "percent"))
        monkeypatch.setitem(
            templates._entries, "tests", CompanyTemplate("tests", "Tests", 1, lambda _request: None, fields)
        )
        answers = {"template": "tests", "tests_kgi_amount": "120000000", "tests_win_rate": "20"}
        page = client_for(carol, console).get("/clients/add/").content.decode()
        assert re.search(r'name="tests_win_rate"[^>]*>\s*<span class="unit">%</span>', page)
        client_for(carol, console).post("/clients/add/", FORM | answers)
        with tenant_context(console):
            asked = CompanyRequest.objects.get(name="アンブレラ")
        assert asked.currency == "JPY"
        assert {name: Decimal(value) for name, value in asked.template_values.items()} == {
            "kgi_amount": Decimal(120_000_000),
            "win_rate": Decimal("0.2"),
        }


class TestRefreshHealth:
    def test_asks_every_floor_and_writes_one_row(self, in_acme, console, monkeypatch):
        monkeypatch.setattr("tenants.console.services.checklist", _items("done", "in_progress", "done"))
        refresh_company_health(now=NOW)
        with tenant_context(console):
            row = CompanyHealth.objects.get()
        assert (row.name, row.checklist_done_count, row.checklist_item_count) == ("株式会社アクメ", 2, 3)
        assert row.updated_at == NOW

    def test_every_signal_names_fields_that_the_console_keeps(self, in_acme):
        for signal in health_signals:
            assert set(signal.read(NOW)) <= SUMMARY_FIELDS, signal.code

    def test_a_new_company_has_it_scheduled(self, acme):
        assert DueSync.objects.filter(company=acme, kind="health").exists()


def _items(*statuses: str) -> list[ChecklistItem]:
    return [
        ChecklistItem(number, "setting", "", lambda _today, status=status: ItemState(status))
        for number, status in enumerate(statuses)
    ]


class TestTemplateFields:
    def test_each_template_asks_in_a_group_of_its_own(self, client_for, carol, console):
        page = client_for(carol, console).get("/clients/add/").content.decode()
        offered = [template for template in templates if template.instantiate is not None and template.fields]
        assert [page.count(f'data-template="{template.code}"') for template in offered] == [1] * len(offered)
        assert page.count('_kgi_amount"') >= len(offered)
