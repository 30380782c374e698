"""Incremental = full: after any sequence of changes the blocks are those that a full recompute makes of the facts."""

import os
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kpis.engine import specs
from kpis.engine.joining import LINK_RULES
from kpis.engine.specs import Simple
from kpis.models import (
    DimensionMember,
    KpiEvent,
    Lead,
    LeadExclusion,
    LeadLink,
    MeasureBlock,
    Metric,
    MetricVersion,
)
from kpis.services import differences
from kpis.services.calendar import CalendarError, set_rule
from kpis.services.facts import upsert_facts
from kpis.services.joining import JoiningError, choose_lead, count_duplicate, judge_scan, undo_link
from kpis.services.lead_rules import set_lead_rules
from kpis.services.measured import mark_groups, measured_terms
from kpis.services.merges import merge_facts
from kpis.services.phases import set_phase
from kpis.services.recompute import recompute, recompute_all
from kpis.services.segments import SegmentError, set_segment
from tenants.models import Company

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
BEGINNING = datetime(2026, 2, 1, 3, tzinfo=UTC)
FIRST_DAY = date(2026, 3, 1)
PEOPLE, TEAMS, ACCOUNTS, PRODUCTS, LEADS, DEALS = ([f"{kind}{n}" for n in range(3)] for kind in "PTAXLD")

TIDIED_EVERY = 50  # examples; what they rolled back slows the next ones down
# Processes share the thousands of examples of the proof; elsewhere every part would have the same ones.
PARTS = 8 if os.environ.get("MAWARU_TIER") == "proof" else 1

days = st.integers(0, 260).map(lambda n: (FIRST_DAY + timedelta(days=n)).isoformat())


def maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


def one_of(names: list[str]) -> st.SearchStrategy:
    return maybe(st.sampled_from(names))


def record(ids: list[str], **fields: st.SearchStrategy) -> st.SearchStrategy:
    whole = st.fixed_dictionaries({"external_id": st.sampled_from(ids), **fields})
    return whole | st.fixed_dictionaries({"external_id": st.sampled_from(ids), "deleted": st.just(True)})


