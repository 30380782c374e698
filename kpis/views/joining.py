"""How marketing and sales data were joined: what the rules found, each with its reason and a way to undo it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from kpis.forms.leads import RulesForm
from kpis.models import Lead, LeadExclusion, LeadLink, Person, PersonLink
from kpis.selectors.joining import (
    find_duplicates,
    find_links,
    find_namesakes,
    find_questions,
    read_counts,
    read_people,
    read_person_links,
    read_scans,
    with_candidates,
)
from kpis.selectors.lead_rules import find_lead_rules
from kpis.services.joining import choose_lead, count_duplicate, judge_scan, undo_link
from kpis.services.lead_rules import LeadRulesError, set_lead_rules
from kpis.services.person_links import join_people, part_people
from kpis.services.refusal import RefusedError
from kpis.views.choices import address
from tenants.capabilities import Capability, require

SHOWN = 100
UNPROCESSABLE = 422


@dataclass(frozen=True)
class Shelf:
    """One of several lists of a page that are leafed through apart from each other; "" where there is no page."""

    page: Page[Any]
    previous_url: str
    next_url: str


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def joining(request: HttpRequest) -> HttpResponse:
    """Questions first, then what was found, a page at a time; `?q=` narrows by name or id. POST changes the rules."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    form = RulesForm(request.POST or None, rules=find_lead_rules(), label_suffix="")
    if request.method == "POST" and form.is_valid() and _set_rules(request, form):
        messages.success(request, _("The rules are kept. Leads and deals are looked at again."))
        return redirect("lead-joining")
    people = read_people()
    text = request.GET.get("q", "").strip()
    questions = _shelf(request, "questions", find_questions(text))
    page = {
        "text": text,
        "query": f"?{request.GET.urlencode()}" if request.GET else "",
        "people": people,
        "person_links": read_person_links(SHOWN),
        "namesakes": find_namesakes(people, SHOWN),
        "counts": read_counts(),
        "waiting": questions.page.paginator.count if not text else find_questions().count(),
        "questions": questions,
        "candidates": with_candidates(list(questions.page)),
        "scans": read_scans(),
        "links": _shelf(request, "links", find_links(text)),
        "duplicates": _shelf(request, "duplicates", find_duplicates(text)),
        "form": form,
    }
    return render(request, "kpis/joining.html", {"page": page}, status=UNPROCESSABLE if form.errors else None)


@login_required
@require_POST
def joining_verdict(request: HttpRequest) -> HttpResponse:
    """One word of a person on a link, a duplicate or a card scan: `verdict=`. Raises Http404 for another.

    It leads back to the page and search in its address.
    """
    require(request.user, Capability.MANAGE_DEFINITIONS)
    act = _VERDICTS.get(request.POST.get("verdict", ""))
    if act is None:
        raise Http404
    try:
        messages.success(request, act(request))
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    return redirect(f"{reverse('lead-joining')}{query}")


def _shelf(request: HttpRequest, name: str, rows: QuerySet[Any]) -> Shelf:
    """A page of one list: the one asked for by the list's own parameter, else the first."""
    page = Paginator(rows, SHOWN).get_page(request.GET.get(name))
    before = address(request, **{name: str(page.number - 1)}) if page.has_previous() else ""
    return Shelf(page, before, address(request, **{name: str(page.number + 1)}) if page.has_next() else "")


def _set_rules(request: HttpRequest, form: RulesForm) -> bool:
    try:
        set_lead_rules(**form.rules(), actor=request.user, now=timezone.now())
    except LeadRulesError as refusal:
        for issue in refusal.issues:
            form.add_error(issue.field if issue.field in form.fields else None, issue.translated(_))
        return False
    return True


def _row(request: HttpRequest, model: type[Any], name: str) -> Any:
    asked = request.POST.get(name, "")
    if not asked.isascii() or not asked.isdigit():
        raise Http404
    return get_object_or_404(model, pk=int(asked))


def _undo(request: HttpRequest) -> str:
    undo_link(link=_row(request, LeadLink, "link"), actor=request.user, now=timezone.now())
    return _("The link is taken off, and no rule brings it back.")


def _choose(request: HttpRequest) -> str:
    link, lead = _row(request, LeadLink, "link"), _row(request, Lead, "lead")
    choose_lead(link=link, lead=lead, actor=request.user, now=timezone.now())
    return _("The deal is linked to the lead that you chose.")


def _count(request: HttpRequest) -> str:
    count_duplicate(exclusion=_row(request, LeadExclusion, "exclusion"), actor=request.user, now=timezone.now())
    return _("The lead is counted as one of its own.")


def _join(request: HttpRequest) -> str:
    person, same_as = _row(request, Person, "person"), _row(request, Person, "same_as")
    join_people(person=person, same_as=same_as, actor=request.user, now=timezone.now())
    return _("They are one person: %(name)s stands for both.") % {"name": same_as.name}


def _part(request: HttpRequest) -> str:
    part_people(link=_row(request, PersonLink, "link"), actor=request.user, now=timezone.now())
    return _("They are two people again, each with what was theirs. No rule joins them any more.")


def _judge(verdict: str) -> Callable[[HttpRequest], str]:
    def act(request: HttpRequest) -> str:
        leads = [int(each) for each in request.POST.get("leads", "").split(",") if each.isascii() and each.isdigit()]
        count = judge_scan(leads=leads, verdict=verdict, actor=request.user, now=timezone.now())
        if verdict == "counted":
            return ngettext("%(count)s lead is counted.", "%(count)s leads are counted.", count) % {"count": count}
        return ngettext("%(count)s lead is left out.", "%(count)s leads are left out.", count) % {"count": count}

    return act


_VERDICTS: dict[str, Callable[[HttpRequest], str]] = {
    "undo": _undo,
    "choose": _choose,
    "count": _count,
    "join": _join,
    "part": _part,
    "counted": _judge("counted"),
    "left_out": _judge("left_out"),
}
