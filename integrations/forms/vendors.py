"""Sources of known vendors: a field for each thing that their screens call by name, and where to find it there."""

from __future__ import annotations

import re
import unicodedata
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from integrations.choices import ConnectionKind
from integrations.connectors.document import DocumentError
from integrations.connectors.hubspot.source import MODIFIED, SCOPES
from integrations.connectors.salesforce.description import OBJECTS
from integrations.forms.sources import LOOK_AGAIN, SourceForm
from integrations.services.sources import KINDS, needed_secrets

# What a company of sales reads of Salesforce as a rule.
USUAL = (
    *("UserRole", "User", "Account", "Lead", "LeadHistory", "Opportunity", "OpportunityHistory", "Task", "Event"),
    "OpportunitySplit",
)
# What an address bar shows behind the name of an organization, on its pages of records, of setup and of login.
_SALESFORCE_PAGES = re.compile(r"(\.lightning\.force|\.my\.salesforce-setup|\.my\.salesforce)\.com$")
_APP = re.compile(r"(?:https?://\S*/k/(?:guest/\d+/)?)?(\d+)/?\s*(.*)")


class VendorForm(SourceForm):
    """What every vendor's form does: its fields amount to a description, whose faults stand beside them.

    What the description of a connection holds beside these fields, stays.
    """

    # Entries of a description by the field that says them, where that is called otherwise.
    places: Mapping[str, str] = {}

    @property
    def kept(self) -> dict[str, Any]:
        """What the connection's description says now; nothing for a new one."""
        return dict(self.connection.description) if self.connection is not None else {}

    @abstractmethod
    def entries(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The description that these values of the fields amount to, as it is written anew."""

    def described(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """As it is kept where it says the same: another one would have the source read from its beginning."""
        written, read = self.entries(values), KINDS[self.kind].read
        try:
            return self.kept if self.kept and read(self.kept) == read(written) else written
        except DocumentError:
            return written

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if self.errors.keys() & self.base_fields.keys():
            return values
        try:
            KINDS[self.kind].read(self.entries(values))
        except DocumentError as error:
            for issue in error.issues:
                entry = issue.field.partition(".")[0]
                place = self.places.get(entry, entry)
                self.add_error(place if place in self.fields else None, issue.translated(gettext))
        return values


class SalesforceForm(VendorForm):
    """An organization of Salesforce."""

    kind = ConnectionKind.SALESFORCE
    steps = (
        _("In Setup, search for “External Client App” and open the External Client App Manager, then create an app."),
        _("Enable OAuth with the scope “Manage user data via APIs (api)”, and one of the ways to sign in below."),
        _("Client credentials: enable that flow and choose a user to run as, who may view what is to be read."),
        _("JWT: upload the certificate of your key, and allow the app in advance for the profile of the user."),
        _("The consumer key and secret stand in the app's settings, below OAuth."),
    )
    secret_words = {
        "client_id": (_("Consumer key"), _("In the External Client App: Settings, OAuth settings.")),
        "client_secret": (_("Consumer secret"), _("Beside the consumer key.")),
        "username": (_("User name"), _("The Salesforce user on whose behalf is read, like sync@example.com.")),
        "private_key": (
            _("Private key (PEM)"),
            _("The whole file, of which the certificate was uploaded to the External Client App."),
        ),
    }
    places = {"base_url": "domain"}
    domain = forms.CharField(
        label=_("My Domain"),
        max_length=200,
        help_text=_("Copy the address of any page of your Salesforce, or write acme for acme.my.salesforce.com."),
    )
    auth = forms.ChoiceField(
        label=_("Way to sign in"),
        choices=[
            ("client_credentials", _("Client credentials (consumer key and secret)")),
            ("jwt", _("JWT bearer (private key and user)")),
        ],
        initial="client_credentials",
        widget=forms.Select(attrs=LOOK_AGAIN),
    )
    objects = forms.MultipleChoiceField(
        label=_("Objects to read"),
        choices=[(name, name) for name in OBJECTS],
        initial=list(USUAL),
        widget=forms.CheckboxSelectMultiple,
    )
    others = forms.CharField(
        label=_("Custom objects"),
        required=False,
        max_length=2000,
        help_text=_("Their API names with commas between, like Visit__c."),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Another program may have described it otherwise, which can be saved again as it is.
        if self.kept:
            self.fields["domain"].required = "domain" in self.kept
            self.fields["objects"].required = bool(self.shown(self.kept)["objects"])

    @classmethod
    def shown(cls, description: Mapping[str, Any]) -> dict[str, Any]:
        objects = [str(each) for each in description.get("objects", ())]
        return {
            "domain": description.get("domain", ""),
            "auth": description.get("auth"),
            "objects": [each for each in objects if each in OBJECTS],
            "others": ", ".join(each for each in objects if each not in OBJECTS),
        }

    def entries(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        others = [each for each in re.split(r"[\s,、]+", values.get("others") or "") if each]
        domain = salesforce_domain(values.get("domain") or "")
        found = {
            **self.kept,
            "auth": values.get("auth") or "client_credentials",
            "domain": domain,
            "objects": [*(values.get("objects") or ()), *others],
        }
        return found if domain else {name: value for name, value in found.items() if name != "domain"}

    def needs(self, description: Mapping[str, Any]) -> tuple[str, ...]:
        return needed_secrets(kind=self.kind, description={**_PLAIN[self.kind], "auth": description["auth"]})


class HubSpotForm(VendorForm):
    """An account of HubSpot."""

    kind = ConnectionKind.HUBSPOT
    steps = (
        _(
            "Service key: in HubSpot open Development, then Keys, and create one. Legacy private apps can no longer be "
            "created."
        ),
        _(
            "App: in HubSpot open Development and create a project with an OAuth app. Its page Auth shows client ID "
            "and secret."
        ),
        format_lazy(_("Scopes of both: {scopes}"), scopes=", ".join(SCOPES[1:])),
    )
    secret_words = {
        "token": (_("Service key"), _("It begins with pat-. It is shown in HubSpot below Development, Keys.")),
        "client_id": (_("Client ID"), _("On the page Auth of the app in HubSpot.")),
        "client_secret": (_("Client secret"), _("Beside the client ID. Then press “Connect with HubSpot”.")),
    }
    auth = forms.ChoiceField(
        label=_("Way to sign in"),
        choices=[
            ("service_key", _("Service key")),
            ("oauth", _("App (OAuth: you agree on a page of HubSpot)")),
        ],
        initial="service_key",
        widget=forms.Select(attrs=LOOK_AGAIN),
    )
    objects = forms.MultipleChoiceField(
        label=_("Objects to read"),
        choices=[
            ("contacts", _("Contacts")),
            ("companies", _("Companies")),
            ("deals", pgettext_lazy("HubSpot", "Deals")),
        ],
        initial=list(MODIFIED),
        widget=forms.CheckboxSelectMultiple,
    )

    @classmethod
    def shown(cls, description: Mapping[str, Any]) -> dict[str, Any]:
        return {"auth": description.get("auth"), "objects": description.get("objects", list(MODIFIED))}

    def entries(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**self.kept, "auth": values.get("auth") or "service_key", "objects": list(values.get("objects") or ())}

    def needs(self, description: Mapping[str, Any]) -> tuple[str, ...]:
        return needed_secrets(kind=self.kind, description={**_PLAIN[self.kind], "auth": description["auth"]})


class KintoneForm(VendorForm):
    """Apps of kintone."""

    kind = ConnectionKind.KINTONE
    steps = (
        _("Open each app, then its settings (the cog), tab “App Settings”, “API Token”."),
        _("Generate a token with the right to view records, save it, and press “Update App”: before that it is dead."),
        _("The app's number stands in its address: https://example.cybozu.com/k/12/ is app 12."),
    )
    secret_words = {
        "tokens": (_("API tokens"), _("One of each app, with commas or spaces between.")),
        "username": (_("User name"), _("Of the Basic authentication, not of kintone.")),
        "password": (_("Password"), _("Of the Basic authentication, not of kintone.")),
    }
    places = {"subdomain": "domain", "base_url": "domain"}
    domain = forms.CharField(
        label=_("Domain"),
        max_length=200,
        help_text=_("Like example.cybozu.com; the address of any page of your kintone will do."),
    )
    apps = forms.CharField(
        label=_("Apps to read"),
        help_text=_("One app in each line: its number or address, and what it is called. Like: 12 Deals"),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    guest_space = forms.IntegerField(
        label=_("Guest space"),
        required=False,
        min_value=1,
        help_text=_("Only where the apps are in one: the number behind /guest/ in their address."),
    )
    basic_auth = forms.BooleanField(
        label=_("Basic authentication stands before kintone"),
        required=False,
        widget=forms.CheckboxInput(attrs=LOOK_AGAIN),
    )

    @classmethod
    def shown(cls, description: Mapping[str, Any]) -> dict[str, Any]:
        subdomain = description.get("subdomain")
        return {
            "domain": f"{subdomain}.cybozu.com" if subdomain else description.get("base_url", ""),
            "apps": "\n".join(f"{each['app']} {each.get('label', '')}".strip() for each in description.get("apps", ())),
            "guest_space": description.get("guest_space"),
            "basic_auth": description.get("basic_auth", False),
        }

    def entries(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        found = {
            **self.kept,
            "apps": list(self._apps(values.get("apps") or "")),
            "basic_auth": values.get("basic_auth") in (True, "on", "True"),
        }
        for name in ("subdomain", "base_url", "guest_space"):
            found.pop(name, None)
        if values.get("guest_space"):
            found["guest_space"] = values["guest_space"]
        return found | kintone_place(values.get("domain") or "")

    def needs(self, description: Mapping[str, Any]) -> tuple[str, ...]:
        plain = {**_PLAIN[self.kind], "basic_auth": description.get("basic_auth") is True}
        return needed_secrets(kind=self.kind, description=plain)

    def _apps(self, text: str) -> Iterator[Mapping[str, Any]]:
        """Each line as an app. One that is read already keeps the name of its stream, to which its mappings hold."""
        known = {each["app"]: each for each in self.kept.get("apps", ())}
        for line in filter(None, (each.strip() for each in text.splitlines())):
            found = _APP.fullmatch(unicodedata.normalize("NFKC", line))
            # A line without a number is refused as an app without one.
            number = int(found[1]) if found else line
            earlier = known.get(number, {"name": f"app{number}"}) if found else {"name": line[:60]}
            label = found[2].strip() if found else ""
            yield {**earlier, "app": number, **({"label": label} if label else {})}


# Descriptions without fault, to ask which credentials a choice needs.
_PLAIN: Mapping[str, Mapping[str, Any]] = {
    ConnectionKind.SALESFORCE: {"domain": "acme.my", "objects": list(USUAL)},
    ConnectionKind.HUBSPOT: {"objects": list(MODIFIED)},
    ConnectionKind.KINTONE: {"subdomain": "example", "apps": [{"app": 1, "name": "app1"}]},
}


def salesforce_domain(text: str) -> str:
    """The My Domain out of what a person copies: a name, a host or the address of a page.

    >>> [salesforce_domain(each) for each in ("acme", "https://acme.lightning.force.com/lightning/page/home")]
    ['acme.my', 'acme.my']
    >>> salesforce_domain("acme--test.sandbox.my.salesforce.com"), salesforce_domain("test.salesforce.com")
    ('acme--test.sandbox.my', 'test')
    """
    host = _host(text)
    if _SALESFORCE_PAGES.search(host):
        return f"{_SALESFORCE_PAGES.sub('', host)}.my"
    host = host.removesuffix(".salesforce.com")
    return f"{host}.my" if host and "." not in host and host not in {"login", "test"} else host


def kintone_place(text: str) -> dict[str, str]:
    """Where a kintone is, out of a name, a host or the address of a page.

    >>> kintone_place("https://example.cybozu.com/k/12/"), kintone_place("example.kintone.com")
    ({'subdomain': 'example'}, {'base_url': 'https://example.kintone.com'})
    """
    host = _host(text)
    name = host.removesuffix(".cybozu.com")
    if "." not in name and ":" not in name:
        return {"subdomain": name}
    scheme = "http" if text.strip().startswith("http://") else "https"
    return {"base_url": f"{scheme}://{host}"}


def _host(text: str) -> str:
    """The host of an address, or what was given in its place, in small letters."""
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    try:
        return urlsplit(plain if "//" in plain else f"//{plain}").netloc.rpartition("@")[2]
    except ValueError:
        return plain
