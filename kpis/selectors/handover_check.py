"""What the checklist asks of the handover from marketing to sales (item 11)."""

from datetime import date, timedelta

from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kpis.engine import formats
from kpis.models import HandoverDefinition
from kpis.selectors.handovers import find_definition
from tenants.registry import ItemState, ItemStatus

AGREED_FOR = timedelta(days=365)


def check_handover(today: date) -> ItemState:
    """Item 11: an agreement is in force that one person of each department confirmed in the last twelve months.

    It always says how soon a lead is answered. Stages that no mapping knows are counted where data comes in.
    """
    page, form = reverse("handovers"), reverse("handover-definition")
    agreed = find_definition(today)
    if agreed is None:
        is_coming = HandoverDefinition.objects.exists()
        status = ItemStatus.IN_PROGRESS if is_coming else ItemStatus.NOT_STARTED
        step = _("Let marketing and sales agree what is handed over, what is accepted, and how soon it is answered.")
        return ItemState(status, next_step=step, next_step_url=page if is_coming else form)
    evidence = _("Agreed on %(date)s by %(marketing)s and %(sales)s.") % {
        "date": formats.write_date(agreed.agreed_on, language=get_language() or "ja"),
        "marketing": agreed.marketing_name,
        "sales": agreed.sales_name,
    }
    if agreed.agreed_on + AGREED_FOR < today:
        step = _("The agreement is older than twelve months. Let both departments agree anew.")
        return ItemState(ItemStatus.EXPIRED, evidence, page, step, form)
    return ItemState(ItemStatus.DONE, evidence, page)
