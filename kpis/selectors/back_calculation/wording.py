"""What stages, rates and lead times are called."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from kpis.engine.back_calculation import (
    DEAL_SIZE,
    LEAD_SHARE,
    MQL_RATE,
    OPPORTUNITY_RATE,
    PER_DEAL,
    WIN_RATE,
    LeadSource,
    LeadTime,
    Stage,
)
from kpis.selectors.back_calculation.places import Places

STAGES = {
    Stage.WON: gettext_lazy("Won deals"),
    Stage.CLOSED: gettext_lazy("Closed deals"),
    Stage.OPPORTUNITIES: gettext_lazy("New opportunities"),
    Stage.SQL: gettext_lazy("SQLs from leads"),
    Stage.MQL: gettext_lazy("MQLs"),
    Stage.LEADS: gettext_lazy("New leads"),
}
RATES = {
    DEAL_SIZE: gettext_lazy("Average deal size"),
    WIN_RATE: gettext_lazy("Win rate (count)"),
    LEAD_SHARE: gettext_lazy("Share of opportunities from leads"),
    OPPORTUNITY_RATE: gettext_lazy("Opportunity rate (MQL→SQL)"),
    MQL_RATE: gettext_lazy("MQL rate"),
}


def stage_words(stage: str, places: Places) -> str:
    """A stage as the company calls its KPI, else in plain words."""
    node = places.node_of(stage)
    return node.name if node is not None else str(STAGES.get(Stage(stage), stage))


def rate_words(code: str, places: Places) -> str:
    """A rate as the company calls its KPI, else in plain words; never without the bracket that says of what."""
    node = places.node_of(code)
    if node is not None:
        return node.name
    if code.endswith(PER_DEAL):
        activity = stage_words(code.removesuffix(PER_DEAL), places)
        return _("%(activity)s per closed deal") % {"activity": activity}
    if code == OPPORTUNITY_RATE and not places.has_mql:
        return _("Opportunity rate (leads)")
    return str(RATES.get(code, code))


LEADS = {
    LeadSource.TYPED: gettext_lazy("%(days)s days before the order (typed)"),
    LeadSource.MEDIAN: gettext_lazy("%(days)s days before the order (own median)"),
}


def lead_words(lead_time: LeadTime | None) -> str:
    """How long before the order, and where that is known from; "" where there is nothing to say."""
    if lead_time is None or lead_time.source is None:
        return ""
    if lead_time.source != LeadSource.PROFILE:
        return LEADS[lead_time.source] % {"days": lead_time.days} if lead_time.days else ""
    most = lead_time.profile.most
    said = {"share": f"{lead_time.profile.share(most) * 100:.0f}%", "when": month_words(most)}
    return _("Own close profile: %(share)s %(when)s") % said


def month_words(months: int) -> str:
    """A lag in whole months."""
    if not months:
        return _("in the month of the order")
    return ngettext("%(months)s month before", "%(months)s months before", months) % {"months": months}
