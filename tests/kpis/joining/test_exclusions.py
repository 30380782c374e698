"""One person is one lead, and a pile of cards is none until somebody says so."""

from datetime import UTC, datetime, timedelta

import pytest

from kpis.models import Lead, LeadExclusion, LeadRules
from kpis.services.joining import JoiningError, count_duplicate, judge_scan
from kpis.services.recompute import recompute
from tests.kpis.joining.conftest import NOW, deal, lead, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

MAIL = "hana@example.co.jp"
FAIR = datetime(2026, 11, 2, 1, tzinfo=UTC)


class TestDuplicates:
    def test_the_first_is_counted_and_the_others_point_to_it(self, counted) -> None:
        lead("second", "2026-11-04", email_hash=MAIL)
        lead("first", "2026-11-03", email_hash=MAIL)
        lead("other", "2026-11-03", email_hash="taro@example.co.jp")
        assert counted() == ["first", "other"]
        exclusion = LeadExclusion.objects.get()
        assert (exclusion.lead.external_id, exclusion.same_as.external_id) == ("second", "first")

    def test_what_a_duplicate_reaches_the_first_has_reached(self, counted) -> None:
        lead("first", "2026-11-03", email_hash=MAIL)
        lead("second", "2026-11-04", email_hash=MAIL)
        recompute(now=NOW)
        send(
            "ma",
            "lead-stage-events",
            {"external_id": "E", "lead": "second", "stage": "mql", "entered_at": "2026-11-05T10:00:00+09:00"},
        )
        assert counted("mql_on") == ["first"]
        deal("D1", lead={"source": "ma", "external_id": "second"})
        assert counted("sql_on") == ["first"]

    def test_an_earlier_one_that_arrives_late_takes_its_place(self, counted) -> None:
        lead("second", "2026-11-04", email_hash=MAIL, mql_on="2026-11-05")
        assert counted() == ["second"]
        lead("first", "2026-11-03", email_hash=MAIL)
        assert counted() == counted("mql_on") == ["first"]

    def test_the_next_is_counted_when_the_first_goes(self, counted) -> None:
        lead("first", "2026-11-03", email_hash=MAIL)
        lead("second", "2026-11-04", email_hash=MAIL)
        recompute(now=NOW)
        send("ma", "leads", {"external_id": "first", "deleted": True})
        assert counted() == ["second"]

    def test_a_person_says_that_they_are_two_and_that_stays(self, counted, dave) -> None:
        lead("first", "2026-11-03", email_hash=MAIL)
        lead("second", "2026-11-04", email_hash=MAIL)
        recompute(now=NOW)
        exclusion = LeadExclusion.objects.get()
        count_duplicate(exclusion=exclusion, actor=dave, now=NOW)
        assert counted() == ["first", "second"]
        lead("second", "2026-11-04", email_hash=MAIL, status="touched")
        assert counted() == ["first", "second"]
        with pytest.raises(JoiningError):
            count_duplicate(exclusion=exclusion, actor=dave, now=NOW)

    def test_a_company_may_count_every_record(self, counted) -> None:
        LeadRules.objects.create(joins_same_email=False)
        lead("first", email_hash=MAIL)
        lead("second", email_hash=MAIL)
        assert counted() == ["first", "second"]


def scan(count: int, *, start: datetime = FAIR, **more: object) -> None:
    """`count` cards, one every ten seconds."""
    send(
        "ma",
        "leads",
        *(
            {
                "external_id": f"C{n}",
                "created_on": "2026-11-02",
                "created_at": (start + timedelta(seconds=10 * n)).isoformat(),
                "lead_source": "展示会",
                **more,
            }
            for n in range(count)
        ),
    )


class TestCardScans:
    def test_a_pile_is_held_back_until_it_is_confirmed(self, counted, dave) -> None:
        scan(20)
        lead("web", created_at="2026-11-02T10:00:30+09:00", lead_source="Web")
        assert counted() == ["web"]
        pile = list(Lead.objects.filter(lead_source="展示会").values_list("pk", flat=True))
        assert judge_scan(leads=pile, verdict="counted", actor=dave, now=NOW) == 20
        assert len(counted()) == 21

    def test_one_fewer_is_no_pile_and_the_company_says_how_many_are(self, counted) -> None:
        scan(19)
        assert len(counted()) == 19
        LeadRules.objects.create(scan_count=19)
        scan(19, status="touched")
        assert counted() == []

    def test_the_last_card_of_a_pile_may_come_later(self, counted) -> None:
        scan(19)
        recompute(now=NOW)
        scan(20)
        assert counted() == []

    def test_dealing_the_cards_out_to_people_changes_nothing(self, counted) -> None:
        scan(20)
        recompute(now=NOW)
        send("ma", "people", {"external_id": "bob", "name": "Bob"})
        send("ma", "leads", {"external_id": "C0", "created_on": "2026-11-02", "owner": "bob"})
        assert counted() == []

    def test_whoever_is_called_is_a_lead_and_the_others_still_wait(self, counted) -> None:
        scan(20)
        recompute(now=NOW)
        send("ma", "activities", {"external_id": "V", "kind": "call", "happened_on": "2026-11-05", "lead": "C3"})
        assert counted() == ["C3"]
        send("ma", "activities", {"external_id": "V", "deleted": True})
        assert counted() == []

    def test_what_is_left_out_stays_out(self, counted, dave) -> None:
        scan(20)
        recompute(now=NOW)
        pile = list(Lead.objects.values_list("pk", flat=True))
        judge_scan(leads=pile, verdict="left_out", actor=dave, now=NOW)
        scan(20, status="touched")
        assert counted() == []
        judge_scan(leads=pile, verdict="counted", actor=dave, now=NOW)
        assert len(counted()) == 20

    def test_a_card_of_somebody_who_asks_later_does_not_hide_the_question(self, counted) -> None:
        scan(20)
        send("ma", "leads", {"external_id": "C5", "created_on": "2026-11-02", "email_hash": MAIL})
        lead("web", "2026-11-09", email_hash=MAIL)
        assert counted() == ["web"]
