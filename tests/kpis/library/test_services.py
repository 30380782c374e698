"""The consultancy's templates: made, published, pushed to companies, which decide; nothing crosses between them."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from kpis.engine.templates import NEW_BUSINESS, TEMPLATES, TemplateDocument, document_of, parse_document
from kpis.engine.templates.editing import put_metric, remove_metric
from kpis.library.models import Template, TemplatePush
from kpis.library.selectors import draft_remarks, is_draft_published, list_templates, preview_push
from kpis.library.services import (
    LibraryError,
    change_draft,
    create_template,
    create_template_from_company,
    publish_template,
    push_template,
    receive_push,
    retire_template,
)
from kpis.models import KpiTree, TemplateUse
from kpis.services.template_use import decline_offer, take_offer
from kpis.services.templates import draft_template
from kpis.services.trees import activate_tree, update_node
from tenants.console.models import CompanyHealth
from tenants.console.selectors import list_clients
from tenants.context import tenant_context
from tenants.models import Company
from tenants.registry import ProvisionRequest, find_template, offered_templates
from tenants.services.companies import CompanyRequestError, request_company
from tenants.services.grants import revoke_access

NOW = timezone.now()


def make(code: str, document: TemplateDocument, actor: Any) -> Template:
    return create_template(
        code=code, name="Ours", style="referral", description="", document=document, actor=actor, now=NOW
    )


class TestCreate:
    @pytest.mark.parametrize("style", TEMPLATES)
    def test_from_a_shipped_one_and_from_another(self, console: Company, carol: Any, style: str) -> None:
        with tenant_context(console):
            first = make("first", document_of(TEMPLATES[style]), carol)
            second = make("second", parse_document(first.draft), carol)
            publish_template(template=second, note="", actor=carol, now=NOW)
            assert second.draft["nodes"] == first.draft["nodes"]
            assert second.draft["style"] == "referral"

    @pytest.mark.parametrize("code", ["ours", "new_business"])
    def test_a_code_is_given_once(self, console: Company, template: Template, carol: Any, code: str) -> None:
        with tenant_context(console), pytest.raises(LibraryError, match=code):
            make(code, document_of(NEW_BUSINESS), carol)

    def test_from_a_companys_tree_takes_structure_and_no_number(
        self, console: Company, acme: Company, carol: Any
    ) -> None:
        with tenant_context(acme):
            tree = draft_template(
                template=TEMPLATES["referral"], fiscal_year=2031, language="ja", actor=None, now=NOW, name="秘密"
            )
            activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)
        with tenant_context(console):
            made = create_template_from_company(
                company=acme, code="theirs", name="Theirs", description="", actor=carol, now=NOW
            )
            assert [node["code"] for node in made.draft["nodes"]] == [n.code for n in TEMPLATES["referral"].nodes]
            assert "秘密" not in str(made.draft)
        with tenant_context(acme):
            use = TemplateUse.objects.get(tree=tree)
            assert (use.code, use.version) == ("theirs", 0)

    def test_from_a_company_needs_a_grant(self, console: Company, acme: Company, carol: Any) -> None:
        revoke_access(company=acme, console_user_id=carol.public_id, now=NOW)
        with tenant_context(console), pytest.raises(LibraryError):
            create_template_from_company(company=acme, code="x", name="X", description="", actor=carol, now=NOW)


class TestPublish:
    def test_numbers_versions_that_stay(self, console: Company, template: Template, rename: Any, publish: Any) -> None:
        with tenant_context(console):
            assert is_draft_published(template)
        rename("mql", "Renamed")
        assert publish().number == 2
        with tenant_context(console):
            first = template.versions.get(number=1)
        assert "Renamed" not in str(first.document)

    def test_refuses_when_nothing_changed(self, template: Template, publish: Any) -> None:
        with pytest.raises(LibraryError, match="1"):
            publish()

    def test_refuses_what_could_not_be_activated(self, console: Company, template: Template, publish: Any) -> None:
        with tenant_context(console):
            change_draft(template=template, change=lambda document: remove_metric(document, "mql"), now=NOW)
            assert "mql" in " ".join(remark.text for remark in draft_remarks(template))
        with pytest.raises(LibraryError, match="mql"):
            publish()

    def test_a_metric_keeps_its_unit(self, console: Company, template: Template, publish: Any) -> None:
        with tenant_context(console):
            changed = replace(NEW_BUSINESS.metrics[0], unit="count")
            change_draft(template=template, change=lambda document: put_metric(document, changed), now=NOW)
        with pytest.raises(LibraryError, match="bookings"):
            publish()


class TestPush:
    def test_reaches_each_company_and_no_other(self, acme: Company, globex: Company, template: Any, push: Any) -> None:
        assert push(acme) == ["drafted"]
        with tenant_context(acme):
            assert KpiTree.objects.get().status == "draft"
        with tenant_context(globex):
            assert not KpiTree.objects.exists()

    def test_an_offer_is_taken_in_one_company_and_declined_in_another(
        self, console, acme, globex, template, in_force, rename, publish, push, drain_outbox
    ) -> None:
        for company in (acme, globex):
            in_force(company)
        with tenant_context(globex):
            update_node(node=KpiTree.objects.get().nodes.get(code="sql"), name="Ours", actor=None, now=NOW)
        rename("mql", "Qualified")
        publish()
        assert push(acme, globex) == ["offered", "offered"]
        with tenant_context(acme):
            take_offer(use=TemplateUse.objects.get(), actor=None, now=NOW)
        with tenant_context(globex):
            decline_offer(use=TemplateUse.objects.get(), actor=None, now=NOW)
        drain_outbox()
        with tenant_context(console):
            pushes = TemplatePush.objects.filter(version__number=2)
            assert dict(pushes.values_list("company_id", "status")) == {acme.id: "taken", globex.id: "declined"}
        with tenant_context(globex):
            assert not KpiTree.objects.get().nodes.filter(name="Qualified").exists()

    def test_a_decision_arrives_where_every_step_commits(
        self, committed_db, console, acme, template, in_force, rename, publish, push, drain_outbox
    ) -> None:
        in_force(acme)
        rename("mql", "Qualified")
        publish()
        push(acme)
        with tenant_context(acme):
            take_offer(use=TemplateUse.objects.get(), actor=None, now=NOW)
        drain_outbox()
        with tenant_context(console):
            assert TemplatePush.objects.get(version__number=2).status == "taken"

    def test_the_console_sees_who_is_behind_and_deviates(
        self, console, acme, globex, carol, template, in_force, rename, publish, drain_outbox
    ) -> None:
        tree = in_force(acme)
        rename("mql", "Qualified")
        publish()
        with tenant_context(acme):
            update_node(node=tree.nodes.get(code="sql"), name="Ours", actor=None, now=NOW)
            from tenants.console.services import refresh_company_health

            refresh_company_health(now=NOW)
        with tenant_context(console):
            (row,) = list_templates(user=carol, now=NOW)
            assert (row.latest, row.behind_count) == (2, 1)
            assert [(user.version, user.deviation_count) for user in row.users] == [(1, 1)]
            assert CompanyHealth.objects.get(company_id=acme.id).template_name == "Our way"

    def test_a_later_offer_takes_the_place_of_an_earlier(
        self, console, acme, template, in_force, rename, publish, push
    ) -> None:
        in_force(acme)
        for name in ("One", "Two"):
            rename("mql", name)
            publish()
            assert push(acme) == ["offered"]
        with tenant_context(console):
            statuses = TemplatePush.objects.order_by("pk").values_list("status", flat=True)
            assert list(statuses) == ["drafted", "superseded", "offered"]
        with tenant_context(acme):
            assert TemplateUse.objects.get().offered_version == 3

    def test_is_asked_for_once_while_it_is_under_way(self, console, acme, carol, template) -> None:
        with tenant_context(console):
            assert len(push_template(template=template, companies=[acme], actor=carol, now=NOW)) == 1
            assert push_template(template=template, companies=[acme], actor=carol, now=NOW) == []

    def test_is_harmless_when_delivered_twice(self, console, acme, template, push) -> None:
        push(acme)
        with tenant_context(console):
            done = TemplatePush.objects.get()
        with tenant_context(acme):
            receive_push(push_id=done.public_id, now=NOW)
            assert KpiTree.objects.count() == 1

    def test_a_push_of_another_company_is_not_found(self, console, acme, globex, carol, template) -> None:
        with tenant_context(console):
            (asked,) = push_template(template=template, companies=[acme], actor=carol, now=NOW)
        with tenant_context(globex):
            receive_push(push_id=asked.public_id, now=NOW)
            assert not KpiTree.objects.exists()

    def test_needs_a_grant_when_asked_for_and_when_it_arrives(
        self, console, acme, carol, olivia, template, push, drain_outbox
    ) -> None:
        with tenant_context(console), pytest.raises(LibraryError):
            push_template(template=template, companies=[acme], actor=olivia, now=NOW)
        with tenant_context(console):
            push_template(template=template, companies=[acme], actor=carol, now=NOW)
        revoke_access(company=acme, console_user_id=carol.public_id, now=NOW)
        drain_outbox()
        with tenant_context(console):
            assert TemplatePush.objects.get().status == "failed"
        with tenant_context(acme):
            assert not KpiTree.objects.exists()

    def test_a_refusal_is_kept_in_words(self, console, acme, template, rename, publish, push) -> None:
        push(acme)
        rename("mql", "Qualified")
        publish()
        assert push(acme) == ["failed"]
        with tenant_context(console):
            assert "1" in TemplatePush.objects.latest("pk").refusal

    def test_a_preview_writes_nothing_and_looks_only_where_it_may(
        self, console, acme, globex, carol, template, in_force
    ) -> None:
        in_force(acme)
        revoke_access(company=globex, console_user_id=carol.public_id, now=NOW)
        with tenant_context(console):
            version = template.versions.get()
            rows = list_clients(user=carol, now=NOW)
            (seen,) = preview_push(version, clients=[row for row in rows if row.can_open])
        assert (seen.is_current, seen.preview.merge.changes) == (True, ())

    def test_public_keeps_ids_only(self, console, acme, carol, template) -> None:
        from django.db import connection

        with tenant_context(console):
            push_template(template=template, companies=[acme], actor=carol, now=NOW)
        with connection.cursor() as cursor:
            cursor.execute("SELECT outbox_event::text FROM public.outbox_event WHERE topic = 'template.pushed'")
            assert "Our way" not in str(cursor.fetchall())


class TestNewCompanies:
    def test_are_offered_published_templates(self, console: Company, template: Template) -> None:
        assert [each.code for each in offered_templates()][-1] == "ours"
        request_company(slug="umbrella", name="Umbrella", template="ours", now=NOW)

    def test_a_retired_one_is_offered_no_longer_but_found(self, console: Company, template: Template) -> None:
        with tenant_context(console):
            retire_template(template=template)
        assert "ours" not in {each.code for each in offered_templates()}
        assert find_template("ours") is not None
        with pytest.raises(CompanyRequestError, match="ours"):
            request_company(slug="umbrella", name="Umbrella", template="ours", now=NOW)

    def test_begin_with_its_tree_in_force(self, acme: Company, template: Template) -> None:
        found = find_template("ours")
        assert found.fields[0].code == "kgi_amount"
        with tenant_context(acme):
            for _twice in range(2):
                found.instantiate(ProvisionRequest(acme, "Acme", 4, 31, "JPY", "ours", {"kgi_amount": "120"}, NOW))
            tree = KpiTree.objects.get()
            assert (tree.status, tree.template_use.version) == ("active", 1)
            assert sum(tree.nodes.get(code="bookings").targets.values_list("value", flat=True)) == 120

    def test_the_command_names_what_there_is(self, console: Company, template: Template) -> None:
        with pytest.raises(Exception, match="ours"):
            call_command("create_company", "umbrella", name="Umbrella", template="no_such")
        assert uuid.UUID(str(template.public_id))
