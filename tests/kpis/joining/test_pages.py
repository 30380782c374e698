"""The page of links and duplicates: what the rules found, and one button to undo each."""

from datetime import UTC, datetime, timedelta

import pytest

from kpis.models import LeadExclusion, LeadLink, LeadRules, Person, PersonLink
from kpis.services.recompute import recompute
from tests.kpis.joining.conftest import NOW, deal, lead, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

MAIL = "hana@example.co.jp"
PAGE, VERDICT = "/handover/joining/", "/handover/joining/verdict/"


@pytest.fixture
def dave_at(client_for, acme, dave):
    client = client_for(dave, acme)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


def shown(client) -> str:
    return client.get(PAGE).content.decode()


def test_explains_and_undoes_a_link(dave_at) -> None:
    lead("L1", email_hash=MAIL)
    deal("D1", name="基幹刷新", email_hash=MAIL)
    recompute(now=NOW)
    page = shown(dave_at)
    assert "基幹刷新" in page
    assert "The same e-mail address" in page
    link = LeadLink.objects.get()
    assert dave_at.post(VERDICT, {"verdict": "undo", "link": link.pk}).status_code == 302
    assert "Taken off" in shown(dave_at)
    dave_at.post(VERDICT, {"verdict": "undo", "link": link.pk})
    assert "This link has been taken off already." in shown(dave_at)


def test_asks_which_of_several_leads_it_was(dave_at) -> None:
    send("ma", "accounts", {"external_id": "A1", "name": "Example"})
    for name in ("L1", "L2"):
        lead(name, account="A1")
    deal("D1", account={"source": "ma", "external_id": "A1"})
    recompute(now=NOW)
    link = LeadLink.objects.get()
    assert "Choose the lead" in shown(dave_at)
    dave_at.post(VERDICT, {"verdict": "choose", "link": link.pk, "lead": link.candidates[1]})
    link.refresh_from_db()
    assert (link.lead.external_id, link.rule) == ("L2", "person")


def test_a_card_scan_is_confirmed_with_one_button(dave_at) -> None:
    start = datetime(2026, 11, 2, 1, tzinfo=UTC)
    cards = [
        {"external_id": f"C{n}", "created_on": "2026-11-02", "created_at": (start + timedelta(seconds=n)).isoformat()}
        for n in range(20)
    ]
    send("ma", "leads", *cards)
    recompute(now=NOW)
    page = shown(dave_at)
    assert "Card scans to confirm: <strong>1</strong>" in page
    leads = ",".join(map(str, LeadExclusion.objects.values_list("lead", flat=True)))
    dave_at.post(VERDICT, {"verdict": "counted", "leads": leads})
    assert not LeadExclusion.objects.filter(is_out=True).exists()
    assert "20 leads are counted." in shown(dave_at)


def test_a_card_scan_of_which_only_the_day_is_known_is_confirmed_too(dave_at) -> None:
    cards = ({"external_id": f"C{n}", "created_on": "2026-11-02", "lead_source": "展示会"} for n in range(20))
    send("ma", "leads", *cards)
    recompute(now=NOW)
    page = shown(dave_at)
    assert "Card scans to confirm: <strong>1</strong>" in page
    assert "ma · 2026-11-02</span>" in page
    leads = ",".join(map(str, LeadExclusion.objects.values_list("lead", flat=True)))
    dave_at.post(VERDICT, {"verdict": "counted", "leads": leads})
    assert "20 leads are counted." in shown(dave_at)


def test_a_duplicate_is_counted_on_its_own(dave_at) -> None:
    lead("L1", email_hash=MAIL)
    lead("L2", email_hash=MAIL)
    recompute(now=NOW)
    assert "1 lead is counted with another" in shown(dave_at)
    dave_at.post(VERDICT, {"verdict": "count", "exclusion": LeadExclusion.objects.get().pk})
    assert not LeadExclusion.objects.filter(is_out=True).exists()


