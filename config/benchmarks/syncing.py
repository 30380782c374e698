"""How fast records come in, against the bare limit: fetch, COPY and one INSERT into the same table without mapping."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from django.conf import settings
from django.core.files import File
from django.db import connection, transaction
from django.utils import timezone
from openpyxl import Workbook

from config.benchmarks import source
from config.benchmarks.report import Line, Report, processor_seconds, timed
from integrations.choices import KEEP_DAYS, Carries, ConnectionKind, Trigger
from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.models import Connection, SyncRun
from integrations.services.connections import create_connection, create_source, save_mapping
from integrations.services.runs import request_run, sync_now
from integrations.services.uploads import IncomingFile, receive_files
from kpis.models import Deal
from kpis.services.fact_batch import default_of
from kpis.services.facts import upsert_facts
from tenants.context import public_context, tenant_context
from tenants.models import Company
from tenants.services.companies import request_company
from tenants.services.installation import prepare_installation
from tenants.services.provisioning import provision_company

SOURCE = "bench"
ROUNDS = 5
PAGES = (2_000, 100)
WITHOUT_GOAL, WITH_GOAL, INCREMENT_GOAL = 0.6, 0.4, 6
FLAT_GOAL, FEW, MANY = 1.1, 10_000, 1_000_000
WORKBOOK_SECONDS, WORKBOOK_MEGABYTES = 30, 300
STAGES = {"受注": "won", "失注": "lost", "見送り": "no_decision", "商談中": "open"}
MAPPING = StreamMapping(
    stream="deals",
    resource="deals",
    position=10,
    reads="deals",
    rules=(
        FieldRule("external_id", column="id"),
        FieldRule("name", column="name"),
        FieldRule("account", column="account_id"),
        FieldRule("owner", column="owner_id"),
        FieldRule("created_on", column="created_on"),
        FieldRule("expected_close_on", column="expected_close_on"),
        FieldRule("closed_on", column="closed_on"),
        FieldRule("outcome", column="stage", values=STAGES),
        FieldRule("phase", column="phase"),
        FieldRule("amount", column="amount"),
        FieldRule("lead_source", column="lead_source", unlisted="keep"),
        FieldRule("source_updated_at", column="updated_at"),
    ),
)
# What a person who knows the table would write: the references resolved by joins, the rest as it came.
STAGED = (
    "id text, name text, account_id text, owner_id text, created_on date, expected_close_on date, closed_on date,"
    " stage text, phase text, amount numeric, lead_source text, updated_at timestamptz"
)
COMPARED = (
    *("name", "account_id", "owner_id", "created_on", "expected_close_on", "closed_on", "outcome", "phase", "amount"),
    *("lead_source", "source_updated_at"),
)
GIVEN = {
    "source": f"'{SOURCE}'",
    "external_id": "b.id",
    **{name: f"b.{name}" for name in COMPARED},
    "account_id": "a.id",
    "owner_id": "p.id",
    "outcome": "CASE b.stage " + " ".join(f"WHEN '{word}' THEN '{code}'" for word, code in STAGES.items()) + " END",
    "source_updated_at": "b.updated_at",
    "refs": f"jsonb_build_object('account', jsonb_build_array('{SOURCE}', b.account_id),"
    f" 'owner', jsonb_build_array('{SOURCE}', b.owner_id))",
    "recorded_at": "now()",
    "changed_at": "now()",
}
# What a table would do by itself if its defaults were the database's.
DEFAULTS = {
    column.attname: default
    for column in Deal._meta.concrete_fields
    if column.attname not in GIVEN and not column.primary_key and (default := default_of(column)) is not None
}
UPSERT = f"""
    INSERT INTO kpis_deal AS f ({", ".join([*GIVEN, *DEFAULTS])})
    SELECT {", ".join([*GIVEN.values(), *DEFAULTS.values()])}
    FROM bare b LEFT JOIN kpis_account a ON a.source = '{SOURCE}' AND a.external_id = b.account_id
    LEFT JOIN kpis_person p ON p.source = '{SOURCE}' AND p.external_id = b.owner_id
    ON CONFLICT (source, external_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in (*COMPARED, "refs", "changed_at"))}
    WHERE ({", ".join(f"f.{name}" for name in COMPARED)}) IS DISTINCT FROM ({
    ", ".join(f"excluded.{name}" for name in COMPARED)
})
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A company with people and accounts but no deals, and the port of a CRM that has `count` of them."""

    company: Company
    port: int
    count: int

    def document(self, size: int) -> dict[str, Any]:
        """The CRM as a consultant describes it."""
        paginator = {"type": "page", "param": "page", "size": size, "size_param": "size"}
        stream = {
            "name": "deals",
            "path": "deals",
            "records": "data",
            "params": {"count": str(self.count)},
            "paginator": paginator,
            "incremental": {"field": "updated_at", "param": "updated_since"},
        }
        return {"base_url": f"http://127.0.0.1:{self.port}", "auth": {"type": "none"}, "streams": [stream]}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one import took: seconds, those that Python and PostgreSQL computed, and its memory at the peak in MB."""

    seconds: float
    python: float
    database: float
    peak: float = 0.0