texts = st.sampled_from(["", "Web", "Fair"])
a_rank = st.sampled_from(["", "A", "B"])
ranks = st.fixed_dictionaries({}, optional={"rank": a_rank})
ranks_and_types = st.fixed_dictionaries({"type": st.sampled_from(["a", "b", None])}, optional={"rank": a_rank})
addresses = st.sampled_from(["a@x.co", "b@x.co", "c@y.co"])
minutes = st.integers(0, 3).map(lambda n: f"2026-05-07T10:{n * 5:02}:00+09:00")
amounts = maybe(st.integers(0, 1000))
CHANGES = {
    "teams": record(
        TEAMS, name=st.sampled_from("ab"), region=st.sampled_from(["", "east", "west"]), parent=one_of(["T0"])
    ),
    "people": record(PEOPLE, name=st.just("p"), team=one_of(TEAMS)),
    "memberships": record(
        ["M0", "M1"],
        person=st.sampled_from(PEOPLE),
        team=st.sampled_from(TEAMS),
        starts_on=maybe(days),
        ends_on=maybe(days),
    ),
    "products": record(PRODUCTS, name=st.just("x"), aliases=st.lists(st.just("alias"), max_size=1)),
    "accounts": record(
        ACCOUNTS,
        name=st.just("a"),
        region=st.sampled_from(["", "north"]),
        industry=st.sampled_from("ij"),
        domain=maybe(st.sampled_from(["x.co", "y.co"])),
        attributes=ranks,
    ),
    "leads": record(
        LEADS,
        created_on=days,
        created_at=maybe(minutes),
        owner=one_of(PEOPLE),
        lead_source=texts,
        sql_on=maybe(days),
        account=one_of(ACCOUNTS),
        email_hash=maybe(addresses),
        email_domain=maybe(addresses),
        converted_deal=one_of(DEALS),
    ),
    "lead-stage-events": record(
        ["E0", "E1"],
        lead=st.sampled_from(LEADS),
        stage=st.sampled_from(["mql", "sql"]),
        entered_at=days.map(lambda d: d + "T15:00:00+00:00"),
    ),
    "deals": record(
        DEALS,
        created_on=maybe(days),
        closed_on=maybe(days),
        outcome=st.sampled_from(["open", "won", "lost", "void"]),
        amount=amounts,
        owner=one_of(PEOPLE),
        created_by=one_of(PEOPLE),
        account=one_of(ACCOUNTS),
        product=one_of([*PRODUCTS, "alias"]),
        lead=one_of([*LEADS, "elsewhere"]),
        email_hash=maybe(addresses),
        lead_source=texts,
        sales_channel=st.sampled_from(["", "Agent", "Direct"]),
        customer_type=maybe(st.sampled_from(["new", "existing"])),
        currency=st.sampled_from(["", "USD"]),
        attributes=ranks_and_types,
    ),
    "deal-lines": record(
        ["N0", "N1"], deal=st.sampled_from(DEALS), product=st.sampled_from(PRODUCTS), amount=st.integers(0, 500)
    ),
    "deal-credits": record(
        ["C0", "C1"],
        deal=st.sampled_from(DEALS),
        person=st.sampled_from(PEOPLE),
        kind=st.sampled_from(["revenue", "overlay"]),
        share=st.sampled_from([0.3, 0.7, 1]),
    ),
    "activities": record(
        ["V0", "V1"],
        kind=st.just("call"),
        happened_on=days,
        owner=one_of(PEOPLE),
        deal=one_of(DEALS),
        lead=one_of(LEADS),
    ),
    "deal-stage-events": record(
        ["G0", "G1", "G2"],
        deal=st.sampled_from(DEALS),
        phase=st.sampled_from(["a", "b", "c"]),
        entered_at=days.map(lambda d: d + "T15:00:00+00:00"),
    ),
    "orders": record(
        ["O0"], account=st.sampled_from(ACCOUNTS), ordered_on=days, amount=st.integers(0, 500), owner=one_of(PEOPLE)
    ),
    "revenues": record(
        ["R0"],
        recognized_on=days,
        amount=st.integers(0, 500),
        gross_profit=maybe(st.integers(0, 200)),
        deal=one_of(DEALS),
    ),
    "contracts": record(
        ["K0", "K1", "K2"],
        account=st.sampled_from(ACCOUNTS),
        starts_on=days,
        ends_on=maybe(days),
        mrr=st.integers(0, 300),
        subscription=st.sampled_from(["", "S"]),
        owner=one_of(PEOPLE),
        renewal_due_on=maybe(days),
        renewed=st.booleans(),
        currency=st.sampled_from(["", "USD"]),
    ),
    "surveys": record(["Q0"], kind=st.sampled_from(["nps", "csat"]), score=st.integers(0, 5), answered_on=days),
    "exchange-rates": record(["U0"], currency=st.just("USD"), rate=st.sampled_from([100, 150.5]), starts_on=days),
}
fact_changes = st.sampled_from(sorted(CHANGES)).flatmap(
    lambda resource: st.tuples(st.just(resource), st.lists(CHANGES[resource], min_size=1, max_size=3))
)
definition_changes = st.tuples(st.just("definition"), st.sampled_from(["sum", "average", "median"]))
calendar_changes = st.tuples(st.just("calendar"), st.tuples(st.integers(4, 9), st.sampled_from([10, 20, 31])))
phase_changes = st.tuples(st.just("phase"), st.tuples(st.sampled_from("abc"), maybe(st.integers(1, 3))))
merges = st.sampled_from(
    [("people", PEOPLE), ("accounts", ACCOUNTS), ("products", PRODUCTS), ("leads", LEADS), ("deals", DEALS)]
).flatmap(lambda kind: st.tuples(st.just(kind[0]), st.permutations(kind[1]).map(lambda ids: ids[:2])))
merge_changes = st.tuples(st.just("merge"), merges)
rule_changes = st.tuples(st.just("rules"), st.tuples(st.permutations(LINK_RULES), st.booleans(), st.integers(0, 3)))
segment_changes = st.tuples(
    st.just("segment"),
    st.fixed_dictionaries(
        {"code": st.sampled_from(["seg1", "seg2"]), "attribute": st.sampled_from(["rank", "industry", ""])}
    ),
)
verdicts = st.tuples(st.just("verdict"), st.sampled_from(["undo", "choose", "count", "leave out"]))
other_changes = definition_changes | calendar_changes | phase_changes | merge_changes | rule_changes
other_changes |= segment_changes | verdicts
steps = st.lists(
    fact_changes | fact_changes | fact_changes | fact_changes | other_changes,
    min_size=1,
    max_size=12,
)


def simple(fact: str, axis: str, **more: object) -> dict:
    return {"kind": "simple", "fact": fact, "date": axis, "aggregate": "count"} | more


def where(field: str, value: str) -> dict:
    return {"field": field, "op": "eq", "value": value}


