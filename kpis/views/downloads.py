"""Files that a page hands out."""

from datetime import datetime
from urllib.parse import quote

from django.http import HttpResponse
from django.utils.translation import gettext as _

from kpis.selectors.sources import read_sources
from kpis.templatetags.kpi import moment_text

PDF_TYPE = "application/pdf"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def attachment(content: bytes, *, name: str, content_type: str) -> HttpResponse:
    """The file as a download under a name that may be Japanese."""
    response = HttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return response


def data_as_of(now: datetime) -> str:
    """When the data of a page that is printed is of: the oldest last delivery of its sources, else when it is made."""
    moments = [source.last_success_at for source in read_sources(now=now) if source.last_success_at]
    return _("As of %(moment)s") % {"moment": moment_text(min(moments, default=now))}
