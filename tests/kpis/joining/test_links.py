"""Deals find the lead they came from: by which rule, never by a guess, and never against the source or a person."""

import pytest

from kpis.models import Deal, KpiEvent, Lead, LeadLink, LeadRules
from kpis.services.joining import JoiningError, choose_lead, undo_link
from kpis.services.recompute import recompute
from tests.kpis.joining.conftest import NOW, deal, lead, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

MAIL = "Hana.Sato@example.co.jp"


def linked(external_id: str = "D1") -> tuple[str | None, str | None]:
    """The lead of a deal and the rule that found it."""
    recompute(now=NOW)
    row = Deal.objects.select_related("lead").get(external_id=external_id)
    link = LeadLink.objects.filter(deal=row, undone_at=None).first()
    return row.lead and row.lead.external_id, link and link.rule


class TestRules:
    def test_the_lead_names_the_deal_of_the_other_system(self) -> None:
        lead("L1", converted_deal="D1")
        deal("D1")
        assert linked() == ("L1", "converted")

    def test_the_deal_names_the_lead_of_the_other_system(self) -> None:
        deal("D1", lead="L1")
        lead("L1")
        assert linked() == ("L1", "external_id")

    def test_the_same_address_however_it_is_written(self) -> None:
        lead("L1", email_hash=MAIL)
        deal("D1", email_hash=MAIL.lower())
        assert linked() == ("L1", "email")

    def test_the_domain_of_the_address_and_that_of_the_company(self) -> None:
        lead("L1", email_domain=MAIL)
        send("crm", "accounts", {"external_id": "A1", "name": "Example", "domain": "https://www.example.co.jp/"})
        deal("D1", account="A1")
        assert linked() == ("L1", "domain")

    def test_free_mail_says_nothing_of_a_company(self) -> None:
        lead("L1", email_domain="hana@gmail.com")
        send("crm", "accounts", {"external_id": "A1", "name": "Example", "domain": "gmail.com"})
        deal("D1", account="A1")
        assert linked() == (None, None)

    def test_a_surer_rule_comes_first_and_the_company_says_which_is_surer(self) -> None:
        lead("L1", email_hash=MAIL)
        lead("L2", converted_deal="D1")
        deal("D1", email_hash=MAIL)
        assert linked() == ("L2", "converted")
        LeadRules.objects.create(link_order=["email"])
        deal("D1", email_hash=MAIL, name="touched")
        assert linked() == ("L1", "email")

    def test_a_likeness_does_not_work_backwards_in_time(self) -> None:
        lead("L1", "2026-11-11", email_hash=MAIL)
        deal("D1", "2026-11-10", email_hash=MAIL)
        assert linked() == (None, None)

    def test_nor_against_a_source_that_says_where_the_deal_came_from(self) -> None:
        lead("L1", email_hash=MAIL)
        deal("D1", email_hash=MAIL, origin="referral")
        assert linked() == (None, None)


class TestWhatTheSourceSays:
    def test_is_never_overwritten(self) -> None:
        lead("L1", email_hash=MAIL)
        send("crm", "leads", {"external_id": "own", "created_on": "2026-11-01"})
        deal("D1", email_hash=MAIL, lead="own")
        assert linked() == ("own", None)

    def test_takes_the_place_of_a_rule_when_it_arrives(self) -> None:
        lead("L1", email_hash=MAIL)
        deal("D1", email_hash=MAIL, lead="own")
        assert linked() == ("L1", "email")
        send("crm", "leads", {"external_id": "own", "created_on": "2026-11-01"})
        assert linked() == ("own", None)


class TestSeveralLeads:
    def test_are_no_link_but_a_question(self) -> None:
        send("ma", "accounts", {"external_id": "A1", "name": "Example"})
        for name in ("L1", "L2"):
            lead(name, account="A1")
        deal("D1", account={"source": "ma", "external_id": "A1"})
        assert linked() == (None, "domain")
        link = LeadLink.objects.get()
        assert sorted(link.candidates) == sorted(Lead.objects.values_list("pk", flat=True))

    def test_are_one_when_the_other_goes(self) -> None:
        send("ma", "accounts", {"external_id": "A1", "name": "Example"})
        for name in ("L1", "L2"):
            lead(name, account="A1")
        deal("D1", account={"source": "ma", "external_id": "A1"})
        recompute(now=NOW)
        send("ma", "leads", {"external_id": "L1", "deleted": True})
        assert linked() == ("L2", "domain")

    def test_a_person_chooses_and_that_stays(self, dave) -> None:
        send("ma", "accounts", {"external_id": "A1", "name": "Example"})
        for name in ("L1", "L2"):
            lead(name, account="A1")
        deal("D1", account={"source": "ma", "external_id": "A1"})
        recompute(now=NOW)
        link = LeadLink.objects.get()
        choose_lead(link=link, lead=Lead.objects.get(external_id="L2"), actor=dave, now=NOW)
        deal("D1", account={"source": "ma", "external_id": "A1"}, lead=None, name="touched")
        assert linked() == ("L2", "person")
        assert LeadLink.objects.get().decided_by == dave
        with pytest.raises(JoiningError):
            choose_lead(link=link, lead=Lead.objects.get(external_id="L1"), actor=dave, now=NOW)


class TestUndo:
    def test_no_rule_brings_back_what_a_person_took_off(self, dave) -> None:
        lead("L1", email_hash=MAIL)
        deal("D1", email_hash=MAIL)
        recompute(now=NOW)
        undo_link(link=LeadLink.objects.get(), actor=dave, now=NOW)
        assert linked() == (None, None)
        deal("D1", email_hash=MAIL, name="touched")
        lead("L1", email_hash=MAIL, status="touched")
        assert linked() == (None, None)
        with pytest.raises(JoiningError):
            undo_link(link=LeadLink.objects.get(), actor=dave, now=NOW)


class TestNumbers:
    def test_a_link_makes_the_lead_an_opportunity_and_undoing_it_takes_that_back(self, dave, counted) -> None:
        lead("L1", email_hash=MAIL)
        assert counted("sql_on") == []
        deal("D1", email_hash=MAIL)
        assert counted("sql_on") == ["L1"]
        undo_link(link=LeadLink.objects.get(), actor=dave, now=NOW)
        assert counted("sql_on") == []

    def test_the_deal_takes_the_lead_source_of_its_lead(self) -> None:
        lead("L1", email_hash=MAIL, lead_source="展示会")
        deal("D1", email_hash=MAIL)
        recompute(now=NOW)
        event = KpiEvent.objects.get(kind="deals.created_on")
        assert event.lead_source_id == KpiEvent.objects.get(kind="leads.created_on").lead_source_id


class TestAddresses:
    def test_nothing_that_can_be_read_is_kept(self) -> None:
        lead("L1", email_hash=MAIL)
        deal("D1", email_hash=f"佐藤 <{MAIL}>")
        kept = Lead.objects.get().email_hash
        assert kept == Deal.objects.get().email_hash
        assert len(kept) == 64
        assert "sato" not in kept

    def test_a_hash_that_the_source_made_is_kept_as_it_is(self) -> None:
        lead("L1", email_hash="9f86d081884c7d65")
        assert Lead.objects.get().email_hash == "9f86d081884c7d65"
