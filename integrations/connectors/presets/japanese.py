"""Exports with Japanese headings, one file for each kind of row: from a sales, a marketing and an accounting system."""

from collections.abc import Mapping
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from integrations.connectors.catalogue import fields_of
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.presets.base import Preset, stream

OUTCOMES = {
    "進行中": "open",
    "商談中": "open",
    "受注": "won",
    "失注": "lost",
    "見送り": "no_decision",
    "重複": "void",
    "対象外": "void",
    "": "",
}
ORIGINS = {
    "リード": "lead",
    "自社開拓": "sales_generated",
    "営業開拓": "sales_generated",
    "紹介": "referral",
    "既存深耕": "existing",
    "既存顧客": "existing",
    "代理店": "partner",
    "パートナー": "partner",
    "不明": "unknown",
}
ACTIVITIES = {
    "電話": "call",
    "架電": "call",
    "打合せ": "meeting",
    "打ち合わせ": "meeting",
    "会議": "meeting",
    "オンライン商談": "meeting",
    "訪問": "visit",
    "メール": "mail",
    "デモ": "demo",
    "提案": "proposal",
    "その他": "other",
}
VALUES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "deals": {"outcome": OUTCOMES, "origin": ORIGINS, "customer_type": {"新規": "new", "既存": "existing"}},
    "deal-credits": {
        "kind": {"売上": "revenue", "売上按分": "revenue", "オーバーレイ": "overlay", "商談創出": "overlay"}
    },
    "activities": {"kind": ACTIVITIES},
    "revenues": {
        "kind": {
            "スポット": "one_off",
            "一時": "one_off",
            "継続": "recurring",
            "保守": "maintenance",
            "その他": "other",
        }
    },
    "surveys": {"kind": {"NPS": "nps", "CSAT": "csat", "顧客満足度": "csat"}},
    "lead-stage-events": {"stage": {"MQL": "mql", "SQL": "sql", "差し戻し": "returned", "対象外": "disqualified"}},
}
ITEM = {"product": "商品コード", "owner": "担当者コード"}


def _export(resource: str, file: str, columns: Mapping[str, str], *, taxed: bool = False) -> StreamMapping:
    """Columns of fields that the contract does not require may be absent from the file."""
    fields = fields_of(resource)
    return stream(
        resource,
        f"{file}*",
        columns,
        optional=frozenset(name for name in columns if name not in fields or not fields[name].is_required),
        values=VALUES.get(resource),
        tax="included" if taxed else "",
        tax_rate=Decimal("0.10") if taxed else None,
    )