SPECS = [
    simple(
        "deals",
        "closed_on",
        aggregate="sum",
        field="amount",
        filters=[{"field": "outcome", "op": "eq", "value": "won"}],
    ),
    simple("deals", "created_on"),
    simple("deals", "closed_on", aggregate="median", field="amount"),
    simple("deals", "closed_on", aggregate="distinct", field="account"),
    simple("deals", "closed_on", credit="overlay"),
    simple("deals", "closed_on", filters=[{"field": "lead_source", "op": "eq", "value": "Web"}]),
    simple("leads", "sql_on"),
    simple("leads", "mql_on"),
    simple("activities", "happened_on"),
    simple("orders", "ordered_on", aggregate="average", field="amount"),
    simple("revenues", "recognized_on", aggregate="sum", field="amount"),
    {"kind": "conversion", "from": "mql", "to": "won", "window_days": 60},
    {"kind": "conversion", "fact": "deals", "from": "created", "to": "won", "origin": ["unknown"]},
    {"kind": "conversion", "fact": "deals", "from": "step1", "to": "step2", "origin": ["unknown"], "window_days": 60},
    {"kind": "conversion", "fact": "deals", "from": "step2", "to": "won", "origin": ["unknown"], "basis": "period"},
    {"kind": "retention", "measure": "nrr"},
    {"kind": "retention", "measure": "renewal_rate", "weight": "amount"},
    {"kind": "repeat", "fact": "deals", "window_months": 3},
    {"kind": "repeat", "fact": "deals", "measure": "new"},
    {"kind": "repeat", "fact": "orders", "measure": "dormant", "window_months": 2},
    {"kind": "retention", "measure": "renewal_rate", "window_months": 3},
    simple("revenues", "recognized_on", aggregate="sum", field="gross_profit"),
    simple("leads", "created_on", filters=[{"field": "account.industry", "op": "eq", "value": "i"}]),
    simple("revenues", "recognized_on", aggregate="sum", field="amount", filters=[where("sales_channel", "Agent")]),
    simple("revenues", "recognized_on", filters=[where("deal.attributes.type", "a")]),
    simple("activities", "happened_on", filters=[where("customer_type", "new"), where("product", "X0")]),
    simple("deal-stage-events", "entered_at", filters=[where("lead_source", "Web")]),
    {"kind": "clv", "formula": "historic", "filters": [where("sales_channel", "Agent")]},
    {"kind": "clv", "formula": "subscription"},
    {"kind": "score", "survey": "csat"},
]


def send(resource: str, *records: dict) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=BEGINNING)
    assert not result.rejected, result.rejected


def begin() -> None:
    """A small company in which everything hangs together, so that every change moves some number."""
    for number, spec in enumerate(SPECS):
        metric = Metric.objects.create(code=f"m{number}", name="m", unit="count", accumulation="sum")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
    mark_groups(measured_terms())
    send("teams", *({"external_id": each, "name": each, "region": "east" if each == "T0" else ""} for each in TEAMS))
    pairs = list(zip(PEOPLE, TEAMS, ACCOUNTS, PRODUCTS, LEADS, DEALS, strict=True))
    send("people", *({"external_id": person, "name": "p", "team": team} for person, team, *_rest in pairs))
    send("products", *({"external_id": each, "name": "x"} for each in PRODUCTS))
    rank = {"attributes": {"rank": "A"}}
    send("accounts", *({"external_id": each, "name": "a", "region": "north"} | rank for each in ACCOUNTS))
    send("exchange-rates", {"external_id": "U0", "currency": "USD", "rate": 100, "starts_on": "2026-03-01"})
    for person, _team, account, product, lead, deal in pairs:
        day = {"created_on": "2026-05-07", "owner": person, "account": account, "lead_source": "Web"}
        send("leads", day | {"external_id": lead, "lead_source": "Fair"})
        closed = {"closed_on": "2026-06-15", "outcome": "won", "amount": 90, "currency": "USD"}
        closed |= {"sales_channel": "Agent", "customer_type": "new", "attributes": {"type": "a"}}
        send("deals", day | closed | {"external_id": deal, "product": product, "lead": lead, "lead_source": None})
    send("deal-lines", {"external_id": "N0", "deal": "D0", "product": "X1", "amount": 40})
    moment = "2026-06-01T15:00:00+00:00"
    send("lead-stage-events", {"external_id": "E0", "lead": "L0", "stage": "mql", "entered_at": moment})
    send("deal-stage-events", {"external_id": "G0", "deal": "D0", "phase": "a", "entered_at": moment})
    calls = [{"deal": "D0"}, {"lead": "L1"}]
    send(
        "activities",
        *({"external_id": f"V{n}", "kind": "call", "happened_on": "2026-06-02"} | by for n, by in enumerate(calls)),
    )
    send(
        "contracts",
        *(
            {"external_id": f"K{n}", "account": account, "starts_on": "2026-03-01", "mrr": 100}
            | {"renewal_due_on": f"2026-0{4 + n}-15"}
            for n, account in enumerate(ACCOUNTS)
        ),
    )
    send("revenues", {"external_id": "R0", "recognized_on": "2026-06-30", "amount": 90, "deal": "D0"})
    for step, code in enumerate("ab", start=1):
        set_phase(code=code, step=step, actor=None, now=NOW)
    set_segment(code="seg1", name="Rank", attribute="rank", actor=None, now=NOW)
    recompute(now=NOW)


