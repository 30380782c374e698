"""What kintone alone does: forms that change, values in wrappings, tokens by app, answers cut short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import stamina
import yaml

from integrations.choices import describe_problem
from integrations.connectors.base import Listing, Record, Window
from integrations.connectors.changes import changes_of
from integrations.connectors.document import DocumentError
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard
from integrations.connectors.http import Answer, NoBudget
from integrations.connectors.kintone import KintoneConnector
from integrations.connectors.kintone_description import auth_of, read_description
from integrations.connectors.mapping import Accepted, FieldRule, StreamMapping, Tally
from tests.fakes.kintone import APP, EMPTY_APP, OTHER_TOKEN, PASSWORD, TOKEN, KintoneFake
from tests.fakes.server import Reply, served

TOKYO = ZoneInfo("Asia/Tokyo")
GOOD = {"subdomain": "example", "apps": [{"app": 12, "name": "deals", "label": "案件"}]}
LINES = StreamMapping(
    stream="lines",
    resource="deal-lines",
    position=20,
    reads="deals",
    each="明細",
    rules=(
        FieldRule("external_id", template="{$id}-{明細.$id}"),
        FieldRule("deal", column="$id"),
        FieldRule("product", column="明細.商品"),
        FieldRule("amount", column="明細.小計"),
    ),
)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@contextmanager
def connected(fake: KintoneFake, *, page_size: int = 3, **secrets: str) -> Iterator[KintoneConnector]:
    with ExitStack() as stack:
        stack.enter_context(served(fake))
        fake.world.now = fake.now() - timedelta(days=1)
        connector = KintoneConnector.of(
            read_description(fake.description()),
            {**fake.secrets(), **secrets},
            guard=Guard(allows_loopback=True),
            budget=NoBudget(),
            page_size=page_size,
        )
        yield connector
        connector.http.close()


@pytest.fixture
def fake() -> KintoneFake:
    return KintoneFake()


@pytest.fixture
def source(fake: KintoneFake) -> Iterator[KintoneConnector]:
    with connected(fake) as connector:
        yield connector


def records(source: KintoneConnector, *fields: str, window: Window | None = None) -> list[Record]:
    steps = source.steps("deals", window or Window(None, source.http.now()), fields)
    return [record for step in steps for record in step.records]


def ask(source: KintoneConnector, query: str, *fields: str) -> Answer:
    return source.http.get(
        "records.json", {"app": APP, "query": query, **{f"fields[{i}]": f for i, f in enumerate(fields)}}
    )


def refusal(source: KintoneConnector, *fields: str) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        records(source, *fields)
    return caught.value


class TestReadDescription:
    @pytest.mark.parametrize(
        ("changes", "address"),
        [
            ({}, "https://example.cybozu.com/k/v1/"),
            ({"guest_space": None}, "https://example.cybozu.com/k/v1/"),
            ({"guest_space": 7}, "https://example.cybozu.com/k/guest/7/v1/"),
            ({"subdomain": "", "base_url": "https://example.kintone.com/"}, "https://example.kintone.com/k/v1/"),
        ],
    )
    def test_names_the_address_of_the_api(self, changes, address):
        assert read_description({**GOOD, **changes}).base_url == address

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"subdomain": ""}, {"subdomain": "required"}),
            ({"base_url": "https://example.cybozu.com"}, {"subdomain": "invalid"}),
            ({"subdomain": "example.cybozu.com"}, {"subdomain": "invalid"}),
            ({"subdomain": "", "base_url": "https://example.cybozu.com/k/12/"}, {"base_url": "invalid"}),
            ({"subdomain": "", "base_url": "example.cybozu.com"}, {"base_url": "invalid"}),
            ({"subdomain": 5}, {"subdomain": "invalid"}),
            ({"guest_space": "7"}, {"guest_space": "invalid"}),
            ({"guest_space": 0}, {"guest_space": "invalid"}),
            ({"basic_auth": "yes"}, {"basic_auth": "invalid"}),
            ({"apps": []}, {"apps": "invalid"}),
            ({"apps": [{"app": n, "name": f"n{n}"} for n in range(1, 11)]}, {"apps": "invalid"}),
            ({"apps": [{"app": "12", "name": "deals"}]}, {"apps.0.app": "invalid"}),
            ({"apps": [{"app": 12}]}, {"apps.0.name": "required"}),
            ({"apps": [{"app": 0, "name": ""}]}, {"apps.0.app": "invalid", "apps.0.name": "required"}),
            ({"apps": [{"app": 1, "name": "a"}, {"app": 2, "name": "a"}]}, {"apps": "duplicated"}),
            ({"apps": ["deals"]}, {"apps.0": "invalid", "apps.0.app": "invalid", "apps.0.name": "required"}),
            ({"token": "secret"}, {"token": "unknown"}),
        ],
    )
    def test_names_every_fault_with_its_place(self, changes, expected):
        with pytest.raises(DocumentError) as caught:
            read_description({**GOOD, **changes})
        assert {issue.field: issue.code for issue in caught.value.issues} == expected

    @pytest.mark.parametrize("description", [None, [], "x", 5])
    def test_refuses_what_is_no_description(self, description):
        with pytest.raises(DocumentError):
            read_description(description)


class TestCredentials:
    def test_all_tokens_are_sent_with_every_call(self, fake, source):
        records(source)
        sent = {call.headers["x-cybozu-api-token"] for call in fake.calls}
        assert sent == {f"{OTHER_TOKEN},{TOKEN}"}
        assert not any("authorization" in call.headers for call in fake.calls)

    @pytest.mark.parametrize("tokens", ["a,b", " a ,\n b ", "a、b", "a b"])
    def test_tokens_may_be_entered_in_any_list(self, tokens):
        assert auth_of(read_description(GOOD), {"tokens": tokens}).headers() == {"X-Cybozu-API-Token": "a,b"}

    @pytest.mark.parametrize("tokens", ["", " , ", ",".join("abcdefghij"), "トークン"])
    def test_says_what_is_wrong_with_tokens(self, tokens):
        with pytest.raises(ConnectorError) as caught:
            auth_of(read_description(GOOD), {"tokens": tokens})
        assert caught.value.code == "bad_tokens"
        assert "1〜9個" in describe_problem("bad_tokens", caught.value.params)

    def test_what_stands_before_kintone_is_opened_in_addition(self):
        fake = KintoneFake(basic_auth=True)
        with connected(fake) as source:
            fake.world.put("D001", name="案件")
            assert len(records(source, "name")) == 1

    def test_a_wrong_password_before_kintone_is_an_error(self):
        with connected(KintoneFake(basic_auth=True), password="wr0ng") as source:
            error = refusal(source)
        assert (error.kind, error.code) == ("auth", "not_authorised")

    def test_secrets_that_kintone_repeats_are_not_shown(self):
        fake = KintoneFake(basic_auth=True)
        secrets = (TOKEN, OTHER_TOKEN, PASSWORD)
        fake.fail(Reply(401, {"code": "CB_WA01", "id": "x", "message": f"誤り: {' '.join(secrets)}"}))
        with connected(fake) as source:
            error = refusal(source)
        assert error.params["message"] == "CB_WA01: 誤り: ••• ••• •••"

    def test_an_app_without_token_leaves_the_others_readable(self, fake):
        apps = [{"app": APP, "name": "deals"}, {"app": EMPTY_APP, "name": "activities"}]
        with connected(fake):
            described = read_description({**fake.description(), "apps": apps})
            fake.world.put("D001", name="案件")
            source = KintoneConnector.of(
                described, {"tokens": TOKEN}, guard=Guard(allows_loopback=True), budget=NoBudget()
            )
            found = {(each.code, each.params["stream"]): each for each in source.check() if "stream" in each.params}
            assert len(records(source, "name")) == 1
            source.http.close()
        assert set(found) == {("stream_read", "deals"), ("app_not_allowed", "activities")}
        refused = found["app_not_allowed", "activities"]
        assert refused.is_bad
        assert "GAIA_IA02: 指定したAPIトークンは" in describe_problem(refused.code, refused.params)

    def test_a_right_that_is_missing_is_said_of_its_app(self, fake, source):
        fake.fail(Reply(403, {"code": "CB_NO02", "id": "x", "message": "権限がありません。"}))
        bad = [each for each in source.check() if each.is_bad]
        assert [(each.code, each.params["message"]) for each in bad] == [
            ("app_not_allowed", "CB_NO02: 権限がありません。")
        ]

    def test_an_app_that_is_not_there_is_named_with_the_code(self, fake, source):
        del fake.tokens[str(APP)]
        error = refusal(source)
        assert (error.kind, error.code, error.permanent) == ("config", "app_gone", True)
        assert error.params["message"].startswith("GAIA_AP01: ")


class TestAsking:
    def test_06_goes_by_id_at_first_and_by_the_minute_afterwards_never_by_offset(self, fake, source):
        for number in range(7):
            fake.world.tick(minutes=10)
            fake.world.put(f"D{number}", name="案件")
        pages = list(source.pages("deals", {}, ("name",)))
        first = [call.query["query"] for call in fake.calls if "query" in call.query]
        assert first == [f"$id > {last} order by $id asc limit 3" for last in (0, 3, 6)]
        assert pages[0].total == 7
        fake.calls.clear()
        list(source.pages("deals", pages[-1].position, ("name",)))
        [second] = [call.query["query"] for call in fake.calls if "query" in call.query]
        since = (fake.world.now - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:00Z")
        assert second == f'更新日時 >= "{since}" order by 更新日時 asc, $id asc limit 3'

    def test_a_minute_that_fills_pages_is_read_by_id_and_then_left(self, fake, source):
        for number in range(1, 8):
            fake.world.put(f"D{number}", name="一括")
        fake.world.tick(minutes=1)
        fake.world.put("D8", name="次の分")
        window = Window(fake.world.now - timedelta(minutes=6), source.http.now())
        assert {each.external_id for each in records(source, window=window)} == {str(number) for number in range(1, 9)}
        assert not any("offset" in call.query.get("query", "") for call in fake.calls)

    def test_a_minute_is_complete_even_if_its_records_come_in_the_order_of_seconds(self, fake, source):
        fake.world.resolution, fake.sorts_by_seconds = timedelta(seconds=1), True
        fake.world.now = fake.world.now.replace(second=0, microsecond=0)
        for number in range(1, 8):
            fake.world.put(f"D{number}", name="一括", at=fake.world.now + timedelta(seconds=50 - number))
        window = Window(fake.world.now - timedelta(minutes=5), source.http.now())
        assert {each.external_id for each in records(source, window=window)} == {str(number) for number in range(1, 8)}

    def test_asks_for_mapped_fields_alone(self, fake, source):
        fake.world.put("D001", name="案件", amount=5)
        [record] = records(source, "amount", "明細.商品")
        assert set(record.values) == {"$id", "更新日時", "amount", "明細"}

    def test_what_does_not_fit_into_an_address_is_asked_in_a_body(self, fake):
        with connected(fake, page_size=500) as source:
            for number in range(1, 451):
                fake.world.put(f"D{number}", name="案件")
            found = source.read("deals", [str(10_000_000_000 + n) for n in range(400)] + ["450"], ("name",))
        assert [each.external_id for each in found if not each.is_deleted] == ["450"]
        assert [call.method for call in fake.calls] == ["GET", "POST"]

    def test_12_more_fields_than_an_address_may_name_are_asked_in_a_body(self, fake, source):
        codes = [f"f{number}" for number in range(120)]
        fake.fields |= {code: {"type": "SINGLE_LINE_TEXT", "code": code, "label": code} for code in codes}
        fake.world.put("D001", **dict.fromkeys(codes, "x"))
        [record] = records(source, *codes)
        assert {record.values[code] for code in codes} == {"x"}

    def test_an_id_of_another_kind_is_not_asked_for(self, fake, source):
        [gone] = source.read("deals", ['1") or $id > ("0'], ("name",))
        assert gone.is_deleted
        assert [call.path for call in fake.calls] == ["/k/v1/app/form/fields.json"]

    def test_a_guest_space_has_its_own_paths(self):
        fake = KintoneFake(guest_space=7)
        with connected(fake) as source:
            fake.world.put("D001", name="案件")
            assert len(records(source, "name")) == 1
            assert list(source.ids("deals", {})) == [Listing(("1",), None)]
        assert {call.path for call in fake.calls} == {
            "/k/guest/7/v1/records.json",
            "/k/guest/7/v1/app/form/fields.json",
        }


class TestAnswers:
    def test_a_search_that_was_cut_short_is_no_result(self, fake, source):
        for number in range(5):
            fake.world.put(f"D{number}", name="案件")
        fake.aborts_above = 4
        error = refusal(source, "name")
        assert (error.kind, error.code) == ("data", "filter_aborted")
        assert "too many search results" in describe_problem(error.code, error.params)

    def test_too_many_calls_at_once_are_waited_for(self, fake, source):
        fake.running = 101
        error = refusal(source)
        assert (error.kind, error.permanent, error.wait) == ("rate_limit", False, 10)
        assert error.params["message"].startswith("GAIA_TO04: ")

    def test_the_code_of_too_many_calls_counts_whatever_the_status(self, fake, source):
        fake.world.put("D001", name="案件")
        fake.fail(Reply(400, {"code": "GAIA_TO04", "id": "x", "message": "混雑しています。"}))
        assert len(records(source)) == 1

    def test_a_wrong_token_is_not_tried_again_whatever_the_status(self, fake, source):
        fake.fail(Reply(520, {"code": "GAIA_IA02", "id": "x", "message": "トークン"}))
        assert refusal(source).code == "app_not_allowed"
        assert len(fake.calls) == 1

    def test_another_object_is_no_empty_page(self, fake, source):
        fake.fail(None, Reply(200, {"hello": "world"}))
        assert refusal(source).code == "not_kintone"

    def test_the_check_counts_what_an_app_holds(self, fake, source):
        assert [(each.code, each.params) for each in source.check()] == [
            ("stream_empty", {"stream": "deals", "count": 0}),
            ("reads_again", {"minutes": 5}),
            ("quota_untold", {}),
            ("clock_agrees", {}),
        ]
        for number in range(4):
            fake.world.put(f"D{number}", name="案件")
        assert source.check()[0].params == {"stream": "deals", "count": 4}

    def test_calls_under_way_are_remarked_where_they_are_many(self, fake, source):
        fake.running = 49
        assert "many_calls_at_once" not in {each.code for each in source.check()}
        fake.running = 50
        [remark] = [each for each in source.check() if each.code == "many_calls_at_once"]
        assert (remark.is_bad, remark.params) == (False, {"running": 50, "limit": 100})


class TestForm:
    def test_tells_labels_kinds_and_choices(self, source):
        found = {each.name: each for each in source.fields("deals")}
        kinds = {"$id": "text", "amount": "number", "粗利率": "number", "受注予定日": "date", "初回商談": "moment"}
        kinds |= {"確度": "choice", "タグ": "list", "担当者": "list", "明細": "list", "明細.小計": "number"}
        assert {name: found[name].kind for name in kinds} == kinds
        assert found["amount"].label == "金額"
        assert found["明細.商品"].label == "明細 › 商品"
        assert found["確度"].choices == (("確度A", "確度A"), ("確度B", "確度B"))
        assert not {"基本情報", "関連活動", "ステータス", "カテゴリー"} & set(found)

    def test_finds_the_time_of_change_under_another_code(self, fake, source):
        fake.world.put("D001", name="前")
        [page] = source.pages("deals", {}, ("name",))
        fake.rename("更新日時", "last_modified")
        fake.world.tick(hours=1)
        fake.world.put("D002", name="後")
        found = [record for page in source.pages("deals", page.position, ("name",)) for record in page.records]
        assert [each.values["name"] for each in found] == ["前", "後"]
        assert found[1].updated_at == fake.world.things["D002"].updated_at

    @pytest.mark.parametrize(("code", "column"), [("name", "name"), ("明細", "明細.商品"), ("担当者", "担当者.0")])
    def test_11_a_mapped_field_that_is_gone_is_named_before_anything_is_read(self, fake, source, code, column):
        fake.world.put("D001", name="案件", amount=5)
        fake.rename(code, "別のコード")
        error = refusal(source, "amount", column)
        assert (error.kind, error.code, error.permanent) == ("config", "field_gone", True)
        assert error.params == {"stream": "deals", "fields": column}
        assert [call.path for call in fake.calls] == ["/k/v1/app/form/fields.json"]

    def test_a_column_of_a_table_that_is_gone_is_named(self, source):
        assert refusal(source, "明細.$id", "明細.数量").params["fields"] == "明細.数量"

    def test_a_field_that_goes_between_two_pages_is_named(self, fake, source):
        for number in range(5):
            fake.world.put(f"D{number}", name="案件")
        fake.before = lambda call: fake.rename("name", "件名") if call == 3 else None
        assert refusal(source, "name").params == {"stream": "deals", "fields": "name"}

    def test_single_records_are_looked_up_with_the_form_in_mind(self, fake, source):
        fake.world.put("D001", name="案件")
        fake.rename("name", "件名")
        with pytest.raises(ConnectorError, match="field_gone"):
            source.read("deals", ["1"], ("name",))


class TestValues:
    def test_are_plain_and_exact(self, fake, source):
        fake.world.put(
            "D001",
            name="案件",
            amount="12345678901234567890.123456789",
            粗利率="0.1",
            受注予定日="2026-11-30",
            初回商談="2026-11-01T00:30:00Z",
            確度="確度A",
            タグ=["重点", "紹介"],
            担当者=["aoki", "sato"],
            提案書=["提案.pdf"],
            明細=[{"id": 901, "商品": "保守", "小計": "300"}],
        )
        codes = [each.name for each in source.fields("deals") if "." not in each.name]
        [record] = records(source, *codes)
        assert record.external_id == record.values["$id"] == "1"
        assert record.values["レコード番号"] == "DEAL-1"
        assert record.updated_at == fake.world.things["D001"].updated_at
        assert {name: record.values[name] for name in codes[2:13]} == {
            "name": "案件",
            "amount": Decimal("12345678901234567890.123456789"),
            "粗利率": Decimal("0.1"),
            "受注予定日": "2026-11-30",
            "初回商談": "2026-11-01T00:30:00Z",
            "確度": "確度A",
            "タグ": ["重点", "紹介"],
            "担当者": ["aoki", "sato"],
            "提案書": ["提案.pdf"],
            "明細": [{"$id": "901", "商品": "保守", "小計": Decimal(300)}],
            "レコード番号": "DEAL-1",
        }
        assert record.values["作成者"] == "aoki"

    def test_what_is_empty_is_not_zero(self, fake, source):
        fake.world.put("D001")
        [record] = records(source, "amount", "粗利率", "受注予定日", "担当者", "明細")
        assert {record.values[name] for name in ("amount", "粗利率", "受注予定日")} == {None}
        assert (record.values["担当者"], record.values["明細"]) == ([], [])


class TestTableRows:
    def test_become_lines_of_a_deal_and_leave_with_their_row(self, fake, source):
        rows = [{"id": 901, "商品": "保守", "小計": "300"}, {"id": 902, "商品": "導入", "小計": "500"}]
        fake.world.put("D001", name="案件", 明細=rows)
        before = records(source, *LINES.columns)
        assert self._decided(before, {}) == [
            {"external_id": "1-901", "deal": "1", "product": "保守", "amount": Decimal(300)},
            {"external_id": "1-902", "deal": "1", "product": "導入", "amount": Decimal(500)},
        ]
        fake.world.put("D001", 明細=rows[1:])
        after = records(source, *LINES.columns)
        assert self._decided(after, {"1": before[0].values}) == [
            {"external_id": "1-902", "deal": "1", "product": "導入", "amount": Decimal(500)},
            {"external_id": "1-901", "deleted": True},
        ]

    def _decided(self, found: list[Record], previous: dict[str, Any]) -> list[dict[str, Any]]:
        decisions = changes_of(LINES, found, previous, zone=TOKYO, tally=Tally())
        assert all(isinstance(each, Accepted) for each in decisions)
        return [dict(each.record) for each in decisions]


class TestTheFake:
    """The limits that the connector has to keep."""

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("limit 501", "GAIA_QU01"),
            ("limit 500 offset 10001", "GAIA_QU02"),
            ("更新日 > 5", "GAIA_IQ11"),
            ("$id > 0 order by 更新日", "GAIA_IQ11"),
            ("name = 案件", "CB_VA01"),
            ("$id > 0 or $id < 5", "CB_VA01"),
        ],
    )
    def test_refuses(self, source, query, code):
        with pytest.raises(ConnectorError) as caught:
            ask(source, query)
        assert caught.value.params["message"].startswith(f"{code}: ")

    def test_gives_a_hundred_records_unless_it_is_asked_for_more(self, fake, source):
        for number in range(120):
            fake.world.put(f"D{number}", name="案件")
        assert len(ask(source, "$id > 0").object()["records"]) == 100
        assert len(ask(source, "$id > 0 limit 500").object()["records"]) == 120

    def test_passes_over_a_field_it_does_not_know(self, fake, source):
        fake.world.put("D001", name="案件")
        assert ask(source, "$id = 1", "name", "件名").object() == {
            "records": [{"name": {"type": "SINGLE_LINE_TEXT", "value": "案件"}}],
            "totalCount": None,
        }

    def test_counts_revisions(self, fake, source):
        for amount in (1, 2):
            fake.world.put("D001", amount=amount)
            rows = ask(source, "$id = 1", "$revision").object()["records"]
            assert rows == [{"$revision": {"type": "__REVISION__", "value": str(amount)}}]


@pytest.fixture(scope="module")
def specification() -> Any:
    path = Path(__file__).parents[4] / "shared" / "data" / "vendor" / "kintone-openapi.yaml"
    if not path.is_file():
        message = f"kintone's OpenAPI specification is not at hand: put it at {path}."
        (pytest.fail if os.environ.get("MAWARU_REQUIRE_SHARED") else pytest.skip)(message, pytrace=False)
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


# The schema that the specification has for each type, in answers and in forms.
VALUES = {
    "SINGLE_LINE_TEXT": "SingleLineText",
    "NUMBER": "Decimal",
    "CALC": "Calc",
    "DATE": "Date",
    "DATETIME": "Datetime",
    "DROP_DOWN": "SingleSelect",
    "CHECK_BOX": "MultipleSelect",
    "USER_SELECT": "UserSelect",
    "FILE": "File",
    "RECORD_NUMBER": "RecordId",
    "UPDATED_TIME": "ModifiedAt",
    "MODIFIER": "Modifier",
    "__ID__": "RawRecordId",
    "__REVISION__": "Revision",
}
FORMS = {
    **{kind: name for kind, name in VALUES.items() if not kind.startswith("__") and kind != "CHECK_BOX"},
    "CHECK_BOX": "MultipleCheck",
    "SUBTABLE": "Table",
    "GROUP": "Group",
    "REFERENCE_TABLE": "ReferenceTable",
    "STATUS": "Status",
    "STATUS_ASSIGNEE": "StatusAssignee",
    "CATEGORY": "Category",
}


class TestSpecification:
    def test_what_the_connector_calls_stands_in_it(self, specification):
        for guest_space in (None, 7):
            fake = KintoneFake(guest_space=guest_space)
            with connected(fake) as source:
                fake.world.put("D001", name="案件")
                source.check()
                records(source, "name")
            for call in fake.calls:
                path = call.path.replace("/guest/7/", "/guest/{guestSpaceId}/")
                known = {each["name"] for each in specification["paths"][path]["get"]["parameters"]}
                assert {name.split("[")[0] for name in call.query} <= known

    def test_the_values_of_the_fake_are_shaped_as_it_says(self, specification, fake, source):
        full = {
            "name": "案件",
            "amount": "5",
            "粗利率": "0.1",
            "受注予定日": "2026-11-30",
            "初回商談": "2026-11-01T00:30:00Z",
            "確度": "確度A",
            "タグ": ["重点"],
            "担当者": ["aoki"],
            "提案書": ["提案.pdf"],
        }
        fake.world.put("D001", **full)
        [row] = ask(source, "limit 1").object()["records"]
        checked = {each["type"] for each in row.values()} & set(VALUES)
        assert checked == set(VALUES)
        for each in row.values():
            if name := VALUES.get(each["type"]):
                reference = f"#/components/schemas/RecordsGet{name}SimpleValue"
                jsonschema.validate(each, {"$ref": reference, "components": specification["components"]})

    def test_the_forms_of_the_fake_have_its_properties(self, specification, fake):
        schemas = specification["components"]["schemas"]
        for form in fake.fields.values():
            if name := FORMS.get(form["type"]):
                schema = schemas[f"AppFormFieldsGet{name}{'' if name == 'Table' else 'Field'}Form"]
                assert set(form) <= set(schema["properties"])
                assert form["type"] in schema["properties"]["type"]["enum"]
