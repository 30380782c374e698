"""The files company A sends: which system writes what, under which headings, in which encoding.

Each system exports in its own way, as clients' systems do: the SFA and the accounting system write CP932 CSV with
slashes in dates, the marketing system UTF-8 with a byte order mark, personnel and customer success keep Excel files.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

from openpyxl import Workbook

LIST_SEPARATOR = ";"


@dataclass(frozen=True)
class SourceFile:
    """One export: `headings` is column heading → contract field, `value_maps` is field → file value → contract value.

    `tax` says what no column says: whether the system's amounts are 税込 ("included").
    """

    system: str
    resource: str
    name: str
    encoding: str | None
    headings: Mapping[str, str]
    value_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tax: str = ""
    date_format: str = "%Y/%m/%d"
    has_thousands: bool = False

    @property
    def is_workbook(self) -> bool:
        return self.name.endswith(".xlsx")


FILES = (
    SourceFile(
        "hr",
        "teams",
        "hr_teams.xlsx",
        None,
        {
            "組織コード": "external_id",
            "組織名": "name",
            "上位組織コード": "parent",
            "地域": "region",
            "設置日": "starts_on",
            "廃止日": "ends_on",
            "前身組織コード": "succeeds",
            "組織長コード": "leaders",
        },
    ),
    SourceFile(
        "hr",
        "people",
        "hr_people.xlsx",
        None,
        {
            "担当者コード": "external_id",
            "社員番号": "employee_code",
            "氏名": "name",
            "メールアドレス": "email",
            "入社日": "hired_on",
            "退職日": "left_on",
        },
    ),
    SourceFile(
        "hr",
        "memberships",
        "hr_memberships.xlsx",
        None,
        {
            "発令番号": "external_id",
            "担当者コード": "person",
            "組織コード": "team",
            "発令日": "starts_on",
            "終了日": "ends_on",
            "主務区分": "credited",
            "按分率": "share",
        },
        {"credited": {"主務": "true", "兼務": "false"}},
    ),
    SourceFile(
        "sfa",
        "products",
        "sfa_products.csv",
        "cp932",
        {"商品コード": "external_id", "商品名": "name", "分類コード": "parent", "別名": "aliases"},
    ),
    SourceFile(
        "sfa",
        "accounts",
        "sfa_accounts.csv",
        "cp932",
        {
            "取引先ID": "external_id",
            "取引先名": "name",
            "担当者コード": "owner",
            "地域": "region",
            "業種": "industry",
            "従業員規模": "size",
            "初回受注日": "first_won_on",
        },
    ),
    SourceFile(
        "ma",
        "leads",
        "ma_leads.csv",
        "utf-8-sig",
        {
            "リードID": "external_id",
            "登録日": "created_on",
            "取引先ID": "account",
            "担当者コード": "owner",
            "流入経路": "lead_source",
            "ステータス": "status",
            "MQL日": "mql_on",
            "SQL日": "sql_on",
            "対象外日": "disqualified_on",
            "対象外理由": "disqualified_reason",
            "商談ID": "converted_deal",
            "メールハッシュ": "email_hash",
        },
        {"status": {"新規": "new", "MQL": "mql", "SQL": "sql", "差し戻し": "returned", "対象外": "disqualified"}},
    ),
    SourceFile(
        "ma",
        "lead-stage-events",
        "ma_lead_stage_events.csv",
        "utf-8-sig",
        {"履歴ID": "external_id", "リードID": "lead", "ステージ": "stage", "日付": "entered_at"},
        {"stage": {"MQL": "mql", "SQL": "sql", "差し戻し": "returned", "対象外": "disqualified"}},
    ),
    SourceFile(
        "sfa",
        "deals",
        "sfa_deals.csv",
        "cp932",
        {
            "商談ID": "external_id",
            "商談名": "name",
            "取引先ID": "account",
            "担当者コード": "owner",
            "作成者コード": "created_by",
            "作成日": "created_on",
            "完了予定日": "expected_close_on",
            "完了日": "closed_on",
            "結果": "outcome",
            "フェーズ": "phase",
            "ヨミ": "confidence",
            "金額": "amount",
            "粗利額": "gross_profit",
            "発生経路": "origin",
            "リードID": "lead",
            "流入経路": "lead_source",
            "販売チャネル": "sales_channel",
            "代理店名": "partner",
            "商品コード": "product",
            "新規・既存": "customer_type",
            "失注理由": "lost_reason",
            "競合": "competitor",
            "延期回数": "postponed_count",
            "最終活動日": "last_activity_on",
        },
        {
            "outcome": {
                "進行中": "open",
                "受注": "won",
                "失注": "lost",
                "見送り": "no_decision",
                "重複・対象外": "void",
            },
            "origin": {
                "リード": "lead",
                "自主開拓": "sales_generated",
                "紹介": "referral",
                "既存深耕": "existing",
                "代理店": "partner",
            },
            "customer_type": {"新規": "new", "既存": "existing"},
        },
    ),
    SourceFile(
        "sfa",
        "deal-lines",
        "sfa_deal_lines.csv",
        "cp932",
        {
            "明細ID": "external_id",
            "商談ID": "deal",
            "商品コード": "product",
            "数量": "quantity",
            "金額": "amount",
            "粗利額": "gross_profit",
        },
    ),
    SourceFile(
        "sfa",
        "deal-credits",
        "sfa_deal_credits.csv",
        "cp932",
        {
            "貢献ID": "external_id",
            "商談ID": "deal",
            "担当者コード": "person",
            "貢献区分": "kind",
            "配分率": "share",
            "役割": "role",
        },
        {"kind": {"売上配分": "revenue", "創出貢献": "overlay"}},
    ),
    SourceFile(
        "sfa",
        "deal-stage-events",
        "sfa_deal_stage_events.csv",
        "cp932",
        {"履歴ID": "external_id", "商談ID": "deal", "フェーズ": "phase", "移行日": "entered_at"},
    ),
    SourceFile(
        "sfa",
        "activities",
        "sfa_activities.csv",
        "cp932",
        {
            "活動ID": "external_id",
            "活動種別": "kind",
            "活動日": "happened_on",
            "担当者コード": "owner",
            "取引先ID": "account",
            "商談ID": "deal",
            "リードID": "lead",
            "結果": "outcome",
        },
        {
            "kind": {
                "電話": "call",
                "打ち合わせ": "meeting",
                "訪問": "visit",
                "メール": "mail",
                "デモ": "demo",
                "提案": "proposal",
            },
            "outcome": {"接続": "connected", "不在": "no_answer"},
        },
    ),
    SourceFile(
        "cs",
        "contracts",
        "cs_contracts.xlsx",
        None,
        {
            "契約番号": "external_id",
            "取引先ID": "account",
            "契約開始日": "starts_on",
            "契約終了日の翌日": "ends_on",
            "月額": "mrr",
            "サブスクリプションID": "subscription",
            "更新期限": "renewal_due_on",
            "更新済み": "renewed",
            "商品コード": "product",
            "担当者コード": "owner",
        },
        {"renewed": {"済": "true", "解約": "false"}},
    ),
    SourceFile(
        "cs",
        "surveys",
        "cs_surveys.csv",
        "utf-8-sig",
        {
            "回答ID": "external_id",
            "種別": "kind",
            "点数": "score",
            "回答日": "answered_on",
            "取引先ID": "account",
            "担当者コード": "owner",
        },
        {"kind": {"NPS": "nps", "CSAT": "csat"}},
    ),
    SourceFile(
        "accounting",
        "orders",
        "accounting_orders.csv",
        "cp932",
        {
            "受注番号": "external_id",
            "取引先ID": "account",
            "受注日": "ordered_on",
            "受注金額（税込）": "amount",
            "商品コード": "product",
            "担当者コード": "owner",
        },
        tax="included",
        date_format="%Y%m%d",
        has_thousands=True,
    ),
    SourceFile(
        "accounting",
        "revenues",
        "accounting_revenues.csv",
        "cp932",
        {
            "売上番号": "external_id",
            "売上計上日": "recognized_on",
            "取引先ID": "account",
            "商談ID": "deal",
            "売上金額（税込）": "amount",
            "粗利額（税込）": "gross_profit",
            "売上区分": "kind",
            "商品": "product",
            "担当者コード": "owner",
        },
        {"kind": {"スポット": "one_off", "月額": "recurring", "保守": "maintenance"}},
        tax="included",
        date_format="%Y%m%d",
        has_thousands=True,
    ),
)


def write(file: SourceFile, records: list[dict], directory: Path) -> Path:
    """Write contract records the way the source system would show them."""
    path = directory / file.name
    words = {name: {ours: theirs for theirs, ours in values.items()} for name, values in file.value_maps.items()}
    table = [[_shown(record.get(name), words.get(name)) for name in file.headings.values()] for record in records]
    if file.is_workbook:
        path.write_bytes(_workbook(list(file.headings), table))
    else:
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(file.headings)
        writer.writerows([_text(file, cell) for cell in row] for row in table)
        path.write_bytes(text.getvalue().encode(file.encoding or "utf-8"))
    return path


def _shown(value: object, words: Mapping[str, str] | None) -> object:
    if isinstance(value, list):
        return LIST_SEPARATOR.join(value)
    if value is None or words is None:
        return value
    return words[str(value).lower() if isinstance(value, bool) else str(value)]


def _text(file: SourceFile, value: object) -> str:
    if isinstance(value, date):
        return value.strftime(file.date_format)
    if isinstance(value, int) and file.has_thousands:
        return f"{value:,}"
    return "" if value is None else str(value)


def _workbook(headings: list[str], table: list[list]) -> bytes:
    """An XLSX file whose bytes depend on its content only: the library stamps the clock into it twice."""
    workbook = Workbook()
    workbook.properties.created = datetime(2020, 1, 1)  # noqa: DTZ001 - the format carries no zone
    sheet = workbook.active
    sheet.append(headings)
    for row in table:
        sheet.append(row)
    stamped = io.BytesIO()
    workbook.save(stamped)
    plain = io.BytesIO()
    with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2020-01-01T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return plain.getvalue()
