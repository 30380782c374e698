"""The task base: a company or nothing."""

import ast
from pathlib import Path

import pytest
from celery import current_app, shared_task
from django.conf import settings
from django.db import connection

from tenants.accounts.models import User
from tenants.context import WrongSchemaError, current_company
from tenants.models import DeadLetter
from tenants.outbox.tasks import deliver
from tenants.services.companies import suspend_company
from tenants.tasks import CompanyTask, PublicTask

ran: list[str] = []


@shared_task(base=CompanyTask, name="tests.note_company")
def note_company(*, company_id: str, object_id: str = "") -> int:
    ran.append(current_company().slug)
    return User.objects.filter(username="alice").count()


@shared_task(base=CompanyTask, name="tests.leave_schema")
def leave_schema(*, company_id: str) -> None:
    ran.append("left")
    connection.set_schema_to_public()


@pytest.fixture(autouse=True)
def _forget():
    ran.clear()


class TestCompanyTask:
    def test_runs_in_the_schema_of_its_company(self, acme, globex):
        assert note_company(company_id=str(acme.id)) == 1
        assert note_company(company_id=str(globex.id)) == 0
        assert ran == ["acme", "globex"]

    @pytest.mark.parametrize(
        "arguments",
        [{}, {"company_id": ""}, {"company_id": "no-uuid"}, {"company_id": "00000000-0000-0000-0000-000000000000"}],
    )
    def test_without_a_company_runs_nothing_and_leaves_a_dead_letter(self, db, arguments):
        note_company(**arguments)
        assert ran == []
        letter = DeadLetter.objects.get()
        assert letter.task == "tests.note_company"
        assert letter.company is None

    def test_a_company_that_is_not_ready_runs_nothing(self, acme):
        suspend_company(company=acme)
        note_company(company_id=str(acme.id))
        assert ran == []
        assert DeadLetter.objects.get().company == acme

    def test_a_body_that_leaves_its_schema_is_caught(self, committed_db, acme):
        with pytest.raises(WrongSchemaError):
            leave_schema(company_id=str(acme.id))
        letter = DeadLetter.objects.get()
        assert letter.company == acme
        assert "stands in public" in letter.reason

    def test_comes_back_to_where_it_was_called(self, in_acme, globex):
        note_company(company_id=str(globex.id))
        assert current_company() == in_acme


class TestEveryTask:
    def test_declares_whether_it_is_public_or_of_a_company(self):
        current_app.loader.import_default_modules()
        undeclared = [
            name
            for name, task in current_app.tasks.items()
            if not name.startswith("celery.") and not isinstance(task, CompanyTask | PublicTask)
        ]
        assert undeclared == []

    def test_is_lost_and_retried_a_bounded_number_of_times(self):
        for task in (note_company, deliver):
            assert task.acks_late
            assert task.retry_on_worker_lost
            assert task.max_retries == 3
            assert task.default_retry_delay == 1

    def test_ends_before_redis_would_send_it_again(self):
        options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        assert options["visibility_timeout"] > settings.CELERY_TASK_TIME_LIMIT


FORBIDDEN = {"set_schema", "set_tenant", "set_schema_to_public", "schema_context", "activate_tenant"}
FLOORS = ("config", "reviews", "integrations", "kpis", "tenants")
# The demo's CRM is a program of its own, without a database.
ALLOWED = {Path("tenants/context.py"), Path("config/demo/crm.py")}


def switches_in(path: Path) -> list[str]:
    """Places which switch schema past tenants.context."""
    tree = ast.parse(path.read_text())
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in FORBIDDEN:
                found.append(f"{path}:{node.lineno} {name}")
        if isinstance(node, ast.With):
            found += [
                f"{path}:{node.lineno} with {ast.unparse(item.context_expr)}"
                for item in node.items
                if isinstance(item.context_expr, ast.Name | ast.Attribute)
                and ast.unparse(item.context_expr).split(".")[-1] in {"company", "tenant"}
            ]
        if isinstance(node, ast.ImportFrom) and (node.module or "") == "threading":
            found.append(f"{path}:{node.lineno} threading")
    return found


class TestSchemaSwitches:
    def test_there_is_only_one_way(self):
        sources = [path for floor in FLOORS for path in Path(floor).rglob("*.py") if path not in ALLOWED]
        assert [place for path in sources for place in switches_in(path)] == []

    def test_finds_what_is_forbidden(self, tmp_path):
        source = tmp_path / "bad.py"
        source.write_text("with company:\n    connection.set_schema('x')\n")
        assert len(switches_in(source)) == 2
