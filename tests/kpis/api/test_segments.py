"""Segments that the company names: from a custom field of its records to every number that is divided by it."""

import pytest
from auditlog.models import LogEntry
from django.utils import timezone

from kpis.models import DirtyFact
from kpis.services.recompute import recompute
from tenants.context import tenant_context

pytestmark = pytest.mark.django_db

OCTOBER = {"grain": "month", "from": "2026-10-01", "to": "2026-11-01"}
CELL = {"grain": "month", "period_start": "2026-10-01"}


def won(external_id, amount, **more):
    dates = {"created_on": "2026-09-01", "closed_on": "2026-10-05", "outcome": "won"}
    return {"external_id": external_id, "amount": amount, **dates, **more}


@pytest.fixture
def sold(api, plan):
    """Won in October: 100 and 200 of a maker's account, of which one deal says trade itself, and 400 of nobody's."""
    maker = {"external_id": "A1", "name": "Maker", "industry": "making", "attributes": {"rank": "A"}}
    send(api, "accounts", maker)
    send(
        api,
        "deals",
        won("D1", 100, account="A1"),
        won("D2", 200, account="A1", attributes={"industry": "trade", "rank": "", "is_target": True}),
        won("D3", 400),
    )
    return plan


def send(api, resource, *records):
    result = api.made(f"facts/{resource}/bulk/?wait=1", {"source": "crm", "records": records})
    assert result["rejected"] == []


@pytest.fixture
def named(api, acme):
    """Say something of a segment, and wait until the numbers show it."""

    def change(code, **changes):
        response = api.patch(f"dimensions/{code}/", changes)
        assert response.status_code == 200, response.content.decode()
        with tenant_context(acme):
            recompute(now=timezone.now())
        return response.json()

    return change


def bookings_by(api, plan, segment):
    """Member → bookings of October, without those who have none."""
    matrix = api.shown("matrix/", tree=plan["tree"], nodes="bookings", dimension=segment, **OCTOBER)
    members = [member["code"] for member in matrix["members"]]
    return {code: row[0] for code, row in zip(members, matrix["cells"]["value"][0], strict=True) if row[0]}


