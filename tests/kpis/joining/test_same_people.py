"""One employee in two systems is one person: found by the hash of the address or said by hand, explained, undoable."""

from datetime import date

import pytest

from kpis.models import (
    Deal,
    DimensionMember,
    ExternalIdentity,
    KpiEvent,
    KpiNode,
    Lead,
    Person,
    PersonLink,
    Target,
    TeamLeader,
    TeamMembership,
)
from kpis.services.definitions import create_metric
from kpis.services.person_links import PersonLinkError, join_people, part_people
from kpis.services.recompute import recompute
from kpis.services.trees import create_node, create_tree
from tests.kpis.joining.conftest import NOW, deal, lead, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

MAIL = "Hana.Sato@acme.example"


def person(source: str, external_id: str, **more: object) -> None:
    send(source, "people", {"external_id": external_id, "name": "佐藤 花", **more})


def row(source: str, external_id: str) -> Person:
    return Person.objects.get(source=source, external_id=external_id)


def owners() -> dict[str, str]:
    """Whose each lead and deal is, as source:id."""
    found = [*Deal.objects.select_related("owner"), *Lead.objects.select_related("owner")]
    return {each.external_id: f"{each.owner.source}:{each.owner.external_id}" for each in found if each.owner}


@pytest.fixture
def node(in_acme: object) -> KpiNode:
    spec = {"kind": "simple", "fact": "deals", "date": "created_on", "aggregate": "count", "filters": []}
    metric = create_metric(code="deals", name="Deals", unit="count", accumulation="sum", spec=spec, actor=None, now=NOW)
    tree = create_tree(name="Plan", fiscal_year=2026, actor=None, now=NOW)
    return create_node(tree=tree, level="kgi", metric=metric, actor=None, now=NOW)


@pytest.fixture
def two_systems(in_acme: object) -> None:
    """Her as owner 7 of marketing and user U1 of sales, with a lead here and a closed deal there."""
    person("ma", "7", email_hash=MAIL)
    person("crm", "U1", email_hash=MAIL.lower(), employee_code="0001")
    lead("L1", owner="7")
    deal("D1", owner="U1", outcome="won", closed_on="2026-11-12")


class TestByAddress:
    @pytest.mark.usefixtures("two_systems")
    def test_the_lead_of_one_system_and_the_deal_of_the_other_are_hers(self) -> None:
        assert owners() == {"D1": "crm:U1", "L1": "crm:U1"}
        recompute(now=NOW)
        assert set(KpiEvent.objects.values_list("person_id", flat=True)) == {row("crm", "U1").member_id}
        link = PersonLink.objects.get()
        assert (link.person.source, link.same_as.source, link.rule, link.decided_by) == ("ma", "crm", "email", None)

    def test_whichever_comes_first_and_though_records_came_before_people(self) -> None:
        lead("L1", owner="7")
        person("ma", "7", email_hash=MAIL)
        deal("D1", owner="U1")
        person("crm", "U1", email_hash=MAIL)
        assert owners() == {"D1": "ma:7", "L1": "ma:7"}
        lead("L2", owner="7")
        deal("D2", owner="U1")
        assert set(owners().values()) == {"ma:7"}

    def test_an_address_that_is_sent_in_the_clear_is_the_same(self) -> None:
        person("hr", "0001", email=MAIL)
        person("ma", "7", email_hash=MAIL)
        assert PersonLink.objects.count() == 1
        assert Person.objects.filter(deleted_at=None).count() == 1

    def test_an_address_that_several_share_is_nobodys(self) -> None:
        person("crm", "U1", email_hash="sales@acme.example")
        person("ma", "7", email_hash="sales@acme.example")
        person("ma", "8", email_hash="sales@acme.example")
        assert not PersonLink.objects.exists()
        assert Person.objects.filter(deleted_at=None).count() == 3

    @pytest.mark.usefixtures("two_systems")
    def test_another_address_is_another_person_again(self) -> None:
        person("ma", "7", email_hash="other@acme.example")
        assert not PersonLink.objects.exists()
        assert owners() == {"D1": "crm:U1", "L1": "ma:7"}
        assert not ExternalIdentity.objects.filter(entity="people").exists()

    @pytest.mark.usefixtures("two_systems")
    def test_the_same_again_changes_nothing_and_the_other_row_stays_hidden(self) -> None:
        before = list(PersonLink.objects.values_list("pk", flat=True))
        person("ma", "7", email_hash=MAIL)
        person("ma", "7", email_hash=MAIL, name="佐藤 花子")
        assert list(PersonLink.objects.values_list("pk", flat=True)) == before
        hidden = row("ma", "7")
        assert hidden.deleted_at is not None
        assert not hidden.member.is_active
        assert row("crm", "U1").deleted_at is None

    @pytest.mark.usefixtures("two_systems")
    def test_she_is_there_as_long_as_one_system_has_her(self) -> None:
        send("crm", "people", {"external_id": "U1", "deleted": True})
        assert row("crm", "U1").deleted_at is None
        send("ma", "people", {"external_id": "7", "deleted": True})
        assert row("crm", "U1").deleted_at is not None
        assert not row("crm", "U1").member.is_active
        person("ma", "7", email_hash=MAIL)
        assert row("crm", "U1").deleted_at is None

    @pytest.mark.usefixtures("two_systems")
    def test_nothing_that_can_be_read_is_kept(self) -> None:
        assert "sato" not in str(list(Person.objects.values())).lower()


