"""The kinds of connection that can be set up on the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from integrations.choices import ConnectionKind
from integrations.forms.sources import RestForm, SourceForm
from integrations.forms.vendors import HubSpotForm, KintoneForm, SalesforceForm


@dataclass(frozen=True)
class Setup:
    """One kind of connection as people choose it; without a form of its own it is set up as files are."""

    kind: ConnectionKind
    intro: str | Promise
    form: type[SourceForm] | None


# Every kind that can be set up on the pages, in the order of the page of choice.
SETUPS: Mapping[str, Setup] = {
    each.kind.value: each
    for each in (
        Setup(
            ConnectionKind.FILE,
            _("CSV or Excel files: uploaded now and then, or taken from a folder by themselves."),
            None,
        ),
        Setup(
            ConnectionKind.REST,
            _("Any system with a web API that answers in JSON: read on schedule, only what has changed."),
            RestForm,
        ),
        Setup(
            ConnectionKind.SALESFORCE,
            _("Leads, accounts and opportunities with their history, by an External Client App of your organization."),
            SalesforceForm,
        ),
        Setup(
            ConnectionKind.HUBSPOT,
            _("Contacts, companies and deals with their stages, by a service key or an app."),
            HubSpotForm,
        ),
        Setup(ConnectionKind.KINTONE, _("The records of kintone apps, by their API tokens."), KintoneForm),
    )
}
