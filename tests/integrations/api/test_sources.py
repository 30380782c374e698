"""A source that is called, over the API: from nothing to a number in the matrix, and never a secret in an answer."""

from __future__ import annotations

import base64
import logging
import uuid
from datetime import timedelta
from typing import Any

import pytest

from integrations.models import Connection, FieldMapping, SyncRun
from integrations.services.connections import create_connection
from kpis.models import Deal
from tests.fakes.rest import TOKEN, RestFake
from tests.fakes.server import Call, Reply, served
from tests.integrations.conftest import NOW
from tests.integrations.sources import DEALS, RULES, fill

ROOT = "connections/"
CONTROLLING = "\u0000"


def body_of(fake: RestFake, **changes: Any) -> dict[str, Any]:
    given = {"name": "社内CRM", "kind": "rest", "carries": "sfa", "source": "crm", "description": fake.document()}
    return {**given, "secrets": fake.secrets(), **changes}


@pytest.fixture
def made(in_acme, api, fake) -> dict[str, Any]:
    return api.made(ROOT, body_of(fake))


@pytest.fixture
def address(made) -> str:
    return f"{ROOT}{made['id']}/"


def put(api, path: str, body: Any) -> Any:
    return api.client.put(f"/api/v1/{path}", body, content_type="application/json")


def faults(answer: Any) -> list[str]:
    assert answer.status_code == 400, answer.content.decode()
    return [each["field"] for each in answer.json()["errors"]]


class TestFromNothing:
    def test_to_a_number_in_the_matrix(self, api, plan, fake, made, address, drain_outbox):
        fill(fake, 25)
        assert api.made(f"{address}test/", {})["ok"]
        shown = api.shown(f"{address}fields/", stream="deals")
        assert {"name": "stage", "label": "stage", "kind": "text", "choices": [], "example": "受注"} in shown["fields"]
        tried = api.made(f"{address}preview/", {"mapping": DEALS})["streams"][0]
        assert (len(tried["records"]), tried["columns"][0]) == (20, "external_id")
        assert not Deal.objects.exists()
        assert put(api, f"{address}mappings/", {"mappings": [DEALS]}).status_code == 200
        asked = api.post(f"{address}sync/")
        assert (asked.status_code, asked.json()["state"]) == (202, "queued")
        drain_outbox()
        assert Deal.objects.count() == 25
        october = {"from": "2026-10-01", "to": "2026-11-01", "grain": "month", "tree": plan["tree"]}
        shown = api.shown("matrix/", nodes="bookings", **october)
        assert shown["cells"]["value"] == [[[sum(number * 1000 for number in range(1, 26))]]]


class TestFrequency:
    def test_of_single_streams_and_the_next_run(self, api, made, address):
        assert (made["stream_every_minutes"], made["next_run_at"]) == ({}, None)
        put(api, f"{address}mappings/", {"mappings": [DEALS]})
        changed = api.patch(address, {"every_minutes": 1440, "stream_every_minutes": {"deals": 5}}).json()
        assert (changed["every_minutes"], changed["stream_every_minutes"]) == (1440, {"deals": 5})
        assert changed["next_run_at"] is not None
        assert api.shown(ROOT)["results"][0]["next_run_at"] == changed["next_run_at"]
        by_hand = api.patch(address, {"stream_every_minutes": {"deals": None}}).json()
        assert (by_hand["stream_every_minutes"], by_hand["next_run_at"]) == ({"deals": None}, None)

    def test_refuses_a_stream_that_is_not_read_and_changes_nothing(self, api, made, address, fake):
        answer = api.patch(address, {"every_minutes": 5, "stream_every_minutes": {"quotes": 5}})
        assert faults(answer) == ["stream_every_minutes.quotes"]
        assert api.shown(address)["every_minutes"] is None
        body = body_of(fake, name="other", stream_every_minutes={"deals": 5})
        assert faults(api.post(ROOT, body)) == ["stream_every_minutes"]


