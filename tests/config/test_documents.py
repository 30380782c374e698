"""The documents that a new developer starts from."""

import re

import pytest

from config.catalogue import ROOT

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:)([^)#]+)[^)]*\)")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "tests" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


class TestDocuments:
    @pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
    def test_lead_only_to_what_is_there(self, document):
        for link in LINK.findall(document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), link

    def test_decisions_are_numbered_without_gaps(self):
        numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("*.md"))
        assert numbers == list(range(1, len(numbers) + 1))
        assert numbers

    def test_name_only_targets_of_the_makefile(self):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        for document in DOCUMENTS:
            for target in re.findall(r"`make ([a-z-]+)", document.read_text(encoding="utf-8")):
                assert target in targets, (document.name, target)
