"""Definitions in words."""

import pytest
from django.utils import translation

from kpis.models import Metric, MetricVersion
from kpis.selectors.wording import definition_words

pytestmark = pytest.mark.usefixtures("in_acme")

WEB = {"field": "lead_source", "op": "eq", "value": "Web"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("spec", "japanese"),
    [
        (
            {"kind": "conversion", "from": "mql", "to": "sql", "filters": [WEB]},
            [
                "対象期間のMQLのうち、90日以内にSQLになった割合",
                "対象期間の終了から90日後に判定します",
                "流入経路 = Web",
            ],
        ),
        ({"kind": "conversion", "from": "mql", "to": "sql", "basis": "period"}, ["期間内のSQL ÷ 期間内のMQL"]),
        (
            {"kind": "retention", "measure": "nrr", "window_months": 12},
            ["（期首のMRR＋増額−減額−解約）÷ 期首のMRR（期首の顧客のみ）", "対象期間の末日までの12か月"],
        ),
        (
            {"kind": "retention", "measure": "renewal_rate"},
            ["更新された契約数 ÷ 更新期限を迎える契約数（月の開始時点）"],
        ),
        (
            {"kind": "repeat", "fact": "orders"},
            ["2回以上購入した顧客数 ÷ 購入した顧客数", "対象期間の末日までの12か月"],
        ),
        ({"kind": "clv", "formula": "historic"}, ["これまでの粗利の合計 ÷ 顧客数"]),
        ({"kind": "score", "survey": "nps"}, ["（9〜10点の回答数 − 0〜6点の回答数）÷ 回答数 × 100"]),
    ],
)
def test_every_kind_is_said_in_words(spec: dict, japanese: list[str]) -> None:
    metric = Metric.objects.create(code="m", name="m", unit="percent", accumulation="rate")
    version = MetricVersion.objects.create(metric=metric, number=1, spec=spec)
    with translation.override("ja"):
        assert definition_words(version) == japanese


AGENT = {"field": "sales_channel", "op": "eq", "value": "Agent"}
BY_LEAD = {"field": "deal.origin", "op": "eq", "value": "lead"}
ABM = {"field": "account.attributes.ABM", "op": "eq", "value": "yes"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("spec", "last_words"),
    [
        ({"kind": "conversion", "from": "mql", "to": "sql", "filters": [ABM]}, "ABM of the account = yes"),
        ({"kind": "clv", "formula": "historic", "filters": [ABM]}, "ABM of the account = yes"),
        ({"kind": "snapshot", "measure": "open_deals", "filters": [ABM]}, "ABM of the account = yes"),
        (
            {"kind": "simple", "fact": "revenues", "date": "recognized_on", "aggregate": "count", "filters": [AGENT]},
            "Sales channel = Agent",
        ),
        (
            {"kind": "simple", "fact": "activities", "date": "happened_on", "aggregate": "count", "filters": [BY_LEAD]},
            "Origin of the deal = Lead",
        ),
        ({"kind": "retention", "measure": "renewal_rate", "window_months": 12}, "12 months"),
        ({"kind": "repeat", "measure": "dormant", "window_months": 6}, "6 months"),
        ({"kind": "repeat", "measure": "new"}, "first purchase"),
    ],
)
def test_says_by_what_it_is_narrowed(spec: dict, last_words: str) -> None:
    metric = Metric.objects.create(code="m", name="m", unit="percent", accumulation="rate")
    version = MetricVersion.objects.create(metric=metric, number=1, spec=spec)
    with translation.override("en"):
        assert last_words in definition_words(version)[-1]
