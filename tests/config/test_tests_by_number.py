"""Ways in which sources go wrong: every one has tests by its number, and tests/README.md lists them."""

import re
from collections import defaultdict

import pytest

from config.catalogue import ROOT

TESTS = ROOT / "tests"
ROWS = range(1, 22)
ROW = re.compile(r"^\| (\d+) \| ([^|]+) \| ([^|]*) \|", re.MULTILINE)


def listed() -> dict[int, set[tuple[str, str]]]:
    """Row → file and name of each test that the README names."""
    found: dict[int, set[tuple[str, str]]] = {}
    for number, _failure, cell in ROW.findall((TESTS / "README.md").read_text(encoding="utf-8")):
        found[int(number)] = {
            (path, name)
            for path, names in re.findall(r"\]\(([^)]+)\): ((?:`\w+`(?:, )?)+)", cell)
            for name in re.findall(r"\w+", names)
        }
    return found


def written() -> dict[int, set[tuple[str, str]]]:
    """Row → file and name of each test that has its number."""
    found = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for name, number in re.findall(r"def (test_(\d\d)_\w+)\(", path.read_text(encoding="utf-8")):
            if int(number) in ROWS:
                found[int(number)].add((str(path.relative_to(TESTS)), name))
    return found


class TestFailureTable:
    def test_the_readme_lists_every_test_that_has_a_number_and_no_other(self):
        assert listed() == written()

    @pytest.mark.parametrize("number", ROWS)
    def test_every_row_has_a_test(self, number):
        assert written()[number]

    def test_the_documentation_has_the_same_rows(self):
        documented = ROW.findall((ROOT / "docs" / "connectors.md").read_text(encoding="utf-8"))
        assert [int(number) for number, *_ in documented] == sorted(listed())
