"""What marketing and sales agreed on, version by version."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kpis.engine.issues import Issue, gettext_noop
from kpis.models import HandoverDefinition
from kpis.services.refusal import RefusedError

_NAMES = {
    "mql_meaning": gettext_noop("Write when marketing hands a lead over."),
    "sql_meaning": gettext_noop("Write when sales accepts a lead."),
    "marketing_name": gettext_noop("Write who agreed for marketing."),
    "sales_name": gettext_noop("Write who agreed for sales."),
}


class HandoverError(RefusedError):
    """A handover definition that cannot be kept."""

    code = "invalid_handover_definition"


def define_handover(
    *,
    effective_from: date,
    mql_meaning: str,
    sql_meaning: str,
    response_hours: Decimal,
    marketing_name: str,
    sales_name: str,
    agreed_on: date,
    actor: Any,
    now: datetime,
) -> HandoverDefinition:
    """Keep what was agreed, in force from a day on; earlier agreements stay as they were. Raises HandoverError.

    `response_hours` are office hours. One person of each department agrees; they cannot be the same.
    """
    texts = {
        "mql_meaning": mql_meaning.strip(),
        "sql_meaning": sql_meaning.strip(),
        "marketing_name": marketing_name.strip(),
        "sales_name": sales_name.strip(),
    }
    issues = [Issue(name, "required", _NAMES[name]) for name, text in texts.items() if not text]
    if texts["marketing_name"] and texts["marketing_name"] == texts["sales_name"]:
        template = gettext_noop("Marketing and sales agree with each other: write a name of each department.")
        issues.append(Issue("sales_name", "invalid", template))
    if response_hours <= 0:
        template = gettext_noop("Write within how many office hours sales answers, more than 0.")
        issues.append(Issue("response_hours", "invalid", template))
    if agreed_on > effective_from:
        template = gettext_noop("It cannot be in force before it was agreed. Write a later day.")
        issues.append(Issue("effective_from", "invalid", template))
    if issues:
        raise HandoverError(issues=issues)
    return HandoverDefinition.objects.create(
        **texts,
        effective_from=effective_from,
        response_hours=response_hours,
        agreed_on=agreed_on,
        recorded_by=actor,
        recorded_at=now,
    )
