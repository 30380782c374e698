"""The demo from an empty database to companies in full swing. Every step may be repeated; what is there stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from config.demo import maven
from config.demo.agreeing import ensure_handover, ensure_own_targets
from config.demo.calling import ensure_calls
from config.demo.companies import (
    CONSOLE_USERS,
    MAVEN,
    PASSWORD,
    SAKURA,
    DemoCompany,
    DemoUser,
    ensure_companies,
    ensure_grants,
    ensure_users,
)
from config.demo.definitions import company_plan
from config.demo.delivery import Delivery, deliver, settle
from config.demo.forecasting import ensure_forecasts
from config.demo.improving import ensure_reviews
from config.demo.keys import ensure_key
from config.demo.measuring import begin, ensure_logins, ensure_metrics, ensure_years
from config.demo.plans import CompanyPlan
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
            "  make demo-event wins a deal in the CRM of sakura, which calls: open pages follow by themselves.",
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


def play(stage: Stage, *, console: Company, export: Path | None, crm_port: int, web_port: int) -> Story:
    """Bring console and companies to the state that the demo shows; the ports are those of its CRM and of its pages."""
    ensure_users(console, CONSOLE_USERS)
    if export is None:
        stage.report("Company B is left out: its CRM export is not at hand (give --maven PATH or set MAVEN_CRM_DIR).")
    demos = (SAKURA, MAVEN) if export else (SAKURA,)
    companies = ensure_companies(stage, demos)
    ensure_grants(console, companies.values())
    _fill(stage, SAKURA, companies, company_plan(today=stage.today), _sakura_deliveries(stage), months_in_use=1)
    ensure_calls(stage, companies[SAKURA.slug], crm_port=crm_port, web_port=web_port)
    ensure_own_targets(companies[SAKURA.slug])
    ensure_handover(companies[SAKURA.slug])
    if export is not None:
        _fill(stage, MAVEN, companies, maven.company_plan(), [_maven_delivery(export)], months_in_use=0)
    keys = {slug: ensure_key(stage.directory, company) for slug, company in companies.items()}
    return Story(companies=demos, keys=keys, made_on=stage.today)


def _fill(
    stage: Stage,
    demo: DemoCompany,
    companies: Mapping[str, Company],
    plan: CompanyPlan,
    deliveries: list[Delivery],
    *,
    months_in_use: int,
) -> None:
    company = companies[demo.slug]
    begin(company, months=months_in_use)
    ensure_metrics(company, plan)
    deliver(stage, company, deliveries)
    ensure_logins(company, demo)
    ensure_years(stage, company, plan)
    settle(stage, company)
    ensure_reviews(company)
    ensure_forecasts(company)
