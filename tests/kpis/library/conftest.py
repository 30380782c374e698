"""A template of the consultancy, acme and globex following it or not, and carol who may enter both."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from kpis.engine.templates import NEW_BUSINESS, Text, document_of
from kpis.engine.templates.editing import put_node
from kpis.library.models import Template, TemplatePush
from kpis.library.services import change_draft, create_template, publish_template, push_template
from kpis.models import KpiTree
from kpis.services.trees import activate_tree
from tenants.console.services import refresh_company_health
from tenants.context import tenant_context
from tenants.models import Company

NOW = timezone.now()


@pytest.fixture
def template(console: Company, carol: Any) -> Template:
    """Version 1 is published."""
    with tenant_context(console):
        made = create_template(
            code="ours",
            name="Our way",
            style="new_business",
            description="",
            document=document_of(NEW_BUSINESS),
            actor=carol,
            now=NOW,
        )
        publish_template(template=made, note="First", actor=carol, now=NOW)
        made.refresh_from_db()
    return made


@pytest.fixture
def rename(console: Company, template: Template) -> Callable[[str, str], None]:
    """`rename(code, name)` in the draft of the template."""

    def change(code: str, name: str) -> None:
        def put(document: Any) -> Any:
            node = next(each for each in document.template.nodes if each.code == code)
            return put_node(document, replace(node, name=Text(name, name)), replaces=code)

        with tenant_context(console):
            change_draft(template=template, change=put, now=NOW)

    return change


@pytest.fixture
def publish(console: Company, template: Template, carol: Any) -> Callable[[], Any]:
    def run() -> Any:
        with tenant_context(console):
            return publish_template(template=template, note="", actor=carol, now=NOW)

    return run


@pytest.fixture
def push(console: Company, template: Template, carol: Any, drain_outbox: Any) -> Callable[..., list[str]]:
    """`push(company, …)` the newest version and let it arrive; the outcomes in the order of the companies."""

    def run(*companies: Company) -> list[str]:
        with tenant_context(console):
            pushes = push_template(template=template, companies=companies, actor=carol, now=NOW)
        drain_outbox()
        with tenant_context(console):
            return [TemplatePush.objects.get(pk=each.pk).status for each in pushes]

    return run


@pytest.fixture
def in_force(push: Any) -> Callable[[Company], KpiTree]:
    """`in_force(company)`: the template's tree, pushed and activated there."""

    def run(company: Company) -> KpiTree:
        push(company)
        with tenant_context(company):
            tree = KpiTree.objects.get(template_use__code="ours")
            activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)
            refresh_company_health(now=NOW)
        return tree

    return run
