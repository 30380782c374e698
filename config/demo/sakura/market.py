"""The market around the demo company: prospects, lead sources, origins, and the rates that differ between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random

from config.demo.sakura.company import CAPITAL_1, CAPITAL_2, CHUBU, WEST

PREFIXES = (
    "蒼陵",
    "紫雲野",
    "千草原",
    "白帆川",
    "鳴瀬台",
    "朝凪",
    "深月",
    "茜坂",
    "榛名川",
    "夕霧台",
    "若苗",
    "雪輪",
    "常磐野",
    "花咲里",
    "風見原",
    "銀杏台",
    "青垣",
    "水鏡",
    "鷹羽野",
    "玉響",
    "小夜川",
    "星置台",
    "桧原",
    "早瀬川",
    "野分",
    "月見原",
    "琴平野",
    "楓台",
    "浜風",
    "碧海台",
    "山吹野",
    "稲穂",
    "遠里",
    "藍染川",
    "桜守",
    "竹取台",
    "松籟",
    "梅枝野",
    "菊水原",
    "萩野台",
)
TRADES = {
    "精機": "製造業",
    "製作所": "製造業",
    "電装": "製造業",
    "金属工業": "製造業",
    "樹脂": "化学",
    "化成": "化学",
    "食品": "食品",
    "醸造": "食品",
    "商事": "卸売業",
    "物産": "卸売業",
    "ロジスティクス": "物流業",
    "倉庫": "物流業",
    "建材": "建設業",
    "メディカル": "医療機器",
}
SIZES = ("50名未満", "50-299名", "300-999名", "1000名以上")
SIZE_WEIGHTS = (30, 42, 20, 8)
SIZE_FACTOR = dict(zip(SIZES, (0.65, 0.95, 1.35, 1.9), strict=True))
REGION_WEIGHTS = {"首都圏": 46, "西日本": 24, "中部": 20, "九州": 10}
UNITS_OF_REGION = {"首都圏": (CAPITAL_1, CAPITAL_2), "西日本": (WEST,), "九州": (WEST,), "中部": (CHUBU,)}

UNIT_WIN_FACTOR = {CAPITAL_1: 1.2, CAPITAL_2: 0.9, WEST: 1.05, CHUBU: 0.72}
INDUSTRY_WIN_FACTOR = {"製造業": 1.15, "食品": 1.1, "物流業": 0.8, "建設業": 0.75}

PARTNERS = ("みなと情報機器販売", "カナリヤ商会", "ノースリンク販売", "あけぼのシステム")
COMPETITORS = ("他社クラウドA", "他社パッケージB", "自社開発", "現行システム継続")
LOST_REASONS = ("価格", "機能不足", "競合採用", "予算凍結", "担当者異動", "時期尚早")


@dataclass(frozen=True)
class Source:
    """A lead source: how often, and how far its leads come."""

    name: str
    weight: float
    mql_rate: float
    sql_rate: float
    win_factor: float


SOURCES = {
    source.name: source
    for source in (
        Source("Web問い合わせ", 0.26, 0.70, 0.34, 1.3),
        Source("資料請求", 0.22, 0.55, 0.22, 0.95),
        Source("ウェビナー", 0.20, 0.50, 0.17, 0.85),
        Source("展示会", 0.22, 0.42, 0.16, 0.65),
        Source("Web広告", 0.10, 0.35, 0.12, 0.6),
    )
}
TRADE_FAIR = "展示会"
TRADE_FAIR_MONTHS = {2: 2.2, 6: 1.6, 10: 2.4}
LEADS_PER_MONTH = {4: 152, 5: 124, 6: 150, 7: 154, 8: 112, 9: 160, 10: 184, 11: 166, 12: 120, 1: 118, 2: 172, 3: 140}


@dataclass(frozen=True)
class Origin:
    """How deals come about: monthly number (leads: as they mature), win rate, days to close."""

    code: str
    per_month: int
    win_rate: float
    cycle_days: int


ORIGINS = {
    origin.code: origin
    for origin in (
        Origin("lead", 0, 0.16, 62),
        Origin("sales_generated", 10, 0.14, 74),
        Origin("referral", 5, 0.38, 40),
        Origin("existing", 13, 0.34, 33),
        Origin("partner", 7, 0.26, 52),
    )
}


@dataclass
class Account:
    """A prospect or customer; `first_won_on` is filled as deals are won."""

    external_id: str
    name: str
    region: str
    industry: str
    size: str
    unit: str
    owner: str
    first_won_on: date | None = None
    activity_weight: float = field(default=1.0)


def make_accounts(random: Random, *, count: int, customers: int, start: date, owners: dict[str, list[str]]) -> list:
    """`count` companies, the first `customers` of them customers since before `start`."""
    names = [f"{prefix}{trade}" for prefix in PREFIXES for trade in TRADES]
    random.shuffle(names)
    accounts = []
    for number, bare in enumerate(names[:count], start=1):
        trade = next(trade for trade in TRADES if bare.endswith(trade))
        region = random.choices(list(REGION_WEIGHTS), list(REGION_WEIGHTS.values()))[0]
        unit = random.choice(UNITS_OF_REGION[region])
        accounts.append(
            Account(
                external_id=f"A{number:05}",
                name=f"株式会社{bare}" if random.random() < 0.6 else f"{bare}株式会社",
                region=region,
                industry=TRADES[trade],
                size=random.choices(SIZES, SIZE_WEIGHTS)[0],
                unit=unit,
                owner=random.choice(owners[unit]),
                first_won_on=date.fromordinal(start.toordinal() - random.randint(60, 1500))
                if number <= customers
                else None,
            )
        )
    return accounts


class Quota:
    """Draws yes or no so that a run of cases comes close to its rate, as large numbers would (error diffusion)."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._owed: dict[str, float] = {}

    def draw(self, key: str, rate: float) -> bool:
        owed = self._owed.get(key, 0.5) + rate
        hit = owed + self._random.uniform(-0.4, 0.4) >= 1
        self._owed[key] = owed - 1 if hit else owed
        return hit
