"""Fault seeds: files damaged and workers killed at random. Nothing is half imported, nothing lost, nothing doubled."""

import os
import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from integrations.choices import RunState, Trigger
from integrations.connectors.errors import ConnectorError
from integrations.connectors.file import ENCODINGS
from integrations.models import RawRecord, RejectedRecord, SyncRun
from integrations.services import deliveries
from integrations.services.runs import MAX_ATTEMPTS, request_run
from integrations.services.sync import run_sync
from kpis.models import Deal, FactChange, FactStream, Person
from tests.integrations.conftest import NOW
from tests.integrations.lost_workers import LOST, kill_somewhere

SEEDS = {"test": 3, "gate": 20, "proof": 200}[os.environ.get("MAWARU_TIER", "test")]
GOOD_ENDS = {RunState.SUCCEEDED, RunState.PARTLY}

pytestmark = [pytest.mark.gate, pytest.mark.parametrize("seed", range(SEEDS))]


class Export:
    """People and deals as some system wrote them; a few deals cannot be read on purpose."""

    def __init__(self, chance: random.Random) -> None:
        people = [f"P{number}" for number in range(chance.randint(1, 6))]
        self.bad = set(chance.sample(range(20), chance.randint(0, 4)))
        self.lines = [self._deal(number, chance.choice(people)) for number in range(chance.randint(8, 20))]
        encoding = chance.choice([*ENCODINGS, "utf-8-sig"])
        text = {
            "people.csv": "external_id,name\n" + "".join(f"{person},営業{person}\n" for person in people),
            "deals.csv": "external_id,name,created_on,owner,outcome,amount\n" + "".join(self.lines),
        }
        self.files = {name: body.encode(encoding) for name, body in text.items()}
        self.refused = len(self.bad & set(range(len(self.lines))))
        self.accepted = len(people) + len(self.lines) - self.refused

    def _deal(self, number: int, owner: str) -> str:
        amount = "五十万円" if number in self.bad else str(number * 100)
        return f"D{number},商談{number},2026-10-{number + 1:02},{owner},open,{amount}\n"


def stored() -> dict[str, list[tuple]]:
    """All that an import stores, apart from its own run."""
    return {
        "people": list(Person.objects.order_by("external_id").values_list("external_id", "name")),
        "deals": list(
            Deal.objects.order_by("external_id").values_list("external_id", "name", "owner__external_id", "amount")
        ),
        "raw": sorted(RawRecord.objects.values_list("stream", "external_id")),
        "streams": sorted(FactStream.objects.values_list("source", "fact")),
    }


def counted(run: SyncRun) -> int:
    return run.inserted_count + run.updated_count + run.unchanged_count + run.deleted_count + run.rejected_count


def left_aside(run: SyncRun) -> int:
    """Rows that came to nothing by themselves: they said what another row of the same file says."""
    return sum(each["skipped"] + each["repeated"] for each in run.report["streams"])


def _cut(body: bytes, chance: random.Random) -> bytes:
    return body[: chance.randrange(len(body))]


def _scratch(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _insert(body: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(body))
    return body[:place] + chance.randbytes(chance.randint(1, 12)) + body[place:]


def _lose_a_part(body: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(body))
    return body[:start] + body[start + chance.randint(1, 60) :]


def _mix_encodings(body: bytes, chance: random.Random) -> bytes:
    place = body.index(b"\n", chance.randrange(len(body) // 2)) + 1
    return body[:place] + "D90,漢字とカナ,2026-10-01,P0,open,1\n".encode(chance.choice(["cp932", "utf-8", "utf-16"]))


def _repeat(body: bytes, chance: random.Random) -> bytes:
    return body + body[chance.randrange(len(body)) :]


DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [
    *(_cut, _scratch, _insert, _lose_a_part, _mix_encodings, _repeat)
]


def test_a_damaged_file_is_refused_whole_or_read_row_by_row(connection, sync, seed):
    chance = random.Random(seed)
    export = Export(chance)
    if chance.random() < 0.5:
        sync(connection, export.files)
    before = stored()
    name = chance.choice(sorted(export.files))
    damaged = {**export.files, name: chance.choice(DAMAGES)(export.files[name], chance)}

    if not damaged[name]:
        with pytest.raises(ConnectorError, match="empty_file"):  # not even taken in
            sync(connection, damaged, NOW + timedelta(hours=1))
        assert stored() == before
        return
    run = sync(connection, damaged, NOW + timedelta(hours=1))
    if run.state == RunState.FAILED:
        assert stored() == before
        assert run.problem_code != "interrupted", run.message
        assert run.message != run.problem_code
        assert counted(run) == 0
    else:
        assert run.state in GOOD_ENDS
        assert counted(run) + left_aside(run) == run.progress_done == run.progress_total
        assert len(stored()["people"]) + len(stored()["deals"]) == (
            len(before["people"]) + len(before["deals"]) + run.inserted_count
        )
        assert FactChange.objects.filter(run=run.pk).count() == run.updated_count
        rejected = RejectedRecord.objects.filter(run=run)
        assert rejected.count() == run.rejected_count
        assert all(each.row > 1 and each.reasons for each in rejected)

    again = sync(connection, export.files, NOW + timedelta(hours=2))
    assert again.state in GOOD_ENDS
    assert counted(again) == export.accepted + export.refused
    sound = dict(Deal.objects.values_list("external_id", "amount"))
    assert all(sound[f"D{n}"] == n * 100 for n in range(len(export.lines)) if n not in export.bad)


def test_a_killed_worker_loses_and_doubles_nothing(connection, receive, sync, monkeypatch, seed):
    chance = random.Random(seed)
    export = Export(chance)
    upload = receive(connection, export.files)
    run = request_run(connection=connection, upload=upload, trigger=Trigger.UPLOAD, actor=None, now=NOW)
    monkeypatch.setattr(deliveries, "PIECE_RECORDS", chance.randint(1, 7))
    for attempt in range(chance.randint(1, MAX_ATTEMPTS - 1)):
        with monkeypatch.context() as patched:
            kill_somewhere(chance, patched)
            try:
                run_sync(run_id=run.pk, owner=f"worker {attempt}", now=NOW)
            except LOST:
                assert SyncRun.objects.get(pk=run.pk).state == RunState.RUNNING
        run.refresh_from_db()
        assert counted(run) == run.progress_done
        assert Person.objects.count() + Deal.objects.count() == run.inserted_count
        assert RejectedRecord.objects.count() == run.rejected_count

    run_sync(run_id=run.pk, owner="the last worker", now=NOW)
    run.refresh_from_db()
    assert run.state in GOOD_ENDS
    assert (run.inserted_count, run.rejected_count) == (export.accepted, export.refused)
    assert counted(run) == run.progress_done == run.progress_total
    assert Person.objects.count() + Deal.objects.count() == export.accepted
    assert RawRecord.objects.count() == export.accepted + export.refused  # what was refused is kept to be mapped again
    assert RejectedRecord.objects.count() == export.refused
    assert not FactChange.objects.exists()

    once = stored()
    again = sync(connection, export.files, NOW + timedelta(hours=1))
    assert (again.unchanged_count, again.rejected_count) == (export.accepted, export.refused)
    assert stored() == once
