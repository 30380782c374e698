"""The bulk door for facts: what is stored, what is refused, what is remembered."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import DataError, connection

from kpis.models import Deal, DimensionMember, FactChange, FactStream, Person, Product, Team, TeamMembership
from kpis.services.facts import BulkResult, UnknownResourceError, upsert_facts
from kpis.services.incoming import copy_in

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]


def send(resource: str, *records: dict, source: str = "crm", now: datetime = NOW) -> BulkResult:
    return upsert_facts(resource=resource, source=source, records=records, now=now)


def counts(result: BulkResult) -> tuple[int, int, int, int, int]:
    return result.inserted, result.updated, result.unchanged, result.deleted, len(result.rejected)


RATE = {"external_id": "R1", "currency": "USD", "rate": 150, "starts_on": "2026-01-01"}
LINE = {"external_id": "L1", "deal": "D1", "product": "P1", "amount": 100}
DEAL = {"external_id": "D1", "created_on": "2026-10-01", "amount": 100, "owner": "P1"}


class TestUpsert:
    def test_stores_new_records_and_says_so(self) -> None:
        assert counts(send("deals", DEAL, DEAL | {"external_id": "D2"})) == (2, 0, 0, 0, 0)
        deal = Deal.objects.get(external_id="D1")
        assert (deal.created_on, deal.amount, deal.outcome) == (date(2026, 10, 1), Decimal(100), "open")

    def test_the_same_again_changes_nothing(self) -> None:
        send("deals", DEAL)
        assert counts(send("deals", DEAL)) == (0, 0, 1, 0, 0)
        assert not FactChange.objects.exists()

    def test_a_changed_field_is_one_update_and_is_remembered(self) -> None:
        send("deals", DEAL)
        result = send("deals", DEAL | {"amount": 250, "outcome": "won", "closed_on": "2026-11-02"})
        assert counts(result) == (0, 1, 0, 0, 0)
        change = FactChange.objects.get()
        assert change.changes["amount"] == [100, 250]
        assert change.changes["outcome"] == ["open", "won"]
        assert "owner" not in change.changes

    def test_an_absent_field_is_kept_and_null_clears(self) -> None:
        send("deals", DEAL | {"phase": "proposal"})
        send("deals", {"external_id": "D1", "created_on": None, "amount": None})
        deal = Deal.objects.get()
        assert (deal.created_on, deal.amount, deal.phase) == (None, None, "proposal")

    def test_an_absent_field_is_kept_where_another_record_of_the_list_has_it(self) -> None:
        send("deals", DEAL | {"phase": "proposal"}, DEAL | {"external_id": "D2"})
        send("deals", {"external_id": "D1", "created_on": None}, DEAL | {"external_id": "D2", "phase": "closing"})
        assert dict(Deal.objects.values_list("external_id", "phase")) == {"D1": "proposal", "D2": "closing"}

    def test_a_deleted_record_stays_as_a_tombstone_and_can_come_back(self) -> None:
        send("deals", DEAL)
        assert counts(send("deals", {"external_id": "D1", "deleted": True})) == (0, 0, 0, 1, 0)
        assert Deal.objects.get().deleted_at == NOW
        assert counts(send("deals", {"external_id": "D1", "deleted": True})) == (0, 0, 1, 0, 0)
        assert counts(send("deals", DEAL)) == (0, 1, 0, 0, 0)
        assert Deal.objects.get().deleted_at is None

    def test_bad_records_are_refused_and_the_others_stored(self) -> None:
        result = send(
            "deals",
            DEAL,
            {"external_id": "D2"},
            DEAL | {"external_id": "D3", "amount": "a lot"},
            DEAL | {"external_id": "D4", "colour": "red"},
        )
        assert counts(result) == (1, 0, 0, 0, 3)
        assert [(each.index, each.issues[0].field, each.issues[0].code) for each in result.rejected] == [
            (1, "created_on", "required"),
            (2, "amount", "invalid"),
            (3, "colour", "unknown"),
        ]

    def test_of_two_records_with_one_id_the_last_counts(self) -> None:
        result = send("deals", DEAL, DEAL | {"amount": 7})
        assert counts(result) == (1, 0, 0, 0, 1)
        assert Deal.objects.get().amount == 7

    def test_takes_tax_off_and_rounds_to_the_yen(self) -> None:
        send("deals", DEAL | {"amount": 1085, "tax": "included"})
        assert Deal.objects.get().amount == Decimal(986)

    def test_an_amount_without_a_currency_is_in_the_companys_and_without_tax(self) -> None:
        send("deals", DEAL | {"currency": "usd", "amount": "10.505", "tax": "included", "tax_rate": "0"})
        send("deals", {"external_id": "D1", "created_on": "2026-10-01", "phase": "proposal"})
        kept = Deal.objects.get()
        assert (kept.currency, kept.amount, kept.tax) == ("USD", Decimal("10.51"), "included")
        send("deals", {"external_id": "D1", "created_on": "2026-10-01", "amount": 11})
        deal = Deal.objects.get()
        assert (deal.currency, deal.amount, deal.tax, deal.tax_rate) == ("", Decimal(11), "excluded", None)

    @pytest.mark.parametrize(
        ("resource", "record", "field"),
        [
            ("deals", DEAL | {"currency": "¥"}, "currency"),
            ("deals", DEAL | {"currency": "YEN!"}, "currency"),
            ("deals", DEAL | {"created_on": "20261005"}, "created_on"),
            ("deals", DEAL | {"created_on": "2026-W41-1"}, "created_on"),
            ("deals", DEAL | {"owner": {"source": None, "external_id": {}}}, "owner"),
            ("deals", DEAL | {"owner": {"source": "crm", "external_id": " "}}, "owner"),
            ("deals", DEAL | {"owner": {"source": "", "external_id": "P1"}}, "owner"),
            ("deals", DEAL | {"postponed_count": 1e300}, "postponed_count"),
            ("exchange-rates", RATE | {"rate": 9e16}, "rate"),
            ("exchange-rates", RATE | {"currency": "12$"}, "currency"),
            ("deal-lines", LINE | {"quantity": 9e16}, "quantity"),
            ("deal-lines", LINE | {"quantity": -9e16}, "quantity"),
            ("deal-lines", LINE | {"amount": 1e17}, "amount"),
        ],
    )
    def test_refuses_a_bad_value(self, resource: str, record: dict, field: str) -> None:
        (rejection,) = send(resource, record).rejected
        assert [issue.field for issue in rejection.issues] == [field]

    def test_stores_the_moment_of_a_stage_event(self) -> None:
        event = {"external_id": "E1", "deal": "D1", "phase": "proposal", "entered_at": "2026-10-05T10:00:00+09:00"}
        assert counts(send("deal-stage-events", event)) == (1, 0, 0, 0, 0)

    def test_refuses_an_unknown_resource(self) -> None:
        with pytest.raises(UnknownResourceError):
            send("dealz", DEAL)


class TestReferences:
    def test_a_dangling_one_is_told_and_resolved_when_its_target_arrives(self) -> None:
        result = send("deals", DEAL, DEAL | {"external_id": "D2"})
        assert [(each.field, each.reference, each.count) for each in result.unresolved] == [("owner", "P1", 2)]
        send("people", {"external_id": "P1", "name": "佐藤 葵"})
        assert {deal.owner.name for deal in Deal.objects.all()} == {"佐藤 葵"}
        assert send("deals", DEAL | {"amount": 1}).unresolved == ()

    def test_names_a_record_of_another_source(self) -> None:
        send("people", {"external_id": "7", "name": "Aoi"}, source="hr")
        send("deals", DEAL | {"owner": {"source": "hr", "external_id": "7"}})
        assert Deal.objects.get().owner.name == "Aoi"

    def test_resolves_by_alias(self) -> None:
        send("deals", DEAL | {"product": "GTXPro"})
        send("products", {"external_id": "GTX Pro", "name": "GTX Pro", "aliases": ["GTXPro"]})
        assert Deal.objects.get().product == Product.objects.get()

    def test_of_two_products_with_one_alias_the_later_is_found(self) -> None:
        twins = [{"external_id": name, "name": name, "aliases": ["GTXPro", "GTXPro"]} for name in ("Old", "New")]
        send("products", *twins)
        send("deals", DEAL | {"product": "GTXPro"})
        assert Deal.objects.get().product.name == "New"

    def test_a_child_may_come_before_its_parent(self) -> None:
        send("teams", {"external_id": "T2", "name": "East", "parent": "T1"}, {"external_id": "T1", "name": "Sales"})
        assert Team.objects.get(external_id="T2").parent.name == "Sales"
        assert DimensionMember.objects.get(code="T2").parent.code == "T1"


class TestOrganisation:
    def test_mirrors_teams_and_people_as_members(self) -> None:
        send("teams", {"external_id": "T1", "name": "East"})
        send("people", {"external_id": "P1", "name": "Aoi"})
        assert Team.objects.get().member.name == "East"
        assert Person.objects.get().member.dimension.code == "person"

    def test_a_persons_team_makes_one_membership_from_the_hiring_day(self) -> None:
        send("teams", {"external_id": "T1", "name": "East"})
        send("people", {"external_id": "P1", "name": "Aoi", "team": "T1", "hired_on": "2025-04-01"})
        membership = TeamMembership.objects.get()
        assert (membership.starts_on, membership.ends_on, membership.credited) == (date(2025, 4, 1), None, True)

    def test_a_changed_team_ends_it_and_starts_the_next(self) -> None:
        send("teams", {"external_id": "T1", "name": "East"}, {"external_id": "T2", "name": "West"})
        person = {"external_id": "P1", "name": "Aoi", "team": "T1"}
        send("people", person)
        send("people", person | {"team": "T2", "source_updated_at": "2026-10-01T00:30:00+09:00"})
        assert list(TeamMembership.objects.order_by("id").values_list("team__name", "starts_on", "ends_on")) == [
            ("East", None, date(2026, 10, 1)),
            ("West", date(2026, 10, 1), None),
        ]

    def test_a_team_that_arrives_later_still_gets_its_people(self) -> None:
        assert send("people", {"external_id": "P1", "name": "Aoi", "team": "T1"}).unresolved
        send("teams", {"external_id": "T1", "name": "East"})
        assert TeamMembership.objects.get().team.name == "East"

    def test_sent_memberships_replace_the_derived_one(self) -> None:
        send("teams", {"external_id": "T1", "name": "East"}, {"external_id": "T2", "name": "West"})
        send("people", {"external_id": "P1", "name": "Aoi", "team": "T1"})
        send("memberships", {"external_id": "M1", "person": "P1", "team": "T2"})
        assert [each.team.name for each in TeamMembership.objects.filter(deleted_at=None)] == ["West"]

    def test_refuses_two_credited_teams_at_once(self) -> None:
        send("teams", {"external_id": "T1", "name": "East"})
        send("people", {"external_id": "P1", "name": "Aoi"})
        membership = {"person": "P1", "team": "T1"}
        result = send(
            "memberships",
            membership | {"external_id": "M1", "starts_on": "2026-04-01", "ends_on": "2026-10-01"},
            membership | {"external_id": "M2", "starts_on": "2026-09-30"},
            membership | {"external_id": "M3", "starts_on": "2026-10-01", "credited": False},
            membership | {"external_id": "M4", "starts_on": "2026-10-01", "ends_on": "2026-04-01"},
        )
        assert [(each.external_id, each.issues[0].code) for each in result.rejected] == [
            ("M2", "overlap"),
            ("M4", "invalid"),
        ]
        assert result.inserted == 2

    def test_links_leaders_and_predecessors_in_any_order(self) -> None:
        send("teams", {"external_id": "T2", "name": "New East", "succeeds": ["T1"], "leaders": ["P1"]})
        send("teams", {"external_id": "T1", "name": "East"})
        send("people", {"external_id": "P1", "name": "Aoi"})
        team = Team.objects.get(external_id="T2")
        assert [each.name for each in team.succeeds.all()] == ["East"]
        assert [each.person.name for each in team.leaders.all()] == ["Aoi"]


class TestStream:
    def test_notes_the_earliest_date_and_the_delivery(self) -> None:
        send("deals", DEAL, DEAL | {"external_id": "D2", "created_on": "2025-02-03"})
        stream = FactStream.objects.get(fact="deals")
        assert (stream.covered_from, stream.last_success_at) == (date(2025, 2, 3), NOW)


class TestCopy:
    def test_a_fault_is_one_of_djangos(self) -> None:
        with connection.cursor() as cursor, pytest.raises(DataError):
            copy_in(cursor, "COPY kpis_deal (id) FROM STDIN", "no number\n")