class TestSecrets:
    def test_are_named_never_shown(self, api, made, address, fake):
        assert made["secrets_set"] == ["token"]
        assert "secrets" not in made
        seen = [api.get(path).content.decode() for path in (ROOT, address)]
        seen.append(api.patch(address, {"secrets": fake.secrets()}).content.decode())
        assert not any(TOKEN in each for each in seen)

    def test_wrong_ones_are_told_by_the_test_and_stop_the_connection(
        self, api, made, address, fake, drain_outbox, caplog
    ):
        caplog.set_level(logging.DEBUG)
        put(api, f"{address}mappings/", {"mappings": [DEALS]})
        wrong = "wr0ng-token-of-the-test"
        assert api.patch(address, {"secrets": {"token": wrong}, "every_minutes": 60}).status_code == 200
        tested = api.made(f"{address}test/", {})
        assert (tested["ok"], tested["code"]) == (False, "not_authorised")
        assert "Enter them anew" in tested["message"]
        api.post(f"{address}sync/")
        drain_outbox()
        shown = api.shown(address)
        assert (shown["stopped_by"], shown["health"]) == ("not_authorised", "failing")
        assert shown["problem"] == tested["message"]
        told = [str(tested), str(shown), str(api.shown(f"{address}runs/")), caplog.text]
        assert not any(wrong in each for each in told)
        assert api.patch(address, {"secrets": fake.secrets()}).json()["stopped_by"] == ""

    @pytest.mark.parametrize(
        ("auth", "wrong"),
        [
            ("header", {"key": "wr0ng-key"}),
            ("basic", {"username": "sync", "password": "wr0ng-password"}),
            ("oauth2_client_credentials", {"client_id": "client-1", "client_secret": "wr0ng-client"}),
        ],
    )
    def test_that_the_source_repeats_are_not_repeated_by_us(self, api, in_acme, auth, wrong):
        class Parrot(RestFake):
            def answer(self, call: Call) -> Reply:
                said = call.headers.get("authorization") or call.headers.get("x-api-key", "")
                return Reply(401, {"message": f"{said} / {said.rpartition(' ')[2]} / {' '.join(wrong.values())}"})

        parrot = Parrot("keyset", auth)
        with served(parrot):
            document = parrot.document()
            document["auth"] |= {"prefix": "Key"} if auth == "header" else {}
            made = api.made(ROOT, body_of(parrot, description=document, secrets=wrong))
            tested = api.made(f"{ROOT}{made['id']}/test/", {})
        assert (tested["code"], "•••" in tested["message"]) == ("not_authorised", True)
        *_names, secret = wrong.values()
        encoded = base64.b64encode(":".join(wrong.values()).encode()).decode()
        assert not any(each in str(tested) for each in (secret, encoded))

    def test_that_cannot_be_opened_are_asked_for_anew(self, api, made, address, fake):
        Connection.objects.update(sealed="damaged")
        assert api.shown(address)["secrets_set"] == []
        assert api.made(f"{address}test/", {})["code"] == "sealed"
        answer = api.patch(address, {"description": fake.document()})
        assert (answer.status_code, answer.json()["code"]) == (409, "sealed")
        assert api.patch(address, {"secrets": fake.secrets()}).json()["secrets_set"] == ["token"]


class TestRefused:
    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            (
                {"description": {"base_url": 5, "auth": {"type": "magic"}, "streams": [{"name": "a"}]}},
                ["description.base_url", "description.streams.0.path", "description.auth.type"],
            ),
            ({"description": {}}, ["description"]),
            ({"description": "x"}, ["description"]),
            ({"secrets": {}}, ["secrets.token"]),
            ({"secrets": {"token": "日本語"}}, ["secrets.token"]),
            ({"secrets": {"token": "x\ny"}}, ["secrets.token"]),
            ({"secrets": {"token": "x", "password": "y"}}, ["secrets.password"]),
            ({"secrets": ["x"]}, ["secrets"]),
            ({"kind": "carrier_pigeon"}, ["kind"]),
            ({"preset": "contract"}, ["preset"]),
        ],
    )
    def test_with_the_place_of_every_fault(self, api, fake, in_acme, changes, fields):
        assert faults(api.post(ROOT, body_of(fake, **changes))) == fields
        assert not Connection.objects.exists()

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"name": "a" * 61}, "description.streams.0.name"),
            ({"name": "a/b"}, "description.streams.0.name"),
            ({"path": CONTROLLING}, "description"),
        ],
    )
    def test_what_cannot_be_kept(self, api, fake, in_acme, change, field):
        document = fake.document()
        document["streams"][0] |= change
        assert faults(api.post(ROOT, body_of(fake, description=document))) == [field]

    @pytest.mark.parametrize("headers", [{"Authorization": "Bearer x"}, {"X-Ä": "x"}, {"X-A": "x\r\nX-B: y"}])
    def test_headers_that_hold_credentials_or_cannot_be_sent(self, api, fake, in_acme, headers):
        document = {**fake.document(), "headers": headers}
        assert faults(api.post(ROOT, body_of(fake, description=document)))[0].startswith("description.headers.")

    def test_a_file_connection_has_no_secrets_and_a_source_no_preset(self, api, fake, in_acme):
        files = {"name": "Files", "carries": "sfa", "source": "files", "preset": "contract"}
        assert faults(api.post(ROOT, {**files, "secrets": {"token": "x"}})) == ["secrets"]
        assert faults(api.post(ROOT, {**files, "preset": ""})) == ["preset"]

    def test_kind_and_source_stay(self, api, made, address):
        assert faults(api.patch(address, {"kind": "file"})) == ["kind"]

    def test_a_closed_address_is_told_in_words(self, api, fake, in_acme, settings):
        settings.SOURCES_ON_LOOPBACK = False
        document = {**fake.document(), "base_url": "https://10.1.2.3/"}
        made = api.made(ROOT, body_of(fake, description=document))
        tested = api.made(f"{ROOT}{made['id']}/test/", {})
        assert (tested["code"], "10.1.2.3" in tested["message"]) == ("closed_address", True)

    @pytest.mark.parametrize(
        "base_url", ["http://[::1", "nowhere", "https://user:pw@crm.example.com/", "ftp://x.example"]
    )
    def test_an_address_that_is_none_is_told_in_words(self, api, fake, in_acme, base_url):
        made = api.made(ROOT, body_of(fake, description={**fake.document(), "base_url": base_url}))
        tested = api.made(f"{ROOT}{made['id']}/test/", {})
        assert tested["code"] in {"bad_address", "not_https"}
        assert tested["message"]

    def test_only_who_manages_connections(self, signed_in, alice, bob, made, address):
        for person in (alice, bob):
            caller = signed_in(person)
            asked = [
                caller.get(address),
                caller.get(f"{address}fields/", stream="deals"),
                caller.get(f"{address}mappings/"),
            ]
            asked += [caller.post(ROOT, {}), caller.post(f"{address}test/"), put(caller, f"{address}mappings/", {})]
            assert {each.status_code for each in asked} == {403}

    def test_another_id_is_not_known(self, api, in_acme):
        for part in ("fields/?stream=x", "mappings/"):
            assert api.get(f"{ROOT}{uuid.uuid4()}/{part}").status_code == 404


