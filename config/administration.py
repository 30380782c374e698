"""How the administration looks: the same colours, type and name as the pages, and a way back to them."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.translation import gettext as _

from config.context_processors import read_shell


def site_title(request: HttpRequest) -> str:
    return f"{_('Administration')} · {read_shell(request).company_name}"


def site_header(request: HttpRequest) -> str:
    return read_shell(request).company_name


def site_subheader(request: HttpRequest) -> str:
    return _("Administration")


def mark(request: HttpRequest) -> str:
    return static("img/mark.svg")


def pages(request: HttpRequest) -> list[dict[str, Any]]:
    """The product's pages, in the menu behind the name."""
    return [{"title": link.label, "link": link.url, "icon": "arrow_back"} for link in read_shell(request).navigation]


def tokens_stylesheet(request: HttpRequest) -> str:
    return static("css/tokens.css")


def admin_stylesheet(request: HttpRequest) -> str:
    return static("css/admin.css")
