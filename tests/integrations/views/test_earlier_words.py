"""A stage that was renamed or re-used: what its word meant before a day is kept in the editor of fields."""

from __future__ import annotations

import re

from django.urls import reverse

from integrations.models import FieldMapping
from kpis.models import Deal
from tests.integrations.sources import fill
from tests.integrations.views.test_wizard import COLUMNS, editor, meanings, owner, page_of, source

__all__ = ["owner", "source"]
DATED = {"until.outcome": "2026-10-01", "dated_by.outcome": "created"}


def kept() -> tuple[str, list]:
    rule = {each["field"]: each for each in FieldMapping.objects.latest("id").rules}["outcome"]
    return rule.get("dated_by", ""), list(rule.get("earlier", ()))


class TestKeeping:
    def test_records_of_before_keep_the_meaning_of_before(self, owner, fake, source, in_acme, drain_outbox):
        fill(fake, 2)
        fake.world.put("D001", created="2026-09-30")
        fake.world.put("D002", created="2026-10-01")
        owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), "save": "1"})
        saved = owner.post(editor(source), {**COLUMNS, **meanings(受注="lost"), **DATED, "save": "1"})
        assert saved.status_code == 302
        assert kept() == ("created", [{"until": "2026-10-01", "values": {"受注": "won"}}])
        owner.post(reverse("source_start", args=[source.public_id]), {"every": "60"})
        drain_outbox()
        assert dict(Deal.objects.values_list("external_id", "outcome")) == {"D001": "won", "D002": "lost"}

    def test_is_shown_and_can_be_forgotten(self, owner, fake, source):
        fill(fake, 1)
        owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), "save": "1"})
        owner.post(editor(source), {**COLUMNS, **meanings(受注="lost"), **DATED, "save": "1"})
        page = page_of(owner.get(editor(source), headers={"accept-language": "en"}))
        assert re.search(r"Before 2026-10-01: 受注 = \w+", page)
        same = {**COLUMNS, **meanings(受注="lost"), "dated_by.outcome": "created", "save": "1"}
        owner.post(editor(source), same)
        assert kept()[1] != []
        owner.post(editor(source), {**same, "forget.outcome": "2026-10-01"})
        assert kept() == ("", [])

    def test_the_same_day_again_takes_the_place_of_the_first(self, owner, fake, source):
        fill(fake, 1)
        for meaning in ("won", "lost", "open"):
            dated = {} if meaning == "won" else DATED
            owner.post(editor(source), {**COLUMNS, **meanings(受注=meaning), **dated, "save": "1"})
        assert kept() == ("created", [{"until": "2026-10-01", "values": {"受注": "lost"}}])

    def test_can_be_forgotten_where_no_word_is_left(self, owner, fake, source):
        fill(fake, 1)
        owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), "save": "1"})
        owner.post(editor(source), {**COLUMNS, **DATED, "save": "1"})
        fake.world.put("D001", stage="")
        page = page_of(owner.get(editor(source)))
        assert 'name="word.outcome"' not in page
        assert 'name="forget.outcome" value="2026-10-01"' in page


class TestRefusal:
    def test_a_day_needs_the_field_that_dates_a_record(self, owner, fake, source):
        fill(fake, 1)
        owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), "save": "1"})
        answer = owner.post(
            editor(source), {**COLUMNS, **meanings(受注="lost"), "until.outcome": "2026-10-01", "save": "1"}
        )
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)
        assert kept() == ("", [])

    def test_nothing_was_meant_before_anything_was_saved(self, owner, fake, source):
        fill(fake, 1)
        answer = owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), **DATED, "save": "1"})
        assert answer.status_code == 422
        assert not FieldMapping.objects.exists()

    def test_no_day_at_all_is_refused(self, owner, fake, source):
        fill(fake, 1)
        owner.post(editor(source), {**COLUMNS, **meanings(受注="won"), "save": "1"})
        sent = {**COLUMNS, **meanings(受注="lost"), **DATED, "until.outcome": "いつか", "save": "1"}
        assert owner.post(editor(source), sent).status_code == 422
        assert kept() == ("", [])
