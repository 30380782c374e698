"""A document of a REST source is read whole, or refused with every fault and its place."""

import json
import re
from pathlib import Path

import pytest

from integrations.connectors.document import EXAMPLE, SECRETS, DocumentError, read_document

GOOD = {
    "base_url": "https://api.example.com/v1/",
    "auth": {"type": "header", "name": "X-Api-Key"},
    "paginator": {"type": "cursor", "param": "cursor", "path": "meta.next"},
    "streams": [
        {"name": "deals", "path": "deals", "records": "data", "incremental": {"field": "updated", "param": "since"}},
        {"name": "owners", "path": "owners", "paginator": {"type": "single"}},
    ],
}


def faults(**changes: object) -> dict[str, str]:
    with pytest.raises(DocumentError) as caught:
        read_document({**GOOD, **changes})
    return {issue.field: issue.code for issue in caught.value.issues}


def stream(**changes: object) -> list[dict[str, object]]:
    return [{"name": "deals", "path": "deals", **changes}]


class TestReadDocument:
    def test_streams_inherit_the_paginator(self):
        read = read_document(GOOD)
        assert [each.paginator.type for each in read.streams] == ["cursor", "single"]
        assert read.streams[0].increment.look_back.total_seconds() == 300

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"base_url": ""}, {"base_url": "required"}),
            ({"base_url": 5}, {"base_url": "invalid"}),
            ({"auth": {"type": "magic"}}, {"auth.type": "invalid"}),
            ({"auth": {"type": "header"}}, {"auth.name": "required"}),
            ({"auth": {"type": "bearer", "token": "secret"}}, {"auth.token": "unknown"}),
            ({"auth": {"type": "oauth2_client_credentials"}}, {"auth.token_url": "required"}),
            ({"streams": []}, {"streams": "invalid"}),
            ({"streams": "deals"}, {"streams": "invalid"}),
            ({"streams": [{"name": "a", "path": "a"}, {"name": "a", "path": "b"}]}, {"streams": "duplicated"}),
            ({"streams": stream(path="https://elsewhere.example.com/deals")}, {"streams.0.path": "invalid"}),
            ({"streams": stream(path="")}, {"streams.0.path": "required"}),
            ({"streams": stream(params={"a": []})}, {"streams.0.params": "invalid"}),
            ({"streams": stream(incremental={"param": "since"})}, {"streams.0.incremental.field": "required"}),
            (
                {"streams": stream(incremental={"param": "since", "field": "u", "look_back_seconds": -1})},
                {"streams.0.incremental.look_back_seconds": "invalid"},
            ),
            ({"streams": stream(deleted={"values": ["x"]})}, {"streams.0.deleted.field": "required"}),
            ({"streams": stream(deleted={"field": "d", "values": [1]})}, {"streams.0.deleted.values": "invalid"}),
            ({"paginator": {"type": "cursor", "param": "c"}}, {"paginator.path": "required"}),
            ({"paginator": {"type": "page", "param": "p", "size": True}}, {"paginator.size": "invalid"}),
            ({"surprise": 1}, {"surprise": "unknown"}),
            ({"headers": {"Cookie": "session=1"}}, {"headers.Cookie": "secret"}),
            ({"headers": {"X-Team": "営業"}}, {"headers.X-Team": "invalid"}),
            ({"auth": {"type": "header", "name": "X Key"}}, {"auth.name": "invalid"}),
            ({"streams": stream(name="a/b")}, {"streams.0.name": "invalid"}),
            ({"streams": stream(name="a" * 61)}, {"streams.0.name": "invalid"}),
        ],
    )
    def test_names_the_place_of_a_fault(self, changes, expected):
        assert faults(**changes) == expected

    @pytest.mark.parametrize("document", [None, [], "x", 5])
    def test_refuses_what_is_no_document(self, document):
        with pytest.raises(DocumentError):
            read_document(document)


class TestDescribed:
    """What docs/generic-rest.md says is so."""

    TEXT = (Path(__file__).parents[3] / "docs" / "generic-rest.md").read_text(encoding="utf-8")

    def test_every_example_can_be_used_and_the_first_is_the_one_that_is_inserted(self):
        examples = [json.loads(each) for each in re.findall(r"```json\n(.*?)```", self.TEXT, re.S)]
        assert [read_document(each).auth.type for each in examples] == ["bearer", "header", "oauth2_client_credentials"]
        assert examples[0] == EXAMPLE

    def test_every_way_of_authorising_is_described_with_its_credentials(self):
        for kind, names in SECRETS.items():
            (row,) = re.findall(rf"^\| `{kind}` \|.*$", self.TEXT, re.M)[:1]
            assert re.findall(r"`(\w+)`", row.rsplit("|", 2)[1]) == list(names)
