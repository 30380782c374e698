"""The bulk doors answer as the contract says, also to nonsense."""

import pytest

from kpis.models import Deal, Product


@pytest.fixture
def client(caller, key_for):
    return caller(key_for("read", "write"))


def post(client, resource, records, query="", **body):
    return client.post(
        f"/api/v1/facts/{resource}/bulk/{query}",
        {"source": "crm", "records": records, **body},
        content_type="application/json",
    )


DEALS = [
    {"external_id": "D1", "created_on": "2026-10-01", "outcome": "won", "closed_on": "2026-10-05", "amount": 100},
    {"external_id": "D2", "created_on": None, "owner": "E9"},
]


class TestBulkFacts:
    def test_answers_what_became_of_each_record(self, client):
        answer = post(client, "deals", [*DEALS, {"external_id": "D3", "created_on": "yesterday", "colour": "red"}])
        assert answer.status_code == 200
        body = answer.json()
        assert {name: body[name] for name in ("inserted", "updated", "unchanged", "deleted")} == {
            "inserted": 2,
            "updated": 0,
            "unchanged": 0,
            "deleted": 0,
        }
        (rejected,) = body["rejected"]
        assert (rejected["index"], rejected["external_id"]) == (2, "D3")
        assert {error["field"] for error in rejected["errors"]} == {"created_on", "colour"}
        assert all(error["message"] for error in rejected["errors"])
        assert body["unresolved"] == [{"field": "owner", "reference": "E9", "count": 1}]

    def test_is_idempotent(self, client):
        post(client, "deals", DEALS)
        body = post(client, "deals", DEALS, mode="upsert").json()
        assert (body["inserted"], body["updated"], body["unchanged"]) == (0, 0, 2)

    def test_deletes_and_counts(self, client):
        post(client, "deals", DEALS)
        assert post(client, "deals", [{"external_id": "D1", "deleted": True}]).json()["deleted"] == 1

    def test_waits_until_the_numbers_are_there(self, client):
        assert post(client, "deals", DEALS, "?wait=1").status_code == 200

    def test_takes_an_empty_list(self, client):
        assert post(client, "products", []).json()["inserted"] == 0

    def test_rejects_records_that_are_no_objects(self, client):
        body = post(client, "products", [1, None, "x", {"external_id": "P1", "name": "箱"}]).json()
        assert [each["index"] for each in body["rejected"]] == [0, 1, 2]
        assert Product.objects.count() == 1


class TestRefusals:
    def test_an_unknown_resource_is_not_found(self, client):
        answer = post(client, "unicorns", [])
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_resource")
        assert "deals" in answer.json()["detail"]

    def test_more_than_5000_records_are_refused_whole(self, client):
        records = [{"external_id": f"P{n}", "name": "x"} for n in range(5_001)]
        answer = post(client, "products", records)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "records")
        assert not Product.objects.exists()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"records": []}, "source"),
            ({"source": "", "records": []}, "source"),
            ({"source": "crm"}, "records"),
            ({"source": "crm", "records": {"external_id": "1"}}, "records"),
            ({"source": "crm", "records": [], "mode": "replace"}, "mode"),
            ({"source": "crm", "records": [], "rows": []}, "rows"),
        ],
    )
    def test_a_faulty_envelope_names_the_field(self, client, body, field):
        answer = client.post("/api/v1/facts/deals/bulk/", body, content_type="application/json")
        assert answer.status_code == 400
        assert answer["Content-Type"].startswith("application/problem+json")
        assert [error["field"] for error in answer.json()["errors"]] == [field]

    def test_what_is_not_json_is_refused(self, client):
        answer = client.post("/api/v1/facts/deals/bulk/", b"{not json", content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
        assert not Deal.objects.exists()

    def test_json_nested_without_end_is_refused(self, client):
        answer = client.post("/api/v1/facts/deals/bulk/", b"[" * 200_000, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")

    def test_attributes_nested_deeply_never_break_the_door(self, client):
        body = b'{"source": "crm", "records": [{"external_id": "P1", "name": "x", "attributes": {"a": %s%s}}]}'
        depth = 400
        answer = client.post(
            "/api/v1/facts/products/bulk/", body % (b"[" * depth, b"]" * depth), content_type="application/json"
        )
        assert answer.status_code in (200, 400), answer.content

    def test_another_media_type_is_refused(self, client):
        answer = client.post("/api/v1/facts/deals/bulk/", "a,b", content_type="text/csv")
        assert answer.status_code == 415

    def test_reading_is_not_offered(self, client):
        assert client.get("/api/v1/facts/deals/bulk/").status_code == 405

    @pytest.mark.parametrize(
        "extra",
        [
            {"attributes": {"note": "a\x00b"}},
            {"attributes": {"a\x00": 1}},
            {"parent": "P\x00"},
            {"parent": {"source": "x" * 90, "external_id": "y" * 900}},
            {"aliases": ["a\x00"]},
            {"source_url": "https://example.com/\x00"},
            {"name": "\ud800"},
            {"external_id": "\ud800"},
            {"source_updated_at": "2026-11-24"},
        ],
    )
    def test_hostile_values_never_break_the_door(self, client, extra):
        answer = post(
            client, "products", [{"external_id": "P1", "name": "箱", **extra}, {"external_id": "P2", "name": "b"}]
        )
        assert answer.status_code == 200, answer.content
        assert Product.objects.filter(external_id="P2").exists()
