"""Calls of a source: proven, and read as the records they are about."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.document import DocumentError, read_document
from integrations.connectors.hooks import (
    HOOKS,
    MAX_NOTICES,
    Call,
    HookRefusedError,
    Notice,
    read_described,
    read_hubspot,
    read_kintone,
    verify_address,
    verify_hmac,
    verify_hubspot,
)
from integrations.connectors.hubspot.source import HubSpotSource
from integrations.connectors.kintone_description import App, Description
from tests.fakes.rest import RestFake

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
SECRET = "client-s3cret-of-the-app"
URL = "https://sakura.example.com/hooks/t0ken/?portal=%3A1"
HUBSPOT = HubSpotSource("service_key", ("contacts", "companies", "deals"))
KINTONE = Description("https://example.cybozu.com/k/v1/", (App(7, "deals"), App(8, "accounts")))


def document(**webhook: Any):
    made = RestFake("keyset", "none").document(calls=True)
    made["webhook"] |= webhook
    return read_document({**made, "webhook": {name: value for name, value in made["webhook"].items() if value}})


def hubspot_call(body: bytes = b"[]", *, at: datetime = NOW, url: str = URL, secret: str = SECRET) -> Call:
    stamp = str(int(at.timestamp() * 1000))
    # As HubSpot signs it: the colon of the query is written out.
    signed = f"POST{url.replace('%3A', ':')}".encode() + body + stamp.encode()
    signature = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    headers = {"x-hubspot-signature-v3": signature, "x-hubspot-request-timestamp": stamp}
    return Call("POST", (URL,), headers, body)


def refused(code: str):
    return pytest.raises(HookRefusedError, match=f"^{code}$")


class TestHubSpot:
    def test_a_signed_call_is_its_own(self):
        verify_hubspot(hubspot_call(), SECRET, HUBSPOT, NOW)

    def test_behind_a_proxy_the_public_address_counts(self):
        seen = URL.replace("https", "http")
        verify_hubspot(replace(hubspot_call(), urls=(seen, URL)), SECRET, HUBSPOT, NOW)
        with refused("bad_signature"):
            verify_hubspot(replace(hubspot_call(), urls=(seen,)), SECRET, HUBSPOT, NOW)

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_a_call_of_another_time_is_none(self, minutes):
        with refused("too_old"):
            verify_hubspot(hubspot_call(at=NOW + timedelta(minutes=minutes)), SECRET, HUBSPOT, NOW)

    @pytest.mark.parametrize(
        "change",
        [{"body": b"[ ]"}, {"method": "PUT"}, {"urls": ("https://other.example.com/hooks/t0ken/?portal=%3A1",)}],
    )
    def test_whatever_was_changed_on_the_way_is_refused(self, change):
        with refused("bad_signature"):
            verify_hubspot(replace(hubspot_call(), **change), SECRET, HUBSPOT, NOW)

    @pytest.mark.parametrize(
        "headers",
        [{}, {"x-hubspot-signature-v3": "x"}, {"x-hubspot-signature-v3": "é", "x-hubspot-request-timestamp": "１"}],
    )
    def test_a_call_without_signature_is_refused(self, headers):
        with refused("unsigned"):
            verify_hubspot(replace(hubspot_call(), headers=headers), SECRET, HUBSPOT, NOW)

    def test_events_name_objects(self):
        told = [
            {
                "eventId": 1,
                "subscriptionId": 9,
                "occurredAt": 5,
                "subscriptionType": "deal.propertyChange",
                "objectId": 3,
            },
            {"eventId": 2, "subscriptionType": "object.creation", "objectTypeId": "0-1", "objectId": 4},
            {"eventId": 3, "subscriptionType": "ticket.creation", "objectId": 5},
            {"eventId": 4, "subscriptionType": "conversation.newMessage"},
        ]
        found = read_hubspot(json.dumps(told).encode(), HUBSPOT)
        assert [(each.stream, each.external_id) for each in found] == [("deals", "3"), ("contacts", "4")]

    def test_a_merge_is_about_all_that_took_part(self):
        told = {"eventId": 1, "subscriptionType": "contact.merge", "objectId": 1, "primaryObjectId": 1}
        told |= {"mergedObjectIds": [2, 3], "newObjectId": 9}
        found = read_hubspot(json.dumps([told]).encode(), HUBSPOT)
        assert {each.external_id for each in found} == {"1", "2", "3", "9"}
        assert len({each.event_id for each in found}) == 4

    def test_another_attempt_is_the_same_event(self):
        told = {"eventId": 1, "subscriptionId": 9, "occurredAt": 5, "subscriptionType": "deal.deletion", "objectId": 3}
        first, again = (json.dumps([told | {"attemptNumber": number}]).encode() for number in (0, 1))
        assert read_hubspot(first, HUBSPOT) == read_hubspot(again, HUBSPOT)

    def test_objects_that_are_not_read_are_left_out(self):
        told = [{"eventId": 1, "subscriptionType": "company.creation", "objectId": 1}]
        assert read_hubspot(json.dumps(told).encode(), replace(HUBSPOT, objects=("deals",))) == []


class TestKintone:
    def test_the_secret_stands_in_the_address(self):
        call = Call("POST", (URL,), {}, b"{}", "s3cret")
        verify_address(call, "s3cret", KINTONE, NOW)
        for wrong, code in (("s3cre", "bad_signature"), ("", "unsigned"), ("é", "bad_signature")):
            with refused(code):
                verify_address(replace(call, path_secret=wrong), "s3cret", KINTONE, NOW)

    def test_an_edited_and_a_deleted_record(self):
        edited = {"id": "n1", "type": "UPDATE_RECORD", "app": {"id": "7"}, "record": {"$id": {"value": "12"}}}
        deleted = {"id": "n2", "type": "DELETE_RECORD", "app": {"id": "8"}, "recordId": "13"}
        found = [
            *read_kintone(json.dumps(edited).encode(), KINTONE),
            *read_kintone(json.dumps(deleted).encode(), KINTONE),
        ]
        assert [(each.stream, each.external_id) for each in found] == [("deals", "12"), ("accounts", "13")]

    def test_an_app_that_is_not_read_is_left_out(self):
        told = {"id": "n1", "type": "ADD_RECORD", "app": {"id": "99"}, "record": {"$id": {"value": "12"}}}
        assert read_kintone(json.dumps(told).encode(), KINTONE) == []


class TestGeneric:
    @pytest.mark.parametrize("form", ["hex", "base64"])
    def test_a_digest_of_the_body_in_hex_or_base64(self, form):
        digest = hmac.new(SECRET.encode(), b"{}", hashlib.sha256)
        text = digest.hexdigest() if form == "hex" else base64.b64encode(digest.digest()).decode()
        call = Call("POST", (URL,), {"x-signature": f"sha256={text}"}, b"{}")
        verify_hmac(call, SECRET, document(), NOW)
        with refused("bad_signature"):
            verify_hmac(replace(call, body=b"{ }"), SECRET, document(), NOW)

    @pytest.mark.parametrize(
        ("given", "code"), [("", "unsigned"), ("md5=ab", "unsigned"), ("sha256=é", "bad_signature")]
    )
    def test_anything_else_is_refused(self, given, code):
        with refused(code):
            verify_hmac(Call("POST", (URL,), {"x-signature": given}, b"{}"), SECRET, document(), NOW)

    def test_records_stand_where_the_document_says(self):
        told = {"events": [{"id": "e1", "deal": {"uid": "D1"}}, {"id": "e2", "deal": {"uid": 7}}, {"id": "e3"}]}
        found = read_described(json.dumps(told).encode(), document())
        assert [(each.stream, each.external_id) for each in found] == [("deals", "D1"), ("deals", "7")]

    def test_the_stream_may_be_named_by_the_event(self):
        spec = document(stream="", stream_at="kind", events="")
        told = [{"id": 1, "kind": "deals", "deal": {"uid": "D1"}}, {"id": 2, "kind": "people", "deal": {"uid": "P1"}}]
        assert [each.external_id for each in read_described(json.dumps(told).encode(), spec)] == ["D1"]

    def test_events_without_ids_are_told_apart_by_what_they_say(self):
        spec = document(event_id="")
        one, other = ({"events": [{"deal": {"uid": "D1"}, "at": at}]} for at in (1, 2))
        first, again, second = (read_described(json.dumps(told).encode(), spec)[0] for told in (one, one, other))
        assert first == again
        assert first.event_id != second.event_id

    @pytest.mark.parametrize(
        ("webhook", "field"),
        [
            ({"header": ""}, "webhook.header"),
            ({"header": "X Y"}, "webhook.header"),
            ({"record_id": ""}, "webhook.record_id"),
            ({"stream": "people"}, "webhook.stream"),
            ({"stream_at": "kind"}, "webhook.stream"),
            ({"other": "1"}, "webhook.other"),
        ],
    )
    def test_a_faulty_description_names_the_place(self, webhook, field):
        with pytest.raises(DocumentError) as caught:
            document(**webhook)
        assert field in {issue.field for issue in caught.value.issues}


class TestWhateverComes:
    @given(
        body=st.binary(max_size=200)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(
                        ["id", "app", "deal", "uid", "events", "objectId", "subscriptionType", "record", "$id", "value"]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        ).map(lambda told: json.dumps(told).encode())
    )
    def test_is_read_or_refused(self, body):
        for kind, described in (("hubspot", HUBSPOT), ("kintone", KINTONE), ("rest", document())):
            try:
                found = HOOKS[kind].read(body, described)
            except HookRefusedError:
                continue
            assert all(isinstance(each, Notice) and 0 < len(each.external_id) <= 200 for each in found)
            assert all(len(each.event_id) <= 200 for each in found)

    def test_no_call_brings_more_than_can_be_borne(self):
        told = [{"eventId": n, "subscriptionType": "deal.creation", "objectId": n} for n in range(MAX_NOTICES + 1)]
        with refused("too_many_events"):
            read_hubspot(json.dumps(told).encode(), HUBSPOT)