class TestTest:
    def test_says_which_stream_is_at_fault(self, api, made, address, fake):
        fill(fake, 2)
        document = fake.document()
        document["streams"].append({"name": "people", "path": "v1/nowhere"})
        api.patch(address, {"description": document})
        tested = api.made(f"{address}test/", {})
        assert [(each["code"], each["ok"]) for each in tested["findings"]] == [
            ("stream_read", True),
            ("stream_failed", False),
            ("quota_untold", True),
            ("clock_agrees", True),
        ]
        assert "“people” cannot be read" in tested["message"]
        assert "no such place" in tested["message"]

    def test_tells_of_missing_change_times_and_of_the_clock(self, api, made, address, fake):
        fill(fake, 1)
        fake.clock_ahead = timedelta(minutes=10)
        document = fake.document()
        document["streams"][0]["incremental"]["field"] = "changed"
        api.patch(address, {"description": document})
        codes = {each["code"]: each["ok"] for each in api.made(f"{address}test/", {})["findings"]}
        assert codes == {"stream_read": True, "no_change_time": False, "quota_untold": True, "clock_differs": True}

    def test_does_not_try_for_long(self, api, made, address, fake):
        fake.faults = [Reply(503, None)] * 9
        assert api.made(f"{address}test/", {})["code"] == "source_busy"
        assert len(fake.faults) == 8


class TestPreview:
    def test_counts_unmapped_words_and_names_refusals(self, api, made, address, fake):
        fill(fake, 2)
        fake.world.put("D003", name="謎", created="2026-10-05", stage="謎の段階")
        fake.world.put("D004", name="日付", created="2026/13/40", stage="受注")
        fake.world.put("D005", name="大きすぎる", created="2026-10-05", stage="受注", amount=10**20)
        stream = api.made(f"{address}preview/", {"mapping": DEALS})["streams"][0]
        assert [each["values"][0] for each in stream["records"]] == ["D001", "D002"]
        assert stream["report"]["unmapped"] == [{"field": "outcome", "value": "謎の段階", "count": 1}]
        reasons = " ".join(reason for each in stream["refused"] for reason in each["reasons"])
        assert ("謎の段階" in reasons, "2026/13/40" in reasons) == (True, True)
        assert (stream["report"]["accepted"], stream["report"]["refused"]) == (2, 3)
        assert not SyncRun.objects.exists()

    def test_of_a_mapping_in_force(self, api, made, address, fake):
        fill(fake, 1)
        put(api, f"{address}mappings/", {"mappings": [DEALS]})
        assert api.made(f"{address}preview/", {"stream": "deals"})["streams"][0]["report"]["accepted"] == 1
        assert faults(api.post(f"{address}preview/", {"stream": "leads"})) == ["stream"]
        assert faults(api.post(f"{address}preview/", {})) == ["stream"]

    def test_of_a_stream_that_the_source_does_not_have(self, api, made, address):
        answer = api.post(f"{address}preview/", {"mapping": {**DEALS, "reads": "leads"}})
        assert (answer.status_code, answer.json()["code"]) == (400, "unknown_stream")
        assert api.get(f"{address}fields/", stream="leads").json()["code"] == "unknown_stream"
        assert faults(api.get(f"{address}fields/")) == ["stream"]


