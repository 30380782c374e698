"""kintone as it answers: an app of deals and an empty one, each behind its token, with its query language, its minutes
and its silences.

Forms and values are shaped as its OpenAPI specification says (version 20250423000000); what that leaves open (codes of
errors, limits, headers) is as its documentation has it. The world names records “D001”; kintone numbers them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.fakes.server import Call, FakeServer, Reply
from tests.fakes.world import Thing, World

TOKEN, OTHER_TOKEN, PASSWORD = "t0kenOfTheDealsApp", "t0kenOfAnotherApp", "s3cret-before-kintone"
APP, EMPTY_APP = 12, 13
MINUTE = timedelta(minutes=1)
MAX_LIMIT, MAX_OFFSET, DEFAULT_LIMIT = 500, 10_000, 100
MAX_ADDRESS, MAX_FIELDS_IN_ADDRESS = 8_000, 100
CONCURRENCY_LIMIT = 100
# Where a row keeps its time of change to the second; no answer shows it.
UNSEEN = "\0updated"

OWNER = {"code": "aoki", "name": "青木 一郎"}
FIELDS: dict[str, dict[str, Any]] = {
    "name": {"type": "SINGLE_LINE_TEXT", "label": "案件名", "required": True, "unique": False},
    "amount": {"type": "NUMBER", "label": "金額", "unit": "円", "unitPosition": "AFTER", "digit": True},
    "粗利率": {"type": "CALC", "label": "粗利率", "expression": "粗利/amount", "format": "NUMBER"},
    "受注予定日": {"type": "DATE", "label": "受注予定日", "required": False},
    "初回商談": {"type": "DATETIME", "label": "初回商談", "required": False},
    "確度": {
        "type": "DROP_DOWN",
        "label": "確度",
        "options": {
            "確度B": {"label": "確度B", "index": "1"},
            "確度A": {"label": "確度A", "index": "0"},
        },
    },
    "タグ": {
        "type": "CHECK_BOX",
        "label": "タグ",
        "options": {"重点": {"label": "重点", "index": "0"}, "紹介": {"label": "紹介", "index": "1"}},
    },
    "担当者": {"type": "USER_SELECT", "label": "担当者", "entities": [], "defaultValue": []},
    "提案書": {"type": "FILE", "label": "提案書", "thumbnailSize": "150"},
    "明細": {
        "type": "SUBTABLE",
        "label": "明細",
        "fields": {
            "商品": {"type": "SINGLE_LINE_TEXT", "code": "商品", "label": "商品"},
            "小計": {"type": "NUMBER", "code": "小計", "label": "小計"},
        },
    },
    "基本情報": {"type": "GROUP", "label": "基本情報", "openGroup": True},
    "関連活動": {"type": "REFERENCE_TABLE", "label": "関連活動", "referenceTable": {}},
    "レコード番号": {"type": "RECORD_NUMBER", "label": "レコード番号"},
    "作成者": {"type": "CREATOR", "label": "作成者"},
    "作成日時": {"type": "CREATED_TIME", "label": "作成日時"},
    "更新者": {"type": "MODIFIER", "label": "更新者"},
    "更新日時": {"type": "UPDATED_TIME", "label": "更新日時"},
    "ステータス": {"type": "STATUS", "label": "ステータス", "enabled": False},
    "作業者": {"type": "STATUS_ASSIGNEE", "label": "作業者", "enabled": False},
    "カテゴリー": {"type": "CATEGORY", "label": "カテゴリー", "enabled": False},
}
EMPTY: Mapping[str, Any] = {
    "CHECK_BOX": [],
    "USER_SELECT": [],
    "FILE": [],
    "SUBTABLE": [],
    "NUMBER": "",
    "CALC": "",
    "SINGLE_LINE_TEXT": "",
}


class QueryError(Exception):
    """A query that kintone refuses, with its code and words."""

    def __init__(self, code: str, message: str) -> None:
        self.reply = refusal(400, code, message)
        super().__init__(message)


class KintoneFake(FakeServer):
    """`tokens` by app; `guest_space` and `basic_auth` as the owner of the domain has set them.

    `fields` is the form: a test renames and removes there. `aborts_above` is how many matches a search may have. With
    `sorts_by_seconds` the order of records follows seconds that no answer shows.
    """

    def __init__(self, *, guest_space: int | None = None, basic_auth: bool = False) -> None:
        super().__init__()
        self.world = World(resolution=MINUTE)
        self.fields = {code: {"code": code, **each} for code, each in FIELDS.items()}
        self.tokens = {str(APP): TOKEN, str(EMPTY_APP): OTHER_TOKEN}
        self.guest_space = guest_space
        self.basic_auth = basic_auth
        self.aborts_above = 100_000
        self.running = 1
        self.sorts_by_seconds = False
        self._numbers: dict[str, int] = {}
        self._revisions: dict[str, tuple[Thing, int]] = {}

    def description(self) -> dict[str, Any]:
        """What a consultant would write for this source."""
        return {
            "base_url": self.url,
            "guest_space": self.guest_space,
            "basic_auth": self.basic_auth,
            "apps": [{"app": APP, "name": "deals", "label": "案件管理"}],
        }

    def secrets(self) -> dict[str, str]:
        basic = {"username": "gate", "password": PASSWORD} if self.basic_auth else {}
        return {"tokens": f"{OTHER_TOKEN},{TOKEN}", **basic}

    def external_id(self, name: str) -> str:
        """The `$id` of a record of the world."""
        return str(self._number(name))

    def world_id(self, external_id: str) -> str:
        return {str(number): name for name, number in self._numbers.items()}[external_id]

    def rename(self, code: str, new: str) -> None:
        """A person edits the code of a field; its values stay."""
        kept = list(self.fields.items())
        self.fields = {new if old == code else old: each for old, each in kept}
        self.fields[new] = {**self.fields[new], "code": new}
        for thing in self.world:
            if code in thing.values:
                thing.values[new] = thing.values.pop(code)

    def answer(self, call: Call) -> Reply:
        space = f"guest/{self.guest_space}/" if self.guest_space is not None else ""
        if self.basic_auth and call.headers.get("authorization") != _basic("gate", PASSWORD):
            return Reply(401, None, {"Content-Type": "text/html"}, b"<html>401 Unauthorized</html>")
        asked = _asked(call)
        app = str(asked.get("app", ""))
        refused = self._refused(call, app)
        if refused is not None:
            return refused
        places: dict[str, Callable[[Mapping[str, Any]], Reply]] = {
            f"/k/{space}v1/records.json": self._records,
            f"/k/{space}v1/app/form/fields.json": self._form,
        }
        if call.path not in places:
            return refusal(404, "CB_NO01", "指定したURLが見つかりません。")
        reply = places[call.path](asked)
        headers = {"X-ConcurrencyLimit-Limit": str(CONCURRENCY_LIMIT), "X-ConcurrencyLimit-Running": str(self.running)}
        return Reply(reply.status, reply.body, {**headers, **reply.headers}, reply.raw)

    def _refused(self, call: Call, app: str) -> Reply | None:
        """What is refused before the app is looked at."""
        if call.method == "GET" and ("content-type" in call.headers or call.body):
            return refusal(400, "CB_IL02", "不正なリクエストです。")
        if call.method == "POST" and call.headers.get("x-http-method-override") != "GET":
            return refusal(400, "CB_VA01", "入力内容が正しくありません。")
        if len(urlencode(call.query)) > MAX_ADDRESS:
            return Reply(414, None, {"Content-Type": "text/html"}, b"<html>414 Request-URI Too Large</html>")
        if self.running > CONCURRENCY_LIMIT:
            return refusal(429, "GAIA_TO04", "同時に実行できるリクエスト数の上限を超えました。")
        given = call.headers.get("x-cybozu-api-token", "")
        if not given:
            return refusal(401, "CB_AU01", "ログインしてください。")
        if app not in self.tokens:
            return refusal(404, "GAIA_AP01", f"指定したアプリ（id: {app}）が見つかりません。")
        if self.tokens[app] not in given.split(","):
            return refusal(400, "GAIA_IA02", "指定したAPIトークンは、アプリで生成されたトークンと異なります。")
        return None

    def _form(self, asked: Mapping[str, Any]) -> Reply:
        return Reply(200, {"properties": self.fields, "revision": "7"})

    def _records(self, asked: Mapping[str, Any]) -> Reply:
        codes = asked.get("fields") or [*self.fields, "$id", "$revision"]
        is_empty = str(asked["app"]) == str(EMPTY_APP)
        rows = [] if is_empty else [self._row(thing) for thing in self.world if not thing.is_deleted]
        try:
            query = Query(str(asked.get("query", "")), self._types())
        except QueryError as error:
            return error.reply
        found = [row for row in rows if query.takes(row)]
        is_cut = len(found) > self.aborts_above
        found = query.sorted(found[: self.aborts_above], by_seconds=self.sorts_by_seconds)
        # A code that the form does not have is passed over without a word.
        unseen = {str(self._number(name)) for name in self.swallowed}
        given = [row for row in query.page(found) if row["$id"]["value"] not in unseen]
        shown = [{code: row[code] for code in codes if code in row} for row in given]
        total = str(len(found)) if str(asked.get("totalCount", "")).lower() == "true" else None
        warning = {"X-Cybozu-Warning": "Filter aborted because of too many search results"} if is_cut else {}
        return Reply(200, {"records": shown, "totalCount": total}, warning)

    def _types(self) -> dict[str, str]:
        types = {code: str(each["type"]) for code, each in self.fields.items()}
        return {**types, "$id": "__ID__", "$revision": "__REVISION__"}

    def _row(self, thing: Thing) -> dict[str, dict[str, Any]]:
        number = self._number(thing.id)
        stamp = _stamp(thing.updated_at)
        system: dict[str, Any] = {
            "RECORD_NUMBER": f"DEAL-{number}",
            "CREATOR": OWNER,
            "MODIFIER": OWNER,
            "CREATED_TIME": stamp,
            "UPDATED_TIME": stamp,
        }
        row: dict[str, dict[str, Any]] = {
            UNSEEN: {"type": "UPDATED_TIME", "value": thing.updated_at.isoformat()},
            "$id": {"type": "__ID__", "value": str(number)},
            "$revision": {"type": "__REVISION__", "value": str(self._revision(thing))},
        }
        for code, form in self.fields.items():
            kind = form["type"]
            if kind in {"GROUP", "REFERENCE_TABLE"} or form.get("enabled") is False:
                continue
            value = system[kind] if kind in system else _sent(form, thing.values.get(code))
            row[code] = {"type": kind, "value": value}
        return row

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers) + 1)

    def _revision(self, thing: Thing) -> int:
        """One more than the last time, where the record has been written since."""
        seen, revision = self._revisions.get(thing.id, (thing, 1))
        revision += seen is not thing
        self._revisions[thing.id] = (thing, revision)
        return revision


class Query:
    """The part of kintone's query language that reads by keys: conditions joined by *and*, order, limit, offset."""

    def __init__(self, text: str, types: Mapping[str, str]) -> None:
        self._types = types
        conditions, order, window = self._parts(text)
        self._conditions = [self._condition(each) for each in re.split(r"\s+and\s+", conditions) if each.strip()]
        self._order = [self._ordering(each) for each in order.split(",") if each.strip()] or [("$id", "desc")]
        self._limit = int(window.get("limit", DEFAULT_LIMIT))
        self._offset = int(window.get("offset", 0))
        if not 1 <= self._limit <= MAX_LIMIT:
            raise QueryError("GAIA_QU01", "limit には 500 以下の値を指定してください。")
        if self._offset > MAX_OFFSET:
            raise QueryError("GAIA_QU02", "offset には 10,000 以下の値を指定してください。")

    def takes(self, row: Mapping[str, Any]) -> bool:
        return all(condition(row) for condition in self._conditions)

    def sorted(self, rows: list[Any], *, by_seconds: bool) -> list[Any]:
        for code, direction in reversed(self._order):
            is_unseen = by_seconds and self._types[code] == "UPDATED_TIME"
            key = (lambda row: row[UNSEEN]["value"]) if is_unseen else self._key_of(code)
            rows = sorted(rows, key=key, reverse=direction == "desc")
        return rows

    def page(self, rows: list[Any]) -> list[Any]:
        return rows[self._offset : self._offset + self._limit]

    def _parts(self, text: str) -> tuple[str, str, dict[str, str]]:
        window = dict(re.findall(r"\b(limit|offset)\s+(\d+)", text))
        text = re.sub(r"\s*\b(limit|offset)\s+\d+", "", text).strip()
        conditions, _, order = text.partition("order by ")
        return conditions.strip(), order, window

    def _condition(self, text: str) -> Callable[[Mapping[str, Any]], bool]:
        if found := re.fullmatch(r"(\S+)\s+in\s+\(([^()]+)\)", text.strip()):
            code = self._known(found[1])
            values = {self._key(code, self._literal(code, each)) for each in found[2].split(",")}
            return lambda row: self._key(code, row[code]["value"]) in values
        found = re.fullmatch(r"(\S+)\s*(>=|<=|>|<|=)\s*(\S+)", text.strip())
        if found is None:
            raise QueryError("CB_VA01", "クエリ記法が間違っています。")
        code, sign = self._known(found[1]), found[2]
        limit = self._key(code, self._literal(code, found[3]))
        return lambda row: _compare(sign, self._key(code, row[code]["value"]), limit)

    def _ordering(self, text: str) -> tuple[str, str]:
        found = re.fullmatch(r"(\S+)(?:\s+(asc|desc))?", text.strip())
        if found is None:
            raise QueryError("CB_VA01", "クエリ記法が間違っています。")
        return self._known(found[1]), found[2] or "asc"

    def _known(self, code: str) -> str:
        if code not in self._types:
            raise QueryError("GAIA_IQ11", f"指定されたフィールド（{code}）が見つかりません。")
        return code

    def _literal(self, code: str, text: str) -> str:
        text = text.strip()
        is_number = self._types[code] in {"__ID__", "__REVISION__", "NUMBER"}
        quoted = re.fullmatch(r'"([^"]*)"', text)
        if quoted is None and not (is_number and re.fullmatch(r"-?\d+", text)):
            raise QueryError("CB_VA01", "クエリ記法が間違っています。")
        return quoted[1] if quoted else text

    def _key_of(self, code: str) -> Callable[[Mapping[str, Any]], Any]:
        return lambda row: self._key(code, row[code]["value"])

    def _key(self, code: str, value: str) -> Any:
        match self._types[code]:
            case "__ID__" | "__REVISION__" | "NUMBER":
                return float(value or "nan")
            case "UPDATED_TIME" | "CREATED_TIME":
                return datetime.fromisoformat(value).replace(second=0, microsecond=0)
        return value


