"""The library's pages on the console's host, and the offer on the company's."""

from typing import Any

import pytest
from django.test import Client

from kpis.library.models import Template, TemplatePush
from kpis.library.selectors import read_draft
from kpis.models import KpiTree, TemplateUse
from kpis.services.trees import update_node
from tenants.context import tenant_context
from tenants.models import Company
from tenants.services.grants import revoke_access
from tests.kpis.library.conftest import NOW

NEW = {"name": "Ours", "code": "our_way", "style": "", "description": "", "source": "shipped:referral"}
NODE = {
    "level": "kpi",
    "parent": "new_customers",
    "metric": "pipeline_coverage",
    "name_ja": "",
    "name_en": "",
    "link": "influence",
    "reason_ja": "先に分かるため。",
    "reason_en": "",
}


@pytest.fixture
def browser(client_for: Any, carol: Any, console: Company) -> Client:
    return client_for(carol, console)


def page(browser: Client, address: str, status: int = 200) -> str:
    response = browser.get(address)
    assert response.status_code == status
    return response.content.decode()


class TestMaking:
    @pytest.mark.parametrize("source", ["shipped:referral", "own:ours"])
    def test_from_a_shipped_one_or_an_own(self, browser, template, console, source) -> None:
        response = browser.post("/templates/new/", NEW | {"source": source})
        assert response["Location"] == "/templates/our_way/edit/"
        assert page(browser, response["Location"]).count("edit-item") > 5

    def test_from_a_clients_tree(self, browser, template, in_force, acme, console) -> None:
        in_force(acme)
        browser.post("/templates/new/", NEW | {"source": f"company:{acme.id}"})
        with tenant_context(console):
            assert Template.objects.get(code="our_way").style == "new_business"

    def test_a_client_without_a_grant_is_not_offered(self, browser, template, carol, acme) -> None:
        revoke_access(company=acme, console_user_id=carol.public_id, now=NOW)
        assert str(acme.id) not in page(browser, "/templates/new/")
        assert browser.post("/templates/new/", NEW | {"source": f"company:{acme.id}"}).status_code == 422

    def test_a_taken_code_is_a_sentence_beside_the_field(self, browser, template) -> None:
        response = browser.post("/templates/new/", NEW | {"code": "ours"})
        assert response.status_code == 422
        assert "ours" in str(response.context["form"].errors["code"])


class TestEditing:
    def test_a_metric_of_the_catalogue_comes_with_its_node(self, browser, template, console) -> None:
        from kpis.engine.catalogue import with_needs

        assert browser.post("/templates/ours/edit/", NODE).status_code == 302
        with tenant_context(console):
            document = read_draft(Template.objects.get())
        assert {"pipeline_coverage", *with_needs("pipeline_coverage")} <= {m.code for m in document.template.metrics}
        node = next(each for each in document.template.nodes if each.code == "pipeline_coverage")
        assert (node.parent, node.reason.japanese) == ("new_customers", "先に分かるため。")

    def test_is_looked_at_as_one_types(self, browser, template) -> None:
        said = browser.post("/templates/ours/edit/check/?node=mql", NODE | {"parent": "sql", "metric": "mql"})
        assert "受注率" not in said.content.decode()
        wrong = browser.post("/templates/ours/edit/check/", NODE | {"parent": "bookings"})
        assert "KGI" in wrong.content.decode()

    def test_moves_and_removes(self, browser, template, console) -> None:
        browser.post("/templates/ours/edit/step/", {"node": "customer_value", "step": "up"})
        browser.post("/templates/ours/edit/remove/", {"node": "win_rate"})
        with tenant_context(console):
            codes = [node.code for node in read_draft(Template.objects.get()).template.nodes]
        assert codes.index("customer_value") < codes.index("new_customers")
        assert "won_deals" not in codes

    def test_a_metric_takes_names_definition_benchmark_and_suggestions(self, browser, template, console) -> None:
        response = browser.get("/templates/ours/metrics/win_rate/")
        form, figures = response.context["form"], response.context["benchmarks"]
        data = {name: form[name].value() or "" for name in form.fields}
        data |= {f"benchmarks-{key}": value for key, value in figures.management_form.initial.items()}
        for figure in figures:
            data |= {figure.add_prefix(name): figure[name].value() or "" for name in figure.fields}
        assert data["benchmarks-0-low"] == 15
        data |= {"name_en": "Wins", "causes_ja": "価格\n時期", "causes_en": "Price", "benchmarks-0-low": "12.5"}
        assert browser.post("/templates/ours/metrics/win_rate/", data).status_code == 302
        with tenant_context(console):
            document = read_draft(Template.objects.get())
        (benchmark,) = document.benchmarks_of("win_rate")
        assert str(benchmark.low) == "0.125"
        assert [cause.english for cause in document.suggestion_of("win_rate").causes] == ["Price", "時期"]

    def test_a_wrong_definition_is_said_beside_the_field(self, browser, template) -> None:
        data = {
            "code": "x",
            "name_ja": "X",
            "unit": "count",
            "accumulation": "sum",
            "direction": "up",
            "benchmarks-TOTAL_FORMS": 0,
            "benchmarks-INITIAL_FORMS": 0,
        }
        for spec, word in (("{", "JSON"), ('{"kind": "guess"}', "kind"), ("[]", "kind")):
            response = browser.post("/templates/ours/metrics/new/", data | {"spec": spec})
            assert response.status_code == 422
            assert word in str(response.context["form"].errors["spec"])
        assert browser.post("/templates/ours/metrics/new/", data | {"spec": '{"kind": "manual"}'}).status_code == 302

    def test_what_is_not_there_is_not_found(self, browser, template) -> None:
        for address in ("edit/?node=none", "metrics/none/", "edit/?add=none"):
            page(browser, f"/templates/ours/{address}", 404)
        page(browser, "/templates/none/", 404)


