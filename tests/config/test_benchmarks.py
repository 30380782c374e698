"""The measured company is what the measurements take it for, however small."""

from __future__ import annotations

import pytest
from django.utils import timezone

from config.benchmarks.recomputing import measure_recompute
from config.benchmarks.report import Report
from config.benchmarks.syncing import PAGES, SOURCE, Stage, bare, served
from config.benchmarks.world import Size, fill
from kpis.models import Deal, MeasureBlock
from tenants.context import tenant_context

SMALL = Size(deals=400, leads=800, people=6, teams=3, products=4, accounts=20)


@pytest.mark.gate
class TestEngine:
    def test_a_small_company_is_measured_through(self, committed_db, acme):
        world = fill(acme, SMALL, now=timezone.now())
        report = Report("small", lambda _line: None)
        measure_recompute(world, report)
        measured = {line.name: line.measured for line in report.lines}
        assert measured["Blocks that differ from a full recompute"] == 0
        assert measured["Full recompute of all blocks ÷ the bare grouped SQL"] > 0
        with tenant_context(acme):
            assert {"deals.closed_on:revenue", "leads.mql_on:revenue"} <= set(
                MeasureBlock.objects.values_list("group", flat=True)
            )


@pytest.mark.gate
class TestSync:
    def test_the_bare_limit_stores_every_deal(self, committed_db, acme):
        with served() as port, tenant_context(acme):
            bare(Stage(acme, port, 50), PAGES[0])
            assert Deal.objects.filter(source=SOURCE).count() == 50
            assert Deal.objects.filter(source=SOURCE, outcome="won").exists()