def blocks() -> set[tuple]:
    return {
        (row.group, row.grain, row.period_start, *cell) for row in MeasureBlock.objects.all() for cell in row.cells()
    }


def events() -> list[tuple]:
    columns = [field.attname for field in KpiEvent._meta.concrete_fields if field.name != "id"]
    return sorted(KpiEvent.objects.values_list(*columns), key=repr)


def set_rules(order: list[str], joins_same_email: bool, scan_count: int) -> None:
    set_lead_rules(
        link_order=order[:3],
        joins_same_email=joins_same_email,
        scan_count=scan_count,
        scan_minutes=10,
        opens_at=time(9),
        closes_at=time(18),
        actor=None,
        now=NOW,
    )


def judge(verdict: str) -> None:
    """Say something about the first link or lead that can be judged like this."""
    links = LeadLink.objects.filter(undone_at=None).order_by("deal")
    if verdict == "undo":
        undo_link(link=links.exclude(lead=None)[0], actor=None, now=NOW)
    elif verdict == "choose":
        link = links.filter(lead=None)[0]
        choose_lead(link=link, lead=Lead.objects.get(pk=link.candidates[0]), actor=None, now=NOW)
    elif verdict == "count":
        duplicate = LeadExclusion.objects.filter(reason="duplicate", is_out=True).order_by("lead")[0]
        count_duplicate(exclusion=duplicate, actor=None, now=NOW)
    else:
        scanned = LeadExclusion.objects.filter(reason="scan").values_list("lead", flat=True)
        judge_scan(leads=list(scanned), verdict="left_out", actor=None, now=NOW)


def joined() -> tuple[list, list]:
    """How leads and deals are joined, with what is kept out of the count."""
    links = LeadLink.objects.filter(undone_at=None).order_by("deal")
    kept_out = LeadExclusion.objects.order_by("lead", "reason")
    return (
        list(links.values_list("deal", "lead", "rule", "candidates", "deal__lead")),
        list(kept_out.values_list("lead", "reason", "same_as", "is_worked", "is_out")),
    )


def apply(change_of_kind: tuple, number: int) -> None:
    kind, change = change_of_kind
    if kind == "definition":
        MetricVersion.objects.create(
            metric=Metric.objects.first(),
            number=number,
            effective_from=FIRST_DAY + timedelta(days=number),
            spec=simple("deals", "created_on", aggregate=change, field="amount"),
        )
        mark_groups(measured_terms())
    elif kind == "phase":
        code, step = change
        set_phase(code=code, step=step, actor=None, now=NOW)
    elif kind == "merge":
        resource, (loser, winner) = change
        at = BEGINNING + timedelta(days=20 * number)
        gone = {"external_id": loser, "deleted": True}
        upsert_facts(resource=resource, source="crm", records=[gone], now=at)
        merge_facts(resource=resource, source="crm", merges={loser: winner}, now=at)
    elif kind == "rules":
        set_rules(*change)
    elif kind == "verdict":
        with suppress(JoiningError, IndexError):  # there is nothing to judge
            judge(change)
    elif kind == "segment":
        with suppress(SegmentError):  # the other segment has the field
            set_segment(**change, actor=None, now=NOW)
    elif kind == "calendar":
        month, closing_day = change
        starts = date(2026, month, 1) if closing_day == 31 else date(2026, month, closing_day + 1)
        with suppress(CalendarError):  # a refusal changes nothing
            set_rule(
                effective_from=starts,
                start_month=month if closing_day == 31 else month + 1,
                closing_day=closing_day,
                actor=None,
                now=NOW,
            )
    else:
        upsert_facts(resource=kind, source="crm", records=change, now=BEGINNING + timedelta(days=20 * number))


@pytest.fixture
def company(committed_db: None, in_acme: Company) -> count:
    """The small company, committed once; each example rolls back what it changes. Counts the examples."""
    with transaction.atomic():
        begin()
    return count(1)


