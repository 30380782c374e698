"""Referrals and existing customers (紹介・既存深耕型): business that comes from people who know us. From practice."""

from kpis.engine.specs import Manual, Ratio
from kpis.engine.templates.metrics import (
    AVERAGE_DEAL_SIZE,
    BOOKINGS,
    CLOSED,
    WON,
    WON_DEALS,
    deals,
    where,
)
from kpis.engine.templates.shapes import Step, Template, TemplateMetric, TemplateNode, Text

_REFERRED = where("origin", "referral")
_REFERRAL_REQUESTS = TemplateMetric(
    "referral_requests", Text("Referral requests", "紹介依頼数"), "count", "sum", Manual()
)
_REFERRALS = TemplateMetric(
    "referrals", Text("Referrals", "紹介件数"), "count", "sum", deals("count", _REFERRED, date="created_on")
)
_REFERRAL_WIN_RATE = TemplateMetric(
    "referral_win_rate",
    Text("Win rate of referrals", "紹介からの受注率"),
    "percent",
    "rate",
    Ratio(deals("count", WON, _REFERRED), deals("count", CLOSED, _REFERRED)),
)
_CONTACT_COVERAGE = TemplateMetric(
    "existing_contact_coverage",
    Text("Contact coverage of existing customers", "既存接触カバー率"),
    "percent",
    "rate",
    Manual(),
)

_NODES = (
    TemplateNode("bookings", "kgi", BOOKINGS.name, metric="bookings"),
    TemplateNode(
        "introductions",
        "ksf",
        Text("Being recommended", "紹介の獲得"),
        parent="bookings",
        reason=Text(
            "Orders come by recommendation, and recommendations come to those who ask for them.",
            "受注の多くは紹介から生まれ、紹介は依頼してはじめて生まれます。",
        ),
    ),
    TemplateNode(
        "referral_requests",
        "kpi",
        _REFERRAL_REQUESTS.name,
        parent="introductions",
        metric="referral_requests",
        reason=Text("The one step that is entirely in our hands.", "自分たちだけで増やせる唯一の一歩のため。"),
        controllable_by={"account_owner": "full", "field_sales": "full"},
    ),
    TemplateNode(
        "referrals",
        "kpi",
        _REFERRALS.name,
        parent="introductions",
        metric="referrals",
        link="lagged",
        reason=Text("Shows whether requests are heard.", "依頼が紹介につながっているかが分かるため。"),
        controllable_by={"account_owner": "full"},
    ),
    TemplateNode(
        "referral_win_rate",
        "kpi",
        _REFERRAL_WIN_RATE.name,
        parent="introductions",
        metric="referral_win_rate",
        reason=Text(
            "Shows whether the right people are introduced to us.", "適した相手を紹介されているかが分かるため。"
        ),
        controllable_by={"field_sales": "full"},
    ),
    TemplateNode(
        "won_deals",
        "kpi",
        WON_DEALS.name,
        parent="introductions",
        metric="won_deals",
        link="formula",
        reason=Text(
            "The orders that recommendations, and customers who know us, end in.",
            "紹介と既存顧客との関係が実を結んだ件数のため。",
        ),
        controllable_by={"field_sales": "full", "account_owner": "partial"},
    ),
    TemplateNode(
        "deepening",
        "ksf",
        Text("Staying in touch", "既存顧客の深耕"),
        parent="bookings",
        reason=Text(
            "Whoever is not in touch hears of the next project too late.",
            "接点が途切れると、次の計画を知るのが遅れます。",
        ),
    ),
    TemplateNode(
        "existing_contact_coverage",
        "kpi",
        _CONTACT_COVERAGE.name,
        parent="deepening",
        metric="existing_contact_coverage",
        reason=Text("The share of customers whom somebody spoke with.", "接点を保てている顧客の割合が分かるため。"),
        controllable_by={"account_owner": "full"},
    ),
    TemplateNode(
        "average_deal_size",
        "kpi",
        AVERAGE_DEAL_SIZE.name,
        parent="deepening",
        metric="average_deal_size",
        link="formula",
        reason=Text(
            "Whoever knows the customer is asked for more than a single purchase.",
            "関係が深まるほど、1件あたりの取引が広がるため。",
        ),
        controllable_by={"account_owner": "partial"},
    ),
)

REFERRAL = Template(
    style="referral",
    name=Text("Referrals and existing customers", "紹介・既存深耕型"),
    metrics=(
        BOOKINGS,
        WON_DEALS,
        AVERAGE_DEAL_SIZE,
        _REFERRAL_REQUESTS,
        _REFERRALS,
        _REFERRAL_WIN_RATE,
        _CONTACT_COVERAGE,
    ),
    nodes=_NODES,
    typed=("kgi_amount", "average_deal_size", "referral_win_rate"),
    steps=(Step("referrals", "won_deals", "referral_win_rate"),),
    is_from_practice=True,
)
