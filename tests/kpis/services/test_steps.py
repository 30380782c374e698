"""From step to step of a sale: which deals passed it, when, and what the company calls it."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kpis.models import Deal, DealPhase, KpiEvent, KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.selectors.wording import definition_words
from kpis.services.facts import upsert_facts
from kpis.services.phases import PhaseError, ensure_phases, set_phase
from kpis.services.recompute import recompute

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
TODAY = date(2026, 11, 22)
ORIGINS = ["lead", "referral", "unknown"]
STEPS = {"訪問": 1, "提案": 2, "デモ": 2, "見積": 3, "保留": None}
BETWEEN = {"kind": "conversion", "fact": "deals", "origin": ORIGINS, "window_days": 45}
SPECS: dict[str, dict[str, object]] = {
    "visit_to_proposal": BETWEEN | {"from": "step1", "to": "step2"},
    "proposal_to_quote": BETWEEN | {"from": "step2", "to": "step3", "basis": "period"},
    "quote_to_won": BETWEEN | {"from": "step3", "to": "won"},
}

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


@pytest.fixture
def tree() -> KpiTree:
    tree = KpiTree.objects.create(name="2026", fiscal_year=2026)
    for position, (code, spec) in enumerate(SPECS.items()):
        metric = Metric.objects.create(code=code, name=code, unit="percent", accumulation="rate")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(tree=tree, level="kpi", code=code, name=code, metric=metric, position=position)
    for code, step in STEPS.items():
        set_phase(code=code, step=step, actor=None, now=NOW)
    return tree


def send(resource: str, records: list[dict]) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected


def deal(external_id: str, **fields: object) -> dict:
    return {"external_id": external_id, "created_on": "2026-01-05", **fields}


def entered(external_id: str, phase: str, day: str, number: int = 0) -> dict:
    moment = f"{day}T03:00:00+00:00"
    return {"external_id": f"{external_id}-{phase}-{number}", "deal": external_id, "phase": phase, "entered_at": moment}


def passed(step: int) -> dict[str, date]:
    """Deal → when it passed the step."""
    recompute(now=NOW)
    rows = KpiEvent.objects.filter(kind=f"deals.step{step}_on", credit="revenue")
    names = dict(Deal.objects.values_list("id", "external_id"))
    return {names[row.fact_id]: row.date for row in rows}


def read(tree: KpiTree, code: str) -> KpiMatrix:
    recompute(now=NOW)
    return build_matrix(MatrixQuery(tree, "month", date(2026, 1, 1), date(2027, 1, 1), codes=[code]), now=NOW)


def cells(found: KpiMatrix) -> Iterator[tuple[date, date, Decimal | None, str | None]]:
    for p, period in enumerate(found.periods):
        yield period.start, period.end, found.value[0][0][p], found.absence[0][0][p]


class TestPassing:
    def test_the_first_entry_counts(self, tree: KpiTree) -> None:
        send("deals", [deal("D1")])
        send("deal-stage-events", [entered("D1", "提案", "2026-02-03"), entered("D1", "提案", "2026-04-01", 1)])
        assert passed(2) == {"D1": date(2026, 2, 3)}

    def test_a_skipped_step_is_passed_with_a_later_one(self, tree: KpiTree) -> None:
        send("deals", [deal("D1")])
        send("deal-stage-events", [entered("D1", "見積", "2026-02-03")])
        assert passed(1) == passed(2) == passed(3) == {"D1": date(2026, 2, 3)}

    def test_a_win_passes_every_step(self, tree: KpiTree) -> None:
        send("deals", [deal("D1", outcome="won", closed_on="2026-03-02"), deal("D2", outcome="lost")])
        send("deal-stage-events", [entered("D1", "訪問", "2026-01-09"), entered("D2", "訪問", "2026-01-10")])
        assert passed(1) == {"D1": date(2026, 1, 9), "D2": date(2026, 1, 10)}
        assert passed(3) == {"D1": date(2026, 3, 2)}

    def test_phases_of_one_step_count_as_one(self, tree: KpiTree) -> None:
        send("deals", [deal("D1")])
        send("deal-stage-events", [entered("D1", "提案", "2026-02-03"), entered("D1", "デモ", "2026-01-20")])
        assert passed(2) == {"D1": date(2026, 1, 20)}

    def test_what_is_no_step_passes_nothing(self, tree: KpiTree) -> None:
        send("deals", [deal("D1")])
        send("deal-stage-events", [entered("D1", "保留", "2026-02-03"), entered("D1", "返却", "2026-02-04")])
        assert passed(1) == {}

    def test_follows_the_history_and_the_company(self, tree: KpiTree) -> None:
        send("deals", [deal("D1")])
        send("deal-stage-events", [entered("D1", "提案", "2026-02-03")])
        assert passed(2) == {"D1": date(2026, 2, 3)}
        send("deal-stage-events", [entered("D1", "デモ", "2026-01-20")])
        assert passed(2) == {"D1": date(2026, 1, 20)}
        send("deal-stage-events", [{"external_id": "D1-デモ-0", "deleted": True}])
        assert passed(2) == {"D1": date(2026, 2, 3)}
        set_phase(code="提案", step=1, actor=None, now=NOW)
        assert passed(2) == {}
        assert passed(1) == {"D1": date(2026, 2, 3)}

    def test_a_company_without_steps_has_no_such_dates(self) -> None:
        send("deals", [deal("D1", outcome="won", closed_on="2026-03-02")])
        send("deal-stage-events", [entered("D1", "提案", "2026-02-03")])
        assert passed(1) == {}


class TestConversion:
    @pytest.mark.parametrize("seed", range(3))
    def test_equals_a_second_computation(self, tree: KpiTree, seed: int) -> None:
        """Deal by deal in Python: when each step was passed, then cohorts and periods by their definitions."""
        chance = random.Random(seed)
        deals, events, dates = [], [], {}
        for number in range(60):
            name = f"D{number}"
            day = date(2026, 1, 1) + timedelta(days=chance.randrange(300))
            entries = []
            for phase in chance.sample(["訪問", "提案", "デモ", "見積", "保留"], chance.randrange(5)):
                entries.append((phase, day))
                day += timedelta(days=chance.randrange(60))
            won = chance.random() < 0.3
            closed = day.isoformat() if won else None
            deals.append(deal(name, outcome="won" if won else "open", closed_on=closed, origin=chance.choice(ORIGINS)))
            events += [entered(name, phase, on.isoformat()) for phase, on in entries]
            for step in (1, 2, 3):
                later = [on for phase, on in entries if (STEPS[phase] or 0) >= step] + ([day] if won else [])
                dates[name, step] = min(later, default=None)
            dates[name, 4] = day if won else None
        send("deals", deals)
        send("deal-stage-events", events)
        names = [each["external_id"] for each in deals]

        def at(step: int, start: date, end: date) -> list[str]:
            return [name for name in names if dates[name, step] and start <= dates[name, step] < end]

        for code, step, to in (("visit_to_proposal", 1, 2), ("quote_to_won", 3, 4)):
            known = 0
            for start, end, value, absence in cells(read(tree, code)):
                cohort = at(step, start, end)
                done = [n for n in cohort if dates[n, to] and 0 <= (dates[n, to] - dates[n, step]).days <= 45]
                if absence is None:
                    known += 1
                    assert value == Decimal(len(done)) / len(cohort)
                else:
                    assert not cohort or end + timedelta(days=45) > TODAY
            assert known >= 5
        for start, end, value, _absence in cells(read(tree, "proposal_to_quote")):
            below = len(at(2, start, end))
            if start <= TODAY:
                assert value == (Decimal(len(at(3, start, end))) / below if below else None)

    def test_the_sentence_names_the_phases(self, tree: KpiTree) -> None:
        version = MetricVersion.objects.get(metric__code="visit_to_proposal")
        assert "訪問" in definition_words(version)[0]
        assert "デモ・提案" in definition_words(version)[0]
        DealPhase.objects.all().delete()
        assert "1" in definition_words(version)[0]


class TestPhases:
    def test_are_listed_from_the_histories_until_somebody_numbers_them(self) -> None:
        send("deals", [deal("D1")])
        send("deal-stage-events", [entered("D1", "提案", "2026-02-03"), entered("D1", "見積", "2026-02-04")])
        set_phase(code="見積", name="お見積", step=3, actor=None, now=NOW)
        ensure_phases()
        assert list(DealPhase.objects.values_list("code", "name", "step")) == [
            ("見積", "お見積", 3),
            ("提案", "提案", None),
        ]

    @pytest.mark.parametrize(("code", "step"), [(" ", 1), ("提案", 0), ("提案", 10)])
    def test_a_step_is_a_number_from_1_to_9(self, code: str, step: int) -> None:
        with pytest.raises(PhaseError):
            set_phase(code=code, step=step, actor=None, now=NOW)
