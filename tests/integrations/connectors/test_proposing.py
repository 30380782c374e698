"""Whatever a source has or lacks, a proposal reads what is there and names the rest."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.base import FieldKind, SourceField, Stream
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import check_mapping
from integrations.connectors.presets import SOURCE_PRESETS
from integrations.connectors.presets.base import Wish
from integrations.connectors.presets.kintone import APPS, LABELS
from integrations.connectors.presets.proposing import propose

KINDS: tuple[FieldKind, ...] = ("text", "number", "date", "moment", "choice", "list")
VENDORS = [preset for preset in SOURCE_PRESETS.values() if preset.reads]
STANDARD = [wish for preset in VENDORS for name in preset.reads for wish in preset.wishes(Stream(name, name), ())]


def names_of(wish: Wish) -> list[str]:
    return sorted({column for ways in wish.rules.values() for way in ways for column in way.columns})


def assert_told(wish: Wish, fields: Sequence[SourceField]) -> None:
    """Each wanted field is read from what is there or named, and what lacks nothing can be kept."""
    found, there = propose(wish, fields, name="x"), {each.name for each in fields}
    read, left_out = [rule.field for rule in found.mapping.rules], [each.field for each in found.left_out]
    assert sorted(read + left_out) == sorted(wish.rules)
    assert set(found.mapping.columns) <= there
    assert all(there.isdisjoint(each.columns) or len(each.columns) > 1 for each in found.left_out)
    if not found.lacks:
        check_mapping(found.mapping)
        check_mapping(found.reduced(()))
    else:
        with pytest.raises(ConnectorError):
            check_mapping(found.mapping)


class TestPropose:
    @given(st.data())
    def test_reads_what_a_vendor_has_and_names_the_rest(self, data):
        wish = data.draw(st.sampled_from(STANDARD))
        there = data.draw(st.sets(st.sampled_from(names_of(wish))))
        assert_told(wish, [SourceField(name, name) for name in sorted(there)])

    @given(st.data())
    def test_reads_what_an_app_has_and_names_the_rest(self, data):
        resource, words = data.draw(st.sampled_from(sorted(APPS.items())))
        usual = sorted({word for labels in LABELS[resource].values() for word in labels.words} - {"$id"})
        labels = data.draw(st.lists(st.sampled_from([*usual, "備考"]), unique=True))
        fields = [SourceField("$id", "$id")]
        fields += [SourceField(f"f{at}", label, data.draw(st.sampled_from(KINDS))) for at, label in enumerate(labels)]
        (wish,) = SOURCE_PRESETS["kintone_labels"].wishes(Stream("app", words[0]), fields)
        assert wish.resource == resource
        assert_told(wish, fields)
