"""One person is one lead, and a pile of cards is none until somebody says so."""

from datetime import UTC, date, datetime, timedelta

import pytest

from kpis.models import Lead, LeadExclusion, LeadRules
from kpis.selectors.joining import read_scans
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


def cards(day: str, count: int, *, source: str = "展示会") -> None:
    """`count` leads of one day, of which nothing tells the time."""
    rows = [{"external_id": f"{day}-{source}-{n}", "created_on": day, "lead_source": source} for n in range(count)]
    send("ma", "leads", *rows)


class TestCardScansByDay:
    def test_a_pile_of_one_day_is_held_back_until_it_is_confirmed(self, counted, dave) -> None:
        cards("2026-11-02", 20)
        cards("2026-11-02", 19, source="Web")
        assert len(counted()) == 19
        (scan,) = read_scans()
        assert (scan.lead_source, scan.day, len(scan.leads)) == ("展示会", date(2026, 11, 2), 20)
        assert judge_scan(leads=[each.pk for each in scan.leads], verdict="counted", actor=dave, now=NOW) == 20
        assert len(counted()) == 39
        assert read_scans() == ()

    def test_what_comes_every_day_is_no_pile_and_a_day_far_above_is(self, counted) -> None:
        for n in range(1, 29):
            cards(f"2026-10-{n:02}", 25, source="Web")
        assert len(counted()) == 28 * 25
        cards("2026-10-29", 125, source="Web")
        assert len(counted()) == 28 * 25 + 125
        cards("2026-10-29", 126, source="Web")
        assert len(counted()) == 28 * 25

    def test_a_pile_is_none_any_more_when_later_days_turn_out_alike(self, counted) -> None:
        cards("2026-10-01", 25)
        assert counted() == []
        for n in range(2, 13):
            cards(f"2026-10-{n:02}", 25)
            recompute(now=NOW)
        assert len(counted()) == 12 * 25

    def test_days_are_decided_anew_when_leads_turn_out_to_be_of_another_one(self, counted) -> None:
        for n in range(2, 13):
            cards(f"2026-10-{n:02}", 25)
        cards("2026-10-01", 25)
        assert len(counted()) == 12 * 25
        send(
            "ma",
            "leads",
            *(
                {"external_id": f"2026-10-{day:02}-展示会-{n}", "created_on": "2026-01-05", "lead_source": f"S{day}"}
                for day in range(2, 13)
                for n in range(25)
            ),
        )
        recompute(now=NOW)
        assert {scan.day for scan in read_scans()} == {date(2026, 10, 1), date(2026, 1, 5)}

    def test_leads_whose_time_is_known_are_told_by_it_alone(self, counted) -> None:
        for n in range(20):
            lead(f"L{n}", created_at=f"2026-11-02T{n:02}:00:00+09:00", lead_source="Web")
        assert len(counted()) == 20

    def test_leads_of_unknown_origin_are_no_pile(self, counted) -> None:
        cards("2026-11-02", 50, source="")
        assert len(counted()) == 50

    def test_never_means_never(self, counted) -> None:
        LeadRules.objects.create(scan_count=0)
        cards("2026-11-02", 50)
        assert len(counted()) == 50