class TestNaming:
    def test_a_deal_is_where_its_own_field_says_else_its_account(self, api, sold, named):
        shown = named("seg1", name="業種", attribute="industry")
        assert (shown["name"], shown["attribute"], shown["is_active"]) == ("業種", "industry", True)
        assert shown["remarks"] == []
        assert bookings_by(api, sold, "seg1") == {"making": 100, "trade": 200, "unassigned": 400}

    def test_what_is_empty_or_no_text_is_read_as_well(self, api, sold, named):
        named("seg1", name="Rank", attribute="rank")
        named("seg2", name="ABM", attribute="is_target")
        assert bookings_by(api, sold, "seg1") == {"A": 300, "unassigned": 400}
        assert bookings_by(api, sold, "seg2") == {"true": 200, "unassigned": 500}

    def test_a_field_that_changes_on_a_deal_or_an_account_moves_the_number(self, api, sold, named):
        named("seg1", name="Rank", attribute="rank")
        send(api, "deals", won("D3", 400, attributes={"rank": "B"}))
        assert bookings_by(api, sold, "seg1") == {"A": 300, "B": 400}
        send(api, "accounts", {"external_id": "A1", "name": "Maker", "attributes": {"rank": "C"}})
        assert bookings_by(api, sold, "seg1") == {"C": 300, "B": 400}

    def test_another_field_gives_other_members_and_hides_those_before(self, api, sold, named):
        named("seg1", name="業種", attribute="industry")
        named("seg1", name="Rank", attribute="rank")
        assert bookings_by(api, sold, "seg1") == {"A": 300, "unassigned": 400}
        codes = {row["code"] for row in api.shown("dimensions/seg1/members/", is_active=True)["results"]}
        assert codes == {"A", "unassigned"}
        matrix = api.shown("matrix/", tree=sold["tree"], dimension="seg1", **OCTOBER)
        assert {row["code"] for row in matrix["members"]} == {"A", "unassigned"}
        named("seg1", name="業種", attribute="industry")
        codes = {row["code"] for row in api.shown("dimensions/seg1/members/", is_active=True)["results"]}
        assert codes == {"making", "trade", "unassigned"}

    def test_out_of_use_it_divides_nothing_and_keeps_its_field(self, api, sold, named):
        named("seg1", name="業種", attribute="industry")
        assert named("seg1", is_active=False)["attribute"] == "industry"
        assert bookings_by(api, sold, "seg1") == {"unassigned": 700}
        named("seg1", is_active=True)
        assert bookings_by(api, sold, "seg1") == {"making": 100, "trade": 200, "unassigned": 400}
        assert named("seg1", attribute="")["is_active"] is False

    def test_a_new_name_alone_computes_nothing_again(self, api, acme, sold, named):
        named("seg1", name="業種", attribute="industry")
        assert api.patch("dimensions/seg1/", {"name": "Industry"}).json()["name"] == "Industry"
        with tenant_context(acme):
            assert not DirtyFact.objects.exists()
        assert api.patch("dimensions/seg1/", {"name": "Industry", "attribute": "industry"}).status_code == 200
        with tenant_context(acme):
            assert not DirtyFact.objects.exists()

    def test_who_changed_what_is_written_down(self, api, acme, sold, named):
        named("seg1", name="Rank", attribute="rank")
        with tenant_context(acme):
            entry = LogEntry.objects.filter(content_type__model="dimension").latest("id")
        assert entry.changes == {"name": ["", "Rank"], "attribute": ["", "rank"], "is_active": ["False", "True"]}

    def test_a_field_that_no_record_has_is_kept_with_a_remark(self, api, sold, named):
        (remark,) = named("seg1", name="Area", attribute="area")["remarks"]
        assert remark == "No record has a value in area yet. Everything stays unassigned until a source sends one."
        assert bookings_by(api, sold, "seg1") == {"unassigned": 700}
        send(api, "deals", won("D3", 400, attributes={"area": "east"}))
        assert bookings_by(api, sold, "seg1") == {"unassigned": 300, "east": 400}


class TestRefusing:
    def refusal(self, api, code, **changes):
        response = api.patch(f"dimensions/{code}/", changes)
        assert response.status_code == 400, response.content.decode()
        (error,) = response.json()["errors"]
        return error["field"], error["code"], error["message"]

    def test_a_field_that_fills_another_segment(self, api, sold, named):
        named("seg1", name="業種", attribute="industry")
        field, code, message = self.refusal(api, "seg2", name="Sector", attribute="industry")
        assert (field, code) == ("attribute", "used")
        assert message.startswith("業種 is filled by industry already.")
        named("seg1", is_active=False)
        named("seg2", name="Sector", attribute="industry")
        assert self.refusal(api, "seg1", is_active=True)[1] == "used"

    def test_use_without_a_field(self, api, plan):
        assert self.refusal(api, "seg3", name="Size", is_active=True)[:2] == ("attribute", "required")

    def test_a_field_with_more_values_than_anybody_reads(self, api, plan):
        deals = [won(f"D{n}", 1, attributes={"memo": f"text {n}"}) for n in range(501)]
        send(api, "deals", *deals)
        field, code, message = self.refusal(api, "seg1", name="Memo", attribute="memo")
        assert (field, code) == ("attribute", "too_many")
        assert "memo has 501 different values" in message

    def test_another_field_once_periods_were_closed_with_it(self, api, sold, named):
        named("seg1", name="業種", attribute="industry")
        (period,) = api.shown("periods/", **OCTOBER)["results"]
        api.made(f"periods/{period['id']}/close/", {"reason": "done"})
        assert self.refusal(api, "seg1", attribute="rank")[1] == "locked"
        named("seg2", name="Rank", attribute="rank")
        assert bookings_by(api, sold, "seg2") == {"A": 300, "unassigned": 400}
        assert api.shown("restatements/", dimension="seg2")["results"] == []

    def test_a_built_in_dimension_has_no_field_to_choose(self, api, plan):
        refused = api.patch("dimensions/region/", {"attribute": "area"})
        assert (refused.status_code, refused.json()["code"]) == (409, "invalid_segment")
        assert "seg1, seg2, seg3, seg4, seg5" in refused.json()["detail"]

    def test_who_does_not_manage_definitions(self, signed_in, alice, plan):
        assert signed_in(alice).patch("dimensions/seg1/", {"attribute": "rank"}).status_code == 403
        assert signed_in(alice).get("segment-fields/").status_code == 403


