"""Merged records: who was taken over is counted once, and whatever pointed at it points at who is left."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.connectors.merges import winners
from integrations.models import Connection, MergedRecord
from kpis.models import Account, Deal, DirtyFact, ExternalIdentity, FactChange, UnresolvedReference
from kpis.services.facts import upsert_facts
from tests.integrations.sources import connect, sync

# Here every record of the source is a company that buys.
ACCOUNTS = StreamMapping(
    stream="accounts",
    resource="accounts",
    position=10,
    reads="deals",
    rules=(
        FieldRule("external_id", column="uid"),
        FieldRule("name", column="name"),
        FieldRule("parent", column="parent", optional=True),
    ),
)


@pytest.fixture
def connection(in_acme, fake) -> Connection:
    return connect(fake, ACCOUNTS)


def fill(fake: Any, *ids: str) -> None:
    for id in ids:
        fake.world.tick(minutes=10)
        fake.world.put(id, name=f"会社{id}")


def sell(*pairs: tuple[str, str]) -> None:
    """Deals that were won from these accounts."""
    fields = {"created_on": "2026-10-05", "closed_on": "2026-10-20", "outcome": "won", "amount": 1000}
    records = [{**fields, "external_id": deal, "account": account} for deal, account in pairs]
    upsert_facts(resource="deals", source="crm", records=records, now=timezone.now())


def buyers() -> dict[str, str | None]:
    found = Deal.objects.order_by("external_id").values_list("external_id", "account__external_id")
    return dict(found)


def merge(fake: Any, loser: str, winner: str) -> None:
    fake.world.tick(minutes=10)
    fake.world.merge(loser, winner)


class TestMerge:
    def test_08_references_move_and_it_is_written_down(self, connection, fake):
        fill(fake, "A1", "A2")
        sync(connection)
        sell(("D1", "A1"), ("D2", "A2"))
        DirtyFact.objects.all().delete()
        merge(fake, "A1", "A2")
        run = sync(connection)
        assert buyers() == {"D1": "A2", "D2": "A2"}
        assert list(Account.objects.filter(deleted_at=None).values_list("external_id", flat=True)) == ["A2"]
        change = FactChange.objects.get(fact="deals")
        assert (change.external_id, change.changes, change.run) == (
            "D1",
            {"account": [["crm", "A1"], ["crm", "A2"]]},
            run.pk,
        )
        assert DirtyFact.objects.filter(fact="deals", fact_id=Deal.objects.get(external_id="D1").pk).exists()
        alias = MergedRecord.objects.get()
        assert (alias.loser, alias.winner, alias.moved_count, alias.applied_at is not None) == ("A1", "A2", 1, True)

    def test_08_later_references_to_the_merged_one_find_who_is_left(self, connection, fake):
        fill(fake, "A1", "A2")
        sync(connection)
        merge(fake, "A1", "A2")
        sync(connection)
        sell(("D1", "A1"))
        assert buyers() == {"D1": "A2"}
        assert not UnresolvedReference.objects.exists()
        sell(("D1", "A1"), ("D2", "A1"))
        assert buyers() == {"D1": "A2", "D2": "A2"}

    def test_08_chains_end_at_who_is_left(self, connection, fake):
        fill(fake, "A1", "A2", "A3")
        sync(connection)
        sell(("D1", "A1"), ("D2", "A2"))
        merge(fake, "A1", "A2")
        sync(connection)
        merge(fake, "A2", "A3")
        sync(connection)
        sell(("D3", "A1"), ("D4", "A2"))
        assert set(buyers().values()) == {"A3"}

    def test_08_a_whole_chain_in_one_run(self, connection, fake):
        fill(fake, "A1", "A2", "A3")
        sync(connection)
        sell(("D1", "A1"), ("D2", "A2"))
        merge(fake, "A1", "A2")
        merge(fake, "A2", "A3")
        sync(connection)
        assert set(buyers().values()) == {"A3"}

    def test_08_one_that_never_came_here_is_found_by_its_name(self, connection, fake):
        fill(fake, "A2")
        sync(connection)
        sell(("D1", "A1"))
        assert UnresolvedReference.objects.exists()
        fill(fake, "A1")
        merge(fake, "A1", "A2")
        sync(connection)
        assert buyers() == {"D1": "A2"}
        assert not UnresolvedReference.objects.exists()

    def test_08_the_merge_waits_for_who_is_left(self, connection, fake):
        fill(fake, "A1", "A2")
        del fake.world.things["A2"]
        sync(connection)
        sell(("D1", "A1"))
        fill(fake, "A2")
        merge(fake, "A1", "A2")
        winner = fake.world.things.pop("A2")
        sync(connection)
        assert MergedRecord.objects.get().applied_at is None
        fake.world.things["A2"] = winner
        sync(connection)
        assert MergedRecord.objects.get().applied_at is not None
        assert buyers() == {"D1": "A2"}

    def test_told_again_it_changes_nothing(self, connection, fake):
        fill(fake, "A1", "A2")
        sync(connection)
        sell(("D1", "A1"))
        merge(fake, "A1", "A2")
        sync(connection)
        changes, applied = FactChange.objects.count(), MergedRecord.objects.get().applied_at
        sync(connection)
        assert (FactChange.objects.count(), MergedRecord.objects.get().applied_at) == (changes, applied)

    def test_nothing_is_above_itself(self, connection, fake):
        fill(fake, "A1", "A2")
        fake.world.put("A2", parent="A1")
        sync(connection)
        merge(fake, "A1", "A2")
        sync(connection)
        assert Account.objects.get(external_id="A2").parent is None

    def test_aliases_of_other_systems_follow(self, connection, fake):
        fill(fake, "A1", "A2")
        sync(connection)
        first = Account.objects.get(external_id="A1")
        ExternalIdentity.objects.create(entity="accounts", source="ma", external_id="X9", row_id=first.pk)
        merge(fake, "A1", "A2")
        sync(connection)
        record = {"external_id": "L1", "created_on": "2026-10-01", "account": "X9"}
        upsert_facts(resource="leads", source="ma", records=[record], now=timezone.now())
        assert ExternalIdentity.objects.get(source="ma").row_id == Account.objects.get(external_id="A2").pk


class TestChains:
    @given(st.dictionaries(st.sampled_from("ABCDEFG"), st.sampled_from("ABCDEFGH")))
    def test_end_at_one_that_was_not_merged(self, aliases):
        found = winners(aliases)
        assert not set(found.values()) & set(aliases)
        for loser, winner in found.items():
            here = loser
            while here != winner:
                here = aliases[here]
