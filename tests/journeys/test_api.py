"""Another tool's job: write facts, and read the matrix, through the REST API with a key."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.journeys.api import CLOSED, WON, Tool, counted, deal, new_tool, tool_with
from tests.journeys.browser import Visitors
from tests.journeys.demo import Demo

pytestmark = pytest.mark.journey

SHOWN_WITHIN = 5  # seconds
OCTOBER = {"grain": "month", "from": "2026-10-01", "to": "2026-11-01"}


@pytest.fixture(scope="module")
def tool(demo: Demo, new_company: str) -> Iterator[Tool]:
    """A tool that may read and write a company of its own, and has defined the worked example there."""
    with new_tool(demo, new_company) as tool:
        tool.tree = define(tool)
        yield tool


def define(tool: Tool) -> str:
    """The metrics, tree and nodes of the worked example; returns the tree's id."""
    money = counted([WON], aggregate="sum", field="amount")
    for code, unit, accumulation, spec in (
        ("won_deals", "count", "sum", counted([WON])),
        ("closed_deals", "count", "sum", counted([CLOSED])),
        ("bookings", "amount", "sum", money),
        ("win_rate", "percent", "rate", {"kind": "formula", "expression": "won_deals / closed_deals"}),
    ):
        metric = {"code": code, "name": code, "unit": unit, "direction": "up", "accumulation": accumulation}
        tool.post("metrics/", {**metric, "spec": spec})
    tree = tool.post("trees/", {"name": "Worked example", "fiscal_year": 2026})["id"]
    goal = tool.post("nodes/", {"tree": tree, "parent": None, "level": "kgi", "name": "受注額", "metric": "bookings"})
    tool.post("nodes/", {"tree": tree, "parent": goal["id"], "level": "kpi", "name": "受注率", "metric": "win_rate"})
    return tree


def october(tool: Tool, *codes: str) -> list[float | None]:
    """The values of some nodes in October 2026."""
    matrix = tool.get("matrix/", tree=tool.tree, nodes=",".join(codes), **OCTOBER)
    place = {node["code"]: n for n, node in enumerate(matrix["nodes"])}
    return [matrix["cells"]["value"][place[code]][0][0] for code in codes]


class TestWrite:
    def test_the_worked_example(self, tool: Tool) -> None:
        records = [deal("D1", 100), deal("D2", 200), deal("D3", 300), deal("D4", 900, "lost")]
        stored = tool.post("facts/deals/bulk/?wait=1", {"source": "crm", "records": records})
        assert stored["inserted"] + stored["unchanged"] == 4
        assert october(tool, "win_rate", "bookings") == [0.75, 600]

    def test_the_same_again_changes_nothing(self, tool: Tool) -> None:
        body = {"source": "twice", "records": [deal("T1", 0, "open", closed_on=None)]}
        tool.post("facts/deals/bulk/", body)
        again = tool.post("facts/deals/bulk/", body)
        assert {name: again[name] for name in ("inserted", "updated", "unchanged", "deleted")} == {
            "inserted": 0,
            "updated": 0,
            "unchanged": 1,
            "deleted": 0,
        }

    def test_a_write_is_in_the_matrix_within_five_seconds(self, tool: Tool) -> None:
        (before,) = october(tool, "bookings")
        name = uuid.uuid4().hex
        tool.post("facts/deals/bulk/", {"source": "soon", "records": [deal(name, 4000)]})
        until = time.monotonic() + SHOWN_WITHIN
        while october(tool, "bookings") != [(before or 0) + 4000]:
            assert time.monotonic() < until, "the write is not in the matrix after 5 s"
            time.sleep(0.2)
        tool.post("facts/deals/bulk/?wait=1", {"source": "soon", "records": [{"external_id": name, "deleted": True}]})
        assert october(tool, "bookings") == [before or 0]

    def test_a_bad_record_is_refused_and_the_others_are_stored(self, tool: Tool) -> None:
        name = uuid.uuid4().hex
        records = [
            deal(name, 0, "void"),
            deal("bad", 5, "perhaps"),
            {"external_id": "x", "created_on": None, "colour": 1},
        ]
        stored = tool.post("facts/deals/bulk/", {"source": "mixed", "records": records})
        assert stored["inserted"] == 1
        assert [(each["index"], each["errors"][0]["field"]) for each in stored["rejected"]] == [
            (1, "outcome"),
            (2, "colour"),
        ]


