"""The real CRM export through the file connector: every figure equals the independently computed reference.

The reference figures are read from FACTS.md beside the export, not typed here, so that nothing is copied.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db import connection as database
from django.db import transaction
from django.test import override_settings

from config.demo import maven
from integrations.choices import Carries, Trigger
from integrations.models import SyncRun
from integrations.services.connections import create_connection
from integrations.services.runs import request_run
from integrations.services.sync import run_sync
from integrations.services.uploads import IncomingFile, receive_files
from kpis.models import Deal, KpiNode, KpiTree, Metric, MetricVersion, Period, Person, TeamLeader, TeamMembership
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.calendar import set_rule
from kpis.services.measured import mark_groups, measured_terms
from kpis.services.recompute import recompute
from tenants.context import tenant_context
from tenants.models import Company
from tenants.settings.models import CompanySettings

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
YEAR = (date(2017, 1, 1), date(2018, 1, 1))
COLUMNS = {
    "closed": "closed_deals",
    "won": "won_deals",
    "win_rate": "win_rate",
    "revenue": "bookings",
    "avg_deal": "average_deal_size",
    "mean_cycle_won": "deal_cycle_days",
}


def _directory() -> Path:
    found = maven.find_directory(asked=None, environment=os.environ)
    if found is None or not (found / "FACTS.md").is_file():
        message = "The CRM export is not at hand: set MAVEN_CRM_DIR to its directory."
        (pytest.fail if os.environ.get("MAWARU_REQUIRE_SHARED") else pytest.skip)(message, pytrace=False)
    return found


def _table(first_column: str) -> dict[str, dict[str, str]]:
    """The reference table whose first column has this head: label → column → figure as printed."""
    lines = (_directory() / "FACTS.md").read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if re.match(rf"\| {first_column} \|", line))
    heads = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows: dict[str, dict[str, str]] = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0]] = dict(zip(heads[1:], cells[1:], strict=True))
    return rows


def _is_printed_as(value: Decimal | None, reference: str) -> bool:
    """Whether a figure is the reference to its last printed digit; a tie may have been printed either way."""
    places = len(reference.partition(".")[2])
    return value is not None and abs(value - Decimal(reference)) <= Decimal(5).scaleb(-places - 1)


@pytest.fixture(scope="module")
def maven_company(
    django_db_setup: None, django_db_blocker: pytest.FixtureDef, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    """Globex with the export imported once for all tests of this file, taken back at the end."""
    media = override_settings(MEDIA_ROOT=str(tmp_path_factory.mktemp("media")))
    with django_db_blocker.unblock(), media, transaction.atomic():
        company = Company.objects.get(slug="globex")
        with tenant_context(company):
            CompanySettings.objects.update(currency="USD", fiscal_start_month=1, closing_day=31)
            set_rule(effective_from=date(2016, 1, 1), start_month=1, closing_day=31, actor=None, now=NOW)
            _define()
            _import()
            recompute(now=NOW)
            yield company
        transaction.set_rollback(True)


def _define() -> None:
    plan = maven.company_plan()
    tree = KpiTree.objects.create(name="2017", fiscal_year=2017)
    for position, each in enumerate(plan.metrics):
        metric = Metric.objects.create(
            code=each.code, name=each.name, unit=each.unit, accumulation=each.accumulation, direction=each.direction
        )
        MetricVersion.objects.create(metric=metric, number=1, spec=each.spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=each.code, name=each.name, metric=metric, position=position)
    mark_groups(measured_terms())


def _import() -> SyncRun:
    connection = create_connection(name="CRM", source="crm", carries=Carries.BOTH, preset="crm_opportunities", now=NOW)
    files = [IncomingFile(name, ContentFile((_directory() / name).read_bytes(), name=name)) for name in maven.FILES]
    upload = receive_files(connection=connection, files=files, trigger=Trigger.MANUAL, actor=None, now=NOW)
    run = request_run(connection=connection, upload=upload, trigger=Trigger.MANUAL, actor=None, now=NOW)
    done = run_sync(run_id=run.pk, owner="test", now=NOW, lap_seconds=600)
    assert done is not None
    return done


@pytest.fixture
def maven_tree(maven_company: Company, django_db_blocker: pytest.FixtureDef) -> Iterator[KpiTree]:
    with django_db_blocker.unblock(), tenant_context(maven_company):
        yield KpiTree.objects.get(name="2017")


def read(tree: KpiTree, grain: str, dimension: str = "company", *codes: str) -> KpiMatrix:
    codes = codes or tuple(COLUMNS.values())
    return build_matrix(MatrixQuery(tree, grain, *YEAR, dimension=dimension, codes=codes), now=NOW)


def check(matrix: KpiMatrix, m: int, p: int, reference: dict[str, str]) -> None:
    for n, column in enumerate(COLUMNS):
        value = matrix.value[n][m][p]
        assert _is_printed_as(value, reference[column]), (column, value, reference[column])


class TestByTime:
    def test_every_quarter(self, maven_tree: KpiTree) -> None:
        matrix = read(maven_tree, "quarter")
        quarters = {f"2017Q{number}": number - 1 for number in range(1, 5)}
        for label, reference in _table("quarter").items():
            check(matrix, 0, quarters[label], reference)

    def test_every_month(self, maven_tree: KpiTree) -> None:
        matrix = read(maven_tree, "month")
        place = {period.start.strftime("%Y-%m"): p for p, period in enumerate(matrix.periods)}
        table = _table("month")
        assert len(table) == 10
        for label, reference in table.items():
            check(matrix, 0, place[label], reference)

    def test_weeks_add_up_to_their_months(self, maven_tree: KpiTree) -> None:
        months, weeks = (read(maven_tree, grain, "company", "bookings") for grain in ("month", "week"))
        for p, period in enumerate(months.periods):
            inside = [w for w, week in enumerate(weeks.periods) if period.start <= week.start < period.end]
            total = sum(weeks.value[0][0][w] or 0 for w in inside)
            assert total == (months.value[0][0][p] or 0)


@pytest.mark.parametrize(
    ("dimension", "head"),
    [("region", "regional_office"), ("team", "manager"), ("product", "product"), ("person", "sales_agent")],
)
def test_every_segment(maven_tree: KpiTree, dimension: str, head: str) -> None:
    matrix = read(maven_tree, "year", dimension)
    place = {member.name: m for m, member in enumerate(matrix.members)}
    table = _table(head)
    assert len(table) in {3, 6, 7, 30}
    for label, reference in table.items():
        check(matrix, place[label], 0, reference)


def test_region_by_quarter(maven_tree: KpiTree) -> None:
    matrix = read(maven_tree, "quarter", "region", "bookings")
    text = (_directory() / "FACTS.md").read_text(encoding="utf-8")
    body = text[text.index("Region × quarter") :]
    for m, member in enumerate(matrix.members):
        if member.is_unassigned:
            continue
        (line,) = [line for line in body.splitlines() if line.startswith(f"| {member.name} |")]
        assert [Decimal(cell) for cell in line.strip("|").split("|")[1:]] == matrix.value[0][m]


class TestTraps:
    def test_every_row_arrived(self, maven_tree: KpiTree) -> None:
        run = SyncRun.objects.get()
        assert run.state == "succeeded", run.message
        assert (Deal.objects.count(), Person.objects.count(), TeamLeader.objects.count()) == (8800, 41, 6)
        assert TeamMembership.objects.filter(starts_on=None, credited=True).count() == 35

    def test_the_misspelled_product_is_mapped(self, maven_tree: KpiTree) -> None:
        assert Deal.objects.filter(product__name="GTX Pro").count() == 1480
        assert not Deal.objects.filter(product=None).exists()

    def test_blank_accounts_and_dates_stay_blank(self, maven_tree: KpiTree) -> None:
        assert Deal.objects.filter(account=None).count() == 1425
        assert Deal.objects.filter(created_on=None).count() == 500

    def test_agents_without_deals_are_shown_with_zero(self, maven_tree: KpiTree) -> None:
        matrix = read(maven_tree, "year", "person", "closed_deals")
        idle = {m.name for n, m in enumerate(matrix.members) if matrix.value[0][n][0] == 0 and not m.is_unassigned}
        assert {"Carl Lin", "Carol Thompson", "Elizabeth Anderson", "Mei-Mei Johns", "Natalya Ivanova"} <= idle

    def test_the_calendar_covers_every_year_with_a_fact(self, maven_tree: KpiTree) -> None:
        assert Period.objects.filter(grain="month", start_date=date(2016, 10, 1)).exists()

    def test_the_same_files_again_change_nothing(self, maven_tree: KpiTree) -> None:
        with transaction.atomic():
            SyncRun.objects.all().delete()
            with database.cursor() as cursor:
                cursor.execute("DELETE FROM integrations_connection")
            run = _import()
            assert (run.inserted_count, run.updated_count, run.deleted_count) == (0, 0, 0)
            transaction.set_rollback(True)