class TestPublishing:
    def test_says_what_keeps_it_from_companies(self, browser, template) -> None:
        browser.post("/templates/ours/metrics/mql/remove/")
        browser.post("/templates/ours/publish/", {"note": "Better"})
        assert "mql" in page(browser, "/templates/ours/")
        with tenant_context(Company.objects.get(slug="console")):
            assert template.versions.count() == 1

    def test_lists_versions_and_can_retire(self, browser, template, rename) -> None:
        rename("mql", "Renamed")
        browser.post("/templates/ours/publish/", {"note": "Better words"})
        assert "Better words" in page(browser, "/templates/ours/")
        browser.post("/templates/ours/retire/")
        assert "/templates/ours/push/" not in page(browser, "/templates/ours/")


class TestPushing:
    def test_preview_then_hand_over_then_result(
        self, browser, template, acme, globex, console, in_force, rename, drain_outbox
    ) -> None:
        tree = in_force(acme)
        with tenant_context(acme):
            update_node(node=tree.nodes.get(code="sql"), name="うちの言い方", actor=None, now=NOW)
        for code, name in (("mql", "新しい名前"), ("sql", "別の名前")):
            rename(code, name)
        browser.post("/templates/ours/publish/", {"note": ""})
        seen = page(browser, f"/templates/ours/push/?company={acme.id}&company={globex.id}")
        assert "新しい名前" in seen and "うちの言い方" in seen
        with tenant_context(console):
            assert TemplatePush.objects.filter(version__number=2).count() == 0, "looking writes nothing"
        browser.post("/templates/ours/push/", {"company": [str(acme.id), str(globex.id)]})
        assert "hx-trigger" in page(browser, "/templates/ours/")
        drain_outbox()
        after = page(browser, "/templates/ours/")
        assert 'data-push="offered"' in after and 'data-push="drafted"' in after
        assert 'data-push="requested"' not in after

    def test_a_client_without_a_grant_is_neither_shown_nor_pushed_to(
        self, browser, template, carol, acme, console
    ) -> None:
        revoke_access(company=acme, console_user_id=carol.public_id, now=NOW)
        assert f'value="{acme.id}"' not in page(browser, f"/templates/ours/push/?company={acme.id}")
        browser.post("/templates/ours/push/", {"company": [str(acme.id)]})
        with tenant_context(console):
            assert not TemplatePush.objects.exists()

    def test_shows_drift(self, browser, template, acme, in_force, rename) -> None:
        in_force(acme)
        rename("mql", "Renamed")
        browser.post("/templates/ours/publish/", {"note": ""})
        shown = page(browser, "/templates/ours/")
        assert f'data-company="{acme.id}"' in shown
        (user,) = browser.get("/templates/ours/").context["row"].users
        assert (user.version, user.latest, user.is_behind) == (1, 2, True)
        assert "Our way v1" in page(browser, "/")

    def test_new_companies_can_begin_with_it(self, browser, template) -> None:
        assert 'data-template="ours"' in page(browser, "/clients/add/")


class TestOffer:
    @pytest.fixture
    def offered(self, template, acme, in_force, rename, publish, push) -> KpiTree:
        tree = in_force(acme)
        rename("mql", "新しい名前")
        publish()
        push(acme)
        return tree

    def test_the_owner_sees_and_takes_it(self, offered, client_for, dave, acme, console, drain_outbox) -> None:
        owner = client_for(dave, acme)
        address = f"/trees/{offered.public_id}/template/"
        assert address in page(owner, f"/trees/{offered.public_id}/edit/")
        assert "新しい名前" in page(owner, address)
        assert owner.post(address, {"do": "take"})["Location"] == f"/trees/{offered.public_id}/edit/"
        drain_outbox()
        with tenant_context(acme):
            assert offered.nodes.get(code="mql").name == "新しい名前"
        with tenant_context(console):
            assert TemplatePush.objects.get(version__number=2).status == "taken"
        assert owner.get(address).status_code == 404

    def test_can_be_declined(self, offered, client_for, dave, acme) -> None:
        client_for(dave, acme).post(f"/trees/{offered.public_id}/template/", {"do": "decline"})
        with tenant_context(acme):
            assert not TemplateUse.objects.get().is_offered

    def test_is_nothing_for_a_member(self, offered, client_for, bob, acme) -> None:
        assert client_for(bob, acme).get(f"/trees/{offered.public_id}/template/").status_code == 403