@dataclass
class Rounds:
    """What the limit and its increment took, and our loads of the same records, round by round."""

    limits: list[Taken] = field(default_factory=list)
    increments: list[Taken] = field(default_factory=list)
    lean: list[Taken] = field(default_factory=list)
    keeping: list[Taken] = field(default_factory=list)
    changed: list[Taken] = field(default_factory=list)


def build(slug: str, *, say: Callable[[str], None]) -> Company:
    """A company with the people and accounts that deals refer to."""
    say("Making a company …")
    now = timezone.now()
    with public_context():
        prepare_installation(now=now)
        company = request_company(slug=slug, name=slug, fiscal_start_month=4, closing_day=31, currency="JPY", now=now)
    company = provision_company(company_id=company.id, now=now)
    with tenant_context(company):
        for resource, letter, count in (("people", "P", source.PEOPLE), ("accounts", "A", source.ACCOUNTS)):
            records = [{"external_id": f"{letter}{n}", "name": f"{letter} {n}"} for n in range(count)]
            upsert_facts(resource=resource, source=SOURCE, records=records, now=now)
    return company


@contextmanager
def served() -> Iterator[int]:
    """The port of a CRM on loopback, in a process of its own."""
    command = [sys.executable, "-m", "config.benchmarks.source"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def measure_loads(stage: Stage, report: Report, *, rounds: int, profile: Path | None = None) -> None:
    """First loads with and without keeping what came, and an increment, each against the limit in the same rounds."""
    with tenant_context(stage.company):
        for size in PAGES:
            lean, keeping = connect(stage, size, keep_days=0), connect(stage, size, keep_days=KEEP_DAYS)
            bare(stage, size)  # so that the source has written every page
            taken = Rounds()
            for _round in range(rounds):
                empty()
                taken.limits.append(bare(stage, size))
                taken.increments.append(bare(stage, size, only_changed=True))
                empty()
                taken.lean.append(load(stage, lean))
                empty()
                taken.keeping.append(load(stage, keeping, profile=profile))
                profile = None
                taken.changed.append(load(stage, keeping))
            _tell(stage, size, taken, report)


def measure_memory(stage: Stage, report: Report, *, many: int = MANY) -> None:
    """What a worker's memory comes to at its peak, for few records and for many."""
    with tenant_context(stage.company):
        peaks = []
        for count in (FEW, many):
            empty()
            some = replace(stage, count=count)
            peaks.append(load(some, connect(some, PAGES[0], keep_days=KEEP_DAYS)).peak)
    label = f"Memory of the worker for {many:,} records ÷ for {FEW:,}"
    report.add(Line(label, peaks[1] / peaks[0], "", FLAT_GOAL, f"{peaks[0]:.0f} MB, {peaks[1]:.0f} MB"))


def measure_workbook(stage: Stage, report: Report) -> None:
    """What a delivery of one XLSX file takes, from the file to the stored records."""
    with tenant_context(stage.company), TemporaryDirectory() as folder:
        empty()
        path = Path(folder) / "deals.xlsx"
        _write_workbook(path, stage.count)
        now = timezone.now()
        files = create_connection(name="XLSX", source="files", carries=Carries.SFA, preset="contract", now=now)
        with path.open("rb") as stream, transaction.atomic():
            incoming = [IncomingFile(path.name, File(stream, name=path.name))]
            upload = receive_files(
                connection=files, files=incoming, trigger=Trigger.UPLOAD, actor=None, now=timezone.now()
            )
            run = request_run(connection=files, upload=upload, trigger=Trigger.UPLOAD, actor=None, now=now)
        taken = work(stage.company, run)
    label = f"XLSX of {stage.count:,} rows"
    report.add(Line(label, taken.seconds, "s", WORKBOOK_SECONDS, _shares(taken)))
    report.add(Line(f"{label}, memory of the worker at its peak", taken.peak, "MB", WORKBOOK_MEGABYTES))


def bare(stage: Stage, size: int, *, only_changed: bool = False) -> Taken:
    """What it takes to fetch everything (or what has changed), COPY and upsert it, in one transaction."""
    since = {"updated_since": source.CREATED.isoformat()} if only_changed else {}
    base = f"http://127.0.0.1:{stage.port}/deals"
    columns = [each.split()[0] for each in STAGED.split(", ")]
    spent = processor_seconds()
    with timed() as taken, httpx.Client() as client, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE bare ({STAGED}) ON COMMIT DROP")
        with cursor.copy("COPY bare FROM STDIN") as copy:
            number = 1
            while records := _page(client, base, {"count": stage.count, "page": number, "size": size, **since}):
                for record in records:
                    copy.write_row([record[name] for name in columns])
                number += 1
        cursor.execute("ANALYZE bare")
        cursor.execute(UPSERT)
    python, database = (after - before for after, before in zip(processor_seconds(), spent, strict=True))
    return Taken(taken[0], python, database)


def load(stage: Stage, from_: Connection, *, profile: Path | None = None) -> Taken:
    """What our import takes, in a process of its own: from the beginning after `_empty`, else an increment."""
    with transaction.atomic():
        run = sync_now(connection=from_, actor=None, now=timezone.now())
    taken = work(stage.company, run, profile=profile)
    if Deal.objects.count() != stage.count:
        raise RuntimeError(f"{Deal.objects.count():,} of {stage.count:,} deals were stored.")
    return taken


def work(company: Company, run: SyncRun, *, profile: Path | None = None) -> Taken:
    """Let a process of its own take a run to its end."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "bench_worker", company.slug, str(run.pk)]
    with_profile = ["--profile", str(profile)] if profile else []
    done = subprocess.run([*command, *with_profile], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    told = json.loads(done.stdout)
    if told["state"] != "succeeded":
        raise RuntimeError(f"The import ended as {told['state']}: {told['problem']}")
    return Taken(told["seconds"], told["python"], told["database"], told["peak"])


def _page(client: httpx.Client, url: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.get(url, params=params)
    found: list[dict[str, Any]] = json.loads(answer.content)["data"]
    return found


def _write_workbook(path: Path, count: int) -> None:
    """The deals of the source as somebody exports them into a sheet, by the names of the contract."""
    fields = [(rule.field, str(rule.column)) for rule in MAPPING.rules]
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append([field for field, _ in fields])
    for number in range(count):
        deal = {**source.deal(number, is_changed=False)}
        deal["stage"] = STAGES[deal["stage"]]
        sheet.append([deal[column] for _, column in fields])
    book.save(path)


def connect(stage: Stage, size: int, *, keep_days: int, name: str = "") -> Connection:
    """A connection to the CRM, mapped and never read."""
    made = create_source(
        name=name or f"{stage.count} {size} {keep_days}",
        kind=ConnectionKind.REST,
        source=SOURCE,
        carries=Carries.SFA,
        description=stage.document(size),
        secrets={},
        now=timezone.now(),
    )
    Connection.objects.filter(pk=made.pk).update(keep_days=keep_days)
    save_mapping(connection=made, mapping=MAPPING, now=timezone.now())
    return made


def empty() -> None:
    """No deals, nothing that follows from them and nothing that was read, in tables that are as after a quiet night."""
    tables = "kpis_deal, kpis_dirtyfact, kpis_factchange, integrations_rawrecord, integrations_checkpoint"
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")
        cursor.execute(f"VACUUM ANALYZE {tables}")
        cursor.execute("CHECKPOINT")


def _tell(stage: Stage, size: int, taken: Rounds, report: Report) -> None:
    limit, pages = _quickest(taken.limits), f"pages of {size:,}"
    rate = f"{stage.count / limit.seconds:,.0f} records/s"
    report.add(Line(f"The bare limit, {pages}", limit.seconds, "s", None, f"{rate}, {_shares(limit)}"))
    for name, ours, goal in (("without", taken.lean, WITHOUT_GOAL), ("with", taken.keeping, WITH_GOAL)):
        label = f"The limit ÷ first load {name} keeping what came, {pages}"
        report.add(Line(label, _ratio(taken.limits, ours), "", goal, _shares(_quickest(ours)), is_least=True))
    label = f"Increment of {1 / source.ONE_IN:.0%} changed records ÷ that of the limit, {pages}"
    ratio = _ratio(taken.changed, taken.increments)
    report.add(Line(label, ratio, "", INCREMENT_GOAL, _shares(_quickest(taken.changed))))


def _ratio(some: Sequence[Taken], others: Sequence[Taken]) -> float:
    """How many times as long, in the round in the middle.

    Two that were timed one after the other are compared, as the machine is quicker at one hour than at another.
    """
    return median(one.seconds / other.seconds for one, other in zip(some, others, strict=True))


def _quickest(rounds: Sequence[Taken]) -> Taken:
    """Whatever else the machine did only adds."""
    return min(rounds, key=lambda each: each.seconds)


def _shares(taken: Taken) -> str:
    return f"{taken.seconds:.2f} s; computing {taken.python:.2f} s in Python, {taken.database:.2f} s in PostgreSQL"
