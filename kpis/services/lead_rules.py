"""The company's rules for leads."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from django.db import connection, transaction

from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.joining import LINK_RULES, LONGEST_SCAN
from kpis.models import LeadRules
from kpis.selectors.lead_rules import find_lead_rules
from kpis.services.dependents import mark_leads
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class LeadRulesError(RefusedError):
    """Rules that cannot hold."""

    code = "invalid_lead_rules"


def set_lead_rules(
    *,
    link_order: Sequence[str],
    joins_same_email: bool,
    scan_count: int,
    scan_minutes: int,
    opens_at: time,
    closes_at: time,
    actor: Any,
    now: datetime,
) -> LeadRules:
    """Put these rules in the place of those before; all leads and deals are looked at again. Raises LeadRulesError.

    What a person said of a link or a lead stays, whatever the rules are.
    """
    issues = []
    if len(set(link_order)) != len(link_order) or not set(link_order) <= set(LINK_RULES):
        template = gettext_noop("Name each rule at most once: %(rules)s.")
        issues.append(Issue("link_order", "invalid", template, (("rules", ", ".join(LINK_RULES)),)))
    if not 1 <= scan_minutes <= LONGEST_SCAN:
        template = gettext_noop("A card scan takes from 1 to %(most)s minutes.")
        issues.append(Issue("scan_minutes", "out_of_range", template, (("most", LONGEST_SCAN),)))
    if scan_count < 0:
        template = gettext_noop("Write how many leads make a card scan, or 0 for never.")
        issues.append(Issue("scan_count", "out_of_range", template))
    if closes_at <= opens_at:
        issues.append(Issue("closes_at", "invalid", gettext_noop("The office closes after it opens.")))
    if issues:
        raise LeadRulesError(issues=issues)
    with transaction.atomic():
        before = find_lead_rules()
        deciding = {
            "link_order": list(link_order),
            "joins_same_email": joins_same_email,
            "scan_count": scan_count,
            "scan_minutes": scan_minutes,
        }
        rules, _ = LeadRules.objects.update_or_create(
            id=1, defaults={**deciding, "opens_at": opens_at, "closes_at": closes_at}
        )
        if any(getattr(before, name) != value for name, value in deciding.items()):
            with connection.cursor() as cursor:
                mark_leads(cursor)
            emit(topic="facts.changed", company_id=current_company().pk)
    return rules
