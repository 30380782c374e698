"""HubSpot as its API of 2026-09 behaves: lists, a search that lags and ends at 10,000, archives, merges, histories.

Every value is a text or null. Ids are compared as the numbers in them ("D9" before "D10").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from tests.fakes.server import Call, FakeServer, Reply, RollingLimit
from tests.fakes.world import Thing, World

VERSION = "2026-09"
KEY, CLIENT, SECRET = "pat-jp1-k3y-of-the-account", "client-1", "s3cret-of-the-client"
AUTHS = ("service_key", "oauth")
MODIFIED = {"contacts": "lastmodifieddate", "companies": "hs_lastmodifieddate", "deals": "hs_lastmodifieddate"}
DEFAULTS = {"contacts": ["email", "lastname"], "companies": ["name", "domain"], "deals": ["dealname", "amount"]}
TRACKED = {"contacts": "lifecyclestage", "companies": "lifecyclestage", "deals": "dealstage"}
LIFECYCLE = (("lead", "リード"), ("marketingqualifiedlead", "MQL"), ("salesqualifiedlead", "SQL"))
Stage = tuple[str, str, str, str]
STAGES: Sequence[Stage] = (
    ("qualified", "商談化", "0.2", "false"),
    ("won", "受注", "1.0", "true"),
    ("lost", "失注", "0.0", "true"),
)
POLICIES = {"SECONDLY": "secondly", "TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "DAILY": "daily"}
MAX_ADDRESS = 8000


class HubSpotWorld(World):
    """Records to the millisecond, with texts for values, their history, and who was merged into whom."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, dict[str, list[tuple[str | None, datetime]]]] = {}
        self.created: dict[str, datetime] = {}
        self.merged: dict[str, list[str]] = {}

    def put(self, id: str, *, at: datetime | None = None, **values: Any) -> None:
        texts = {name: None if value is None else str(value) for name, value in values.items()}
        super().put(id, at=at, **texts)
        moment = self.things[id].updated_at
        self.created.setdefault(id, moment)
        for name, value in texts.items():
            self.history.setdefault(id, {}).setdefault(name, []).insert(0, (value, moment))

    def merge(self, loser: str, winner: str) -> None:
        """The loser is archived; the winner keeps its id, and those of whoever was merged into it before."""
        super().merge(loser, winner)
        self.merged.setdefault(winner, []).extend([loser, *self.merged.pop(loser, [])])

    def merge_into_new(self, first: str, second: str, new: str) -> None:
        """Both are archived, and a record with an id of its own takes them over."""
        self.put(new, **{**self.things[second].values, **self.things[first].values})
        self.merge(second, new)
        self.merge(first, new)

    def _stamp(self, moment: datetime) -> datetime:
        return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class HubSpotFake(FakeServer):
    """One account. `page_size` is the most a page holds here; `lag` keeps what is younger away from search."""

    def __init__(self, stream: str = "deals", auth: str = "service_key", page_size: int = 3) -> None:
        super().__init__()
        self.worlds = {name: HubSpotWorld() for name in MODIFIED}
        self.world = self.worlds[stream]
        self.auth = auth
        self.page_size = page_size
        self.ceiling = 10_000
        self.lag = timedelta()
        self.zone = "Asia/Tokyo"
        self.daily = (250_000, 249_000)
        self.rates: dict[str, RollingLimit] = {}
        self.refusals = 0
        self.scopes = {f"crm.objects.{name}.read" for name in (*MODIFIED, "owners")}
        self.extra: dict[str, list[dict[str, Any]]] = {name: [] for name in MODIFIED}
        self.owners: list[dict[str, Any]] = []
        self.stages: Sequence[Stage] = STAGES
        self.further_pipelines: dict[tuple[str, str], Sequence[Stage]] = {}
        self.links: dict[tuple[str, str], dict[str, list[str]]] = {}
        self.refresh_token = "refresh-0"
        self.access_token = ""
        self.exchanges = 0
        self.consent: tuple[str, str] | None = None

    def description(self) -> dict[str, Any]:
        return {"auth": self.auth, "objects": list(MODIFIED), "base_url": self.url}

    def secrets(self) -> dict[str, str]:
        if self.auth == "service_key":
            return {"token": KEY}
        return {"client_id": CLIENT, "client_secret": SECRET, "refresh_token": "refresh-0"}

    def agree(self, address: str) -> str:
        """A person agrees on the page of this address; returns where they are sent."""
        parts = urlsplit(address)
        call = Call("GET", parts.path, dict(parse_qsl(parts.query)), {}, b"")
        return self._consent(call).headers["Location"]

    def expire_token(self) -> None:
        """The access token that was given out is worth nothing from now on."""
        self.access_token = ""

    def keep_rates(self, *, calls: int = 100, daily: int = 250_000) -> None:
        """From now on calls are counted: in any ten seconds, of searches in any second, and of the day."""
        self.rates = {"TEN_SECONDLY_ROLLING": RollingLimit(calls, 10), "SECONDLY": RollingLimit(5, 1)}
        self.daily = (daily, daily)

    def answer(self, call: Call) -> Reply:
        if call.path == f"/oauth/{VERSION}/token":
            return self._token(call)
        if call.path == "/oauth/authorize":
            return self._consent(call)
        if not self._is_allowed(call):
            return refused(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION")
        is_search = call.path.endswith("/search")
        if over := self._over(is_search=is_search):
            self.refusals += 1
            return limited(over)
        reply = self._route(call)
        if is_search:
            return reply
        most, left = self.daily
        limits = {"X-HubSpot-RateLimit-Daily": str(most), "X-HubSpot-RateLimit-Daily-Remaining": str(left)}
        return Reply(reply.status, reply.body, {**limits, **reply.headers})

    def _over(self, *, is_search: bool) -> str:
        """The policy that a call breaks; "" where it breaks none, and then it is counted."""
        if not self.rates:
            return ""
        most, left = self.daily
        if not left:
            return "DAILY"
        if is_search and not self.rates["SECONDLY"].takes(self.now()):
            return "SECONDLY"
        if not self.rates["TEN_SECONDLY_ROLLING"].takes(self.now()):
            return "TEN_SECONDLY_ROLLING"
        self.daily = (most, left - 1)
        return ""

    def _route(self, call: Call) -> Reply:
        for pattern, scope, handler in self._routes():
            found = re.fullmatch(pattern, f"{call.method} {call.path}")
            if found is None:
                continue
            scope = scope.format(*found.groups())
            if scope and scope not in self.scopes:
                return missing_scopes(scope)
            return handler(call, *found.groups())
        return refused(404, f"No route for {call.path}", "OBJECT_NOT_FOUND")

    def _routes(self) -> Sequence[tuple[str, str, Callable[..., Reply]]]:
        objects, kind = f"/crm/objects/{VERSION}", "(contacts|companies|deals)"
        own = "crm.objects.{0}.read"
        return (
            (f"GET /account-info/{VERSION}/details", "", self._account),
            (f"GET /crm/owners/{VERSION}", "crm.objects.owners.read", self._owners),
            (f"GET /crm/pipelines/{VERSION}/deals", "crm.objects.deals.read", self._pipelines),
            (f"GET /crm/properties/{VERSION}/{kind}", own, self._properties),
            (f"GET {objects}/{kind}", own, self._list),
            (f"POST {objects}/{kind}/search", own, self._search),
            (f"POST {objects}/{kind}/batch/read", own, self._batch),
            (f"POST /crm/associations/{VERSION}/{kind}/{kind}/batch/read", own, self._associations),
        )

    def associate(self, kind: str, id: str, other: str, *ids: str) -> None:
        """From now on a record is associated with these of another kind; its stamp stays."""
        self.links.setdefault((kind, other), {})[id] = list(ids)

    def _associations(self, call: Call, kind: str, other: str) -> Reply:
        linked, ids = self.links.get((kind, other), {}), [each["id"] for each in call.json()["inputs"]]
        if len(ids) > 1000:
            return refused(400, f"{len(ids)} inputs are too many.", "VALIDATION_ERROR")
        type = {"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}
        rows = [
            {
                "from": {"id": id},
                "to": [{"toObjectId": int(_number(to)), "associationTypes": [type]} for to in linked[id]],
            }
            for id in ids
            if linked.get(id)
        ]
        if len(rows) == len(ids):
            return Reply(200, {"status": "COMPLETE", "results": rows})
        nothing = {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "context": {"fromObjectId": [id for id in ids if not linked.get(id)]},
        }
        return Reply(207, {"status": "COMPLETE", "results": rows, "numErrors": 1, "errors": [nothing]})

    def _account(self, call: Call) -> Reply:
        return Reply(200, {"portalId": 62515, "accountType": "STANDARD", "timeZone": self.zone})

    def _owners(self, call: Call) -> Reply:
        wanted = call.query.get("archived") == "true"
        rows = [{**row, "archived": bool(row.get("archived"))} for row in self.owners]
        return self._paged(call, [row for row in rows if row["archived"] == wanted])

    def _pipelines(self, call: Call) -> Reply:
        pipelines = {("default", "新規"): self.stages, **self.further_pipelines}
        rows = [
            {"id": id, "label": label, "displayOrder": at, "stages": [_stage(*each) for each in enumerate(stages)]}
            for at, ((id, label), stages) in enumerate(pipelines.items())
        ]
        return Reply(200, {"results": rows})

    def _stages(self) -> list[Stage]:
        return [stage for stages in (self.stages, *self.further_pipelines.values()) for stage in stages]

    def _properties(self, call: Call, kind: str) -> Reply:
        texts = [_property(name, name) for name in dict.fromkeys(["name", *DEFAULTS[kind], "hubspot_owner_id"])]
        dates = [_property(name, name, "datetime") for name in ("createdate", MODIFIED[kind])]
        past = TRACKED[kind]
        words = LIFECYCLE if past == "lifecyclestage" else [stage[:2] for stage in self._stages()]
        # The options of a deal's stage and pipeline are told by the pipelines alone.
        tracked = [_property(past, "ステージ", "enumeration", words if past == "lifecyclestage" else ())]
        tracked += [_property("pipeline", "パイプライン", "enumeration")] if kind == "deals" else []
        entered = [_property(f"hs_v2_date_entered_{id}", f"Date entered “{label}”", "datetime") for id, label in words]
        listed = [
            *[row for row in texts if row["name"] != "amount"],
            _property("amount", "金額", "number"),
            *dates,
            *tracked,
            *entered,
            _property("hs_object_id", "Record ID", "number"),
            _property("hs_merged_object_ids", "Merged record IDs", "enumeration"),
            *self.extra[kind],
        ]
        return Reply(200, {"results": listed})

    def _list(self, call: Call, kind: str) -> Reply:
        address = "&".join(f"{name}={value}" for name, value in call.query.items())
        if len(address) > MAX_ADDRESS:
            return Reply(414, None)
        past = _names(call, "propertiesWithHistory")
        most, limit = 50 if past else 100, int(call.query.get("limit", "10"))
        if limit > most:
            return refused(400, f"limit {limit} exceeds {most}", "VALIDATION_ERROR")
        archived = call.query.get("archived") == "true"
        things = [each for each in self.worlds[kind] if each.is_deleted == archived]
        things.sort(key=lambda each: _number(each.id))
        names = _names(call, "properties") or DEFAULTS[kind]
        return self._paged(call, [self._row(kind, each, names, past) for each in things], limit)

    def _paged(self, call: Call, rows: list[dict[str, Any]], limit: int = 100) -> Reply:
        """`after` is the last id of the page before."""
        rest = [row for row in rows if _number(row["id"]) > _number(call.query.get("after", "0"))]
        shown = rest[: min(limit, self.page_size)]
        paging = {"paging": {"next": {"after": shown[-1]["id"], "link": "?"}}} if len(rest) > len(shown) else {}
        return Reply(200, {"results": shown, **paging})

    def _search(self, call: Call, kind: str) -> Reply:
        asked = call.json()
        groups, sorts, limit = asked.get("filterGroups", []), asked.get("sorts", []), asked.get("limit", 10)
        after = int(asked.get("after") or 0)
        if limit > 200 or len(sorts) > 1 or len(groups) > 5 or any(len(each["filters"]) > 6 for each in groups):
            return refused(400, "There was a problem with the request.", "VALIDATION_ERROR")
        if after >= self.ceiling:
            return refused(400, f"Search results beyond {self.ceiling} cannot be paged.", "VALIDATION_ERROR")
        # Without a lag search shows the stamps of the future too, which the clock of a test may set.
        indexed = self.now() - self.lag if self.lag else datetime.max.replace(tzinfo=UTC)
        visible = [each for each in self.worlds[kind] if not each.is_deleted and each.updated_at <= indexed]
        found = [each for each in visible if any(self._matches(kind, each, group["filters"]) for group in groups)]
        for sort in sorts:
            is_down = sort["direction"] == "DESCENDING"
            found.sort(key=lambda each: self._comparable(kind, each, sort["propertyName"]), reverse=is_down)
        end = min(after + limit, after + self.page_size, self.ceiling)
        shown = [each for each in found[after:end] if each.id not in self.swallowed]
        rows = [self._row(kind, each, asked.get("properties") or DEFAULTS[kind], ()) for each in shown]
        paging = {"paging": {"next": {"after": str(end)}}} if end < len(found) else {}
        return Reply(200, {"total": len(found), "results": rows, **paging})

    def _matches(self, kind: str, thing: Thing, filters: Sequence[Mapping[str, Any]]) -> bool:
        return all(self._passes(self._comparable(kind, thing, each["propertyName"]), each) for each in filters)

    def _passes(self, value: float, filter: Mapping[str, Any]) -> bool:
        if filter["operator"] == "EQ":
            return value == (filter["value"] == "true")
        bound = float(_number(filter["value"]))
        return {"GT": value > bound, "GTE": value >= bound, "LT": value < bound, "LTE": value <= bound}[
            filter["operator"]
        ]

    def _comparable(self, kind: str, thing: Thing, name: str) -> float:
        if name == "hs_object_id":
            return _number(thing.id)
        if name == "hs_is_closed" and kind == "deals":
            return thing.values.get("dealstage") in {id for id, _, _, closed in self._stages() if closed == "true"}
        if name != MODIFIED[kind]:
            raise AssertionError(f"HubSpot knows no property {name} of {kind} to search by")
        return round(thing.updated_at.timestamp() * 1000)

    def _batch(self, call: Call, kind: str) -> Reply:
        asked = call.json()
        past, ids = asked.get("propertiesWithHistory") or [], [each["id"] for each in asked["inputs"]]
        if len(ids) > (50 if past else 100):
            return refused(400, f"{len(ids)} inputs are too many.", "VALIDATION_ERROR")
        living = {each.id: each for each in self.worlds[kind] if not each.is_deleted}
        rows = [self._row(kind, living[id], asked.get("properties") or [], past) for id in ids if id in living]
        if len(rows) == len(ids):
            return Reply(200, {"status": "COMPLETE", "results": rows})
        gone = {"category": "OBJECT_NOT_FOUND", "context": {"ids": [id for id in ids if id not in living]}}
        return Reply(207, {"status": "COMPLETE", "results": rows, "numErrors": 1, "errors": [gone]})

    def _row(self, kind: str, thing: Thing, names: Sequence[str], past: Sequence[str]) -> dict[str, Any]:
        """What a record shows of itself; a name that there is no property for is left out silently."""
        world = self.worlds[kind]
        changed, created = _iso(thing.updated_at), _iso(world.created[thing.id])
        held = {
            **thing.values,
            "hs_object_id": thing.id,
            "createdate": created,
            MODIFIED[kind]: changed,
            "hs_merged_object_ids": ";".join(world.merged.get(thing.id, [])) or None,
        }
        known = {row["name"] for row in self._properties(Call("GET", "", {}, {}, b""), kind).body["results"]}
        shown = {name: held.get(name) for name in names if name in known}
        row = {"id": thing.id, "properties": shown, "createdAt": created, "updatedAt": changed}
        row |= {"archived": thing.is_deleted, **({"archivedAt": changed} if thing.is_deleted else {})}
        if past:
            history = {name: self._history(kind, thing.id, name) for name in past if name in known}
            row["propertiesWithHistory"] = history
        return row

    def _history(self, kind: str, id: str, name: str) -> list[dict[str, Any]]:
        entries = self.worlds[kind].history.get(id, {}).get(name, [])
        return [{"value": value or "", "timestamp": _iso(at), "sourceType": "CRM_UI"} for value, at in entries]

    def _token(self, call: Call) -> Reply:
        form = call.form()
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return Reply(401, {"error": "invalid_client", "error_description": f"unknown client {SECRET}"})
        if form.get("grant_type") == "authorization_code":
            if not self.consent or (form.get("code"), form.get("redirect_uri")) != self.consent:
                return refused(400, "missing or unknown auth code", "BAD_AUTH_CODE")
            self.consent = None
        elif form.get("grant_type") != "refresh_token" or form.get("refresh_token") != self.refresh_token:
            said = f"missing or invalid refresh token {form.get('refresh_token')}"
            return Reply(400, {"status": "BAD_REFRESH_TOKEN", "error": "invalid_grant", "error_description": said})
        self.exchanges += 1
        self.refresh_token, self.access_token = f"refresh-{self.exchanges}", f"access-{self.exchanges}"
        given = {"access_token": self.access_token, "refresh_token": self.refresh_token, "expires_in": 1800}
        return Reply(200, {**given, "token_type": "bearer"})

    def _consent(self, call: Call) -> Reply:
        """The page of consent, on which everybody agrees at once."""
        asked = call.query
        if asked.get("client_id") != CLIENT or not {"oauth", *self.scopes} <= set(asked.get("scope", "").split()):
            return refused(400, "unknown client, or scopes that the app does not have", "VALIDATION_ERROR")
        self.consent = (f"code-{self.exchanges}", asked["redirect_uri"])
        back = urlencode({"code": self.consent[0], "state": asked["state"]})
        return Reply(302, None, {"Location": f"{asked['redirect_uri']}?{back}"})

    def _is_allowed(self, call: Call) -> bool:
        token = KEY if self.auth == "service_key" else self.access_token
        return bool(token) and call.headers.get("authorization") == f"Bearer {token}"


def refused(status: int, message: str, category: str, **more: Any) -> Reply:
    """An error as HubSpot words it."""
    body = {"status": "error", "message": message, "correlationId": "c0ffee-4711", "category": category, **more}
    return Reply(status, body)


def limited(policy: str, headers: Mapping[str, str] | None = None) -> Reply:
    """429 by one of the policies; `Retry-After` is not promised."""
    message = f"You have reached your {POLICIES[policy]} limit."
    reply = refused(429, message, "RATE_LIMITS", errorType="RATE_LIMIT", policyName=policy)
    return Reply(429, reply.body, headers or {})


def missing_scopes(*scopes: str) -> Reply:
    words = "One or more of the following scopes are required."
    errors = [{"message": words, "context": {"requiredGranularScopes": list(scopes)}}]
    message = "This app hasn't been granted all required scopes to make this call."
    return refused(403, message, "MISSING_SCOPES", errors=errors)


def _stage(place: int, stage: Stage) -> dict[str, Any]:
    id, label, probability, closed = stage
    metadata = {"probability": probability, "isClosed": closed}
    return {"id": id, "label": label, "displayOrder": place, "archived": False, "metadata": metadata}


def _property(name: str, label: str, type: str = "string", options: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    listed = [{"value": value, "label": label, "hidden": False} for value, label in options]
    return {"name": name, "label": label, "type": type, "fieldType": "text", "options": listed, "archived": False}


def _names(call: Call, name: str) -> list[str]:
    return [each for each in unquote(call.query.get(name, "")).split(",") if each]


def _number(id: str) -> int:
    return int(re.sub(r"\D", "", str(id)) or "0")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
