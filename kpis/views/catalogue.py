"""The catalogue of metrics, from which a company takes what it wants to measure."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from kpis.engine.catalogue import CATALOGUE
from kpis.models import Metric
from kpis.selectors.catalogue import read_catalogue
from kpis.services.catalogue import add_from_catalogue
from kpis.services.definitions import DefinitionError
from tenants.capabilities import Capability, has_capability, require


@login_required
@require_http_methods(["GET", "POST"])
def catalogue(request: HttpRequest) -> HttpResponse:
    """What each metric means, how it is computed and where it misleads; a button takes it over."""
    language = get_language() or "ja"
    if request.method == "POST":
        require(request.user, Capability.MANAGE_DEFINITIONS)
        try:
            code = request.POST.get("code", "")
            metric = add_from_catalogue(code=code, language=language, actor=request.user, now=timezone.now())
        except DefinitionError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%(name)s can now be placed in a KPI tree.") % {"name": metric.name})
        return redirect("metric-catalogue")
    require(request.user, Capability.READ_RESULTS)
    return render(
        request,
        "kpis/catalogue.html",
        {
            "rows": read_catalogue(language=language),
            "own": Metric.objects.exclude(code__in=CATALOGUE).order_by("name"),
            "can_add": has_capability(request.user, Capability.MANAGE_DEFINITIONS),
        },
    )
