"""Writes of the library: templates made, edited, published, retired and pushed to companies.

Rows of the console and of a company are never joined: a version travels as a frozen copy inside one call.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Max

from kpis.choices import TreeStatus
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.templates import TEMPLATES, TemplateDocument, Text, parse_document, to_data
from kpis.engine.templates.checking import document_issues, keeping_from_publishing
from kpis.engine.templates.documents import named
from kpis.engine.templates.outlines import template_from
from kpis.library.choices import PushStatus, TemplateStatus
from kpis.library.models import Template, TemplatePush, TemplateVersion
from kpis.library.selectors import latest_version
from kpis.models import KpiTree
from kpis.selectors.template_use import read_outline
from kpis.services.refusal import RefusedError
from kpis.services.template_use import TemplateCopy, note_use, offer_template
from tenants.accounts.models import User
from tenants.context import current_company, public_context, tenant_context
from tenants.models import Company
from tenants.outbox.services import emit
from tenants.selectors import find_live_grant
from tenants.services.companies import get_console

PUSHED = "template.pushed"


class LibraryError(RefusedError):
    """A template that cannot be made, published or pushed; `issues` name the fields at fault."""

    code = "invalid_template"


def create_template(
    *, code: str, name: str, style: str, description: str, document: TemplateDocument, actor: User, now: datetime
) -> Template:
    """A new template as a draft, from a document (a shipped one, or a copy of another). Raises LibraryError."""
    if code in TEMPLATES:
        raise LibraryError(issues=[_code_taken(code)])
    try:
        with transaction.atomic():
            return Template.objects.create(
                code=code,
                name=name,
                style=style,
                description=description,
                draft=to_data(_styled(named(document, Text(name, name)), style)),
                created_by=actor,
                created_at=now,
                changed_at=now,
            )
    except IntegrityError:
        raise LibraryError(issues=[_code_taken(code)]) from None


def create_template_from_company(
    *, company: Company, code: str, name: str, description: str, actor: User, now: datetime
) -> Template:
    """A company's tree in force as a template: its places and definitions, never a person, a target or a number.

    The tree follows the template from then on. Raises LibraryError without a live grant, or without a tree in force.
    """
    _require_grant(company, actor, now)
    with transaction.atomic():
        with tenant_context(company):
            tree = _tree_in_force()
            made = template_from(read_outline(tree), name=Text(name, name), style=tree.style or "")
        document = TemplateDocument(made)
        template = create_template(
            code=code, name=name, style=made.style, description=description, document=document, actor=actor, now=now
        )
        copy = TemplateCopy(template.public_id, template.code, template.name, 0, parse_document(template.draft))
        with tenant_context(company):
            note_use(tree=tree, copy=copy, now=now)
    return template


def change_draft(
    *, template: Template, change: Callable[[TemplateDocument], TemplateDocument], now: datetime
) -> TemplateDocument:
    """Put the document that `change` makes of the draft in its place; changes of one template wait for each other."""
    with transaction.atomic():
        row = Template.objects.select_for_update().get(pk=template.pk)
        document = change(parse_document(row.draft))
        row.draft, row.changed_at = to_data(document), now
        row.save(update_fields=["draft", "changed_at"])
    template.draft, template.changed_at = row.draft, row.changed_at
    return document


def publish_template(*, template: Template, note: str, actor: User, now: datetime) -> TemplateVersion:
    """Cut the next version from the draft. Raises LibraryError with its faults, or where nothing is new."""
    with transaction.atomic():
        row = Template.objects.select_for_update().get(pk=template.pk)
        latest = latest_version(row)
        if latest is not None and latest.document == row.draft and row.status == TemplateStatus.PUBLISHED:
            raise LibraryError(gettext_noop("Nothing has changed since version %(number)s."), number=latest.number)
        before = parse_document(latest.document) if latest else None
        issues = keeping_from_publishing(document_issues(parse_document(row.draft), before=before))
        if issues:
            raise LibraryError(issues=issues)
        Template.objects.filter(pk=row.pk).update(status=TemplateStatus.PUBLISHED)
        if latest is not None and latest.document == row.draft:
            return latest
        highest = row.versions.aggregate(highest=Max("number"))["highest"] or 0
        return TemplateVersion.objects.create(
            template=row, number=highest + 1, document=row.draft, note=note, published_by=actor, published_at=now
        )


def retire_template(*, template: Template) -> None:
    """Offer a template no longer; companies that use it keep what they have."""
    Template.objects.filter(pk=template.pk).update(status=TemplateStatus.RETIRED)


def push_template(
    *, template: Template, companies: Sequence[Company], actor: User, now: datetime
) -> list[TemplatePush]:
    """Hand the newest version to these companies, each by a task of its own.

    A company in which that version is under way or waits already is left out. Raises LibraryError for a template that
    is not published, and where `actor` has no grant.
    """
    version = latest_version(template)
    if version is None or template.status != TemplateStatus.PUBLISHED:
        raise LibraryError(gettext_noop("The template is not published. Publish a version first."))
    for company in companies:
        _require_grant(company, actor, now)
    with transaction.atomic():
        pushes = [_request_push(version, company, actor, now) for company in companies]
    return [push for push in pushes if push is not None]


def receive_push(*, push_id: uuid.UUID, now: datetime) -> None:
    """In the company: make the draft or offer that a push asks for, and tell the console. Harmless when repeated."""
    company, console = current_company(), get_console()
    with transaction.atomic():
        with tenant_context(console):
            push = _find_push(push_id, company, PushStatus.REQUESTED)
            if push is None:
                return
            copy, is_allowed = copy_of(push.version), _is_granted(company, push.requested_by, now)
        try:
            if not is_allowed:
                raise LibraryError(gettext_noop("Your access to this client has ended."))
            with transaction.atomic():
                outcome, refusal = offer_template(copy=copy, offer_id=push_id, actor=None, now=now), ""
        except RefusedError as error:
            outcome, refusal = PushStatus.FAILED.value, str(error)
        with tenant_context(console):
            if outcome == PushStatus.OFFERED:
                _replace_earlier(push)
            _finish(push, outcome, refusal, now)


def settle_push(*, push_id: uuid.UUID, status: str, now: datetime) -> None:
    """In the company: tell the console what the company decided about an offer."""
    company = current_company()
    with transaction.atomic(), tenant_context(get_console()):
        push = _find_push(push_id, company, PushStatus.OFFERED)
        if push is not None:
            _finish(push, status, "", now)


def copy_of(version: TemplateVersion) -> TemplateCopy:
    """A version as companies get it."""
    template = version.template
    return TemplateCopy(
        template.public_id, template.code, template.name, version.number, parse_document(version.document)
    )


def _styled(document: TemplateDocument, style: str) -> TemplateDocument:
    """The document under a sales style; benchmarks are read with the style of their document."""
    data = to_data(document)
    return parse_document({**data, "style": style})


def _code_taken(code: str) -> Issue:
    text = gettext_noop("There is a template %(code)s already. Choose another code.")
    return Issue("code", "unique", text, (("code", code),))


def _is_granted(company: Company, user: User | None, now: datetime) -> bool:
    if user is None:
        return False
    with public_context():
        return find_live_grant(company=company, console_user_id=user.public_id, now=now) is not None


def _require_grant(company: Company, user: User, now: datetime) -> None:
    if not company.is_ready or not _is_granted(company, user, now):
        raise LibraryError(gettext_noop("You have no access to this client. Ask the owner of the console for it."))


def _tree_in_force() -> KpiTree:
    tree = KpiTree.objects.filter(status=TreeStatus.ACTIVE).order_by("-fiscal_year", "id").first()
    if tree is None:
        raise LibraryError(gettext_noop("This company has no tree in force that could be taken over."))
    return tree


def _request_push(version: TemplateVersion, company: Company, actor: User, now: datetime) -> TemplatePush | None:
    try:
        with transaction.atomic():
            push: TemplatePush = TemplatePush.objects.create(
                version=version, company_id=company.id, requested_by=actor, requested_at=now
            )
    except IntegrityError:  # under way already
        return None
    emit(topic=PUSHED, company_id=company.id, object_id=push.public_id)
    return push


def _find_push(push_id: uuid.UUID, company: Company, status: str) -> TemplatePush | None:
    """The company's push while it stands there; one that belongs to somebody else is not found."""
    pushes = TemplatePush.objects.select_for_update(of=("self",)).select_related("version__template", "requested_by")
    return pushes.filter(public_id=push_id, company_id=company.id, status=status).first()


def _replace_earlier(push: TemplatePush) -> None:
    """Earlier offers of the template to the same company: the company sees the newest only."""
    TemplatePush.objects.filter(
        version__template=push.version.template, company_id=push.company_id, status=PushStatus.OFFERED
    ).update(status=PushStatus.SUPERSEDED)


def _finish(push: TemplatePush, status: str, refusal: str, now: datetime) -> None:
    TemplatePush.objects.filter(pk=push.pk).update(status=status, refusal=refusal, finished_at=now)
