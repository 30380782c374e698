"""What the library adds below: its page in the console, its templates for new companies, and its work in companies."""

from django.utils.translation import gettext_lazy as _

from kpis.library.selectors import find_version, list_published
from kpis.library.services import PUSHED, copy_of
from kpis.library.tasks import note_declined, note_taken, receive
from kpis.services.template_use import DECLINED, TAKEN, create_from_copy
from kpis.services.templates import typed_fields
from tenants import registry
from tenants.capabilities import Capability
from tenants.context import tenant_context
from tenants.outbox.registry import on
from tenants.registry import CompanyTemplate, NavigationEntry, ProvisionRequest, TemplateSource
from tenants.services.companies import get_console

AFTER_THE_SHIPPED = 1000
MODELS = ("template", "templateversion", "templatepush")


def register() -> None:
    """Called once, when the apps are ready."""
    registry.console_navigation.register(
        NavigationEntry("library", _("KPI templates"), "library", "tree", 20, Capability.MANAGE_DEFINITIONS)
    )
    registry.template_sources.register(TemplateSource("library", _offered, _find))
    for model in MODELS:
        registry.model_capabilities[f"library.{model}"] = Capability.MANAGE_DEFINITIONS
    on(PUSHED, receive)
    on(TAKEN, note_taken)
    on(DECLINED, note_declined)


def _offered() -> list[CompanyTemplate]:
    with tenant_context(get_console()):
        return [_company_template(version) for version in list_published()]


def _find(code: str) -> CompanyTemplate | None:
    """Also one that was retired since a company asked for it."""
    with tenant_context(get_console()):
        version = find_version(code)
        return _company_template(version) if version else None


def _company_template(version) -> CompanyTemplate:
    copy = copy_of(version)

    def instantiate(request: ProvisionRequest) -> None:
        create_from_copy(request=request, copy=copy)

    return CompanyTemplate(copy.code, copy.name, AFTER_THE_SHIPPED, instantiate, typed_fields(copy.document.template))
