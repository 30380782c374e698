"""A REST source of no vendor in particular: every way of paging, authorising and asking for changes."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from tests.fakes.server import Call, FakeServer, Reply
from tests.fakes.world import Thing, World

TOKEN, KEY, CLIENT, SECRET = "t0ken-of-the-source", "k3y-of-the-source", "client-1", "s3cret-of-the-client"
AUTHS = ("none", "header", "bearer", "basic", "oauth2_client_credentials")
PAGING = ("next_link", "header_link", "page", "offset", "cursor", "keyset")


class RestFake(FakeServer):
    """`GET /v1/deals?updated_since=`, by `paging`, behind `auth`. Deleted records come marked, as many sources do."""

    def __init__(self, paging: str = "keyset", auth: str = "none", page_size: int = 3) -> None:
        super().__init__()
        self.world = World()
        self.paging = paging
        self.auth = auth
        self.page_size = page_size
        self.tokens = 0

    def document(self, *, increments: bool = True, calls: bool = False) -> dict[str, Any]:
        """The document that a consultant would write for this source; with `calls`, of one that calls us too."""
        stream: dict[str, Any] = {
            "name": "deals",
            "path": "v1/deals",
            "id": "uid",
            "records": "data.items",
            "total": "data.total",
            "deleted": {"field": "state", "values": ["deleted", "merged"]},
            "merged_into": "merged_into",
            "paginator": self._paginator(),
        }
        if increments:
            stream["incremental"] = {"field": "updated_at", "param": "updated_since", "look_back_seconds": 60}
        auth = {"type": self.auth, "name": "X-Api-Key" if self.auth == "header" else ""}
        if self.auth == "oauth2_client_credentials":
            auth["token_url"] = f"{self.url}/oauth/token"
        document = {"base_url": self.url, "auth": auth, "streams": [stream]}
        if calls:
            stream["single"] = {"path": "v1/deals/{id}", "record": "data"}
            document["webhook"] = {"header": "X-Signature", "prefix": "sha256=", "events": "events", "stream": "deals"}
            document["webhook"] |= {"event_id": "id", "record_id": "deal.uid"}
        return document

    def secrets(self) -> dict[str, str]:
        return {
            "none": {},
            "header": {"key": KEY},
            "bearer": {"token": TOKEN},
            "basic": {"username": "sync", "password": SECRET},
            "oauth2_client_credentials": {"client_id": CLIENT, "client_secret": SECRET},
        }[self.auth]

    def answer(self, call: Call) -> Reply:
        if call.path == "/oauth/token":
            return self._token(call)
        if not self._is_allowed(call):
            return Reply(401, {"message": f"no access for {call.headers.get('authorization', '')}"})
        if call.path.startswith("/v1/deals/"):
            thing = self.world.things.get(call.path.removeprefix("/v1/deals/"))
            return Reply(404, {"message": "no such deal"}) if thing is None else self._single(thing)
        if call.path != "/v1/deals":
            return Reply(404, {"message": "no such place"})
        things = sorted(self.world, key=lambda thing: thing.id)
        if since := call.query.get("updated_since"):
            things = [thing for thing in things if thing.updated_at >= datetime.fromisoformat(since)]
        return self._page(call, things)

    def _page(self, call: Call, things: list[Thing]) -> Reply:
        size = self.page_size
        match self.paging:
            case "keyset":
                rest = [thing for thing in things if thing.id > call.query.get("after", "")]
                return self._reply(rest[:size], len(things))
            case "page":
                start = (int(call.query["page"]) - 1) * size
            case _:
                start = int(call.query.get("offset", call.query.get("cursor", "c0").removeprefix("c")))
        shown, end = things[start : start + size], start + size
        has_more = end < len(things)
        query = "&".join(f"{name}={value}" for name, value in {**call.query, "offset": end}.items())
        link = f"/v1/deals?{query}".replace("+", "%2B")
        match self.paging:
            case "next_link":
                return self._reply(shown, len(things), next=f"{self.url}{link}" if has_more else None)
            case "header_link":
                header = {"Link": f'<{link}>; rel="next", </v1/deals>; rel="first"'} if has_more else {}
                return self._reply(shown, len(things), headers=header)
            case "cursor":
                return self._reply(shown, len(things), next=f"c{end}" if has_more else "")
        return self._reply(shown, len(things))

    def _reply(self, things: list[Thing], total: int, *, next: Any = None, headers: Any = None) -> Reply:
        items = [self._item(thing) for thing in things if thing.id not in self.swallowed]
        return Reply(200, {"data": {"items": items, "total": total}, "paging": {"next": next}}, headers or {})

    def _single(self, thing: Thing) -> Reply:
        return Reply(410, {"message": "deleted"}) if thing.is_deleted else Reply(200, {"data": self._item(thing)})

    def _item(self, thing: Thing) -> dict[str, Any]:
        state = "merged" if thing.merged_into else "deleted" if thing.is_deleted else "live"
        stamp = thing.updated_at.isoformat()
        return {"uid": thing.id, **thing.values, "updated_at": stamp, "state": state, "merged_into": thing.merged_into}

    def _token(self, call: Call) -> Reply:
        given = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {given}":
            return Reply(401, {"error": "invalid_client", "error_description": f"unknown client {SECRET}"})
        self.tokens += 1
        return Reply(200, {"access_token": f"{TOKEN}-{self.tokens}", "token_type": "Bearer", "expires_in": 3600})

    def expire_token(self) -> None:
        """What was given out is worth nothing from now on."""
        self.tokens += 1

    def _is_allowed(self, call: Call) -> bool:
        header = call.headers.get("authorization", "")
        match self.auth:
            case "header":
                return call.headers.get("x-api-key") == KEY
            case "bearer":
                return header == f"Bearer {TOKEN}"
            case "basic":
                return header == "Basic " + base64.b64encode(f"sync:{SECRET}".encode()).decode()
            case "oauth2_client_credentials":
                return header == f"Bearer {TOKEN}-{self.tokens}"
        return True

    def _paginator(self) -> dict[str, Any]:
        return {
            "next_link": {"type": "next_link", "path": "paging.next"},
            "header_link": {"type": "header_link"},
            "page": {"type": "page", "param": "page"},
            "offset": {"type": "offset", "param": "offset"},
            "cursor": {"type": "cursor", "param": "cursor", "path": "paging.next"},
            "keyset": {"type": "keyset", "param": "after"},
        }[self.paging]
