"""What the demo companies measure: specs the engine reads, trees that hang together, and months that were missed."""

from datetime import date

import pytest

from config.demo import definitions, maven
from config.demo.plans import CompanyPlan
from config.demo.sakura import build_records
from config.demo.sakura.company import STAFF
from config.demo.sakura.dates import add_months, fiscal_year, month_start
from kpis.engine.specs import parse_spec

TODAY = date(2026, 11, 22)
PEOPLE = {code for staff in STAFF.values() for code in staff}


@pytest.fixture(params=["sakura", "maven"])
def plan(request) -> CompanyPlan:
    return definitions.company_plan(today=TODAY) if request.param == "sakura" else maven.company_plan()


class TestPlans:
    def test_every_metric_can_be_read(self, plan):
        for metric in plan.metrics:
            parse_spec(metric.spec)

    def test_every_kpi_reaches_the_kgi_through_a_ksf(self, plan):
        for tree in plan.trees:
            nodes = {node.code: node for node in tree.nodes}
            assert len(nodes) == len(tree.nodes)
            assert [node.code for node in tree.nodes if node.level == "kgi"] == ["bookings"]
            for node in tree.nodes:
                path = [node.level]
                while node.parent:
                    node = nodes[node.parent]
                    path.append(node.level)
                assert path[-1] == "kgi"
                assert "ksf" in path or path == ["kgi"]
            assert 1 <= sum(node.level == "ksf" for node in tree.nodes) <= 5

    def test_every_node_has_its_metric_a_reason_and_a_person(self, plan):
        metrics = {metric.code for metric in plan.metrics}
        for tree in plan.trees:
            for node in tree.nodes:
                assert node.metric is None or node.metric in metrics
                assert node.reason
                assert node.responsible

    def test_a_target_is_set_once_for_a_month(self, plan):
        for tree in plan.trees:
            kpis = {node.code for node in tree.nodes if node.metric}
            keys = [(target.node, target.period_start) for target in tree.targets]
            assert len(keys) == len(set(keys))
            assert {node for node, _ in keys} == kpis


class TestSakura:
    def test_responsible_people_exist(self):
        plan = definitions.company_plan(today=TODAY)
        assert {node.responsible for tree in plan.trees for node in tree.nodes} <= PEOPLE

    def test_months_follow_the_closing_day(self):
        running = definitions.company_plan(today=TODAY).trees[-1]
        starts = sorted({target.period_start for target in running.targets})
        assert (starts[0], starts[-1]) == (date(2026, 3, 21), date(2027, 2, 21))

    def test_one_target_was_raised_in_mid_term(self):
        previous, running = definitions.company_plan(today=TODAY).trees
        assert not previous.changes
        assert {change.node for change in running.changes} == {"new_leads"}
        assert min(change.period_start for change in running.changes) == date(2026, 9, 21)
        assert all("展示会" in change.reason for change in running.changes)

    def test_manual_entries_end_with_the_last_complete_month(self):
        entries = definitions.company_plan(today=TODAY).entries
        assert {entry.metric for entry in entries} == {"proposal_review_rate"}
        assert max(entry.period_start for entry in entries) == date(2026, 10, 21)

    @pytest.mark.parametrize("today", [TODAY, date(2026, 7, 31), date(2027, 3, 25)])
    def test_a_few_months_of_bookings_were_missed_and_more_were_met(self, today):
        won = [row for row in build_records(today=today)["deals"] if row["outcome"] == "won"]
        targets = {
            target.period_start: target.value
            for tree in definitions.company_plan(today=today).trees
            for target in tree.targets
            if target.node == "bookings"
        }
        missed = []
        for back in range(1, 13):
            start = add_months(month_start(today), -back)
            end = add_months(start, 1)
            missed.append(sum(row["amount"] for row in won if start <= row["closed_on"] < end) < targets[start])
        assert 2 <= sum(missed) <= 6

    def test_trees_are_those_of_the_previous_and_the_running_year(self):
        for today in (date(2026, 3, 20), date(2026, 3, 21)):
            years = [tree.fiscal_year for tree in definitions.company_plan(today=today).trees]
            assert years == [fiscal_year(today) - 1, fiscal_year(today)]


class TestFindMaven:
    def test_names_what_is_missing(self, tmp_path):
        with pytest.raises(maven.MavenMissingError, match=r"accounts\.csv, products\.csv"):
            maven.find_directory(asked=str(tmp_path), environment={})

    def test_prefers_what_was_asked_to_the_environment(self, tmp_path):
        asked, other = tmp_path / "asked", tmp_path / "other"
        for place in (asked, other):
            place.mkdir()
            for name in maven.FILES:
                (place / name).touch()
        assert maven.find_directory(asked=str(asked), environment={"MAVEN_CRM_DIR": str(other)}) == asked
        assert maven.find_directory(asked=None, environment={"MAVEN_CRM_DIR": str(other)}) == other

    def test_is_left_out_when_not_at_hand(self, tmp_path, monkeypatch):
        monkeypatch.setattr(maven, "PROJECT", tmp_path / "project")
        assert maven.find_directory(asked=None, environment={}) is None
