"""The last open phase of what was lost, however its source says that a deal is closed."""

import csv
import io

import pytest

from kpis.services.phases import set_phase
from kpis.services.recompute import recompute
from tests.kpis.forecasts.conftest import NOVEMBER, NOW, send

pytestmark = pytest.mark.django_db
LOST = {"outcome": "lost", "closed_on": "2026-11-06", "owner": "dora", "created_on": "2026-10-01", "amount": 70_000}


def lose(external_id="l1", phase="Closed Lost", history=(), **changes):
    """A deal that was lost; its history is days of November (or October, below zero) with the phase entered then."""
    send("deals", {"external_id": external_id, "phase": phase, **LOST, **changes})
    events = [
        {"external_id": f"{external_id}-{number}", "deal": external_id, "phase": entered,
         "entered_at": f"{day}T10:00:00+09:00"}
        for number, (day, entered) in enumerate(history)
    ]  # fmt: skip
    if events:
        send("deal-stage-events", *events)
    recompute(now=NOW)


def keep_open(phase):
    send("deals", {"external_id": "even", "created_on": "2026-11-02", "phase": phase})


@pytest.fixture
def phases(sales, api):
    """Phase → deals lost in it, as the API tells it."""

    def read(**changes):
        asked = {"tree": sales.tree.public_id, "grain": "month", "period_start": NOVEMBER.isoformat(), **changes}
        found = api.shown("forecast-table/losses/", **asked)["losses"]
        return {each["phase"]: each["count"] for each in found}

    return read


class TestLikeSalesforce:
    """The phase of a closed deal says that it is closed."""

    HISTORY = (("2026-10-05", "提案"), ("2026-10-20", "最終交渉"), ("2026-11-06", "Closed Lost"))

    def test_the_last_open_phase_comes_from_the_history(self, phases):
        lose(history=self.HISTORY)
        assert phases() == {"最終交渉": 1}

    def test_a_deal_that_was_opened_again_follows_its_last_close(self, phases):
        lose(history=(*self.HISTORY[1:], ("2026-11-07", "提案"), ("2026-11-08", "Closed Lost")))
        assert phases() == {"提案": 1}

    def test_a_won_deal_that_was_lost_after_all_was_not_open_in_between(self, phases):
        send("deals", {"external_id": "won", "created_on": "2026-06-15", "phase": "Closed Won"})
        lose(history=(*self.HISTORY[:2], ("2026-11-02", "Closed Won"), ("2026-11-06", "Closed Lost")))
        assert phases() == {"最終交渉": 1}

    def test_a_close_whose_day_was_left_where_it_was_expected_loses_nothing(self, phases):
        lose(history=self.HISTORY, closed_on="2026-10-10", outcome="lost")
        assert phases(period_start="2026-10-01") == {"最終交渉": 1}

    def test_what_is_written_after_the_close_changes_nothing(self, phases):
        lose(history=(*self.HISTORY, ("2026-11-12", "Closed Lost")))
        assert phases() == {"最終交渉": 1}

    def test_without_a_history_it_is_not_known(self, phases):
        lose()
        assert phases() == {"": 1}

    def test_a_withdrawn_event_tells_nothing(self, phases):
        lose(history=self.HISTORY)
        send("deal-stage-events", {"external_id": "l1-1", "deleted": True})
        assert phases() == {"提案": 1}

    def test_losses_of_one_phase_are_one_line(self, phases):
        lose("l1", history=self.HISTORY)
        lose("l2", history=self.HISTORY)
        assert phases() == {"最終交渉": 2}


class TestPhaseApartFromOutcome:
    """The phase of a closed deal stays where the deal was."""

    def test_without_a_history_it_is_the_deals_phase_where_open_deals_stand_in_it(self, phases):
        keep_open("最終交渉")
        lose(phase="最終交渉")
        assert phases() == {"最終交渉": 1}

    def test_or_where_the_company_calls_it_a_step(self, phases):
        set_phase(code="最終交渉", step=3, actor=None, now=NOW)
        lose(phase="最終交渉")
        assert phases() == {"最終交渉": 1}

    def test_with_a_history_too(self, phases):
        keep_open("最終交渉")
        lose(phase="最終交渉", history=TestLikeSalesforce.HISTORY[:2])
        assert phases() == {"最終交渉": 1}

    def test_where_a_deal_stood_before_its_close_nobody_says_an_earlier_phase(self, phases):
        lose(phase="最終交渉", history=TestLikeSalesforce.HISTORY[:2])
        assert phases() == {"": 1}

    def test_until_the_company_says_which_phases_are_steps(self, phases):
        lose(phase="クローズ", history=(("2026-10-05", "提案"), ("2026-10-20", "クローズ")))
        assert phases() == {"": 1}
        set_phase(code="提案", step=1, actor=None, now=NOW)
        assert phases() == {"提案": 1}


class TestShown:
    def test_the_page_has_a_word_for_what_is_not_known_and_says_what_to_do(self, sales, dave, client_for, acme):
        lose()
        for language, words in (
            ("en", ("Phase not known", "Last open phase", "An owner says under Deal phases")),
            ("ja", ("フェーズ不明", "失注前のフェーズ", "「商談フェーズ」")),
        ):
            page = client_for(dave, acme).get("/forecast/", headers={"accept-language": language}).content.decode()
            section = page.split('aria-labelledby="losses"')[1].split("</section>")[0]
            assert all(word in section for word in words)
            assert "Closed Lost" not in section

    def test_the_page_and_the_file_show_the_phase(self, sales, dave, client_for, acme):
        lose(history=TestLikeSalesforce.HISTORY)
        client = client_for(dave, acme)
        page = client.get("/forecast/").content.decode().split('aria-labelledby="losses"')[1].split("</section>")[0]
        assert "<td>最終交渉</td>" in page and "フェーズ不明" not in page and "「商談フェーズ」" not in page
        rows = list(csv.reader(io.StringIO(client.get("/forecast/losses.csv").content.decode("utf-8-sig"))))
        assert rows[1][2] == "最終交渉"

    def test_a_member_reads_the_same_phase(self, sales, signed_in, bob):
        """Which phases close deals is read from those of others too."""
        keep_open("最終交渉")
        lose(owner="bob", phase="最終交渉")
        asked = {"tree": sales.tree.public_id, "grain": "month", "period_start": NOVEMBER.isoformat()}
        (loss,) = signed_in(bob).shown("forecast-table/losses/", **asked)["losses"]
        assert (loss["owner"], loss["phase"]) == ("Bob", "最終交渉")