class TestByHand:
    def test_deals_memberships_targets_and_login_follow_and_go_back(self, dave, bob, node) -> None:
        send("crm", "teams", {"external_id": "T1", "name": "East"})
        person("ma", "7")
        person("crm", "U1", team="T1")
        deal("D1", owner="U1", outcome="won", closed_on="2026-11-12")
        other = row("crm", "U1")
        Person.objects.filter(pk=other.pk).update(user=bob)
        target = Target.objects.create(
            node=node, period_start=date(2026, 11, 1), dimension="person", member=other.member,
            initial_value=1, value=1,
        )  # fmt: skip
        link = join_people(person=row("crm", "U1"), same_as=row("ma", "7"), actor=dave, now=NOW)
        mine = row("ma", "7")
        target.refresh_from_db()
        closed = Deal.objects.get()
        assert (closed.owner, closed.owner_at_close, target.member, mine.user) == (mine, mine, mine.member, bob)
        assert list(TeamMembership.objects.filter(deleted_at=None).values_list("person", flat=True)) == [mine.pk]
        deal("D2", owner="U1", outcome="won", closed_on="2026-11-13")
        send("crm", "teams", {"external_id": "T2", "name": "West"})
        person("crm", "U1", team="T2", source_updated_at="2026-11-20T00:00:00Z")
        recompute(now=NOW)
        west = DimensionMember.objects.get(dimension__code="team", name="West")
        live = TeamMembership.objects.filter(deleted_at=None, ends_on=None)
        assert [(each.person_id, each.team.member_id) for each in live] == [(mine.pk, west.pk)]

        part_people(link=link, actor=dave, now=NOW)
        other, mine = row("crm", "U1"), row("ma", "7")
        target.refresh_from_db()
        assert {each.owner_at_close for each in Deal.objects.all()} == {other}
        assert (target.member, other.user, mine.user, other.deleted_at) == (other.member, bob, None, None)
        assert set(TeamMembership.objects.filter(deleted_at=None).values_list("person", flat=True)) == {other.pk}

    def test_a_target_that_both_have_stays_with_each(self, dave, node) -> None:
        person("ma", "7")
        person("crm", "U1")
        for each in Person.objects.all():
            Target.objects.create(
                node=node, period_start=date(2026, 11, 1), dimension="person", member=each.member,
                initial_value=1, value=1,
            )  # fmt: skip
        join_people(person=row("crm", "U1"), same_as=row("ma", "7"), actor=dave, now=NOW)
        assert Target.objects.values("member").distinct().count() == 2

    @pytest.mark.usefixtures("two_systems")
    def test_no_rule_brings_back_what_a_person_took_apart(self, dave) -> None:
        part_people(link=PersonLink.objects.get(), actor=dave, now=NOW)
        person("ma", "7", email_hash=MAIL, name="touched")
        assert owners() == {"D1": "crm:U1", "L1": "ma:7"}
        with pytest.raises(PersonLinkError):
            part_people(link=PersonLink.objects.get(), actor=dave, now=NOW)

    def test_a_word_outlasts_another_address(self, dave) -> None:
        person("ma", "7", email_hash=MAIL)
        person("crm", "U1")
        join_people(person=row("crm", "U1"), same_as=row("ma", "7"), actor=dave, now=NOW)
        person("crm", "U1", email_hash="married@acme.example")
        assert PersonLink.objects.get().rule == "person"

    def test_no_chains_and_nobody_with_oneself(self, dave) -> None:
        for source in ("ma", "crm", "hr"):
            person(source, "1")
        ma, crm, hr = row("ma", "1"), row("crm", "1"), row("hr", "1")
        join_people(person=crm, same_as=ma, actor=dave, now=NOW)
        for one, other in ((ma, ma), (crm, hr), (hr, crm), (ma, hr)):
            with pytest.raises(PersonLinkError):
                join_people(person=one, same_as=other, actor=dave, now=NOW)
        join_people(person=hr, same_as=ma, actor=dave, now=NOW)
        assert Person.objects.filter(deleted_at=None).count() == 1


