"""The demo's console and companies, and who may log in to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from django.utils import timezone

from config.demo import maven
from config.demo.sakura.company import NAME as SAKURA_NAME
from config.demo.sakura.dates import CLOSING_DAY, FISCAL_START_MONTH
from config.demo.stage import Stage
from tenants.accounts.choices import Role
from tenants.accounts.models import User
from tenants.accounts.services import create_user
from tenants.context import public_context, tenant_context
from tenants.models import Company
from tenants.selectors import find_live_grant
from tenants.services.companies import request_company
from tenants.services.grants import grant_access

PASSWORD = "mawaru-demo"  # noqa: S105 - printed on every start, and the demo needs DEBUG
PROVISIONING_SECONDS = 300


@dataclass(frozen=True)
class DemoUser:
    """A login; `person` is the external id of the salesperson who logs in with it."""

    username: str
    name: str
    role: Role
    person: str | None = None


@dataclass(frozen=True)
class DemoCompany:
    """A client company of the demo as `create_company` would take it."""

    slug: str
    name: str
    fiscal_start_month: int
    closing_day: int
    currency: str
    users: tuple[DemoUser, ...]


CONSOLE_USERS = (
    DemoUser("owner", "コンサルティング責任者", Role.OWNER),
    DemoUser("consultant", "江口 恭平", Role.CONSULTANT),
)
SAKURA = DemoCompany(
    "sakura",
    SAKURA_NAME,
    FISCAL_START_MONTH,
    CLOSING_DAY,
    "JPY",
    (
        DemoUser("owner", "榊原 康彦", Role.OWNER, "E001"),
        DemoUser("manager", "三橋 直人", Role.MANAGER, "E011"),
        DemoUser("member", "長谷部 美咲", Role.MEMBER, "E012"),
        DemoUser("viewer", "内藤 由紀", Role.VIEWER),
        DemoUser("hr", "広瀬 典子", Role.HR),
    ),
)
MAVEN = DemoCompany(
    "maven",
    maven.NAME,
    1,
    31,
    "USD",
    (
        DemoUser("owner", "Melvin Marxen", Role.OWNER, "Melvin Marxen"),
        DemoUser("manager", "Rocco Neubert", Role.MANAGER, "Rocco Neubert"),
        DemoUser("member", "Moses Frase", Role.MEMBER, "Moses Frase"),
        DemoUser("viewer", "Board", Role.VIEWER),
        DemoUser("hr", "People Team", Role.HR),
    ),
)


def ensure_companies(stage: Stage, demos: Iterable[DemoCompany]) -> dict[str, Company]:
    """The companies by slug, ready: asked for as everybody does, provisioned by the workers side by side."""
    for demo in demos:
        if _find(demo.slug) is None:
            stage.report(f"Creating {demo.name} ({demo.slug}) …")
            request_company(
                slug=demo.slug,
                name=demo.name,
                fiscal_start_month=demo.fiscal_start_month,
                closing_day=demo.closing_day,
                currency=demo.currency,
                now=timezone.now(),
            )
    companies = {}
    for demo in demos:
        companies[demo.slug] = stage.wait_for(
            partial(_ready, demo.slug), what=f"Creating {demo.slug}", seconds=PROVISIONING_SECONDS
        )
        ensure_users(companies[demo.slug], demo.users)
    return companies


def ensure_users(company: Company, users: tuple[DemoUser, ...]) -> None:
    """The logins that are not there yet."""
    with tenant_context(company):
        known = set(User.objects.values_list("username", flat=True))
        for user in users:
            if user.username not in known:
                create_user(username=user.username, name=user.name, role=user.role, password=PASSWORD)


def ensure_grants(console: Company, companies: Iterable[Company]) -> None:
    """The consultant may enter every company of the demo."""
    with tenant_context(console):
        people = {user.username: user.public_id for user in User.objects.all()}
    now = timezone.now()
    for company in companies:
        for username in ("owner", "consultant"):
            with public_context():
                live = find_live_grant(company=company, console_user_id=people[username], now=now)
            if live is None:
                grant_access(company=company, console_user_id=people[username], granted_by_id=people["owner"], now=now)


def _find(slug: str) -> Company | None:
    with public_context():
        return Company.objects.living().filter(slug=slug).first()


def _ready(slug: str) -> Company | None:
    company = _find(slug)
    return company if company is not None and company.is_ready else None
