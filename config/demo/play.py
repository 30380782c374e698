"""The demo from an empty database to companies in full swing. Every step may be repeated; what is there stays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from config.demo import maven
from config.demo.companies import (
    CONSOLE_USERS,
    MAVEN,
    PASSWORD,
    SAKURA,
    DemoCompany,
    DemoUser,
    ensure_company,
    ensure_grants,
    ensure_users,
)
from config.demo.delivery import Delivery, deliver
from config.demo.sakura import generate
from config.demo.stage import Stage
from integrations.choices import Carries
from tenants.models import Company


@dataclass(frozen=True)
class Story:
    """What there is to see, for the person who started the demo."""

    companies: tuple[DemoCompany, ...]
    keys: dict[str, str]
    made_on: date

    def describe(self, *, port: int) -> str:
        lines = ["", *_place("console", "for the consultant", CONSOLE_USERS, port)]
        for company in self.companies:
            lines += _place(company.slug, company.name, company.users, port)
            if company.slug in self.keys:
                lines.append(f"      API key       {self.keys[company.slug]}")
                lines.append(f"      API document  http://{company.slug}.localhost:{port}/api/docs/")
        lines += [
            "",
            f"  Password of every login: {PASSWORD}",
            f"  The data was made for {self.made_on}; make demo-reset makes it anew for today.",
            "  Ctrl-C stops everything.",
            "",
        ]
        return "\n".join(lines)


def _place(slug: str, name: str, users: tuple[DemoUser, ...], port: int) -> list[str]:
    logins = ", ".join(user.username for user in users)
    return [f"  http://{slug}.localhost:{port}/   {name}", f"      Logins        {logins}"]


def _sakura_deliveries(stage: Stage) -> list[Delivery]:
    files = generate(directory=stage.directory / SAKURA.slug, today=stage.today)
    systems = (
        ("営業支援システム", Carries.SFA, "japanese_sales"),
        ("MAツール", Carries.MA, "japanese_marketing"),
        ("販売管理システム（税込）", Carries.OTHER, "japanese_accounting"),
    )
    return [Delivery(name, SAKURA.slug, carries, preset, files.paths[preset]) for name, carries, preset in systems]


def _maven_delivery(export: Path) -> Delivery:
    paths = tuple(export / name for name in maven.FILES)
    return Delivery("CRM export", MAVEN.slug, Carries.BOTH, "crm_opportunities", paths)


def play(stage: Stage, *, console: Company, export: Path | None) -> Story:
    """Bring console and companies to the state that the demo shows."""
    ensure_users(console, CONSOLE_USERS)
    if export is None:
        stage.report("Company B is left out: its CRM export is not at hand (give --maven PATH or set MAVEN_CRM_DIR).")
    demos = (SAKURA, MAVEN) if export else (SAKURA,)
    companies = [ensure_company(stage, demo) for demo in demos]
    ensure_grants(console, companies)
    by_slug = {company.slug: company for company in companies}
    deliver(stage, by_slug[SAKURA.slug], _sakura_deliveries(stage))
    if export is not None:
        deliver(stage, by_slug[MAVEN.slug], [_maven_delivery(export)])
    return Story(companies=demos, keys={}, made_on=stage.today)