class TestMemberships:
    def test_of_two_systems_only_those_come_over_that_contradict_none(self, dave) -> None:
        for source in ("ma", "crm"):
            send(source, "teams", {"external_id": "T", "name": source})
            person(source, "1")
        send("ma", "memberships", {"external_id": "m", "person": "1", "team": "T", "starts_on": "2026-04-01"})
        send("crm", "memberships", {"external_id": "a", "person": "1", "team": "T", "ends_on": "2026-04-01"})
        send("crm", "memberships", {"external_id": "b", "person": "1", "team": "T", "starts_on": "2026-04-01"})
        link = join_people(person=row("crm", "1"), same_as=row("ma", "1"), actor=dave, now=NOW)
        held = TeamMembership.objects.filter(person=row("ma", "1"))
        assert sorted(held.values_list("external_id", flat=True)) == ["a", "m"]
        part_people(link=link, actor=dave, now=NOW)
        assert list(held.values_list("external_id", flat=True)) == ["m"]

    def test_who_leads_a_team_by_the_other_name_leads_it_as_the_one_person(self) -> None:
        person("crm", "U1", email_hash=MAIL, employee_code="1")
        person("ma", "7", email_hash=MAIL)
        send("ma", "teams", {"external_id": "T", "name": "East", "leaders": ["7"]})
        assert TeamLeader.objects.get().person == row("crm", "U1")

    def test_the_team_of_whoever_stands_for_both_counts_else_that_of_the_other(self) -> None:
        for source in ("ma", "crm"):
            send(source, "teams", {"external_id": "T", "name": source})
        person("crm", "U1", email_hash=MAIL, employee_code="1", team=None)
        person("ma", "7", email_hash=MAIL, team="T")
        live = TeamMembership.objects.filter(deleted_at=None, ends_on=None)
        assert [(each.person.source, each.team.name) for each in live.all()] == [("crm", "ma")]
        person("crm", "U1", email_hash=MAIL, employee_code="1", team="T", source_updated_at="2026-11-20T00:00:00Z")
        person("ma", "7", email_hash=MAIL, team="T", name="touched")
        assert [(each.person.source, each.team.name) for each in live.all()] == [("crm", "crm")]
