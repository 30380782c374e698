"""The tree editor: a tree built, moved, looked at as one types, and put in force."""

import html
from decimal import Decimal

import pytest
from django.urls import reverse

from kpis.choices import TreeStatus
from kpis.models import KpiNode, KpiTree, Metric, MetricVersion, Person, Target
from tests.remembering import remembered

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true"}


@pytest.fixture
def owner(client_for, dave, acme):
    return client_for(dave, acme)


@pytest.fixture
@remembered
def draft(world) -> KpiTree:
    KpiTree.objects.filter(pk=world.tree.pk).update(status=TreeStatus.DRAFT)
    return world.tree


def at(name: str, *args) -> str:
    return reverse(name, args=args, urlconf="config.urls.company")


def shown(client, address: str, status: int = 200, **options) -> str:
    response = client.get(address, **options)
    assert response.status_code == status, response.content.decode()[:500]
    return response.content.decode()


def sent(client, address: str, body: dict, status: int = 200) -> str:
    response = client.post(address, body, headers=HTMX)
    assert response.status_code == status, response.content.decode()[:2000]
    return response.content.decode()


class TestList:
    def test_shows_every_tree_and_leads_to_its_editor(self, world, owner):
        page = shown(owner, "/trees/")
        assert "2026年度" in page
        assert at("tree-edit", world.tree.public_id) in page

    def test_is_not_for_managers(self, world, client_for, alice, acme):
        manager = client_for(alice, acme)
        shown(manager, "/trees/", status=403)
        shown(manager, at("tree-edit", world.tree.public_id), status=403)
        assert "/edit/" not in shown(manager, "/kpis/")

    def test_a_draft_from_a_template_opens_in_the_editor(self, world, owner):
        assert "紹介・既存深耕型" in shown(owner, "/trees/new/")
        response = owner.post("/trees/new/", {"name": "紹介", "fiscal_year": 2027, "template": "referral"})
        tree = KpiTree.objects.get(name="紹介")
        assert (response.status_code, response["Location"]) == (302, at("tree-edit", tree.public_id))
        assert (tree.status, tree.style, tree.fiscal_year) == ("draft", "referral", 2027)

    def test_next_year_is_filled_in(self, world, owner):
        address = at("tree-copy", world.tree.public_id)
        assert "2027年度" in shown(owner, address)
        owner.post(address, {"name": "2027年度", "fiscal_year": 2027, "growth": "10"})
        copy = KpiTree.objects.get(fiscal_year=2027)
        targets = Target.objects.filter(node__tree=copy, node__code="bookings")
        assert set(targets.values_list("value", flat=True)) == {1_100_000}