SALES = Preset(
    "japanese_sales",
    _("Sales system with Japanese headings"),
    (
        _export(
            "people",
            "社員",
            {
                "external_id": "社員コード",
                "name": "氏名",
                "employee_code": "社員番号",
                "email": "メールアドレス",
                "team": "所属チームコード",
                "hired_on": "入社日",
                "left_on": "退職日",
            },
        ),
        _export(
            "teams",
            "チーム",
            {
                "external_id": "チームコード",
                "name": "チーム名",
                "parent": "上位チームコード",
                "region": "地域",
                "starts_on": "開始日",
                "ends_on": "終了日",
                "succeeds": "前身チームコード",
                "leaders": "責任者コード",
            },
        ),
        _export(
            "memberships",
            "所属",
            {
                "external_id": "所属ID",
                "person": "社員コード",
                "team": "チームコード",
                "starts_on": "開始日",
                "ends_on": "終了日",
                "credited": "実績計上",
                "share": "配分",
            },
        ),
        _export(
            "products",
            "商品",
            {"external_id": "商品コード", "name": "商品名", "parent": "商品分類コード", "aliases": "別名"},
        ),
        _export(
            "accounts",
            "取引先",
            {
                "external_id": "取引先コード",
                "name": "取引先名",
                "owner": "担当者コード",
                "region": "地域",
                "industry": "業種",
                "size": "規模",
                "parent": "親会社コード",
                "first_won_on": "初回受注日",
                "attributes.rank": "顧客ランク",
            },
        ),
        _export(
            "deals",
            "商談一覧",
            {
                "external_id": "商談ID",
                "name": "商談名",
                "account": "取引先コード",
                "owner": "担当者コード",
                "created_by": "作成者コード",
                "created_on": "作成日",
                "expected_close_on": "完了予定日",
                "closed_on": "完了日",
                "outcome": "結果",
                "phase": "フェーズ",
                "confidence": "ヨミ",
                "amount": "金額",
                "currency": "通貨",
                "gross_profit": "粗利",
                "origin": "発生経緯",
                "lead": "リードID",
                "lead_source": "流入経路",
                "sales_channel": "販売チャネル",
                "partner": "代理店",
                "product": "商品コード",
                "region": "地域",
                "customer_type": "顧客区分",
                "lost_reason": "失注理由",
                "competitor": "競合",
                "postponed_count": "延期回数",
                "last_activity_on": "最終活動日",
                "source_url": "URL",
                "source_updated_at": "更新日時",
            },
        ),
        _export(
            "deal-lines",
            "商談明細",
            {
                "external_id": "明細ID",
                "deal": "商談ID",
                "product": "商品コード",
                "quantity": "数量",
                "amount": "金額",
                "gross_profit": "粗利",
            },
        ),
        _export(
            "deal-credits",
            "商談担当",
            {
                "external_id": "担当ID",
                "deal": "商談ID",
                "person": "社員コード",
                "kind": "区分",
                "share": "配分",
                "role": "役割",
            },
        ),
        _export(
            "deal-stage-events",
            "フェーズ履歴",
            {"external_id": "履歴ID", "deal": "商談ID", "phase": "フェーズ", "entered_at": "変更日時"},
        ),
        _export(
            "activities",
            "活動",
            {
                "external_id": "活動ID",
                "kind": "種別",
                "happened_on": "活動日",
                "owner": "担当者コード",
                "account": "取引先コード",
                "deal": "商談ID",
                "lead": "リードID",
                "outcome": "結果",
            },
        ),
        _export(
            "contracts",
            "契約",
            {
                "external_id": "契約ID",
                "account": "取引先コード",
                "starts_on": "開始日",
                "ends_on": "終了日",
                "mrr": "月額",
                "currency": "通貨",
                "subscription": "契約番号",
                "renewal_due_on": "更新期限",
                "renewed": "更新済",
                **ITEM,
            },
        ),
        _export(
            "surveys",
            "アンケート",
            {
                "external_id": "回答ID",
                "kind": "種別",
                "score": "点数",
                "answered_on": "回答日",
                "account": "取引先コード",
                "owner": "担当者コード",
            },
        ),
    ),
)

MARKETING = Preset(
    "japanese_marketing",
    _("Marketing system with Japanese headings"),
    (
        _export(
            "leads",
            "リード一覧",
            {
                "external_id": "リードID",
                "created_on": "作成日",
                # A pile of scanned cards shows best by the time, which not every export has.
                "created_at": "作成日時",
                "account": "取引先コード",
                "owner": "担当者コード",
                "lead_source": "流入経路",
                "status": "ステータス",
                "mql_on": "MQL日",
                "sql_on": "SQL日",
                "disqualified_on": "対象外日",
                "disqualified_reason": "対象外理由",
                "converted_deal": "商談ID",
            },
        ),
        _export(
            "lead-stage-events",
            "リード履歴",
            {"external_id": "履歴ID", "lead": "リードID", "stage": "段階", "entered_at": "変更日時"},
        ),
    ),
)

ACCOUNTING = Preset(
    "japanese_accounting",
    _("Accounting system with Japanese headings, amounts with tax"),
    (
        _export(
            "orders",
            "受注",
            {
                "external_id": "受注番号",
                "account": "取引先コード",
                "ordered_on": "受注日",
                "amount": "受注金額（税込）",
                "currency": "通貨",
                **ITEM,
            },
            taxed=True,
        ),
        _export(
            "revenues",
            "売上",
            {
                "external_id": "売上番号",
                "recognized_on": "計上日",
                "account": "取引先コード",
                "deal": "商談ID",
                "amount": "売上金額（税込）",
                "gross_profit": "粗利（税込）",
                "kind": "区分",
                **ITEM,
            },
            taxed=True,
        ),
    ),
)
