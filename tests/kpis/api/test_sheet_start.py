"""A sheet through the API: previewed with every choice named, then made as it was previewed."""

import pytest

from kpis.models import DimensionMember, ManualEntry, Metric, Target
from tenants.context import tenant_context
from tests.kpis.engine.sheets import SHEETS
from tests.kpis.pages.conftest import send

pytestmark = pytest.mark.django_db
PREVIEW, START = "trees/from-sheet/preview/", "trees/from-sheet/"
CELLS = SHEETS[0].cells
PAST = [["訪問数", "2020年4月", "2020年5月"], ["佐藤", 5, "6"], ["鈴木", None, 8], ["合計", "5", "14"]]


def body(cells=CELLS, **more):
    return {"cells": cells, "name": "KPI.xlsx", "fiscal_year": 2020, **more}


class TestPreview:
    def test_says_what_was_understood_and_stores_nothing(self, api, in_acme):
        shown = api.made(PREVIEW, body(PAST))
        assert [(row["segment"], row["kind"]) for row in shown["rows"]] == [
            ("佐藤", "actual"),
            ("鈴木", "actual"),
            ("", "actual"),
        ]
        assert [(check["cell"], check["verdict"]) for check in shown["checks"]] == [("B4", "agrees"), ("C4", "agrees")]
        assert shown["segments"] == [
            {"name": "佐藤", "dimension": None, "member": None},
            {"name": "鈴木", "dimension": None, "member": None},
        ]
        assert (shown["kpis"][0]["actuals"], shown["is_empty"]) == (2, False)
        assert not Metric.objects.exists()

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"cells": [["a", "1"]]}, "cells"),
            ({"kpis": [{"kpi": "売上", "use": "ignored"}]}, "kpis.0.kpi"),
            ({"kpis": [{"kpi": "訪問数", "use": "existing"}]}, "kpis.0.metric"),
            ({"segments": [{"name": "佐藤", "member": "nobody"}]}, "segments.0.member"),
            ({"rows": [{"key": "2.actual", "kind": "guess"}]}, "rows.0.kind"),
        ],
    )
    def test_names_what_is_at_fault(self, api, more, field):
        refused = api.post(PREVIEW, {**body(PAST), **more})
        assert refused.status_code == 400
        assert [error["field"] for error in refused.json()["errors"]] == [field]

    def test_managers_make_no_metrics(self, signed_in, alice):
        assert signed_in(alice).post(PREVIEW, body(PAST)).status_code == 403


class TestStart:
    def test_makes_what_was_previewed_once(self, api, in_acme):
        seen = api.made(PREVIEW, body())["seen"]
        started = api.made(START, body(seen=seen))
        assert (started["metrics"], started["targets"]) == (2, 24)
        assert Target.objects.filter(node__tree__public_id=started["tree"]).count() == 24
        again = api.made(PREVIEW, body())
        assert (again["tree"], again["is_empty"]) == (started["tree"], True)

    def test_what_was_made_is_in_the_numbers_at_once(self, api):
        started = api.made(START, body(seen=api.made(PREVIEW, body())["seen"]))
        asked = {"grain": "month", "from": "2026-04-01", "to": "2026-08-01"}
        cells = api.shown("matrix/", tree=started["tree"], **asked)["cells"]
        assert cells["target"][0] == [[10_000_000, 10_000_000, 12_000_000, 10_000_000]]
        assert cells["value"][0] == [[9_800_000, 10_400_000, 11_000_000, None]]
        assert cells["absence"][0] == [[None, None, None, "missing"]]

    def test_another_sheet_than_the_previewed_one_is_refused(self, api, in_acme):
        seen = api.made(PREVIEW, body(PAST))["seen"]
        refused = api.post(START, body(seen=seen))
        assert (refused.status_code, refused.json()["code"]) == (409, "invalid_sheet")
        assert not Metric.objects.exists()

    def test_choices_over_what_is_likely(self, api, acme):
        with tenant_context(acme):
            send("people", {"external_id": "p1", "name": "Sato"})
        chosen = {
            "kpis": [{"kpi": "訪問数", "name": "Visits", "unit": "amount", "scale": 1000, "direction": "down"}],
            "segments": [{"name": "佐藤", "member": "p1"}],
            "rows": [{"key": "4.actual", "kind": None}],
        }
        seen = api.made(PREVIEW, body(PAST, **chosen))["seen"]
        api.made(START, body(PAST, **chosen, seen=seen))
        with tenant_context(acme):
            metric = Metric.objects.get()
            assert (metric.name, metric.unit, metric.direction) == ("Visits", "amount", "down")
            member = DimensionMember.objects.get(dimension__code="person", code="p1")
            entries = ManualEntry.objects.filter(member=member).order_by("period_start")
            assert [entry.value for entry in entries] == [5000, 6000]
