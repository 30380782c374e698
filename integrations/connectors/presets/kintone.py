"""kintone by the usual Japanese labels: apps and fields are the company's own, so what is found is only proposed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from integrations.connectors.base import SourceField, Stream
from integrations.connectors.mapping import FieldRule
from integrations.connectors.presets.base import SourcePreset, Wish
from integrations.connectors.presets.japanese import VALUES
from integrations.connectors.values import normalise

# What an app is, by words in its label; the first that fits.
APPS: Mapping[str, tuple[str, ...]] = {
    "activities": ("活動", "日報", "訪問", "対応履歴", "activit"),
    "leads": ("リード", "見込み客", "見込客", "問い合わせ", "問合せ", "lead"),
    "deals": ("商談", "案件", "deal", "opportunit"),
    "accounts": ("取引先", "顧客", "会社", "企業", "account", "customer"),
    "people": ("社員", "従業員", "担当者", "employee"),
}
DAYS, WORDS, NAMES = ("date", "moment"), ("choice", "text"), ("text",)
PEOPLE, NUMBERS = ("list", "text"), ("number",)
# A code outlives a name; a name is what lookups copy.
ACCOUNT = ("取引先コード", "顧客コード", "会社コード", "取引先名", "顧客名", "会社名", "企業名", "取引先", "顧客")
OWNER = ("担当者", "営業担当", "営業担当者", "主担当", "主担当者", "社内担当者")
CREATED = ("作成日", "登録日", "発生日", "案件発生日", "商談開始日", "受付日", "作成日時", "登録日時")
MAIL = ("メールアドレス", "メール", "Email", "E-mail")
ID = "$id"


@dataclass(frozen=True)
class _Labels:
    """The labels by which one of our fields is usually called, best first, and the kinds of field that can hold it."""

    words: tuple[str, ...]
    kinds: tuple[str, ...]


LABELS: Mapping[str, Mapping[str, _Labels]] = {
    "people": {
        "external_id": _Labels(("ログイン名", "社員番号", "社員コード", ID), NAMES),
        "name": _Labels(("氏名", "社員名", "名前"), NAMES),
        "employee_code": _Labels(("社員番号", "社員コード"), NAMES),
        "email_hash": _Labels(MAIL, NAMES),
    },
    "accounts": {
        "external_id": _Labels((*ACCOUNT, ID), NAMES),
        "name": _Labels(("取引先名", "顧客名", "会社名", "企業名"), NAMES),
        "owner": _Labels(OWNER, PEOPLE),
        "industry": _Labels(("業種", "業界"), WORDS),
        "size": _Labels(("規模", "企業規模", "従業員数", "従業員規模"), (*WORDS, *NUMBERS)),
        "domain": _Labels(("ドメイン", "URL", "ホームページ", "Webサイト"), NAMES),
    },
    "leads": {
        "external_id": _Labels((ID,), NAMES),
        "created_on": _Labels(CREATED, DAYS),
        "created_at": _Labels(("作成日時", "登録日時"), ("moment",)),
        "account": _Labels(ACCOUNT, NAMES),
        "owner": _Labels(OWNER, PEOPLE),
        "lead_source": _Labels(("流入経路", "流入元", "リードソース", "獲得経路"), WORDS),
        "status": _Labels(("ステータス", "状況", "状態"), WORDS),
        "mql_on": _Labels(("MQL日", "MQL化日"), DAYS),
        "sql_on": _Labels(("SQL日", "SQL化日", "商談化日"), DAYS),
        "email_hash": _Labels(MAIL, NAMES),
        "email_domain": _Labels(MAIL, NAMES),
    },
    "deals": {
        "external_id": _Labels((ID,), NAMES),
        "name": _Labels(("商談名", "案件名", "件名"), NAMES),
        "account": _Labels(ACCOUNT, NAMES),
        "owner": _Labels(OWNER, PEOPLE),
        "created_on": _Labels(CREATED, DAYS),
        "expected_close_on": _Labels(("受注予定日", "完了予定日", "受注見込日", "契約予定日"), DAYS),
        "closed_on": _Labels(("受注日", "完了日", "決着日", "契約日"), DAYS),
        "outcome": _Labels(("結果", "商談結果", "受注結果", "商談ステータス", "案件ステータス"), WORDS),
        "phase": _Labels(("フェーズ", "商談フェーズ", "営業フェーズ", "ステージ", "ステータス", "進捗"), WORDS),
        "confidence": _Labels(("確度", "ヨミ", "受注確度"), WORDS),
        "amount": _Labels(("金額", "受注金額", "商談金額", "見積金額", "受注予定金額", "合計金額"), NUMBERS),
        "gross_profit": _Labels(("粗利", "粗利額", "粗利益"), NUMBERS),
        "lead_source": _Labels(("流入経路", "流入元", "リードソース"), WORDS),
        "origin": _Labels(("発生経緯", "発生区分"), WORDS),
        "product": _Labels(("商品コード", "商品", "製品"), WORDS),
        "lost_reason": _Labels(("失注理由",), WORDS),
        "competitor": _Labels(("競合", "競合他社"), WORDS),
        "last_activity_on": _Labels(("最終活動日", "最終接触日"), DAYS),
    },
    "activities": {
        "external_id": _Labels((ID,), NAMES),
        "kind": _Labels(("種別", "活動種別", "活動内容", "対応方法", "区分"), WORDS),
        "happened_on": _Labels(("活動日", "訪問日", "対応日", "日付", "活動日時", "訪問日時", "対応日時"), DAYS),
        "happened_at": _Labels(("活動日時", "訪問日時", "対応日時"), ("moment",)),
        "owner": _Labels(OWNER, PEOPLE),
        "account": _Labels(ACCOUNT, NAMES),
        "outcome": _Labels(("結果", "活動結果"), WORDS),
    },
}


def wishes(stream: Stream, fields: Sequence[SourceField]) -> Sequence[Wish]:
    """What an app would be read as by its label; nothing where that says nothing."""
    said = normalise(f"{stream.label} {stream.name}")
    resource = next((each for each, words in APPS.items() if any(normalise(word) in said for word in words)), None)
    if resource is None:
        return ()
    rules = {name: tuple(_ways(resource, name, labels, fields)) for name, labels in LABELS[resource].items()}
    return (Wish(resource, stream.name, rules),)


def _ways(resource: str, field: str, labels: _Labels, fields: Sequence[SourceField]) -> Iterator[FieldRule]:
    """A rule for each field that is called like it and can hold it; where there is none, what was looked for."""
    meant = VALUES.get(resource, {}).get(field, {})
    fitting = [each for each in fields if each.kind in labels.kinds]
    found = [each.name for word in labels.words for each in fitting if normalise(word) in _names(each)]
    for column in dict.fromkeys(found) or labels.words:
        yield FieldRule(field, column=column, values=meant)


def _names(field: SourceField) -> set[str]:
    """What a field is called: its label, without what stands in brackets behind it, and its code."""
    return {normalise(re.sub(r"[（(［\[].*", "", field.label) or field.label), normalise(field.name)}


KINTONE = SourcePreset("kintone_labels", _("kintone apps with the usual Japanese labels"), "kintone", wishes)
