"""What the shell of every page shows: whose company this is, where one can go, how one likes to read."""

from dataclasses import dataclass

from django.db import connection
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from kpis.engine.formats import SCALES

THEMES = {"light", "dark"}
SCALE_WORDS = {"one": _("Units"), "thousand": _("Thousands"), "million": _("Millions")}


@dataclass(frozen=True)
class ScaleChoice:
    code: str
    label: str
    is_current: bool


@dataclass(frozen=True)
class Shell:
    """The frame around a page; numbers are the pages' own."""

    company_name: str
    theme: str
    amount_scale: str
    amount_scales: list[ScaleChoice]
    user_name: str
    initial: str


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor; runs no query beyond the signed-in person."""
    theme = request.COOKIES.get("theme", "")
    scale = request.COOKIES.get("amount_scale", "")
    scale = scale if scale in SCALES else ""
    user = getattr(request, "user", None)
    user_name = (user.get_full_name() or user.get_username()) if user and user.is_authenticated else ""
    return {
        "shell": Shell(
            company_name=getattr(getattr(connection, "tenant", None), "name", ""),
            theme=theme if theme in THEMES else "",
            amount_scale=scale,
            amount_scales=[ScaleChoice(code, str(SCALE_WORDS[code]), code == scale) for code in SCALES],
            user_name=user_name,
            initial=user_name[:1].upper(),
        )
    }
