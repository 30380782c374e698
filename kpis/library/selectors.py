"""Reads of the library: templates with who uses which version, and what a push would do. Console schema."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kpis.engine.templates import TEMPLATES, Template, TemplateDocument, parse_document
from kpis.engine.templates.checking import document_issues
from kpis.library import models
from kpis.library.choices import PushStatus, TemplateStatus
from kpis.selectors.editing import Remark, remarks_of
from kpis.selectors.template_use import OfferPreview, preview_offer
from tenants.console.models import CompanyHealth
from tenants.console.selectors import ClientRow, list_clients
from tenants.context import tenant_context

OPEN = (PushStatus.REQUESTED, PushStatus.OFFERED)


@dataclass(frozen=True)
class UserRow:
    """One company that uses a template; `version` 0 means that the template was taken from it."""

    company_id: uuid.UUID
    name: str
    version: int
    latest: int
    deviation_count: int
    updated_at: datetime

    @property
    def is_behind(self) -> bool:
        return self.version < self.latest


@dataclass(frozen=True)
class TemplateRow:
    """One template on the list: its newest version (0 = none yet), who uses it, and how many are behind."""

    template: models.Template
    latest: int
    users: Sequence[UserRow]

    @property
    def behind_count(self) -> int:
        return sum(user.is_behind for user in self.users)


@dataclass(frozen=True)
class PushRow:
    """One push with the company's name as the console knows it."""

    push: models.TemplatePush
    company_name: str


@dataclass(frozen=True)
class CompanyPreview:
    """What a version would do in one company; `preview` None where this user may not look into it."""

    client: ClientRow
    preview: OfferPreview | None
    is_current: bool


def list_templates(*, user: Any, now: datetime) -> list[TemplateRow]:
    """Every template with the companies that use it, as far as this user may see them; a fixed number of queries."""
    templates = list(models.Template.objects.all())
    latest = dict(models.TemplateVersion.objects.order_by("template_id", "number").values_list("template_id", "number"))
    visible = {row.company.id: row.name for row in list_clients(user=user, now=now)}
    users: dict[uuid.UUID, list[CompanyHealth]] = defaultdict(list)
    for health in CompanyHealth.objects.filter(company_id__in=visible).exclude(template_version=None):
        if health.template_id is not None:
            users[health.template_id].append(health)
    return [
        TemplateRow(
            template,
            latest.get(template.pk, 0),
            [_user_row(health, latest.get(template.pk, 0)) for health in users[template.public_id]],
        )
        for template in templates
    ]


def latest_version(template: models.Template) -> models.TemplateVersion | None:
    """The newest published version; None for a template that was never published."""
    return template.versions.order_by("-number").first()


def read_draft(template: models.Template) -> TemplateDocument:
    """The document as it is being edited."""
    return parse_document(template.draft)


def draft_remarks(template: models.Template) -> list[Remark]:
    """What is missing or wrong in the draft, in the reader's language, the weightiest first."""
    latest = latest_version(template)
    before = parse_document(latest.document) if latest else None
    return remarks_of(document_issues(read_draft(template), before=before))


def is_draft_published(template: models.Template) -> bool:
    """Whether the draft says nothing but what the newest version says."""
    latest = latest_version(template)
    return latest is not None and latest.document == template.draft


def list_pushes(template: models.Template, *, visible: Sequence[ClientRow]) -> list[PushRow]:
    """What was pushed to companies that the reader may see, newest first; one query."""
    names = {row.company.id: row.name for row in visible}
    pushes = models.TemplatePush.objects.select_related("version", "requested_by").filter(
        version__template=template, company_id__in=names
    )
    return [PushRow(push, names[push.company_id]) for push in pushes[:50]]


def preview_push(version: models.TemplateVersion, *, clients: Sequence[ClientRow]) -> list[CompanyPreview]:
    """What a version would change in each of these companies; those that may not be entered are not looked into."""
    document = parse_document(version.document)
    return [_preview(version, document, client) for client in clients]


def find_version(code: str) -> models.TemplateVersion | None:
    """The newest version of a template by its code, be it retired or not; None where there is none."""
    versions = models.TemplateVersion.objects.select_related("template")
    return versions.filter(template__code=code).order_by("-number").first()


def list_published() -> list[models.TemplateVersion]:
    """The newest version of every published template, by name; one query."""
    versions = models.TemplateVersion.objects.select_related("template").filter(
        template__status=TemplateStatus.PUBLISHED
    )
    newest = {version.template_id: version for version in versions.order_by("number")}
    return sorted(newest.values(), key=lambda version: version.template.name)


def shipped_templates() -> Sequence[Template]:
    """The templates that come with the product."""
    return tuple(TEMPLATES.values())


def _user_row(health: CompanyHealth, latest: int) -> UserRow:
    return UserRow(
        health.company_id,
        health.name,
        health.template_version or 0,
        latest,
        health.template_deviation_count,
        health.updated_at,
    )


def _preview(version: models.TemplateVersion, document: TemplateDocument, client: ClientRow) -> CompanyPreview:
    if not client.can_open:
        return CompanyPreview(client, None, False)
    with tenant_context(client.company):
        preview = preview_offer(template_id=version.template.public_id, document=document)
    return CompanyPreview(client, preview, preview.version == version.number)
