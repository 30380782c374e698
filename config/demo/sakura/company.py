"""The demo company's organisation and catalogue: teams, people, memberships, products. All names are invented."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from config.demo.sakura.dates import business_day_until, latest

NAME = "株式会社サクラフローワークス"

HEADQUARTERS, CAPITAL_1, CAPITAL_2, CAPITAL = "T100", "T110", "T120", "T130"
WEST, KANSAI, KYUSHU, CHUBU = "T140", "T150", "T160", "T170"
INSIDE_SALES, CUSTOMER_SUCCESS, MARKETING = "T180", "T190", "T200"

DUAL_ROLE = "E043"
LEAVER = "E025"
LEAVER_SUCCESSOR = "E021"

# team when the history starts → its people; the first is the leader
STAFF = {
    HEADQUARTERS: {"E001": "榊原 康彦"},
    CAPITAL_1: {
        "E011": "三橋 直人",
        "E012": "長谷部 美咲",
        "E013": "小暮 拓也",
        "E014": "飯塚 奈緒",
        "E015": "城戸 翔太",
    },
    CAPITAL_2: {
        "E021": "野々村 誠司",
        "E022": "辻本 彩香",
        "E023": "矢吹 亮介",
        "E024": "及川 千夏",
        "E025": "相原 大輔",
    },
    WEST: {
        "E031": "安藤 浩一郎",
        "E032": "梶原 真由",
        "E033": "久世 健吾",
        "E034": "福留 沙織",
        "E035": "武市 悠斗",
        "E036": "古賀 慎一",
        "E037": "中園 理恵",
    },
    CHUBU: {"E041": "水谷 隆之", "E042": "杉江 佳奈", "E043": "鬼頭 祐樹", "E044": "堀場 里奈"},
    INSIDE_SALES: {"E051": "白川 由佳", "E052": "真柴 蓮", "E053": "塩見 遥香", "E054": "日下部 陽", "E055": "南條 萌"},
    CUSTOMER_SUCCESS: {"E061": "大貫 俊之", "E062": "桐生 さやか", "E063": "横溝 匠", "E064": "芦沢 春奈"},
    MARKETING: {"E071": "鷲尾 和樹", "E072": "笹本 涼子", "E073": "久保田 渉", "E074": "千家 みのり"},
}
MOVED_TO_KYUSHU = ("E036", "E037")
LEADERS = {
    HEADQUARTERS: "E001",
    CAPITAL_1: "E011",
    CAPITAL_2: "E021",
    CAPITAL: "E011",
    WEST: "E031",
    KANSAI: "E031",
    KYUSHU: "E036",
    CHUBU: "E041",
    INSIDE_SALES: "E051",
    CUSTOMER_SUCCESS: "E061",
    MARKETING: "E071",
}
REGION_OF_STAFF = {CAPITAL_1: "首都圏", CAPITAL_2: "首都圏", WEST: "西日本", CHUBU: "中部"}
FOUNDED = date(2015, 4, 1)


@dataclass(frozen=True)
class Reorganisation:
    """When teams end and their successors begin: the first day of the new organisation."""

    april: date
    october: date
    leaver_left_on: date

    @classmethod
    def seen_from(cls, today: date) -> Reorganisation:
        return cls(
            april=latest(4, today),
            october=latest(10, today),
            leaver_left_on=business_day_until(today - timedelta(days=50)),
        )


def teams(today: date) -> list[dict]:
    when = Reorganisation.seen_from(today)
    return [
        _team(HEADQUARTERS, "営業本部"),
        _team(CAPITAL_1, "首都圏営業1課", HEADQUARTERS, "首都圏", ends_on=when.april),
        _team(CAPITAL_2, "首都圏営業2課", HEADQUARTERS, "首都圏", ends_on=when.april),
        _team(CAPITAL, "首都圏営業課", HEADQUARTERS, "首都圏", starts_on=when.april, succeeds=[CAPITAL_1, CAPITAL_2]),
        _team(WEST, "西日本営業課", HEADQUARTERS, "西日本", ends_on=when.october),
        _team(KANSAI, "関西営業課", HEADQUARTERS, "西日本", starts_on=when.october, succeeds=[WEST]),
        _team(KYUSHU, "九州営業課", HEADQUARTERS, "九州", starts_on=when.october),
        _team(CHUBU, "中部営業課", HEADQUARTERS, "中部"),
        _team(INSIDE_SALES, "インサイドセールス課", HEADQUARTERS),
        _team(CUSTOMER_SUCCESS, "カスタマーサクセス課", HEADQUARTERS),
        _team(MARKETING, "マーケティング部"),
    ]


def _team(
    code: str,
    name: str,
    parent: str | None = None,
    region: str | None = None,
    *,
    starts_on: date = FOUNDED,
    ends_on: date | None = None,
    succeeds: list[str] | None = None,
) -> dict:
    return {
        "external_id": code,
        "name": name,
        "parent": parent,
        "region": region,
        "starts_on": starts_on,
        "ends_on": ends_on,
        "succeeds": succeeds or [],
        "leaders": [LEADERS[code]],
    }


def hired_on(code: str) -> date:
    """Hiring dates lie before the history: leaders first, then by number."""
    number = int(code[1:])
    return FOUNDED if number % 10 == 1 else date(2016 + number % 7, 4, 1)


def people(today: date) -> list[dict]:
    when = Reorganisation.seen_from(today)
    return [
        {
            "external_id": code,
            "employee_code": f"10{code[1:]}",
            "name": name,
            "email": f"{code.lower()}@sakura.example",
            "hired_on": hired_on(code),
            "left_on": when.leaver_left_on if code == LEAVER else None,
        }
        for staff in STAFF.values()
        for code, name in staff.items()
    ]


def memberships(today: date) -> list[dict]:
    """Who belongs where from when: one credited row per person and day; 兼務 adds a row that is not credited."""
    when = Reorganisation.seen_from(today)
    rows = []
    for team, staff in STAFF.items():
        for code in staff:
            gone = when.leaver_left_on + timedelta(days=1) if code == LEAVER else date.max
            for place, starts_on, ends_on in _places(team, code, when):
                if starts_on < gone:
                    end = min(ends_on or date.max, gone)
                    share = "70%" if code == DUAL_ROLE else None
                    rows.append((code, place, starts_on, None if end == date.max else end, True, share))
    rows.append((DUAL_ROLE, INSIDE_SALES, when.april, None, False, "30%"))
    return [
        {
            "external_id": f"M{number:03}",
            "person": code,
            "team": place,
            "starts_on": starts_on,
            "ends_on": ends_on,
            "credited": credited,
            "share": share,
        }
        for number, (code, place, starts_on, ends_on, credited, share) in enumerate(rows, start=1)
    ]


def _places(team: str, code: str, when: Reorganisation) -> list[tuple[str, date, date | None]]:
    hired = hired_on(code)
    if team in (CAPITAL_1, CAPITAL_2):
        return [(team, hired, when.april), (CAPITAL, when.april, None)]
    if team == WEST:
        return [(team, hired, when.october), (KYUSHU if code in MOVED_TO_KYUSHU else KANSAI, when.october, None)]
    return [(team, hired, None)]


@dataclass(frozen=True)
class Product:
    """One line of the price list: list price and cost share; recurring ones are billed by the quarter."""

    code: str
    name: str
    parent: str | None = None
    price: int = 0
    margin: float = 0.0
    is_recurring: bool = False
    aliases: tuple[str, ...] = ()


PRODUCTS = {
    product.code: product
    for product in (
        Product("P-100", "クラウドサービス"),
        Product("P-101", "受発注クラウド", "P-100", 1_800_000, 0.72, True, ("受発注ｸﾗｳﾄﾞ", "受発注クラウドサービス")),
        Product("P-102", "在庫管理クラウド", "P-100", 1_500_000, 0.70, True),
        Product("P-103", "EDI接続サービス", "P-100", 720_000, 0.66, True, ("ＥＤＩ接続サービス",)),
        Product("P-200", "パッケージ"),
        Product("P-201", "生産管理パッケージ", "P-200", 5_400_000, 0.55),
        Product("P-202", "原価管理オプション", "P-200", 1_600_000, 0.58),
        Product("P-300", "導入サービス"),
        Product("P-301", "導入支援", "P-300", 1_200_000, 0.42),
        Product("P-302", "データ移行", "P-300", 600_000, 0.38),
        Product("P-303", "操作研修", "P-300", 300_000, 0.48),
        Product("P-400", "機器・保守"),
        Product("P-401", "ハンディ端末", "P-400", 980_000, 0.22, False, ("ハンディターミナル",)),
        Product("P-402", "年間保守", "P-400", 480_000, 0.60, True),
    )
}
ALIASED = {alias: product.code for product in PRODUCTS.values() for alias in product.aliases}


def products() -> list[dict]:
    return [
        {
            "external_id": product.code,
            "name": product.name,
            "parent": product.parent,
            "aliases": list(product.aliases),
        }
        for product in PRODUCTS.values()
    ]
