"""Customers kept, lost, coming back, and what they say."""

from kpis.engine.catalogue.entries import entry
from kpis.engine.specs import Clv, Formula, Manual, Repeat, Retention, Score

YEAR = 12

CUSTOMERS = (
    *(
        entry(
            code,
            name,
            "percent rate",
            Retention(measure, window_months=months),
            meaning,
            (
                "Told when the period is over. Only who was a customer at the start counts.",
                "期間が終わってから判定します。期首の顧客だけを数えます。",
            ),
            direction="down" if "churn" in measure else "up",
        )
        for code, measure, months, name, meaning in (
            (
                "churn_rate",
                "logo_churn",
                1,
                ("Customer churn (monthly)", "解約率（顧客数、月次）"),
                ("Customers lost ÷ customers at the start.", "解約した顧客数 ÷ 期首の顧客数。"),
            ),
            (
                "churn_rate_year",
                "logo_churn",
                YEAR,
                ("Customer churn (12 months)", "解約率（顧客数、直近12か月）"),
                (
                    "Customers lost in 12 months ÷ customers at their start.",
                    "12か月間に解約した顧客数 ÷ 12か月前の顧客数。",
                ),
            ),
            (
                "gross_revenue_churn",
                "gross_churn",
                1,
                ("Gross revenue churn (monthly)", "解約率（金額、グロス、月次）"),
                ("(Lost + contraction) ÷ MRR at the start.", "（解約＋減額のMRR）÷ 期首のMRR。"),
            ),
            (
                "gross_revenue_churn_year",
                "gross_churn",
                YEAR,
                ("Gross revenue churn (12 months)", "解約率（金額、グロス、直近12か月）"),
                (
                    "(Lost + contraction) in 12 months ÷ MRR at their start.",
                    "12か月間の（解約＋減額のMRR）÷ 12か月前のMRR。",
                ),
            ),
            (
                "net_revenue_churn",
                "net_churn",
                1,
                ("Net revenue churn (monthly)", "解約率（金額、ネット、月次）"),
                ("(Lost + contraction − expansion) ÷ MRR at the start.", "（解約＋減額−増額のMRR）÷ 期首のMRR。"),
            ),
            (
                "net_revenue_churn_year",
                "net_churn",
                YEAR,
                ("Net revenue churn (12 months)", "解約率（金額、ネット、直近12か月）"),
                (
                    "(Lost + contraction − expansion) in 12 months ÷ MRR at their start.",
                    "12か月間の（解約＋減額−増額のMRR）÷ 12か月前のMRR。",
                ),
            ),
            (
                "grr_month",
                "grr",
                1,
                ("GRR (monthly)", "GRR（グロス売上維持率、月次）"),
                ("What stays of the MRR at the start, without expansion.", "期首のMRRのうち、増額を除いて残った割合。"),
            ),
            (
                "grr",
                "grr",
                YEAR,
                ("GRR (12 months)", "GRR（グロス売上維持率）"),
                (
                    "What stays of the MRR of 12 months ago, without expansion.",
                    "12か月前のMRRのうち、増額を除いて残った割合。",
                ),
            ),
            (
                "nrr_month",
                "nrr",
                1,
                ("NRR (monthly)", "NRR（売上維持率、月次）"),
                ("What the customers at the start pay at the end.", "期首の顧客が期末に支払っているMRRの割合。"),
            ),
            (
                "nrr",
                "nrr",
                YEAR,
                ("NRR (12 months)", "NRR（売上維持率）"),
                ("What the customers of 12 months ago pay today.", "12か月前の顧客が今支払っているMRRの割合。"),
            ),
        )
    ),
    *(
        entry(
            code,
            name,
            "percent rate",
            Retention("renewal_rate", weight=weight, window_months=months),
            meaning,
            (
                "By the day they are due: an early renewal counts when it was due.",
                "更新期限の日で数えます。早めの更新も期限の月に入ります。",
            ),
        )
        for code, weight, months, name, meaning in (
            (
                "renewal_rate",
                "count",
                1,
                ("Renewal rate (count)", "契約更新率（件数）"),
                ("Renewed ÷ due contracts.", "更新された契約数 ÷ 更新期限を迎えた契約数。"),
            ),
            (
                "renewal_rate_year",
                "count",
                YEAR,
                ("Renewal rate (count, 12 months)", "契約更新率（件数、直近12か月）"),
                ("Renewed ÷ due contracts of 12 months.", "12か月間に更新された契約数 ÷ 更新期限を迎えた契約数。"),
            ),
            (
                "renewal_rate_amount",
                "amount",
                1,
                ("Renewal rate (amount)", "契約更新率（金額）"),
                ("MRR renewed ÷ MRR due.", "更新されたMRR ÷ 更新期限を迎えたMRR。"),
            ),
            (
                "renewal_rate_amount_year",
                "amount",
                YEAR,
                ("Renewal rate (amount, 12 months)", "契約更新率（金額、直近12か月）"),
                ("MRR renewed ÷ MRR due of 12 months.", "12か月間に更新されたMRR ÷ 更新期限を迎えたMRR。"),
            ),
        )
    ),
    entry(
        "repeat_rate",
        ("Repeat rate", "リピート率"),
        "percent rate",
        Repeat("orders"),
        (
            "Customers with two orders or more in 12 months ÷ customers with one.",
            "12か月間に2回以上注文した顧客数 ÷ 注文した顧客数。",
        ),
        ("New customers had less time to come back.", "最近の新規顧客は2回目までの時間が足りません。"),
    ),
    entry(
        "new_customers",
        ("New customers", "新規顧客獲得数"),
        "count sum",
        Repeat("deals", measure="new"),
        ("Customers whose first won deal closes in the period.", "初めての受注が期間内にある取引先の数。"),
        (
            "Customers won before the data begins look new with their next deal.",
            "取り込んだデータより前からの顧客も、最初の受注で新規として数えます。",
        ),
    ),
    entry(
        "dormant_customers",
        ("Dormant customers", "休眠顧客数"),
        "count stock",
        Repeat("orders", window_months=6, measure="dormant"),
        (
            "Customers who have ordered before, but not in the last 6 months.",
            "過去に注文があり、直近6か月に注文のない顧客の数。",
        ),
        (
            "Customers who order once a year look dormant in between: choose the months by how often yours order.",
            "年1回注文する顧客も休眠に見えます。自社の注文の間隔に合わせて月数を決めてください。",
        ),
        direction="down",
    ),
    *(
        entry(code, name, "amount average", Clv(formula), meaning, trap)
        for code, formula, name, meaning, trap in (
            (
                "clv_subscription",
                "subscription",
                ("CLV (subscription)", "CLV（継続契約）"),
                ("Yearly MRR × margin ÷ churn, five years at most.", "年間MRR × 粗利率 ÷ 解約率（上限5年）。"),
                (
                    "Churn near zero would make it endless: hence the cap.",
                    "解約がほとんどないと無限に大きくなるため、年数に上限があります。",
                ),
            ),
            (
                "clv_frequency",
                "frequency",
                ("CLV (frequency)", "CLV（購買頻度）"),
                ("Unit price × purchases a year × five years.", "購入単価 × 年間購入回数 × 5年。"),
                ("Revenue, not margin.", "粗利ではなく売上ベースです。"),
            ),
            (
                "clv_historic",
                "historic",
                ("CLV (to date)", "CLV（実績）"),
                ("Gross profit to date ÷ customers.", "これまでの粗利の合計 ÷ 顧客数。"),
                ("Young customers pull it down.", "取引の浅い顧客が多いと低くなります。"),
            ),
        )
    ),
    entry(
        "acquisition_cost",
        ("Acquisition cost", "新規顧客の獲得費用"),
        "amount sum",
        Manual(),
        (
            "What marketing and sales spend in the period to win new customers, typed by a person.",
            "期間内に新規顧客の獲得に使った営業・マーケティング費用。人が入力します。",
        ),
        (
            "Decide once whether salaries, tools and agencies belong to it; otherwise a change of what is counted looks"
            " like a change of cost.",
            "人件費・ツール費・外注費を含めるかを最初に決めてください。途中で変えると費用が増減したように見えます。",
        ),
        direction="down",
    ),
    entry(
        "cac",
        ("CAC", "CAC（顧客獲得コスト）"),
        "amount rate",
        Formula("acquisition_cost / new_customers"),
        ("Acquisition cost ÷ new customers of the same period.", "獲得費用 ÷ 同じ期間の新規顧客獲得数。"),
        (
            "The money is spent before the customer is won: where deals take long, look at a quarter or a year. Costs"
            " of existing customers do not belong to it.",
            "費用は受注より先に発生します。商談が長い場合は四半期や年で見てください。既存顧客向けの費用は含めません。",
        ),
        direction="down",
    ),
    entry(
        "clv_to_cac",
        ("CLV ÷ CAC", "CLV÷CAC"),
        "ratio rate",
        Formula("clv_subscription / cac"),
        (
            "What a customer of a subscription is worth ÷ what winning one costs. Below 1 a customer costs more than he"
            " brings.",
            "継続契約の顧客1社の価値（CLV）÷ 獲得にかかった費用（CAC）。1を下回ると費用を回収できません。",
        ),
        (
            "As good as both its parts: the CLV rests on today's churn, the CAC on all costs being typed. Without"
            " contracts put another CLV in its formula.",
            "CLVは現在の解約率、CACは費用の入力漏れの影響を受けます。継続契約のない会社は、計算式を別のCLVに変えて使います。",
        ),
    ),
    entry(
        "nps",
        ("NPS", "NPS"),
        "score rate",
        Score("nps"),
        ("Share of 9-10 minus share of 0-6, −100 to 100.", "9〜10点の割合 − 0〜6点の割合（−100〜100）。"),
        (
            "Few answers move it a lot; Japanese answers gather at 5-7. Compare with your own past.",
            "回答が少ないと大きく動きます。日本では5〜7点に集まりやすいため、自社の過去と比べてください。",
        ),
    ),
    entry(
        "csat",
        ("Customer satisfaction (CSAT)", "顧客満足度（CSAT）"),
        "percent rate",
        Score("csat"),
        ("Answers of 4-5 ÷ answers.", "5段階のうち4〜5点の回答の割合。"),
        ("Who is unhappy often does not answer.", "不満のある顧客は回答しないことがあります。"),
    ),
)
