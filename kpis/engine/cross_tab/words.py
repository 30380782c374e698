"""The words by which Japanese sheets say what a row or column is: kinds of numbers, totals, units, roles of columns."""

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

from kpis.engine.cross_tab.shapes import Kind

_KINDS: Mapping[Kind, str] = {
    Kind.BUDGET: "予算 予算額 予算値 budget",
    Kind.TARGET: "目標 目標値 目標額 目標数 計画 計画値 計画額 月次目標 当年目標 今期目標 ノルマ target plan",
    Kind.STRETCH: "挑戦目標 ストレッチ ストレッチ目標 チャレンジ目標 stretch",
    Kind.ACTUAL: "実績 実績値 実績額 実績数 結果 当年 当年実績 今年 今期 今期実績 当期実績 本年実績 actual actuals",
    Kind.PREVIOUS_YEAR: "前年 前年実績 前年同月 前年同月実績 前年同期 前年度 前年度実績 昨年 昨年実績 "
    "昨年度 昨年度実績 前期 前期実績 lastyear previousyear py",
    Kind.FORECAST: "見込 見込み 着地見込 着地見込み 予測 着地予測 forecast",
    Kind.CUMULATIVE: "累計 実績累計 累計実績 目標累計 累計目標 予算累計 累計予算 累積 ytd",
    Kind.DERIVED: "達成率 目標達成率 予算達成率 計画達成率 累計達成率 進捗率 前年比 前年同月比 前年同期比 前年度比 "
    "対前年比 対前年 昨対 昨対比 昨年比 前期比 前月比 差異 差 差額 予実差 予実差異 予算差異 目標差 目標差異 過不足 "
    "構成比 乖離 増減 増減率 伸び率 伸長率 対予算 対予算比 対目標 対計画比 予算比 目標比 計画比 "
    "achievement variance gap yoy",
}
KINDS: Mapping[str, Kind] = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_ACHIEVEMENTS = "達成率 目標達成率 予算達成率 計画達成率 対予算比 対計画比 achievement"
ACHIEVEMENTS = frozenset(_ACHIEVEMENTS.split())
# Endings that are a kind even without a bracket or gap before them, where another row of the same name has one too.
_ENDINGS = tuple(sorted((word for word in KINDS if word.isascii() is False and len(word) > 1), key=len, reverse=True))
_TOTAL_WORDS = "合計 計 総計 小計 全体 全社 会社計 全社計 全社合計 トータル total ttl 総合計 部門計 営業部計"
_TOTALS = frozenset(_TOTAL_WORDS.split())
_ROLES: Mapping[str, str] = {
    "kpi": "kpi kpi名 kpi項目 指標 指標名 項目 項目名 管理項目 科目 評価指標",
    "segment": "担当 担当者 担当者名 氏名 名前 営業担当 営業 営業担当者 社員 社員名 メンバー 部署 部門 部署名 チーム "
    "チーム名 課 支店 拠点 エリア グループ 組織 所属 営業所 person team member owner name",
    "kind": "区分 種別 年度 予実 予実区分 目標/実績 予算/実績 計画/実績 内訳 kind",
    "unit": "単位 unit",
    "ignored": "責任者 kpi責任者 責任部署 no no. # 番号 備考 コード 社員番号 社員コード メモ 定義 計算式 no.",
}
ROLES: Mapping[str, str] = {word: role for role, words in _ROLES.items() for word in words.split()}
_COUNTED = "件 社 人 名 回 本 台 個 口 通 コール 店"
UNITS: Mapping[str, tuple[str, int]] = {
    "円": ("amount", 1),
    "千円": ("amount", 1_000),
    "万円": ("amount", 10_000),
    "百万円": ("amount", 1_000_000),
    "百万": ("amount", 1_000_000),
    "億円": ("amount", 100_000_000),
    "¥": ("amount", 1),
    "%": ("percent", 1),
    "パーセント": ("percent", 1),
    "日": ("days", 1),
    "営業日": ("days", 1),
    "点": ("score", 1),
    "pt": ("score", 1),
    "ポイント": ("score", 1),
    "倍": ("ratio", 1),
    **dict.fromkeys(_COUNTED.split(), ("count", 1)),
}
BLANKS = frozenset(["", "-", "--", "―", "—", "–", "‐", "−", "ー", "…", "n/a", "na", "未", "なし", "空欄"])
_BRACKET = re.compile(r"(?P<name>.+?)[(\[【<〔](?P<inner>[^()\[\]【】<>〔〕]+)[)\]】>〕]")
_SEPARATED = re.compile(r"(?P<name>.+?)[・_/:\-|,、](?P<inner>[^・_/:\-|,、]+)")
_STATED_UNIT = re.compile(r".*?単位[:は]?(?P<unit>[^()\[\]、,]+).*")
_MARKS = re.compile(r"^[■□◆◇●○▼▽★☆※・◎【〈<\[]+|[】〉>\]]+$")
_LIKELY = (
    ("percent", re.compile(r"率$|率[(（]|rate|nrr|grr|シェア|比率|割合")),
    ("days", re.compile(r"日数|期間|リードタイム")),
    ("amount", re.compile(r"額|売上|粗利|利益|収益|単価|費$|コスト|原価|受注高|仕入|mrr|arr|予算|高$")),
    (
        "count",
        re.compile(r"数|件|回|社$|リード|mql|sql|訪問|架電|商談|アポ|提案|受注|失注|契約|解約|来場|問合|問い合わせ"),
    ),
)


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """A text as it is compared: full-width made half-width, without gaps, in small letters.

    >>> plain("　受 注額（千円）"), plain("ＫＰＩ")
    ('受注額(千円)', 'kpi')
    """
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def tidy(text: str) -> str:
    """A name as it is shown: gaps made one, marks such as ■ and 【】 around it taken off.

    >>> tidy("■ 受注額　"), tidy("【営業一課】")
    ('受注額', '営業一課')
    """
    return _MARKS.sub("", " ".join(unicodedata.normalize("NFKC", text).split())).strip()