class TestEditor:
    def test_shows_the_tree_and_what_is_missing(self, draft, owner):
        page = shown(owner, at("tree-edit", draft.public_id))
        assert page.count('role="treeitem"') == 5
        assert "受注率（件数）" in page
        assert "disabled" in page, "it cannot be activated"

    def test_opens_a_node_beside_the_tree(self, draft, owner):
        part = shown(
            owner, f"{at('tree-edit', draft.public_id)}?node=win_rate", headers={**HTMX, "hx-target": "editor-side"}
        )
        assert "<html" not in part
        assert "受注件数 ÷ 決着件数" in part, "its definition"
        assert "15" in part and "民間調査" in part, "its benchmark"

    def test_adds_a_factor_and_a_kpi_with_its_first_target(self, draft, owner):
        new = at("node-new", draft.public_id)
        sent(owner, new, {"level": "ksf", "name": "継続", "parent": "bookings", "reason": "続く", **PLAIN})
        factor = draft.nodes.get(name="継続")
        bob = Person.objects.get(external_id="bob")
        body = {
            "level": "kpi",
            "metric": "won_deals",
            "parent": factor.code,
            "responsible": str(bob.public_id),
            "target": "12",
        }
        page = sent(owner, new, {**PLAIN, **body, "moves_field_sales": "full"}, status=422)
        assert "won_deals" in page, "the code is taken by the node that is there"
        draft.nodes.get(code="won_deals").delete()
        sent(owner, new, {**PLAIN, **body, "moves_field_sales": "full"})
        node = draft.nodes.get(code="won_deals")
        assert (node.parent, node.responsible, node.controllable_by) == (factor, bob, {"field_sales": "full"})
        assert set(node.targets.values_list("value", flat=True)) == {12}
        assert node.targets.count() == 12

    def test_a_login_without_a_place_in_the_organisation_may_answer_for_a_node(self, draft, owner, dave):
        node = draft.nodes.get(code="win_rate")
        body = {**PLAIN, "level": "kpi", "metric": "win_rate", "responsible": dave.public_id}
        sent(owner, at("node-edit", draft.public_id, node.public_id), body)
        assert draft.nodes.get(code="win_rate").responsible_user == dave

    def test_a_rate_is_aimed_at_in_percent(self, draft, owner):
        node = draft.nodes.get(code="win_rate")
        node.targets.all().delete()
        body = {**PLAIN, "level": "kpi", "metric": "win_rate", "name": "受注率", "target": "25"}
        page = sent(owner, at("node-edit", draft.public_id, node.public_id), body)
        assert "editor-tree" in page and "hx-swap-oob" in page, "the tree follows"
        assert str(node.targets.first().value) == "0.25000000"
        assert draft.nodes.get(code="win_rate").name == "受注率"

    def range_of_rate(self, draft) -> str:
        """The win rate is to stay within a range; returns the address of its node."""
        node = draft.nodes.get(code="win_rate")
        node.targets.all().delete()
        Metric.objects.filter(pk=node.metric_id).update(direction="range")
        return at("node-edit", draft.public_id, node.public_id)

    def test_a_range_is_aimed_at_with_both_ends(self, draft, owner):
        body = {**PLAIN, "level": "kpi", "metric": "win_rate", "name": "受注率", "target": "15", "upper": "25"}
        sent(owner, self.range_of_rate(draft), body)
        targets = draft.nodes.get(code="win_rate").targets
        assert set(targets.values_list("value", "upper")) == {(Decimal("0.15"), Decimal("0.25"))}
        assert targets.count() == 12

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ({"target": "15"}, "受注率（件数） is to stay within a range. Type its upper end too."),
            ({"upper": "15"}, "Type the lower end of the range too."),
            ({"target": "15", "upper": "10"}, "The upper end lies below the lower one."),
            ({"metric": "won_deals", "target": "15", "upper": "20"}, "Only a metric that is to stay within a range"),
        ],
    )
    def test_a_range_with_one_end_is_not_taken(self, draft, owner, typed, said):
        address = self.range_of_rate(draft)
        body = {**PLAIN, "level": "kpi", "metric": "win_rate", "name": "受注率", **typed}
        answer = owner.post(address, body, headers={**HTMX, "accept-language": "en"})
        assert answer.status_code == 422
        assert said in html.unescape(answer.content.decode())
        assert not draft.nodes.get(code="win_rate").targets.exists()

    def test_without_a_range_only_one_end_is_asked_for(self, draft, owner):
        new = f"{at('tree-edit', draft.public_id)}?add=skill"
        assert 'name="upper"' not in shown(owner, new)
        self.range_of_rate(draft)
        assert 'name="upper"' in shown(owner, new)

    def test_nothing_is_lost_on_an_error(self, draft, owner):
        body = {**PLAIN, "level": "kpi", "name": "新しい数字", "reason": "大切な理由", "parent": "skill"}
        page = sent(owner, at("node-new", draft.public_id), body, status=422)
        assert "大切な理由" in page
        assert 'aria-invalid="true"' in page

    def test_says_what_is_wrong_as_one_types(self, draft, owner):
        body = {**PLAIN, "level": "kpi", "metric": "won_deals", "parent": "bookings", "name": "受注件数"}
        page = sent(owner, at("tree-check", draft.public_id), body)
        assert "受注件数" in page and "KSF" in page
        assert KpiNode.objects.filter(tree=draft).count() == 5, "nothing is stored"
        assert sent(owner, at("tree-check", draft.public_id), {}), "however little was typed"

    def test_a_move_answers_with_the_tree_or_the_reason(self, draft, owner):
        node = draft.nodes.get(code="closed_deals")
        move = at("node-move", draft.public_id, node.public_id)
        sent(owner, move, {"step": "up"})
        order = list(draft.nodes.order_by("position").values_list("code", flat=True))
        assert order == ["bookings", "skill", "win_rate", "closed_deals", "won_deals"]
        assert "strip-bad" in sent(owner, move, {"step": "up"}, status=422)
        sent(owner, move, {"parent": "skill", "position": "0"})
        assert draft.nodes.get(code="closed_deals").parent.code == "skill"

    def test_limits_of_the_status_are_typed_in_percent_and_shown_again(self, draft, owner):
        node = draft.nodes.filter(metric__isnull=False).first()
        address = at("node-edit", draft.public_id, node.public_id)
        body = {**PLAIN, "level": node.level, "metric": node.metric.code, "name": node.name}
        sent(owner, address, {**body, "on_track": "80", "at_risk": "85"}, status=422)
        page = sent(owner, address, {**body, "on_track": "90", "at_risk": "70", "met": "98"})
        node.refresh_from_db()
        assert [(each["status"], each["limit"]) for each in node.status_rules] == [
            ("on_track", "0.9"),
            ("at_risk", "0.7"),
            ("behind", "0.7"),
            ("met", "0.98"),
            ("missed", "0.98"),
        ]
        assert 'value="98' in page

    def test_removes_a_node_with_what_hangs_below(self, draft, owner):
        node = draft.nodes.get(code="win_rate")
        owner.post(at("node-remove", draft.public_id, node.public_id))
        assert set(draft.nodes.values_list("code", flat=True)) == {"bookings", "skill"}

    def test_in_force_a_factor_keeps_its_last_kpi_on_the_page_too(self, world, owner):
        tree, node = world.tree, world.tree.nodes.get(code="win_rate")
        assert tree.status == TreeStatus.ACTIVE
        response = owner.post(at("node-remove", tree.public_id, node.public_id), follow=True)
        assert "KPIがありません" in response.content.decode()
        assert tree.nodes.filter(code="win_rate").exists()
        body = {**PLAIN, "level": "kgi", "metric": "win_rate", "name": "受注率"}
        changed = sent(owner, at("node-edit", tree.public_id, node.public_id), body, status=422)
        assert "KPIがありません" in changed
        node.refresh_from_db()
        assert node.level == "kpi"
        other = Metric.objects.create(code="other", name="別の目標", unit="count", accumulation="sum")
        MetricVersion.objects.create(metric=other, number=1, spec={"kind": "manual"})
        added = sent(owner, at("node-new", tree.public_id), {**body, "metric": "other"}, status=422)
        assert "2つ目のKGI" in added
        assert tree.nodes.count() == 5

    def test_the_head_changes_name_style_and_official_line(self, draft, owner):
        head = at("tree-head", draft.public_id)
        assert f'action="{head}"' in shown(owner, at("tree-edit", draft.public_id))
        body = {"name": "中期計画", "style": "route_sales", "official_line": "budget"}
        page = owner.post(head, body, follow=True)
        assert "中期計画" in page.content.decode()
        draft.refresh_from_db()
        assert (draft.name, draft.style, draft.official_line) == ("中期計画", "route_sales", "budget")
        owner.post(head, {**body, "style": ""})
        draft.refresh_from_db()
        assert draft.style is None
        refused = owner.post(head, {**body, "name": "", "official_line": "wish"})
        assert refused.status_code == 422
        assert 'aria-invalid="true"' in refused.content.decode()
        draft.refresh_from_db()
        assert (draft.name, draft.official_line) == ("中期計画", "budget")

    @pytest.mark.parametrize(
        ("expression", "said"),
        [
            ("won_deals / gone", "win_rateの計算式にあるgoneは存在しません"),
            ("win_rate + 1", "計算式が循環しています：win_rate → win_rate"),
            ("bookings + won_deals", "win_rateの計算式は単位の違うもの（金額と件数）を足し引きしています"),
        ],
    )
    def test_says_what_is_wrong_with_the_formula_of_the_metric_that_is_picked(self, draft, owner, expression, said):
        MetricVersion.objects.filter(metric__code="win_rate").update(spec={"kind": "formula", "expression": expression})
        body = {**PLAIN, "level": "kpi", "metric": "win_rate", "parent": "skill", "name": "率"}
        assert said in sent(owner, at("tree-check", draft.public_id), body)
        assert said not in sent(owner, at("tree-check", draft.public_id), {**body, "metric": "closed_deals"})
        editor = shown(owner, at("tree-edit", draft.public_id))
        assert f'href="?node=win_rate" hx-get="{at("tree-edit", draft.public_id)}?node=win_rate"' in editor

    def test_offers_the_drivers_of_the_style(self, draft, owner):
        KpiTree.objects.filter(pk=draft.pk).update(style="new_business")
        assert "提案数" in shown(owner, at("tree-edit", draft.public_id))
        owner.post(at("tree-driver", draft.public_id), {"code": "proposals"})
        assert draft.nodes.get(code="proposals").parent.code == "skill"
        assert owner.post(at("tree-driver", draft.public_id), {"code": "proposals"}).status_code == 404

    def test_is_activated_only_with_the_five_facts(self, draft, owner):
        status = at("tree-status", draft.public_id)
        owner.post(status, {"to": "active"})
        assert KpiTree.objects.get(pk=draft.pk).status == "draft"
        draft.nodes.update(responsible=Person.objects.get(external_id="bob"))
        for node in draft.nodes.exclude(targets__isnull=False).exclude(metric=None):
            Target.objects.create(node=node, period_start="2026-11-01", value=1, initial_value=1)
        owner.post(status, {"to": "active"})
        assert KpiTree.objects.get(pk=draft.pk).status == "active"
        owner.post(status, {"to": "retired"})
        assert KpiTree.objects.get(pk=draft.pk).status == "retired"


class TestKpiPage:
    def test_stands_beside_the_kpi_and_is_confirmed_by_a_person(self, world, owner, client_for, alice, acme):
        address = at("kpi", world.rate.public_id)
        assert "民間調査" in shown(owner, address)
        assert at("kpi-benchmark", world.rate.public_id) not in shown(client_for(alice, acme), address)
        owner.post(at("kpi-benchmark", world.rate.public_id), {"verdict": "consulted", "note": "20%を維持"})
        assert "20%を維持" in shown(owner, address)

    def test_a_word_without_a_note_is_not_kept(self, world, owner):
        owner.post(at("kpi-benchmark", world.rate.public_id), {"verdict": "consulted", "note": ""})
        assert not hasattr(KpiNode.objects.get(pk=world.rate.pk), "benchmark_review")


PLAIN = {"frequency": "month", "link": "influence"}
