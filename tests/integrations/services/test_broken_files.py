"""Files as they should never be sent are refused in words, with row and column, and nothing is half imported."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from integrations.choices import RunState, describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.models import RawRecord, RejectedRecord
from kpis.models import Deal, FactStream
from tests.integrations.broken_files import BAD_SHEET_CELLS, BROKEN, CELLS, BadCell, Broken, bad_sheet, csv, row

MEGABYTE = 1024 * 1024
FEW = 12


def sampled(cases):
    """Every so-and-so-many of the cases for `make test`, all of them for the gate."""
    light = [case for case in cases if not getattr(case, "is_heavy", False)]
    shown = light[:: max(1, len(light) * 3 // FEW)]
    return [
        pytest.param(case, id=case.name.replace(" ", "-"), marks=() if case in shown else pytest.mark.gate)
        for case in cases
    ]


@contextmanager
def bounded(*, seconds: float, megabytes: float) -> Iterator[None]:
    """What happens in the block is over soon and asks for no more memory than that."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.monotonic() - began < seconds
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < megabytes


def test_there_are_enough_of_them():
    assert len(BROKEN) + len(CELLS) + len(BAD_SHEET_CELLS) >= 120


@pytest.mark.parametrize("case", sampled(BROKEN))
def test_a_broken_file_is_refused_whole(connection, sync, case: Broken):
    name, body = f"deals.{case.suffix}", case.make()
    with bounded(seconds=30, megabytes=400):
        try:
            run = sync(connection, {name: body, "people.csv": "external_id,name\nP1,青木\n"})
        except ConnectorError as refusal:  # not even taken in
            code, params = refusal.code, refusal.params
        else:
            assert run.state == RunState.FAILED
            code, params = run.problem_code, run.problem_params
    assert code == case.code, params
    assert (params.get("row"), params.get("column", "")) == (case.row, case.column)
    assert dict(params) | dict(case.params or {}) == dict(params)
    sentence = describe_problem(code, params)
    assert all(str(each) in sentence for each in (name, case.row or "", case.column))
    assert len(sentence) < 1_000
    for model in (Deal, RawRecord, RejectedRecord, FactStream):
        assert not model.objects.exists()


@pytest.mark.parametrize("case", sampled(CELLS))
def test_a_bad_cell_keeps_its_row_out(connection, sync, case: BadCell):
    check_refused(sync(connection, {"deals.csv": csv(row(external_id="D1"), row(**{case.column: case.cell}))}), case)


@pytest.mark.parametrize("case", sampled(BAD_SHEET_CELLS))
def test_a_bad_cell_of_a_workbook_keeps_its_row_out(connection, sync, case: BadCell):
    check_refused(sync(connection, {"deals.xlsx": bad_sheet(case.cell)}), case)


def check_refused(run, case: BadCell) -> None:
    assert (run.state, run.inserted_count, run.rejected_count) == (RunState.PARTLY, 1, 1), run.message
    rejected = RejectedRecord.objects.get(run=run)
    assert (rejected.row, [each["code"] for each in rejected.problems]) == (3, [case.code])
    assert case.column in rejected.reasons[0]
    assert list(Deal.objects.values_list("external_id", "amount")) == [("D1", 1000)]


@pytest.mark.parametrize("other", ["2026-10-02", "2026-10-01 "])
def test_an_id_that_comes_again_with_other_content_is_refused_by_its_row(connection, sync, other):
    run = sync(connection, {"deals.csv": csv(row(), row(created_on=other))})
    is_same = other.strip() == "2026-10-01"
    assert (run.inserted_count, run.rejected_count) == (1, 0 if is_same else 1)
    assert [each.row for each in RejectedRecord.objects.filter(run=run)] == ([] if is_same else [3])
