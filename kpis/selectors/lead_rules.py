"""The company's rules for leads."""

from kpis.models import LeadRules


def find_lead_rules() -> LeadRules:
    """The rules in force: the company's row, else the defaults (not stored)."""
    return LeadRules.objects.first() or LeadRules()
