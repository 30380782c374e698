"""The administration's look, as settings take it: what needs a request is named and lives in config.administration."""

from typing import Any

INDIGO = {
    "50": "#eff4f9",
    "100": "#dbe6f1",
    "200": "#bcd0e5",
    "300": "#93b3d3",
    "400": "#6290bd",
    "500": "#3d72a6",
    "600": "#2c5d8f",
    "700": "#1f4e79",
    "800": "#1a4061",
    "900": "#17344e",
    "950": "#0f2233",
}
PAPER_AND_INK = {
    "50": "#faf8f3",
    "100": "#f4f1ea",
    "200": "#e6e1d7",
    "300": "#cdc6b8",
    "400": "#9aa0a6",
    "500": "#6b727a",
    "600": "#555d66",
    "700": "#39424c",
    "800": "#262e37",
    "900": "#1a2027",
    "950": "#12171d",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "config.administration.site_title",
    "SITE_HEADER": "config.administration.site_header",
    "SITE_SUBHEADER": "config.administration.site_subheader",
    "SITE_ICON": "config.administration.mark",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "config.administration.mark"}],
    "SITE_DROPDOWN": "config.administration.pages",
    "SHOW_LANGUAGES": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": INDIGO, "base": PAPER_AND_INK},
    "STYLES": ["config.administration.tokens_stylesheet", "config.administration.admin_stylesheet"],
    "SIDEBAR": {"show_search": True, "show_all_applications": True},
}
