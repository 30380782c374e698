"""A CRM's opportunity export in four files: accounts, products, sales_teams, sales_pipeline."""

from django.utils.translation import gettext_lazy as _

from integrations.connectors.mapping import FieldRule
from integrations.connectors.presets.base import Preset, stream

TEAMS, PIPELINE = "sales_teams*", "sales_pipeline*"
OUTCOMES = {"Won": "won", "Lost": "lost", "Engaging": "open", "Prospecting": "open"}

CRM_OPPORTUNITIES = Preset(
    "crm_opportunities",
    _("CRM opportunity export (accounts, products, sales_teams, sales_pipeline)"),
    (
        stream("people", TEAMS, {"external_id": "manager", "name": "manager"}, name="managers", position=5),
        stream("people", TEAMS, {"external_id": "sales_agent", "name": "sales_agent"}, name="agents"),
        stream(
            "teams",
            TEAMS,
            {"external_id": "manager", "name": "manager", "region": "regional_office", "leaders": "manager"},
        ),
        stream("memberships", TEAMS, {"external_id": "sales_agent", "person": "sales_agent", "team": "manager"}),
        stream(
            "products",
            "products*",
            {
                "external_id": "product",
                "name": "product",
                "attributes.series": "series",
                "attributes.list_price": "sales_price",
            },
        ),
        stream(
            "accounts",
            "accounts*",
            {
                "external_id": "account",
                "name": "account",
                "industry": "sector",
                "size": "employees",
                "parent": "subsidiary_of",
                "attributes.country": "office_location",
                "attributes.year_established": "year_established",
                "attributes.revenue": "revenue",
            },
            values={
                "industry": {"technolgy": "technology"},
                "attributes.country": {"Philipines": "Philippines"},
            },
        ),
        stream(
            "deals",
            PIPELINE,
            {
                "external_id": "opportunity_id",
                "owner": "sales_agent",
                # The price list spells it with a blank, the pipeline without; other words are product ids as they are.
                "product": FieldRule("product", column="product", values={"GTXPro": "GTX Pro"}, unlisted="keep"),
                "account": "account",
                "outcome": "deal_stage",
                "phase": FieldRule("phase", column="deal_stage", values={"Won": "", "Lost": ""}),
                "created_on": "engage_date",
                "closed_on": "close_date",
                "amount": "close_value",
            },
            values={"outcome": OUTCOMES},
        ),
    ),
)
