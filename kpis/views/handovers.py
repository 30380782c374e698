"""マーケ→営業: the ledger of leads handed over, its file, and what marketing and sales agreed on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from kpis.choices import Grain
from kpis.engine.handover import Standing, summarise
from kpis.forms.handover import DefinitionForm
from kpis.models import DimensionMember, HandoverDefinition, Period
from kpis.renderings.files import CSV_ENCODINGS, write_csv
from kpis.selectors.calendar import find_period, period_namer
from kpis.selectors.handovers import (
    Handover,
    contacts_as_of,
    find_definition,
    narrow_handovers,
    read_handovers,
    seen_by,
    summarise_by_source,
)
from kpis.selectors.joining import count_questions
from kpis.selectors.visibility import sight_of
from kpis.services.handover import HandoverError, define_handover
from kpis.templatetags.handover import STANDING_WORDS
from kpis.views.choices import Choice, address, period_switch
from kpis.views.downloads import attachment
from tenants.capabilities import Capability, has_capability, require

SHOWN = 200
UNPROCESSABLE = 422


@dataclass(frozen=True)
class Ledger:
    """The period, everything handed over in it, what the reader may see, and what of that was asked for."""

    period: Period
    every: Sequence[Handover]
    seen: Sequence[Handover]
    rows: Sequence[Handover]


@login_required
@require_safe
def handovers(request: HttpRequest) -> HttpResponse:
    """`?grain=&start=` a period (this month), narrowed by `source=`, `owner=`, `standing=`; `all=1` shows every row.

    The summary by lead source is the company's; single leads are those of the people in the reader's sight.
    """
    require(request.user, Capability.READ_RESULTS)
    ledger = _ledger(request)
    today = timezone.localdate()
    shown = ledger.rows if request.GET.get("all") == "1" else ledger.rows[:SHOWN]
    may_define = has_capability(request.user, Capability.MANAGE_DEFINITIONS)
    page = {
        "switch": period_switch(request, ledger.period),
        "total": summarise([row.counted for row in ledger.every]),
        "sources": summarise_by_source(ledger.every),
        "rows": shown,
        "count": len(ledger.rows),
        "more": len(ledger.rows) - len(shown),
        "all_url": address(request, all="1"),
        "standings": _standings(request),
        "by_source": _options(request, "source", [row.source for row in ledger.seen]),
        "by_owner": _options(request, "owner", [row.person for row in ledger.seen]),
        "kept": {name: request.GET[name] for name in ("grain", "start", "standing") if request.GET.get(name)},
        "export_url": address(request, all=None),
        "is_whole": len(ledger.seen) == len(ledger.every),
        "definition": find_definition(today),
        "contacts_as_of": contacts_as_of(),
        "versions": HandoverDefinition.objects.select_related("recorded_by") if may_define else (),
        "may_define": may_define,
        "questions": count_questions() if may_define else 0,
    }
    return render(request, "kpis/handovers.html", {"page": page})


@login_required
@require_safe
def handovers_csv(request: HttpRequest) -> HttpResponse:
    """The ledger as the page narrows it, in full; UTF-8 with BOM, or `?encoding=cp932`."""
    require(request.user, Capability.READ_RESULTS)
    ledger = _ledger(request)
    encoding = request.GET.get("encoding", "")
    encoding = encoding if encoding in CSV_ENCODINGS else "utf-8-sig"
    headings = [
        _("Handed over on"),
        _("Lead"),
        _("Account"),
        _("Lead source"),
        _("Handed over to"),
        _("Status"),
        _("Settled on"),
        _("Reason"),
        _("First contact"),
        _("Response (office hours)"),
        _("Response (business days)"),
        _("In time"),
        _("Deal"),
        _("Link"),
    ]
    return attachment(
        write_csv([headings, *map(_line, ledger.rows)], encoding=encoding),
        name=f"{_('Marketing → sales')}_{period_namer()(ledger.period)}.csv",
        content_type=f"text/csv; charset={encoding}",
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def handover_definition(request: HttpRequest) -> HttpResponse:
    """A new agreement, filled in with the one before."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    today = timezone.localdate()
    form = DefinitionForm(request.POST or None, initial=_last_agreement(today))
    if request.method == "POST" and form.is_valid():
        try:
            define_handover(**form.cleaned_data, actor=request.user, now=timezone.now())
        except HandoverError as refusal:
            for issue in refusal.issues:
                form.add_error(issue.field, issue.translated(_))
        else:
            messages.success(request, _("The agreement is kept. Earlier ones stay in the list."))
            return redirect("handovers")
    context = {"form": form, "title": _("Handover to sales: definition"), "button": _("Save the agreement")}
    return render(request, "kpis/handover_form.html", context, status=UNPROCESSABLE if form.errors else None)


def _ledger(request: HttpRequest) -> Ledger:
    today = timezone.localdate()
    grain = request.GET.get("grain", "")
    try:
        day = date.fromisoformat(request.GET.get("start", ""))
    except ValueError:
        day = today
    period = find_period(grain if grain in Grain.values else Grain.MONTH, day)
    if period is None:
        raise Http404(_("The calendar does not reach this period."))
    every = read_handovers(period.start_date, period.end_date, now=timezone.now())
    seen = seen_by(every, sight_of(user=request.user, today=today).people)
    asked = {name: request.GET.get(name) or None for name in ("source", "owner", "standing")}
    return Ledger(period, every, seen, narrow_handovers(seen, **asked))


def _standings(request: HttpRequest) -> list[Choice]:
    asked = request.GET.get("standing", "")
    named = [
        Choice(str(STANDING_WORDS[each]), address(request, standing=each.value), asked == each) for each in Standing
    ]
    return [Choice(_("All"), address(request, standing=None), asked not in list(Standing)), *named]


def _options(request: HttpRequest, name: str, members: Sequence[DimensionMember]) -> list[tuple[str, str, bool]]:
    """Code, name and whether it is chosen, of every member that occurs."""
    asked = request.GET.get(name, "")
    found = {each.code: each for each in members}
    return [(code, str(each), code == asked) for code, each in sorted(found.items(), key=lambda item: str(item[1]))]


def _line(row: Handover) -> Sequence[Any]:
    in_time = {True: _("In time"), False: _("Late"), None: ""}
    return (
        f"{timezone.localtime(row.handed_at):%Y-%m-%d %H:%M}" if row.handed_at else row.day,
        row.lead.external_id,
        row.account,
        str(row.source),
        row.owner,
        str(STANDING_WORDS[row.standing]),
        row.settled_on,
        row.reason,
        (row.contact.happened_on if row.contact else None),
        row.response.hours if row.response else None,
        row.response.days if row.response else None,
        in_time[row.is_in_time],
        str(row.deal or ""),
        row.lead.source_url,
    )


def _last_agreement(today: date) -> dict[str, Any]:
    """What was agreed last, as of today."""
    last = HandoverDefinition.objects.first()
    kept = ("mql_meaning", "sql_meaning", "response_hours", "marketing_name", "sales_name")
    agreed = {name: getattr(last, name) for name in kept} if last else {}
    return {"agreed_on": today, "effective_from": today, **agreed}
