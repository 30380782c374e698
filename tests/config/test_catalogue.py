"""The Japanese catalogue is complete, keeps the glossary's words and is compiled."""

import re
from pathlib import Path

import pytest

from config import catalogue

SHARED_GLOSSARY = catalogue.ROOT.parent / "shared" / "GLOSSARY.md"


def pairs_of(english: str, japanese: str) -> list[tuple[str | None, str, str]]:
    """The pairs of one row: / and ; pair with ／ and ；; a bracket that only the English has is the context."""
    msgids, msgstrs = re.split(r"\s*;\s*|\s+/\s+", english), re.split("[；／]", japanese)
    context = None
    if (bracket := re.fullmatch(r"(.*) \((roles)\)", msgids[-1])) is not None:
        msgids[-1], context = bracket.groups()
    if len(msgids) != len(msgstrs):
        return [(context, english, japanese)]
    return [(context, msgid, msgstr) for msgid, msgstr in zip(msgids, msgstrs, strict=True)]


def rows_of(glossary: Path) -> list[tuple[str, str]]:
    rows = re.findall(r"^\| \d+ \| (.*?) \| (.*?) \|", glossary.read_text(encoding="utf-8"), re.MULTILINE)
    return [(english.strip(), japanese.strip()) for english, japanese in rows]


class TestCatalogue:
    def test_is_complete_and_compiled_and_uses_the_agreed_words(self):
        assert catalogue.find_problems() == []

    def test_says_so_when_a_msgid_of_the_code_has_no_japanese(self):
        found = catalogue.read_catalogue()
        found.add("A sentence that nobody translated.")
        assert catalogue.untranslated(found) == ["A sentence that nobody translated."]

    @pytest.mark.parametrize(
        ("msgid", "msgstr", "is_banned"),
        [
            ("Actions", "アクション", True),
            ("Actions", "改善アクション", False),
            ("No decision", "見送り", False),
            ("Postponed", "見送り", True),
            ("Handover", "引き継ぎ", True),
            ("Handover", "担当の引き継ぎ", False),
            ("Cohort", "コホート", True),
        ],
    )
    def test_knows_the_banned_words(self, msgid, msgstr, is_banned):
        message = catalogue.Message(msgid, msgstr)
        assert (catalogue._banned_word(message) is not None) is is_banned

    def test_a_compiled_catalogue_that_was_edited_by_hand_is_noticed(self, tmp_path, monkeypatch):
        edited = tmp_path / "django.mo"
        edited.write_bytes(catalogue.MO.read_bytes()[:-1])
        monkeypatch.setattr(catalogue, "MO", edited)
        assert any("django.mo" in problem for problem in catalogue.find_problems())


class TestGlossary:
    @pytest.mark.skipif(not SHARED_GLOSSARY.exists(), reason="The glossary page is not beside this checkout.")
    def test_every_pair_of_the_glossary_page_is_in_the_list(self):
        expected = {
            (context, msgid): msgstr
            for english, japanese in rows_of(SHARED_GLOSSARY)
            for context, msgid, msgstr in pairs_of(english, japanese)
        }
        listed = catalogue.read_glossary()
        assert len(expected) > 90
        assert {key: listed.get(key) for key in expected} == expected

    @pytest.mark.parametrize(
        ("context", "msgid", "msgstr"),
        [
            (None, "KGI (final goal)", "KGI（最終目標）"),
            (None, "On track", "順調"),
            (None, "Missed", "未達"),
            (None, "Provisional", "速報"),
            (None, "Opportunity rate (MQL→SQL)", "商談化率（MQL→SQL）"),
            (None, "Improvement action", "改善アクション"),
            (None, "Person in charge", "担当者"),
            ("roles", "Owner", "管理責任者"),
        ],
    )
    def test_has_these_words(self, context, msgid, msgstr):
        assert catalogue.read_catalogue().get(msgid, context).string == msgstr
