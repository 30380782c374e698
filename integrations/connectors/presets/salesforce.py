"""Salesforce by its standard objects. Fields of one's own, MQL dates among them, are added in the mapping editor."""

from django.utils.translation import gettext_lazy as _

from integrations.connectors.mapping import FieldRule
from integrations.connectors.presets.base import standard, wish

# Whether a deal is closed, and whether it is won.
OUTCOMES = {"false/false": "open", "true/true": "won", "true/false": "lost"}
CUSTOMER_TYPES = {
    "New Customer": "new",
    "New Business": "new",
    "新規顧客": "new",
    "新規ビジネス": "new",
    "Existing Business": "existing",
    "Existing Customer - Upgrade": "existing",
    "Existing Customer - Replacement": "existing",
    "Existing Customer - Downgrade": "existing",
    "既存ビジネス": "existing",
    "既存顧客 - アップグレード": "existing",
    "既存顧客 - 交換": "existing",
    "既存顧客 - ダウングレード": "existing",
}
LEAD_STAGES = {
    "MQL": "mql",
    "SQL": "sql",
    "Unqualified": "disqualified",
    "Closed - Not Converted": "disqualified",
}
# Splits that have to come to 100 % share a deal out; others are credited beside it.
SPLITS = {"true": "revenue", "false": "overlay"}
TASKS = {"Call": "call", "Email": "mail", "ListEmail": "mail", "Task": "other", "Cadence": "other", "LinkedIn": "other"}

SALESFORCE = standard(
    "salesforce_standard",
    _("Salesforce standard"),
    "salesforce",
    (
        # The hierarchy of roles is what orgs have for teams: their departments are free text.
        wish("teams", "UserRole", {"external_id": "Id", "name": "Name", "parent": "ParentRoleId"}),
        wish(
            "people",
            "User",
            {
                "external_id": "Id",
                "name": "Name",
                "employee_code": "EmployeeNumber",
                "team": "UserRoleId",
                "email_hash": "Email",
            },
        ),
        wish(
            "accounts",
            "Account",
            {
                "external_id": "Id",
                "name": "Name",
                "owner": "OwnerId",
                "industry": "Industry",
                "size": "NumberOfEmployees",
                "parent": "ParentId",
                "domain": "Website",
            },
        ),
        wish(
            "leads",
            "Lead",
            {
                "external_id": "Id",
                "created_on": "CreatedDate",
                "created_at": "CreatedDate",
                "owner": "OwnerId",
                "account": "ConvertedAccountId",
                "lead_source": "LeadSource",
                "status": "Status",
                "converted_deal": "ConvertedOpportunityId",
                "email_hash": "Email",
                "email_domain": "Email",
            },
        ),
        # Every org has statuses of its own: what is not said to be a stage is kept by its name and counted.
        wish(
            "lead-stage-events",
            "LeadHistory",
            {
                "external_id": "Id",
                "lead": "LeadId",
                "stage": FieldRule("stage", column="NewValue", values=LEAD_STAGES, unlisted="count"),
                "entered_at": "CreatedDate",
            },
        ),
        wish(
            "deals",
            "Opportunity",
            {
                "external_id": "Id",
                "name": "Name",
                "account": "AccountId",
                "owner": "OwnerId",
                "created_by": "CreatedById",
                "created_on": "CreatedDate",
                # One day says both: when it is expected to close and, of a closed deal, when it did.
                "expected_close_on": "CloseDate",
                "closed_on": "CloseDate",
                "outcome": FieldRule("outcome", template="{IsClosed}/{IsWon}", values=OUTCOMES),
                "phase": "StageName",
                "amount": "Amount",
                # In orgs with several currencies alone.
                "currency": "CurrencyIsoCode",
                "lead_source": "LeadSource",
                # Every org has words of its own here: an unknown one is counted, the deal is kept.
                "customer_type": FieldRule("customer_type", column="Type", values=CUSTOMER_TYPES, unlisted="empty"),
                "last_activity_on": "LastActivityDate",
            },
        ),
        wish(
            "deal-credits",
            "OpportunitySplit",
            {
                "external_id": "Id",
                "deal": "OpportunityId",
                "person": "SplitOwnerId",
                "kind": FieldRule("kind", column="SplitType.IsTotalValidated", values=SPLITS),
                "share": FieldRule("share", template="{SplitPercentage}%"),
            },
        ),
        wish(
            "deal-stage-events",
            "OpportunityHistory",
            {"external_id": "Id", "deal": "OpportunityId", "phase": "StageName", "entered_at": "CreatedDate"},
        ),
        wish(
            "activities",
            "Task",
            {
                "external_id": "Id",
                "kind": "TaskSubtype",
                "happened_on": "CompletedDateTime",
                "happened_at": "CompletedDateTime",
                "owner": "OwnerId",
                "account": "AccountId",
                "deal": "WhatId",
                "lead": "WhoId",
            },
            values={"kind": TASKS},
            # What is still to be done has not happened.
            skip_blank=("CompletedDateTime",),
        ),
        wish(
            "activities",
            "Event",
            {
                "external_id": "Id",
                "kind": FieldRule("kind", constant="meeting"),
                "happened_on": "StartDateTime",
                "happened_at": "StartDateTime",
                "owner": "OwnerId",
                "account": "AccountId",
                "deal": "WhatId",
                "lead": "WhoId",
            },
        ),
    ),
)
