"""What a connection to Salesforce is told: how it logs in, at which My Domain, and which objects it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import urlsplit

from integrations.connectors.document import MAX_STREAMS, DocumentError
from integrations.connectors.guard import LOOPBACK
from kpis.engine.issues import Issue, gettext_noop

AuthType = Literal["client_credentials", "jwt"]
SECRETS: Mapping[str, tuple[str, ...]] = {
    "client_credentials": ("client_id", "client_secret"),
    "jwt": ("client_id", "username", "private_key"),
}
"""What a connection must hold secretly, by way of logging in."""
CURSORS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")
OBJECTS: Mapping[str, Sequence[str]] = {
    "UserRole": CURSORS,
    "User": CURSORS,
    "OpportunityStage": CURSORS,
    "Account": CURSORS,
    "Lead": CURSORS,
    # Written once and never changed, where the org tracks the status of leads. Only changes of it are read.
    "LeadHistory": ("CreatedDate",),
    "Opportunity": CURSORS,
    # Written once and never changed.
    "OpportunityHistory": ("CreatedDate",),
    "Task": CURSORS,
    "Event": CURSORS,
    "Contract": CURSORS,
    "Asset": CURSORS,
    "OpportunitySplit": CURSORS,
    "OpportunityTeamMember": CURSORS,
}
"""The objects that are read, in their order, with what says when a record changed: the first that the org has."""
OPTIONAL = frozenset({"LeadHistory", "OpportunitySplit", "OpportunityTeamMember"})
"""Those that an org only has where it tracks the status of leads, splits deals or sells in teams."""
_CUSTOM_OBJECT = re.compile(r"[A-Za-z]\w*__c", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*", re.ASCII)
_SHARED_HOSTS = ("login", "test")


@dataclass(frozen=True)
class Description:
    """How one org is read. `login_url` is the origin of its token endpoint."""

    auth: AuthType
    login_url: str
    objects: tuple[str, ...]


def cursors_of(name: str) -> Sequence[str]:
    """The fields that may say when a record of an object changed, best first."""
    return OBJECTS.get(name, CURSORS)


def read_description(given: object) -> Description:
    """Raises DocumentError with every fault.

    >>> read_description({"auth": "jwt", "domain": "acme.my", "objects": ["Lead"]}).login_url
    'https://acme.my.salesforce.com'
    """
    if not isinstance(given, dict):
        raise DocumentError([Issue("", "invalid", gettext_noop("Give an object."))])
    issues = [*_unknown(given), *_auth_issues(given), *_place_issues(given), *_object_issues(given.get("objects"))]
    if issues:
        raise DocumentError(issues)
    base_url = str(given.get("base_url", "")).rstrip("/")
    return Description(
        auth=cast("AuthType", given["auth"]),
        login_url=base_url or f"https://{given['domain']}.salesforce.com",
        objects=tuple(sorted(given["objects"], key=_place_in_order)),
    )


def _unknown(given: Mapping[str, object]) -> list[Issue]:
    known = {"auth", "domain", "objects", "base_url"}
    text = gettext_noop("There is no such entry. Use one of: %(known)s.")
    params = (("known", ", ".join(sorted(known))),)
    return [Issue(str(name), "unknown", text, params) for name in sorted(set(given) - known, key=str)]


def _auth_issues(given: Mapping[str, object]) -> list[Issue]:
    if given.get("auth") in SECRETS:
        return []
    return [Issue("auth", "invalid", gettext_noop("Use one of: %(known)s."), (("known", ", ".join(SECRETS)),))]


def _place_issues(given: Mapping[str, object]) -> list[Issue]:
    base_url = given.get("base_url", "")
    if base_url:
        is_ours = isinstance(base_url, str) and urlsplit(base_url).hostname in LOOPBACK
        text = gettext_noop("Leave this out; it is for tests on the same machine alone.")
        return [] if is_ours else [Issue("base_url", "invalid", text)]
    domain = given.get("domain")
    if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain) or domain.endswith("salesforce.com"):
        text = gettext_noop("Give the My Domain without “.salesforce.com”, like acme.my.")
        return [Issue("domain", "invalid", text)]
    if domain in _SHARED_HOSTS and given.get("auth") == "client_credentials":
        text = gettext_noop("Client credentials are accepted at the My Domain only. Give it like acme.my.")
        return [Issue("domain", "invalid", text)]
    return []


def _object_issues(objects: object) -> list[Issue]:
    if not isinstance(objects, list) or not 1 <= len(objects) <= MAX_STREAMS:
        text = gettext_noop("Give a list of 1 to %(most)s objects.")
        return [Issue("objects", "invalid", text, (("most", MAX_STREAMS),))]
    text = gettext_noop("Use one of: %(known)s, or a custom object (its name ends in __c).")
    params = (("known", ", ".join(OBJECTS)),)
    faults = [
        Issue(f"objects.{index}", "invalid", text, params)
        for index, name in enumerate(objects)
        if not isinstance(name, str) or (name not in OBJECTS and not _CUSTOM_OBJECT.fullmatch(name))
    ]
    names = [name for name in objects if isinstance(name, str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(Issue("objects", "duplicated", gettext_noop("“%(name)s” is listed twice."), (("name", name),)))
    return faults


def _place_in_order(name: str) -> tuple[int, str]:
    """Masters first: who refers to something is read behind it."""
    known = list(OBJECTS)
    return (known.index(name) if name in OBJECTS else len(known), name)
