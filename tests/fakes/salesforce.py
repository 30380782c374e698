"""An org of Salesforce: both ways to log in, SOQL with locators, descriptions, limits, and jobs with their CSV."""

from __future__ import annotations

import base64
import csv
import functools
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.server import Call, FakeServer, Reply
from tests.fakes.world import Thing, World

TOKEN, CLIENT, SECRET, USERNAME = "00D!t0ken", "3MVG9.client", "s3cret-of-the-app", "sync@acme.example"
API = "/services/data/v67.0"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
Row = Mapping[str, Any]


def _field(name: str, type: str, label: str = "", relation: str = "", to: tuple[str, ...] = (), words: Any = ()) -> Any:
    picklist = [{"value": word, "label": word, "active": True, "defaultValue": False} for word in words]
    relations = {"relationshipName": relation or None, "referenceTo": list(to)}
    return {"name": name, "label": label or name, "type": type, **relations, "picklistValues": picklist}


SYSTEM = [
    _field("CreatedDate", "datetime"),
    _field("LastModifiedDate", "datetime"),
    _field("SystemModstamp", "datetime"),
]
ABOUT = [
    _field("OwnerId", "reference", relation="Owner", to=("User",)),
    _field("AccountId", "reference", relation="Account", to=("Account",)),
    _field("WhatId", "reference", relation="What", to=("Account", "Opportunity")),
    _field("WhoId", "reference", relation="Who", to=("Contact", "Lead")),
]
OWNED = [_field("Id", "id"), _field("IsDeleted", "boolean"), _field("Name", "string", "名前"), *SYSTEM]
SCHEMA: dict[str, list[dict[str, Any]]] = {
    "Account": [
        *OWNED,
        _field("MasterRecordId", "reference", relation="MasterRecord", to=("Account",)),
        _field("AnnualRevenue", "currency", "年間売上"),
        _field("NumberOfEmployees", "int"),
        _field("Type", "picklist", words=("Customer", "Prospect")),
        _field("OwnerId", "reference", "所有者", "Owner", ("User",)),
        _field("BillingAddress", "address"),
        _field("Note__c", "textarea"),
        _field("Industry", "picklist", words=("Banking", "Retail")),
        _field("ParentId", "reference", relation="Parent", to=("Account",)),
        _field("Website", "url"),
    ],
    "Lead": [
        *OWNED,
        _field("MasterRecordId", "reference", relation="MasterRecord", to=("Lead",)),
        _field("Status", "picklist", words=("Open", "Closed")),
        _field("OwnerId", "reference", "所有者", "Owner", ("Group", "User")),
        _field("Email", "email"),
        _field("LeadSource", "picklist", words=("Web", "展示会")),
        _field("ConvertedAccountId", "reference", relation="ConvertedAccount", to=("Account",)),
        _field("ConvertedOpportunityId", "reference", relation="ConvertedOpportunity", to=("Opportunity",)),
    ],
    # A row for every tracked field that changed; what was in it can be read, but not be asked for.
    "LeadHistory": [
        _field("Id", "id"),
        _field("IsDeleted", "boolean"),
        _field("LeadId", "reference", relation="Lead", to=("Lead",)),
        _field("CreatedById", "reference", relation="CreatedBy", to=("User",)),
        _field("CreatedDate", "datetime"),
        _field("Field", "picklist", words=("Status", "Owner", "created", "leadConverted")),
        _field("DataType", "picklist"),
        _field("OldValue", "anyType"),
        _field("NewValue", "anyType"),
    ],
    "Opportunity": [
        *OWNED,
        _field("Amount", "currency"),
        _field("StageName", "picklist", words=("商談", "受注")),
        _field("IsClosed", "boolean"),
        _field("IsWon", "boolean"),
        _field("CloseDate", "date"),
        _field("AccountId", "reference", relation="Account", to=("Account",)),
        _field("OwnerId", "reference", relation="Owner", to=("User",)),
        _field("CreatedById", "reference", relation="CreatedBy", to=("User",)),
        _field("LeadSource", "picklist", words=("Web", "展示会")),
        _field("Type", "picklist", words=("New Customer", "Existing Business", "紹介案件")),
        _field("LastActivityDate", "date"),
    ],
    "OpportunityHistory": [
        _field("Id", "id"),
        _field("IsDeleted", "boolean"),
        _field("OpportunityId", "reference", relation="Opportunity", to=("Opportunity",)),
        _field("StageName", "picklist"),
        _field("CreatedDate", "datetime"),
        _field("SystemModstamp", "datetime"),
    ],
    "Task": [
        *OWNED[:2],
        *SYSTEM,
        _field("TaskSubtype", "picklist", words=("Task", "Email", "Call")),
        _field("CompletedDateTime", "datetime"),
        *ABOUT,
    ],
    "Event": [*OWNED[:2], *SYSTEM, _field("StartDateTime", "datetime"), *ABOUT],
    "User": [
        _field("Id", "id"),
        _field("Name", "string"),
        *SYSTEM,
        _field("Email", "email"),
        _field("EmployeeNumber", "string"),
        _field("IsActive", "boolean"),
        _field("Department", "string"),
        _field("ManagerId", "reference", relation="Manager", to=("User",)),
        _field("UserRoleId", "reference", relation="UserRole", to=("UserRole",)),
    ],
    "UserRole": [
        _field("Id", "id"),
        _field("Name", "string"),
        _field("ParentRoleId", "reference", to=("UserRole",)),
        *SYSTEM,
    ],
    "OpportunitySplit": [
        *OWNED[:2],
        *SYSTEM,
        _field("OpportunityId", "reference", relation="Opportunity", to=("Opportunity",)),
        _field("SplitOwnerId", "reference", relation="SplitOwner", to=("User",)),
        _field("SplitPercentage", "percent"),
        _field("SplitTypeId", "reference", relation="SplitType", to=("OpportunitySplitType",)),
    ],
    "OpportunitySplitType": [_field("Id", "id"), _field("IsTotalValidated", "boolean"), *SYSTEM],
}