def test_one_employee_of_two_systems_is_one_person_by_address_by_name_or_by_word(dave_at) -> None:
    send("ma", "people", {"external_id": "7", "name": "佐藤 花", "email_hash": MAIL})
    send("crm", "people", {"external_id": "U1", "name": "佐藤花", "email_hash": MAIL})
    page = shown(dave_at)
    assert "crm: U1" in page
    link = PersonLink.objects.get()
    assert dave_at.post(VERDICT, {"verdict": "part", "link": link.pk}).status_code == 302
    assert "Taken apart" in shown(dave_at)
    dave_at.post(VERDICT, {"verdict": "part", "link": link.pk})
    assert "These two have been taken apart already." in shown(dave_at)
    for source in ("ma", "crm"):
        send(source, "people", {"external_id": "T", "name": "Tanaka" if source == "ma" else "ＴＡＮＡＫＡ"})
    assert "The same name in crm and ma" in shown(dave_at)
    one, other = Person.objects.filter(external_id="T").order_by("pk")
    dave_at.post(VERDICT, {"verdict": "join", "person": other.pk, "same_as": one.pk})
    page = shown(dave_at)
    assert "Tanaka stands for both." in page
    assert "The same name in" not in page
    assert "Said by a person" in page


def test_the_company_changes_the_rules(dave_at) -> None:
    typed = {"rule_email": "1", "rule_converted": "2", "scan_count": "30", "scan_minutes": "5"}
    hours = {"opens_at": "10:00", "closes_at": "19:00"}
    assert dave_at.post(PAGE, typed | hours | {"closes_at": "09:00"}).status_code == 422
    assert dave_at.post(PAGE, typed | hours).status_code == 302
    rules = LeadRules.objects.get()
    assert (rules.link_order, rules.joins_same_email, rules.scan_count) == (["email", "converted"], False, 30)


@pytest.mark.parametrize("said", [{"verdict": "more"}, {"verdict": "undo"}, {"verdict": "undo", "link": "0"}])
def test_what_makes_no_sense_is_not_found(dave_at, said) -> None:
    assert dave_at.post(VERDICT, said).status_code == 404


class TestManyLinks:
    @pytest.fixture
    def linked(self, dave_at, monkeypatch):
        """Five deals, each linked by its address; two fit on a page."""
        monkeypatch.setattr("kpis.views.joining.SHOWN", 2)
        for number in range(1, 6):
            lead(f"L{number}", email_hash=f"{number}" * 64)
            deal(f"D{number}", name=f"案件{number}", email_hash=f"{number}" * 64)
        recompute(now=NOW)
        assert LeadLink.objects.filter(undone_at=None).count() == 5
        return dave_at

    @staticmethod
    def named(page: str) -> list[str]:
        return [f"案件{number}" for number in range(1, 6) if f"案件{number}" in page]

    def test_the_oldest_is_found_by_leafing_and_taken_off_there(self, linked) -> None:
        pages = [linked.get(PAGE, {"links": str(number)}).content.decode() for number in (1, 2, 3)]
        assert [len(self.named(page)) for page in pages] == [2, 2, 1]
        assert sorted(name for page in pages for name in self.named(page)) == [f"案件{n}" for n in range(1, 6)]
        assert 'href="?links=2"' in pages[0]
        (oldest,) = self.named(pages[2])
        link = LeadLink.objects.get(deal__name=oldest)
        answer = linked.post(f"{VERDICT}?links=3", {"verdict": "undo", "link": link.pk})
        assert answer.headers["Location"] == f"{PAGE}?links=3"
        link.refresh_from_db()
        assert link.undone_at is not None

    @pytest.mark.parametrize("text", ["案件4", "D4", "L4", "l4"])
    def test_one_is_found_by_the_name_or_id_of_deal_or_lead(self, linked, text: str) -> None:
        assert self.named(linked.get(PAGE, {"q": text}).content.decode()) == ["案件4"]

    def test_says_where_nothing_fits(self, linked) -> None:
        page = linked.get(PAGE, {"q": "案件9"}, headers={"accept-language": "en"}).content.decode()
        assert "No link fits “案件9”." in page