def refusal(status: int, code: str, message: str) -> Reply:
    return Reply(status, {"code": code, "id": "1505999166-897850006", "message": message}, {"X-Cybozu-Error": code})


def _compare(sign: str, value: Any, limit: Any) -> bool:
    match sign:
        case ">=":
            return bool(value >= limit)
        case "<=":
            return bool(value <= limit)
        case ">":
            return bool(value > limit)
        case "<":
            return bool(value < limit)
    return bool(value == limit)


def _asked(call: Call) -> dict[str, Any]:
    """The parameters of a call, from its address or from its body."""
    if call.method == "POST":
        return dict(call.json() or {})
    asked: dict[str, Any] = {name: value for name, value in call.query.items() if not name.startswith("fields[")}
    places = [int(name[7:-1]) for name in call.query if name.startswith("fields[")]
    # Places beyond the hundredth are not read.
    fields = [call.query[f"fields[{place}]"] for place in sorted(places) if place < MAX_FIELDS_IN_ADDRESS]
    return {**asked, **({"fields": fields} if fields else {})}


def _sent(form: Mapping[str, Any], value: Any) -> Any:
    """A value of the world as kintone sends it: numbers are texts, users have names, rows of tables are wrapped."""
    kind = form["type"]
    match kind:
        case "SUBTABLE":
            inner = form["fields"]
            return [
                {
                    "id": str(row["id"]),
                    "value": {
                        code: {"type": each["type"], "value": _sent(each, row.get(code))}
                        for code, each in inner.items()
                    },
                }
                for row in value or ()
            ]
        case "USER_SELECT":
            return [{"code": code, "name": f"{code}さん"} for code in value or ()]
        case "FILE":
            kept = {"contentType": "application/pdf", "fileKey": "201202061155587E339F9067544F1A92C743460E3D12B3297"}
            return [{**kept, "name": name, "size": "17"} for name in value or ()]
    if value is None:
        return EMPTY.get(kind)
    return str(value) if kind in {"NUMBER", "CALC"} else value


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:00Z")


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