class OrgError(Exception):
    """An answer with an error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.reply = Reply(status, [{"message": message, "errorCode": code}])


@functools.cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: Any) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@dataclass
class Job:
    """A job of the Bulk API; its rows are those of the moment it was made."""

    id: str
    columns: list[str]
    rows: list[list[str]]
    state: str = "UploadComplete"
    looks: int = 0
    message: str = ""


class SalesforceFake(FakeServer):
    """Accounts are the stream that the acceptance suite looks at.

    `page_size` is the length of pages of queries and jobs alike. `hidden` fields ("Account.Type") and objects
    ("Account") look as if they did not exist. Queries that would find more than `slow_above` records time out.
    """

    columns = {"name": "Name", "amount": "AnnualRevenue"}

    def __init__(self, auth: str = "client_credentials", page_size: int = 3, *, repeats_heading: bool = True) -> None:
        super().__init__()
        self.auth = auth
        self.page_size = page_size
        self.repeats_heading = repeats_heading
        # Moments are kept in whole seconds.
        self.worlds = {name: World(resolution=timedelta(seconds=1)) for name in SCHEMA}
        self.world = self.worlds["Account"]
        self.archived: set[str] = set()
        self.hidden: set[str] = set()
        self.slow_above: int | None = None
        self.used, self.limit = 18, 15000
        self.tokens = 0
        self.locators: dict[str, tuple[str, list[str], list[str]]] = {}
        self.jobs: dict[str, Job] = {}
        self.made_jobs = 0
        self.takes_jobs = True
        self.queries: list[str] = []

    def description(self, *objects: str) -> dict[str, Any]:
        return {"auth": self.auth, "base_url": self.url, "objects": list(objects or ("Account",))}

    def secrets(self) -> dict[str, str]:
        if self.auth == "jwt":
            return {"client_id": CLIENT, "username": USERNAME, "private_key": pem(private_key())}
        return {"client_id": CLIENT, "client_secret": SECRET}

    def expire_token(self) -> None:
        """What was given out is worth nothing from now on."""
        self.tokens += 1

    def lose_locators(self) -> None:
        self.locators.clear()

    def lose_jobs(self) -> None:
        self.jobs.clear()

    def answer(self, call: Call) -> Reply:
        if call.path == "/services/oauth2/token":
            return self._token(call)
        try:
            if self.used >= self.limit:
                raise OrgError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
            reply = self._api(call)
        except OrgError as error:
            reply = error.reply
        self.used += self.used < self.limit
        usage = f"api-usage={self.used}/{self.limit}; per-app-api-usage=1/2(appName=mawaru)"
        return Reply(reply.status, reply.body, {"Sforce-Limit-Info": usage, **reply.headers}, reply.raw)

    def _api(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}-{self.tokens}":
            raise OrgError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        path = call.path.removeprefix(API)
        if path in {"/query", "/queryAll"}:
            return self._query(call.query["q"], with_deleted=path == "/queryAll")
        if found := re.fullmatch(r"/query/(\w+)-(\d+)", path):
            return self._page(found[1], int(found[2]))
        if found := re.fullmatch(r"/sobjects/(\w+)/describe", path):
            fields = list(self._schema(found[1], 404, "NOT_FOUND").values())
            return Reply(200, {"name": found[1], "label": found[1], "queryable": True, "fields": fields})
        if path.startswith("/jobs/query"):
            return self._jobs(call, path.removeprefix("/jobs/query").strip("/"))
        raise OrgError(404, "NOT_FOUND", "The requested resource does not exist")

    def _token(self, call: Call) -> Reply:
        form = call.form()
        refusal = self._assertion_fault(form) if self.auth == "jwt" else self._client_fault(call, form)
        if refusal:
            return Reply(400, {"error": refusal[0], "error_description": refusal[1]})
        self.tokens += 1
        given = {"access_token": f"{TOKEN}-{self.tokens}", "instance_url": self.url, "token_type": "Bearer"}
        return Reply(200, {**given, "id": f"{self.url}/id/00D/005", "issued_at": "1278448832702", "scope": "api"})

    def _client_fault(self, call: Call, form: Mapping[str, str]) -> tuple[str, str] | None:
        given = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if form.get("grant_type") != "client_credentials":
            return "unsupported_grant_type", "grant type not supported"
        if call.headers.get("authorization") != f"Basic {given}":
            return "invalid_client", "invalid client credentials"
        return None

    def _assertion_fault(self, form: Mapping[str, str]) -> tuple[str, str] | None:
        if form.get("grant_type") != JWT_BEARER:
            return "unsupported_grant_type", "grant type not supported"
        head, body, signature = form["assertion"].split(".")
        try:
            private_key().public_key().verify(
                _decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return "invalid_grant", "invalid assertion"
        claims, left = json.loads(_decoded(body)), timedelta()
        left = datetime.fromtimestamp(claims["exp"], UTC) - self.now()
        if json.loads(_decoded(head)).get("alg") != "RS256" or claims["aud"] != self.url:
            return "invalid_grant", "audience is invalid"
        if not timedelta() < left <= timedelta(minutes=3):
            return "invalid_grant", "expired authorization code"
        if claims["iss"] != CLIENT:
            return "invalid_client_id", "client identifier invalid"
        return None if claims["sub"] == USERNAME else ("invalid_grant", "user hasn't approved this consumer")

    def _query(self, text: str, *, with_deleted: bool) -> Reply:
        self.queries.append(text)
        query = Soql(text)
        ids = self._found(query, with_deleted)
        if self.slow_above is not None and len(ids) > self.slow_above:
            raise OrgError(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
        if query.columns == ["COUNT()"]:
            return Reply(200, {"totalSize": len(ids), "done": True, "records": []})
        locator = f"01g{len(self.queries):05}"
        self.locators[locator] = (query.object, query.columns, ids)
        return self._page(locator, 0)

    def _found(self, query: Soql, with_deleted: bool) -> list[str]:
        schema = self._schema(query.object, 400, "INVALID_TYPE")
        for column in [*query.columns, *query.named]:
            self._check_column(query.object, schema, column)
        for column in query.named:
            if schema.get(column, {}).get("type") == "anyType":
                raise OrgError(400, "INVALID_FIELD", f"field '{column}' can not be filtered in a query call")
        rows = [self._row(query.object, thing) for thing in self.worlds[query.object]]
        if not with_deleted:
            rows = [row for row in rows if not row.get("IsDeleted") and row["Id"] not in self.archived]
        rows = [row for row in rows if query.fits(row, {name: each["type"] for name, each in schema.items()})]
        rows.sort(key=lambda row: tuple(row[name] for name in query.order))
        return [row["Id"] for row in rows][: query.limit]

    def _page(self, locator: str, first: int) -> Reply:
        if locator not in self.locators:
            raise OrgError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        name, columns, ids = self.locators[locator]
        world, end = self.worlds[name], first + self.page_size
        # A locator keeps which records there were; what they hold is looked up when they are given.
        rows = [self._row(name, world.things[id]) for id in ids[first:end] if id not in self.swallowed]
        body: dict[str, Any] = {"totalSize": len(ids), "done": end >= len(ids)}
        if end < len(ids):
            body["nextRecordsUrl"] = f"{API}/query/{locator}-{end}"
        return Reply(200, {**body, "records": [self._given(name, row, columns) for row in rows]})

    def _given(self, name: str, row: Row, columns: list[str]) -> dict[str, Any]:
        shown: dict[str, Any] = {"attributes": {"type": name, "url": f"{API}/sobjects/{name}/{row['Id']}"}}
        for column in columns:
            relation, _, inner = column.partition(".")
            value = self._value(name, row, column)
            if not inner:
                shown[column] = value
            elif self._value(name, row, f"{relation}.Id") is None:
                shown[relation] = None
            else:
                shown[relation] = {**(shown.get(relation) or {}), inner: value}
        return shown

    def _value(self, name: str, row: Row, column: str) -> Any:
        relation, _, inner = column.partition(".")
        if not inner:
            return row[column]
        link = next(each for each in SCHEMA[name] if each["relationshipName"] == relation)
        for target in link["referenceTo"]:
            thing = self.worlds.get(target, World()).things.get(row[link["name"]] or "")
            if thing is not None:
                return self._value(target, self._row(target, thing), inner)
        return None

    def _row(self, name: str, thing: Thing) -> dict[str, Any]:
        stamp = thing.updated_at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        own = {"Id": thing.id, "IsDeleted": thing.is_deleted, "MasterRecordId": thing.merged_into or None}
        own |= dict.fromkeys(("SystemModstamp", "LastModifiedDate", "CreatedDate"), stamp)
        values = {self.columns.get(name, name): value for name, value in thing.values.items()}
        return {each["name"]: own.get(each["name"], values.get(each["name"])) for each in SCHEMA[name]}

    def _schema(self, name: str, status: int, code: str) -> dict[str, dict[str, Any]]:
        if name not in SCHEMA or name in self.hidden:
            raise OrgError(status, code, f"sObject type '{name}' is not supported.")
        return {each["name"]: each for each in SCHEMA[name] if f"{name}.{each['name']}" not in self.hidden}

    def _check_column(self, name: str, schema: Mapping[str, Any], column: str) -> None:
        relation, _, inner = column.partition(".")
        links = [each for each in schema.values() if each["relationshipName"] == relation] if inner else []
        if column == "COUNT()" or (not inner and column in schema):
            return
        if len(links) != 1:
            raise OrgError(400, "INVALID_FIELD", f"No such column '{column}' on entity '{name}'.")
        if len(links[0]["referenceTo"]) == 1:
            target = links[0]["referenceTo"][0]
            self._check_column(target, self._schema(target, 400, "INVALID_FIELD"), inner)

    def _jobs(self, call: Call, path: str) -> Reply:
        if call.method == "POST" and not path:
            return self._make_job(call.json())
        id, _, part = path.partition("/")
        if id not in self.jobs:
            raise OrgError(404, "NOT_FOUND", "The requested resource does not exist")
        job = self.jobs[id]
        if part == "results":
            return self._results(job, call.query)
        if call.method == "DELETE":
            del self.jobs[id]
            return Reply(204, raw=b"")
        job.looks += 1
        if job.state in {"UploadComplete", "InProgress"}:
            job.state = ("UploadComplete", "InProgress", "JobComplete")[min(job.looks - 1, 2)]
        info = {"id": id, "state": job.state, "numberRecordsProcessed": len(job.rows)}
        return Reply(200, {**info, **({"errorMessage": job.message} if job.message else {})})

    def _make_job(self, asked: Mapping[str, Any]) -> Reply:
        query = Soql(asked["query"])
        types = {each["name"]: each["type"] for each in SCHEMA.get(query.object, [])}
        if not self.takes_jobs:
            raise OrgError(400, "INVALIDENTITY", f"Entity '{query.object}' is not supported by the Bulk API.")
        if "COUNT()" in query.columns or any(types.get(each) in {"address", "location"} for each in query.columns):
            raise OrgError(400, "API_ERROR", "Aggregates and compound data are not supported in Bulk Query")
        things = self.worlds[query.object].things
        rows = [self._row(query.object, things[id]) for id in self._found(query, asked["operation"] == "queryAll")]
        rows.sort(key=lambda row: row["Id"][::-1])  # in no order that means anything
        cells = [[_cell(self._value(query.object, row, column)) for column in query.columns] for row in rows]
        self.made_jobs += 1
        job = Job(f"750R{self.made_jobs:04}", query.columns, cells)
        if query.order:
            job.state, job.message = "Failed", "QUERY_TIMEOUT: ORDER BY switches chunking off"
        self.jobs[job.id] = job
        return Reply(200, {"id": job.id, "state": "UploadComplete", "operation": asked["operation"]})

    def _results(self, job: Job, params: Mapping[str, str]) -> Reply:
        if job.state != "JobComplete":
            raise OrgError(400, "INVALIDJOBSTATE", "The job is not complete")
        first = int(base64.b64decode(params["locator"])) if "locator" in params else 0
        end = first + min(int(params["maxRecords"]), self.page_size)
        rows = job.rows[first:end]
        buffer = io.StringIO()
        writer = csv.writer(buffer, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([job.columns, *rows] if self.repeats_heading or first == 0 else rows)
        following = base64.b64encode(str(end).encode()).decode() if end < len(job.rows) else "null"
        headers = {"Content-Type": "text/csv", "Sforce-Locator": following, "Sforce-NumberOfRecords": str(len(rows))}
        return Reply(200, None, headers, buffer.getvalue().encode())


class Soql:
    """The part of SOQL that is asked for; anything else is malformed."""

    TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|COUNT\(\)|[\w.:+-]+|<=|>=|!=|[=<>(),])", re.ASCII)

    def __init__(self, text: str) -> None:
        self._tokens = self.TOKEN.findall(text)
        if "".join(self._tokens) != re.sub(r"\s+(?=(?:[^']|'(?:[^'\\]|\\.)*')*$)", "", text):
            raise OrgError(400, "MALFORMED_QUERY", f"unexpected token in {text}")
        self.named: list[str] = []
        self._take("SELECT")
        self.columns = self._names()
        self._take("FROM")
        self.object = self._next()
        self._condition: Callable[[Row, Mapping[str, str]], bool] = lambda row, types: True
        if self._have("WHERE"):
            self._condition = self._any_of()
        self.order = self._names() if self._have("ORDER") and self._take("BY") else []
        self.limit = int(self._next()) if self._have("LIMIT") else None
        if self._tokens:
            raise OrgError(400, "MALFORMED_QUERY", f"unexpected token: {self._tokens[0]}")

    def fits(self, row: Row, types: Mapping[str, str]) -> bool:
        return self._condition(row, types)

    def _any_of(self) -> Callable[[Row, Mapping[str, str]], bool]:
        parts = [self._all_of()]
        while self._have("OR"):
            parts.append(self._all_of())
        return lambda row, types: any(part(row, types) for part in parts)

    def _all_of(self) -> Callable[[Row, Mapping[str, str]], bool]:
        parts = [self._one()]
        while self._have("AND"):
            parts.append(self._one())
        if self._tokens[:1] == ["OR"] and len(parts) > 1:
            # AND and OR do not stand side by side without brackets.
            raise OrgError(400, "MALFORMED_QUERY", "unexpected token: OR")
        return lambda row, types: all(part(row, types) for part in parts)

    def _one(self) -> Callable[[Row, Mapping[str, str]], bool]:
        if self._have("("):
            inner = self._any_of()
            self._take(")")
            return inner
        name, sign = self._next(), self._next()
        self.named.append(name)
        given = list(self._list()) if sign == "IN" else [self._next()]

        def fits(row: Row, types: Mapping[str, str]) -> bool:
            value, others = row[name], [_literal(each, name, types.get(name, "string")) for each in given]
            if types.get(name) == "datetime":
                value = datetime.fromisoformat(value)
            match sign:
                case "IN":
                    return value in others
                case "=":
                    return bool(value == others[0])
                case "<=":
                    return bool(value <= others[0])
                case "<":
                    return bool(value < others[0])
                case ">":
                    return bool(value > others[0])
                case ">=":
                    return bool(value >= others[0])
            raise OrgError(400, "MALFORMED_QUERY", f"unexpected token: {sign}")

        return fits

    def _list(self) -> Iterator[str]:
        self._take("(")
        yield self._next()
        while self._have(","):
            yield self._next()
        self._take(")")

    def _names(self) -> list[str]:
        names = [self._next()]
        while self._have(","):
            names.append(self._next())
        return names

    def _next(self) -> str:
        if not self._tokens:
            raise OrgError(400, "MALFORMED_QUERY", "unexpected end of query")
        return str(self._tokens.pop(0))

    def _have(self, word: str) -> bool:
        is_there = self._tokens[:1] == [word]
        if is_there:
            self._tokens.pop(0)
        return is_there

    def _take(self, word: str) -> bool:
        if not self._have(word):
            raise OrgError(400, "MALFORMED_QUERY", f"expecting {word}")
        return True


def _literal(text: str, name: str, type: str) -> Any:
    is_quoted = text.startswith("'")
    if type in {"datetime", "boolean"} and is_quoted:
        message = f"value of filter criterion for field '{name}' must be of type {type} and should not be enclosed"
        raise OrgError(400, "INVALID_FIELD", message)
    if type == "datetime":
        return datetime.fromisoformat(text)
    if type == "boolean":
        return text == "true"
    if not is_quoted:
        raise OrgError(400, "INVALID_FIELD", f"value of filter criterion for field '{name}' must be enclosed in quotes")
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else re.sub(r"\+0000$", "Z", str(value))


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