@pytest.fixture
def by_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little the periods hold, their blocks are brought up to date by what changed."""
    monkeypatch.setattr(differences, "WORTH", 0)


@pytest.mark.usefixtures("by_difference")
@pytest.mark.parametrize("_part", range(PARTS))
@given(changes=steps, sells_whole=st.booleans())
@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=settings.default.max_examples // PARTS,
)
def test_incremental_equals_full(company: count, _part: int, changes: list[tuple], sells_whole: bool) -> None:
    if next(company) % TIDIED_EVERY == 0:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
    with transaction.atomic():
        if sells_whole:
            send("deal-lines", {"external_id": "N0", "deleted": True})
            send("deal-credits", {"external_id": "C0", "deleted": True})
            recompute(now=NOW)
        for number, step in enumerate(changes, start=2):
            apply(step, number)
            recompute(now=NOW)
        found = joined(), events(), blocks()
        recompute_all(now=NOW)
        assert found == (joined(), events(), blocks())
        check_segments_add_up()
        transaction.set_rollback(True)


def test_segments_follow_their_field(company: count) -> None:
    """The field of a deal, of its account, and another field: each time the blocks are those of a full recompute."""
    deal = {"external_id": "D0", "created_on": "2026-05-07", "closed_on": "2026-06-15", "outcome": "won", "amount": 90}
    with transaction.atomic():
        changes = (
            lambda: send("deals", deal | {"account": "A0", "owner": "P0", "attributes": {"rank": "B"}}),
            lambda: send("accounts", {"external_id": "A1", "name": "a", "attributes": {"rank": "B"}}),
            lambda: send("accounts", {"external_id": "A2", "name": "a", "industry": "i"}),
            lambda: set_segment(code="seg2", attribute="industry", actor=None, now=NOW),
            lambda: send("accounts", {"external_id": "A2", "name": "a", "industry": "j"}),
            lambda: set_segment(code="seg1", is_active=False, actor=None, now=NOW),
        )
        for change in changes:
            before = blocks()
            change()
            recompute(now=NOW)
            found = events(), blocks()
            assert found[1] != before
            recompute_all(now=NOW)
            assert found == (events(), blocks())
        transaction.set_rollback(True)


def test_events_are_weighed_as_they_are_counted(company: count) -> None:
    """Where no deal is shared or sold in lines, events are counted; from the first that is, they are weighed."""
    with transaction.atomic():
        send("deal-lines", {"external_id": "N0", "deleted": True})
        recompute(now=NOW)
        assert not KpiEvent.objects.filter(kind="deals.closed_on").exclude(weight=1).exists()
        counted = blocks_of_june()
        assert any(key.endswith(":exact") for key, *_rest in counted)
        shared = {"external_id": "D9", "created_on": "2026-09-01", "closed_on": "2026-09-15", "outcome": "won"}
        send("deals", shared | {"amount": 70, "owner": "P0", "account": "A0", "product": "X0"})
        halves = [{"external_id": f"C{n}", "deal": "D9", "person": PEOPLE[n], "kind": "revenue"} for n in range(2)]
        send("deal-credits", *({**each, "share": 0.5} for each in halves))
        recompute_all(now=NOW)
        assert KpiEvent.objects.filter(kind="deals.closed_on", weight=Decimal("0.5")).count() == 2
        assert blocks_of_june() == counted
        september = {
            (measure, number)
            for group, grain, start, member, measure, number in blocks()
            if group.endswith("closed_on:revenue:exact") and (grain, start.month, member) == ("month", 9, None)
        }
        median = specs.measure_key(Simple("deals", "closed_on", "median", field="amount"))
        assert (median, 70) in september, "a deal in two halves is one of 70"
        transaction.set_rollback(True)


def blocks_of_june() -> set[tuple]:
    """The blocks of deals closed in June, by the month and the week."""
    return {
        row
        for row in blocks()
        if row[0].startswith("deals.closed_on") and row[1] in {"month", "week"} and row[2].month == 6
    }


def check_segments_add_up() -> None:
    """Σ members = company, for every additive measure of revenue credit, in every dimension that is told."""
    dimensions = dict(DimensionMember.objects.values_list("pk", "dimension__code"))
    totals: dict[tuple, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for row in MeasureBlock.objects.filter(group__endswith=":revenue"):
        for member, measure, number in row.cells():
            place = (row.group, row.grain, row.period_start, measure)
            totals[place][dimensions[member] if member else "company"] += number
    assert totals
    for place, found in totals.items():
        for dimension, value in found.items():
            assert abs(found["company"] - value) < Decimal("1e-6"), (place, dimension)
