"""HubSpot by its standard properties: contacts are leads, the lifecycle says when they became MQL and SQL."""

from django.utils.translation import gettext_lazy as _

from integrations.connectors.mapping import FieldRule
from integrations.connectors.presets.base import standard, wish

# Whether a deal is closed, and whether it is won.
OUTCOMES = {"false/false": "open", "true/true": "won", "true/false": "lost"}
STAGES = {"closedwon": "won", "closedlost": "lost"}
CUSTOMER_TYPES = {"newbusiness": "new", "existingbusiness": "existing"}
STAGE_AT, LIFE_AT = "history.dealstage", "history.lifecyclestage"
# Who had been handed over and stands before that again was returned; an MQL after that is handed over once more.
LEAD_STAGES = {
    "subscriber:back": "returned",
    "lead:back": "returned",
    "marketingqualifiedlead": "mql",
    "salesqualifiedlead": "sql",
    "opportunity": "opportunity",
    "customer": "customer",
    "evangelist": "evangelist",
}

HUBSPOT = standard(
    "hubspot_standard",
    _("HubSpot standard"),
    "hubspot",
    (
        wish(
            "people",
            "owners",
            {
                "external_id": "id",
                "name": FieldRule("name", template="{lastName} {firstName}"),
                "team": "team.id",
                "email_hash": "email",
            },
        ),
        wish("teams", "teams", {"external_id": "id", "name": "name"}),
        wish(
            "accounts",
            "companies",
            {
                "external_id": "id",
                "name": "name",
                "owner": "hubspot_owner_id",
                "industry": "industry",
                "size": "numberofemployees",
                "parent": "hs_parent_company_id",
                "domain": ("domain", "website"),
            },
            labelled=frozenset({"industry"}),
        ),
        wish(
            "leads",
            "contacts",
            {
                "external_id": "id",
                "created_on": ("createdate", "createdAt"),
                "created_at": ("createdate", "createdAt"),
                "owner": "hubspot_owner_id",
                "account": "associatedcompanyid",
                "lead_source": "hs_analytics_source",
                "status": "lifecyclestage",
                "mql_on": (
                    "hs_v2_date_entered_marketingqualifiedlead",
                    "hs_lifecyclestage_marketingqualifiedlead_date",
                ),
                "sql_on": ("hs_v2_date_entered_salesqualifiedlead", "hs_lifecyclestage_salesqualifiedlead_date"),
                "email_hash": "email",
                "email_domain": ("email", "hs_email_domain"),
            },
            labelled=frozenset({"status", "lead_source"}),
        ),
        # What a company has added to the lifecycle is kept by its name and counted.
        wish(
            "lead-stage-events",
            "contacts",
            {
                "external_id": FieldRule("external_id", template=f"{{id}}-{{{LIFE_AT}.at}}"),
                "lead": "id",
                "stage": FieldRule("stage", column=f"{LIFE_AT}.step", values=LEAD_STAGES, unlisted="count"),
                "entered_at": f"{LIFE_AT}.at",
            },
            each=LIFE_AT,
            # Every contact begins as a lead or subscriber: nobody has dealt with it by that.
            skip_blank=(f"{LIFE_AT}.step",),
        ),
        wish(
            "deals",
            "deals",
            {
                "external_id": "id",
                "name": "dealname",
                "account": "hs_primary_associated_company",
                "owner": "hubspot_owner_id",
                "lead": "associations.contact",
                "created_on": ("createdate", "createdAt"),
                # One day says both: when it is expected to close and, of a closed deal, when it did.
                "expected_close_on": "closedate",
                "closed_on": "closedate",
                "outcome": (
                    FieldRule("outcome", template="{hs_is_closed}/{hs_is_closed_won}", values=OUTCOMES),
                    FieldRule("outcome", column="dealstage", values=STAGES),
                ),
                "phase": "dealstage",
                "amount": "amount",
                "currency": "deal_currency_code",
                "lead_source": "hs_analytics_source",
                "customer_type": FieldRule("customer_type", column="dealtype", values=CUSTOMER_TYPES, unlisted="empty"),
                "lost_reason": "closed_lost_reason",
                "last_activity_on": "notes_last_contacted",
            },
            labelled=frozenset({"phase", "lead_source"}),
        ),
        wish(
            "deal-stage-events",
            "deals",
            {
                "external_id": FieldRule("external_id", template=f"{{id}}-{{{STAGE_AT}.at}}"),
                "deal": "id",
                "phase": f"{STAGE_AT}.value",
                "entered_at": f"{STAGE_AT}.at",
            },
            each=STAGE_AT,
            labelled=frozenset({"phase"}),
        ),
    ),
)