def kind_of(text: str) -> Kind | None:
    """What a text says by itself about the kind of numbers.

    >>> kind_of("目標"), kind_of("前年実績"), kind_of("受注額")
    (<Kind.TARGET: 'target'>, <Kind.PREVIOUS_YEAR: 'previous_year'>, None)
    """
    return KINDS.get(plain(text).strip("()[]【】"))


def is_total(text: str) -> bool:
    """Whether a row is called a total."""
    return plain(_MARKS.sub("", text)) in _TOTALS


def total_of(text: str) -> str | None:
    """Whose total a row is, where its name says so (東京支店計 → 東京支店); None for others.

    >>> total_of("東京支店 計"), total_of("合計"), total_of("設計") is None
    ('東京支店', None, True)
    """
    found = re.fullmatch(r"(.+?)(?:小計|合計|の?計)", tidy(text).replace(" ", ""))
    return found[1] if found and not is_total(text) and len(found[1]) > 1 else None


def unit_of(text: str) -> tuple[str, int] | None:
    """A text that is nothing but a unit."""
    return UNITS.get(plain(text).strip("()[]【】"))


def stated_unit(text: str) -> tuple[str, int] | None:
    """The unit that a remark on the sheet says, such as （単位：千円）.

    >>> stated_unit("（単位：千円）"), stated_unit("単位 百万円"), stated_unit("受注額") is None
    (('amount', 1000), ('amount', 1000000), True)
    """
    found = _STATED_UNIT.fullmatch(plain(text))
    return UNITS.get(found["unit"].strip(":")) if found else None


def split_unit(label: str) -> tuple[str, tuple[str, int] | None]:
    """A name, and the unit in brackets at its end.

    >>> split_unit("受注額（千円）"), split_unit("商談化率（MQL→SQL）")
    (('受注額', ('amount', 1000)), ('商談化率(MQL→SQL)', None))
    """
    text = tidy(label)
    found = _BRACKET.fullmatch(text)
    inner = found["inner"].removeprefix("単位").strip(":： ") if found else ""
    unit = unit_of(inner) if inner else None
    return (found["name"].strip(), unit) if found and unit else (text, None)


def split_kind(label: str) -> tuple[str, Kind, bool] | None:
    """A name and the kind that it carries, and whether that is sure: 受注額（目標）, 受注額 実績; 売上目標 is not.

    >>> split_kind("受注額（目標）"), split_kind("受注額 実績")[:2], split_kind("売上目標")[2]
    (('受注額', <Kind.TARGET: 'target'>, True), ('受注額', <Kind.ACTUAL: 'actual'>), False)
    >>> split_kind("目標") is None, split_kind("受注額") is None
    (True, True)
    """
    text = tidy(label)
    if kind_of(text):
        return None
    for found in (
        _BRACKET.fullmatch(text),
        _SEPARATED.fullmatch(text),
        re.fullmatch(r"(?P<name>.+) (?P<inner>\S+)", text),
    ):
        kind = kind_of(found["inner"]) if found else None
        if found and kind:
            return found["name"].strip(), kind, True
    ending = next((word for word in _ENDINGS if plain(text).endswith(word) and len(plain(text)) > len(word)), None)
    return (text[: -len(ending)].strip(), KINDS[ending], False) if ending and text.endswith(ending) else None


def likely_unit(name: str) -> str | None:
    """The unit that a KPI's name makes likely; None where it says nothing.

    >>> likely_unit("受注率"), likely_unit("受注額"), likely_unit("新規リード数"), likely_unit("田中")
    ('percent', 'amount', 'count', None)
    """
    text = plain(name)
    return next((unit for unit, pattern in _LIKELY if pattern.search(text)), None)