class TestReadingByIt:
    @pytest.fixture
    def divided(self, api, sold, named):
        named("seg1", name="業種", attribute="industry")
        for member, value in (("making", 300), ("trade", 100)):
            target = {"tree": sold["tree"], "node": "bookings", "dimension": "seg1", "member": member, "value": value}
            api.made("targets/", {**target, "period_start": "2026-10-01"})
        api.made("targets/", {"tree": sold["tree"], "node": "bookings", "period_start": "2026-10-01", "value": 500})
        return sold

    def test_targets_records_and_the_table_of_target_and_actual(self, api, divided):
        place = {"tree": divided["tree"], "node": "bookings", "dimension": "seg1"}
        records = api.shown("records/", member="making", **place, **CELL)["results"]
        assert [row["external_id"] for row in records] == ["D1"]
        table = api.shown("budget/", **place)
        october = next(n for n, each in enumerate(table["columns"]) if each["start"] == "2026-10-01")
        cells = {row["member"]: row["cells"][october] for row in table["rows"]}
        assert (cells["making"]["target"], cells["making"]["value"]) == (300, 100)
        assert (cells["trade"]["target"], cells["trade"]["value"]) == (100, 200)
        assert (cells["unassigned"]["target"], cells["unassigned"]["value"]) == (None, 400)

    def test_contribution_by_segment(self, api, divided):
        found = api.shown("contributions/", tree=divided["tree"], by="seg1", **CELL)["segments"]
        assert (found["by"], found["against"], found["difference"]) == ("seg1", "target", 200)
        amounts = {row["member"]: row["amount"] for row in found["members"]}
        assert (amounts["making"], amounts["trade"]) == (-200, 100)
        assert sum(amounts.values()) + found["rest"] == 200

    def test_crossed_with_another_dimension(self, api, divided):
        found = api.shown("breakdowns/", metric="bookings", by="seg1,region", **OCTOBER)
        assert {tuple(cell["members"]): cell["value"] for cell in found["cells"]} == {
            ("making", "unassigned"): [100],
            ("trade", "unassigned"): [200],
            ("unassigned", "unassigned"): [400],
        }

    def test_what_customers_of_a_segment_are_worth(self, api, acme, divided):
        spec = {"kind": "clv", "formula": "historic"}
        metric = {"code": "worth", "name": "CLV", "unit": "amount", "accumulation": "average", "spec": spec}
        api.made("metrics/", metric)
        api.made("nodes/", {"tree": divided["tree"], "parent": divided["bookings"], "level": "kpi", "metric": "worth"})
        sale = {"external_id": "R1", "recognized_on": "2026-10-05", "amount": 90, "gross_profit": 30, "account": "A1"}
        send(api, "revenues", sale)
        with tenant_context(acme):
            recompute(now=timezone.now())
        matrix = api.shown("matrix/", tree=divided["tree"], nodes="worth", dimension="seg1", **OCTOBER)
        told = dict(zip([row["code"] for row in matrix["members"]], matrix["cells"]["value"][0], strict=True))
        assert told["making"] == [30]

    def test_fields_that_can_fill_one(self, api, divided):
        fields = {row["key"]: row for row in api.shown("segment-fields/")["results"]}
        assert (fields["industry"]["record_count"], fields["industry"]["value_count"]) == (2, 2)
        assert fields["industry"]["examples"] == ["making", "trade"]
        assert fields["industry"]["by_resource"] == {"accounts": 1, "deals": 1}
        assert fields["rank"]["by_resource"] == {"accounts": 1}