class TestMappings:
    def test_are_read_as_they_were_written(self, api, made, address):
        written = put(api, f"{address}mappings/", {"mappings": [DEALS]}).json()
        assert api.shown(f"{address}mappings/") == written
        assert put(api, f"{address}mappings/", written).json() == written
        assert FieldMapping.objects.count() == 1

    def test_headings_and_types_of_own_fields_are_kept_as_they_were_written(self, api, made, address):
        rules = [*RULES, {"field": "attributes.seats", "column": "seats", "kind": "number"}]
        own = {**DEALS, "rules": rules, "headings": ["商談番号", "金額"]}
        written = put(api, f"{address}mappings/", {"mappings": [own]}).json()
        (mapping,) = written["mappings"]
        assert (mapping["headings"], mapping["rules"][-1]["kind"]) == (["商談番号", "金額"], "number")
        assert put(api, f"{address}mappings/", written).json() == written
        assert FieldMapping.objects.count() == 1

    def test_earlier_value_maps_are_kept_as_they_were_written(self, api, made, address):
        earlier = {"dated_by": "closed", "earlier": [{"until": "2026-10-01", "values": {"受注": "lost"}}]}
        rules = [*RULES[:-1], {**RULES[-1], **earlier}]
        written = put(api, f"{address}mappings/", {"mappings": [{**DEALS, "rules": rules}]}).json()
        assert written["mappings"][0]["rules"][-1]["earlier"] == earlier["earlier"]
        assert put(api, f"{address}mappings/", written).json() == written
        assert FieldMapping.objects.count() == 1

    def test_what_is_left_out_is_ended(self, api, made, address):
        people = {"stream": "people", "resource": "people", "reads": "people"}
        people["rules"] = [{"field": "external_id", "column": "id"}, {"field": "name", "column": "name"}]
        put(api, f"{address}mappings/", {"mappings": [DEALS, people]})
        put(api, f"{address}mappings/", {"mappings": [DEALS]})
        assert [each["stream"] for each in api.shown(f"{address}mappings/")["mappings"]] == ["deals"]

    @pytest.mark.parametrize(
        ("mapping", "field"),
        [
            ({**DEALS, "rules": RULES[:2]}, "mappings.0"),
            ({**DEALS, "rules": [*RULES, {"field": "colour", "column": "x"}]}, "mappings.0"),
            ({**DEALS, "rules": [*RULES, {"field": "region", "template": "{"}]}, "mappings.0"),
            ({**DEALS, "rules": []}, "mappings.0.rules"),
            ({**DEALS, "rules": [*RULES, {"field": "region", "constant": CONTROLLING}]}, "mappings.0.rules"),
            ({**DEALS, "resource": "colours"}, "mappings.0.resource"),
            ({**DEALS, "stream": "a b"}, "mappings.0.stream"),
        ],
    )
    def test_that_cannot_work_are_refused_and_nothing_changes(self, api, made, address, mapping, field):
        assert faults(put(api, f"{address}mappings/", {"mappings": [mapping]}))[0].startswith(field)
        assert not FieldMapping.objects.exists()

    def test_two_of_a_name_are_refused(self, api, made, address):
        assert faults(put(api, f"{address}mappings/", {"mappings": [DEALS, DEALS]})) == ["mappings.1.stream"]
        assert not FieldMapping.objects.exists()

    def test_a_changed_one_is_applied_to_what_was_read_before(self, api, made, address, fake, drain_outbox):
        fill(fake, 3, stage="完了")
        put(api, f"{address}mappings/", {"mappings": [DEALS]})
        api.post(f"{address}sync/")
        drain_outbox()
        assert not Deal.objects.exists()
        rules = [*RULES[:-1], {**RULES[-1], "values": {"完了": "won"}}]
        put(api, f"{address}mappings/", {"mappings": [{**DEALS, "rules": rules}]})
        api.post(f"{address}sync/")
        drain_outbox()
        assert set(Deal.objects.values_list("outcome", flat=True)) == {"won"}

    def test_files_have_mappings_but_no_fields_to_ask_for(self, api, in_acme):
        made = create_connection(name="F", source="f", carries="sfa", preset="contract", now=NOW)
        assert len(api.shown(f"{ROOT}{made.public_id}/mappings/")["mappings"]) > 5
        assert api.get(f"{ROOT}{made.public_id}/fields/", stream="deals").status_code == 409