class TestRefusals:
    @pytest.mark.parametrize("key", ["", "wrong", "mwr_wrong.key"])
    def test_a_wrong_key_gets_a_problem_in_words(self, demo: Demo, key: str) -> None:
        with tool_with(demo, "sakura", key) as tool:
            response = tool.http.get("metrics/")
        assert response.status_code in {401, 403}
        assert response.headers["content-type"].startswith("application/problem+json")
        assert response.json()["detail"]

    def test_a_key_opens_no_other_company(self, demo: Demo, new_company: str) -> None:
        with tool_with(demo, new_company, demo.key("sakura")) as tool:
            assert tool.http.get("metrics/").status_code in {401, 403}

    def test_an_unknown_host_is_told_apart(self, demo: Demo) -> None:
        with tool_with(demo, "nobody", demo.key("sakura")) as tool:
            assert tool.http.get("metrics/").status_code == 404


class TestPrintedKey:
    def test_reads_and_writes_company_a(self, demo: Demo) -> None:
        nobody = {"external_id": "nobody", "deleted": True}
        with tool_with(demo, "sakura", demo.key("sakura")) as tool:
            codes = {metric["code"] for metric in tool.get("metrics/", limit="500")["results"]}
            assert {"bookings", "win_rate", "opportunity_rate"} <= codes
            assert tool.post("facts/deals/bulk/", {"source": "journey", "records": [nobody]})["inserted"] == 0


class TestCompanyB:
    @pytest.fixture
    def maven(self, demo: Demo, crm_export: Path) -> Iterator[Tool]:
        with tool_with(demo, "maven", demo.key("maven")) as tool:
            yield tool

    def test_quarters_equal_the_reference_figures(self, maven: Tool, crm_export: Path) -> None:
        (tree,) = maven.get("trees/")["results"]
        asked = {"grain": "quarter", "from": "2017-01-01", "to": "2018-01-01", "nodes": "bookings,win_rate,won_deals"}
        matrix = maven.get("matrix/", tree=tree["id"], **asked)
        place = {node["code"]: n for n, node in enumerate(matrix["nodes"])}
        starts = [f"2017-{month:02}-01" for month in (1, 4, 7, 10)]
        assert [period["start"] for period in matrix["periods"]] == starts
        table = reference_table(crm_export, "quarter")
        for p, quarter in enumerate(["2017Q1", "2017Q2", "2017Q3", "2017Q4"]):
            if quarter not in table:
                continue
            for code, column in (("bookings", "revenue"), ("win_rate", "win_rate"), ("won_deals", "won")):
                value = Decimal(str(matrix["cells"]["value"][place[code]][0][p]))
                printed = Decimal(table[quarter][column])
                assert round(value, -printed.as_tuple().exponent) == printed, (quarter, code)


def reference_table(directory: Path, first_column: str) -> dict[str, dict[str, str]]:
    """A table of FACTS.md by its first column's head: label → column → figure as printed."""
    lines = (directory / "FACTS.md").read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if re.match(rf"\| {first_column} \|", line))
    heads = [cell.strip() for cell in lines[start].strip("|").split("|")]
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        label, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[label] = dict(zip(heads[1:], cells, strict=True))
    return rows


# The reference is a long page, drawn by the browser.
RENDERED_WITHIN = 30_000


class TestDocument:
    def test_the_reference_renders(self, visitors: Visitors) -> None:
        page = visitors.arrive("sakura", "owner")
        page.goto("/api/docs/")
        page.locator("#operations-tag-facts").click(timeout=RENDERED_WITHIN)
        expect(page.get_by_text("/api/v1/facts/{resource}/bulk/", exact=False).first).to_be_visible()
        page.locator(".opblock-summary").first.click()
        expect(page.locator(".opblock-body").first).to_be_visible()
