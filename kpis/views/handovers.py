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
    read_ledger_sources,
    seen_by,
    summarise_by_source,
)
from kpis.selectors.joining import count_questions
from kpis.selectors.streams import FactsRead
from kpis.selectors.visibility import sight_of
from kpis.services.handover import HandoverError, define_handover
from kpis.templatetags.handover import STANDING_WORDS
from kpis.templatetags.kpi import moment_text, resource_names, stale_text
from kpis.views.choices import Choice, address, period_switch
from kpis.views.downloads import attachment
from tenants.capabilities import Capability, has_capability, require

SHOWN = 200
UNPROCESSABLE = 422


@dataclass(frozen=True)
class Ledger:
    """The period, everything handed over in it, what the reader may see, and what of that was asked for.

    `leads` says how far leads and their stages are known, `sources` how far these and the deals made of them are.
    """

    period: Period
    leads: FactsRead
    sources: FactsRead
    every: Sequence[Handover]
    seen: Sequence[Handover]
    rows: Sequence[Handover]

    def silence(self, today: date) -> str:
        """Why nobody knows whether a lead was handed over, where none is stored; "" where that means none."""
        told, start, end = self.leads.coverage, self.period.start_date, self.period.end_date
        if self.every or self.leads.tells_none(start, end, today):
            return ""
        if told.covered_from is None:
            return _("No source has delivered leads yet. As soon as one does, the leads handed over are listed here.")
        last_read = {"moment": moment_text(self.leads.as_of)}
        if not told.tells_none(start, end, today):
            is_before = self.leads.as_of is not None and told.known_until is not None and told.known_until < start
            if not is_before:
                return _("No source tells of leads in this period. That is not zero: nobody knows.")
            said = _("Leads were last read on %(moment)s, before this period. That is not zero: nobody knows.")
            return said % last_read
        said = _("Until leads were last read, on %(moment)s, none was handed over. What came after that is not known.")
        return said % last_read


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
        "leads": ledger.leads,
        "sources_read": ledger.sources,
        "silence": ledger.silence(today),
        "contacts_as_of": contacts_as_of(),
        "versions": HandoverDefinition.objects.select_related("recorded_by") if may_define else (),
        "may_define": may_define,
        "questions": count_questions() if may_define else 0,
    }
    return render(request, "kpis/handovers.html", {"page": page})


@login_required
@require_safe
def handovers_csv(request: HttpRequest) -> HttpResponse:
    """The ledger as the page narrows it, in full; UTF-8 with BOM, or `?encoding=cp932`.

    A note stands below it where the source of leads is late, or nobody knows of the period.
    """
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
        write_csv([headings, *map(_line, ledger.rows), *([note] for note in _notes(ledger))], encoding=encoding),
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
    now = timezone.now()
    leads, sources = read_ledger_sources(now=now)
    every = read_handovers(period.start_date, period.end_date, now=now)
    seen = seen_by(every, sight_of(user=request.user, today=today).people)
    asked = {name: request.GET.get(name) or None for name in ("source", "owner", "standing")}
    return Ledger(period, leads, sources, every, seen, narrow_handovers(seen, **asked))


def _notes(ledger: Ledger) -> list[str]:
    """What stands below the list in a file."""
    sources = ledger.sources
    late = [f"{stale_text(sources.as_of)}: {resource_names(list(sources.late))}"] if sources.is_stale else []
    silence = ledger.silence(timezone.localdate())
    return [*late, silence] if silence else late


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
