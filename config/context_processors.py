"""What the shell of every page shows: whose company this is, where one can go, how one likes to read."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from kpis.engine.formats import SCALES
from kpis.templatetags.kpi import unit_word
from tenants.accounts.choices import Role
from tenants.accounts.models import User
from tenants.capabilities import Capability, has_capability
from tenants.context import find_current_company
from tenants.models import Company
from tenants.registry import NavigationEntry, console_navigation, navigation
from tenants.settings.models import CompanySettings

THEMES = {"light", "dark"}
NAVIGATION_LIMIT = 7
TABS = 4


@dataclass(frozen=True)
class ScaleChoice:
    code: str
    label: str
    is_current: bool


@dataclass(frozen=True)
class Link:
    """One place to go."""

    label: str
    icon: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Shell:
    """The frame around a page; numbers are the pages' own. `further` is where the navigation has no room for."""

    company_name: str
    theme: str
    amount_scale: str
    amount_scales: list[ScaleChoice]
    navigation: list[Link]
    further: list[Link] = field(default_factory=list)
    user_name: str = ""
    role_name: str = ""
    is_consultant: bool = False
    console_url: str = ""
    admin_url: str = ""
    api_docs_url: str = ""

    @property
    def initial(self) -> str:
        return self.user_name[:1].upper()

    @property
    def tabs(self) -> list[Link]:
        """What fits the bar at the foot of a phone."""
        return self.navigation if len(self.navigation) <= TABS + 1 else self.navigation[:TABS]

    @property
    def more_tabs(self) -> list[Link]:
        return self.navigation[len(self.tabs) :]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor; computed only where a template asks for it, with one query for the company's settings."""
    return {"shell": SimpleLazyObject(lambda: read_shell(request))}


def read_shell(request: HttpRequest) -> Shell:
    company = find_current_company()
    company_settings = _settings_of(company)
    user = getattr(request, "user", None)
    theme = request.COOKIES.get("theme", "")
    scale = _amount_scale(request, company_settings)
    currency = company_settings.currency if company_settings else "JPY"
    frame = {
        "company_name": company_settings.name if company_settings else ("Mawaru" if company else ""),
        "theme": theme if theme in THEMES else "",
        "amount_scale": scale,
        "amount_scales": [ScaleChoice(code, unit_word(f"{code} {currency}"), code == scale) for code in SCALES],
    }
    if user is None or not user.is_authenticated or company is None:
        return Shell(**frame, navigation=[])
    links = _links_of(request, company)
    places = {"navigation": links[:NAVIGATION_LIMIT], "further": links[NAVIGATION_LIMIT:]}
    return Shell(**frame, **places, **_person_of(user, company))


def _settings_of(company: Company | None) -> CompanySettings | None:
    if company is None or company.is_console:
        return None
    return CompanySettings.objects.filter(id=1).first()


def _amount_scale(request: HttpRequest, company_settings: CompanySettings | None) -> str:
    """The reader's own switch, else the company's."""
    chosen = request.COOKIES.get("amount_scale", "")
    if chosen in SCALES or company_settings is None:
        return chosen if chosen in SCALES else "one"
    return next((code for code, size in SCALES.items() if size == company_settings.amount_unit), "one")


def _links_of(request: HttpRequest, company: Company) -> list[Link]:
    """Where the reader may go; what is more than the navigation holds stands in the user menu."""
    registry = console_navigation if company.is_console else navigation
    entries = [
        entry for entry in registry if entry.capability is None or has_capability(request.user, entry.capability)
    ]
    return [_link(request, entry, url) for entry in entries if (url := _url(entry.url_name))]


def _link(request: HttpRequest, entry: NavigationEntry, url: str) -> Link:
    is_current = request.path == url or (url != "/" and request.path.startswith(url))
    return Link(str(entry.label), entry.icon, url, is_current)


def _person_of(user: User, company: Company) -> dict[str, Any]:
    role = next((role for role in Role if role in user.roles), None)
    is_consultant = not company.is_console and user.mirrored_from is not None
    return {
        "user_name": user.get_full_name() or user.get_username(),
        "role_name": str(role.label) if role else "",
        "is_consultant": is_consultant,
        "console_url": _console_url() if is_consultant else "",
        "admin_url": _url("admin:index") if has_capability(user, Capability.USE_ADMIN) else "",
        "api_docs_url": _url("api-docs") if has_capability(user, Capability.MANAGE_KEYS) else "",
    }


def _url(name: str) -> str:
    """The console and the companies have different pages; a link to one that is not here is left out."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _console_url() -> str:
    scheme = "https" if settings.SECURE_SSL_REDIRECT else "http"
    port = "" if settings.PUBLIC_PORT in (80, 443) else f":{settings.PUBLIC_PORT}"
    return f"{scheme}://console.{settings.BASE_DOMAIN}{port}/"
