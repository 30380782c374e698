"""Leads, deals, money and activities."""

from dataclasses import replace

from kpis.engine.catalogue.entries import entry
from kpis.engine.facts import FACTS
from kpis.engine.specs import Conversion, Filter, Formula, Ratio, Simple
from kpis.engine.templates.metrics import OPPORTUNITY_RATE, OPPORTUNITY_RATE_LEADS

ORIGINS = tuple(sorted(FACTS["deals"].fields["origin"].choices))
WON = Filter("outcome", "in", ("won",))
CLOSED = Filter("outcome", "in", ("won", "lost", "no_decision"))
DECIDED = Filter("outcome", "in", ("won", "lost"))
DONE_DEALS = Simple("deals", "closed_on", "count", filters=(CLOSED,))
WON_AMOUNT = Simple("deals", "closed_on", "sum", field="amount", filters=(WON,))
WON_DAYS = Simple("deals", "closed_on", "average", days_between=("created_on", "closed_on"), filters=(WON,))

SALES = (
    entry(
        "new_leads",
        ("New leads", "新規リード獲得数"),
        "count sum",
        Simple("leads", "created_on", "count"),
        ("Prospects that became known in the period.", "期間内に新しく獲得した見込み客の数。"),
        (
            "A pile of scanned business cards or an import looks like a good month. Compare the MQL count.",
            "名刺の一括登録や取り込みで急に増えます。MQL数とあわせて見てください。",
        ),
    ),
    entry(
        "mql",
        ("MQL", "MQL数"),
        "count sum",
        Simple("leads", "mql_on", "count"),
        (
            "Leads that marketing judged ready, by the first time.",
            "マーケティングが営業に渡せると判断したリードの数（初回）。",
        ),
        (
            "A softer rule makes more of them and converts fewer. Watch the opportunity rate beside it.",
            "判定を緩めると増えますが商談化率が下がります。商談化率と並べて見てください。",
        ),
    ),
    entry(
        "sql",
        ("SQL", "SQL数"),
        "count sum",
        Simple("leads", "sql_on", "count"),
        (
            "Leads that sales accepted as an opportunity, by the first time.",
            "営業が商談として受け入れたリードの数（初回）。",
        ),
        (
            "The earlier of the SQL stage and the first deal of the lead counts, once per lead.",
            "SQLになった日と商談の作成日の早い方を、リード1件につき1回数えます。",
        ),
    ),
    entry(
        "opportunity_rate_cohort",
        ("Opportunity rate (MQL→SQL within 90 days)", "商談化率（MQL→SQL、90日以内）"),
        "percent rate",
        Conversion("leads", "mql", "sql", window_days=90, origin=("lead",)),
        (
            "Of the period's MQLs, those that became SQL within 90 days.",
            "期間内のMQLのうち、90日以内にSQLになった割合。",
        ),
        (
            "Known only 90 days after the period; before, it would look worse than it is.",
            "期間終了の90日後まで確定しません。それまでは実際より低く見えるため判定しません。",
        ),
    ),
    entry(
        "opportunity_rate",
        ("Opportunity rate (MQL→SQL, period)", "商談化率（MQL→SQL、期間内）"),
        "percent rate",
        OPPORTUNITY_RATE.spec,
        ("SQLs of the period ÷ MQLs of the period.", "期間内のSQL数 ÷ 期間内のMQL数。"),
        (
            "Not the same people above and below: may exceed 100 %, and falls when MQLs rise fast.",
            "分子と分母は別のリードです。100%を超えることがあり、MQLが急増すると下がります。",
        ),
    ),
    entry(
        "opportunity_rate_leads",
        ("Opportunity rate (leads→SQL within 90 days)", "商談化率（リード→商談、90日以内）"),
        "percent rate",
        OPPORTUNITY_RATE_LEADS.spec,
        (
            "Of the period's leads, those that sales accepted as an opportunity (SQL) within 90 days. For companies "
            "without an MQL stage.",
            "期間内のリードのうち、90日以内に営業が商談として受け入れた（SQLになった）割合。MQLの段階がない会社向け。",
        ),
        (
            "Much lower than MQL→SQL: never compare the two.",
            "MQL→SQLよりずっと低い数値になります。両者を比べないでください。",
        ),
    ),
    entry(
        "opportunity_rate_leads_deal",
        ("Opportunity rate (leads→deal within 90 days)", "商談化率（リード→商談登録、90日以内）"),
        "percent rate",
        Conversion("leads", "created", "deal", window_days=90, origin=("lead",)),
        (
            "Of the period's leads, those for which a deal was entered within 90 days, accepted or not.",
            "期間内のリードのうち、90日以内に商談が登録された割合（受け入れの判定は問わない）。",
        ),
        (
            "Depends on when deals are entered: late entries lower it. Lower than leads→SQL, never compare the two.",
            "商談の登録時期に左右され、登録が遅れると下がります。リード→商談（SQL）の割合とは比べないでください。",
        ),
    ),
    entry(
        "created_deals",
        ("Deals created", "商談作成数"),
        "count sum",
        Simple("deals", "created_on", "count"),
        ("Deals created in the period.", "期間内に作成された商談の数。"),
        ("Deals entered late, or split in two, distort the month.", "登録の遅れや商談の分割で月の数が変わります。"),
    ),
    entry(
        "won_deals",
        ("Won deals", "受注件数"),
        "count sum",
        Simple("deals", "closed_on", "count", filters=(WON,)),
        ("Deals won, by close date, shared out by credit.", "受注した商談の数（完了日、担当按分）。"),
        (
            "What counts as won differs: informal order, order form, contract.",
            "内示・注文書・契約のどれを受注とするかで変わります。",
        ),
    ),
    entry(
        "closed_deals",
        ("Closed deals", "決着件数"),
        "count sum",
        DONE_DEALS,
        ("Won, lost and without decision, by close date.", "受注＋失注＋見送りの数（完了日）。"),
        (
            "Lost deals left open make it small and the win rate large.",
            "失注を登録しないと少なくなり、受注率が高く見えます。",
        ),
    ),
    entry(
        "win_rate",
        ("Win rate (count)", "受注率（件数）"),
        "percent rate",
        Formula("won_deals / closed_deals"),
        ("Won ÷ closed deals, by close date.", "受注件数 ÷ 決着件数（完了日）。"),
        ("Lost deals left open inflate it.", "失注の登録漏れがあると実際より高くなります。"),
    ),
    entry(
        "win_rate_decided",
        ("Win rate (count, without no decision)", "受注率（件数、見送りを除く）"),
        "percent rate",
        Ratio(replace(DONE_DEALS, filters=(WON,)), replace(DONE_DEALS, filters=(DECIDED,))),
        ("Won ÷ (won + lost), by close date.", "受注件数 ÷（受注＋失注の件数）（完了日）。"),
        (
            "Higher than the win rate with no decision: never compare the two. Losses entered as no decision raise it.",
            "見送りを含む受注率より高くなります。両者を比べないでください。失注を見送りとして登録しても高くなります。",
        ),
    ),
    entry(
        "win_rate_amount",
        ("Win rate (amount)", "受注率（金額）"),
        "percent rate",
        Ratio(WON_AMOUNT, Simple("deals", "closed_on", "sum", field="amount", filters=(CLOSED,))),
        ("Amount won ÷ amount of closed deals.", "受注額 ÷ 決着した商談の金額。"),
        (
            "One large deal decides it; lost deals without an amount inflate it.",
            "大型商談1件で大きく動きます。金額のない失注があると高く見えます。",
        ),
    ),
    entry(
        "win_rate_created",
        ("Win rate (deals created)", "受注率（作成月基準）"),
        "percent rate",
        Conversion("deals", "created", "won", window_days=180, origin=("lead",)),
        (
            "Of the deals from leads created in the period, those won within 180 days.",
            "期間内に作成されたリード由来の商談のうち、180日以内に受注した割合。",
        ),
        ("Known only 180 days later.", "180日後まで確定しません。"),
    ),
    entry(
        "step_conversion",
        ("Stage-to-stage conversion (step 1 to 2)", "フェーズ移行率（1→2段階目）"),
        "percent rate",
        Conversion("deals", "step1", "step2", window_days=90, origin=ORIGINS),
        (
            "Of the deals that reached the first step of a sale in the period, those that passed on to the second"
            " within 90 days. Change the steps for the others.",
            "期間内に最初の段階に達した商談のうち、90日以内に次の段階へ進んだ割合。ほかの段階は定義の段階番号を変えて使います。",
        ),
        (
            "Needs the phases numbered as steps and the history of phases. A skipped step counts as passed, and so does"
            " every step of a won deal without a history.",
            "フェーズに段階番号を付け、フェーズの履歴を取り込む必要があります。飛ばした段階は通過とみなし、"
            "履歴のない受注商談は全段階を通過したとみなします。",
        ),
    ),
    entry(
        "bookings",
        ("Bookings", "受注額"),
        "amount sum",
        WON_AMOUNT,
        ("Amount won by close date, without tax.", "受注した金額の合計（完了日、税抜）。"),
        ("Not revenue: that follows when it is recognised.", "売上額とは別の数値です。売上は計上日に立ちます。"),
    ),
    entry(
        "average_deal_size",
        ("Average deal size", "平均受注単価"),
        "amount average",
        replace(WON_AMOUNT, aggregate="average"),
        ("Amount won ÷ deals won.", "受注額 ÷ 受注件数。"),
        (
            "Few large deals decide it. See the median beside it.",
            "大型商談に左右されます。中央値もあわせて見てください。",
        ),
    ),
    entry(
        "median_deal_size",
        ("Median deal size", "受注単価（中央値）"),
        "amount average",
        replace(WON_AMOUNT, aggregate="median"),
        ("The deal in the middle of all won ones.", "受注した商談を金額順に並べた中央の値。"),
        ("Does not add up to the bookings.", "件数を掛けても受注額にはなりません。"),
    ),
    entry(
        "deal_cycle_days",
        ("Deal cycle (mean)", "平均商談期間"),
        "days average",
        WON_DAYS,
        ("Days from creation to the last win, of won deals.", "受注した商談の作成から受注までの平均日数。"),
        ("Deals entered on the day they are won make it short.", "受注当日に登録された商談があると短く見えます。"),
        direction="down",
    ),
    entry(
        "median_cycle_days",
        ("Deal cycle (median)", "商談期間（中央値）"),
        "days average",
        replace(WON_DAYS, aggregate="median"),
        ("The days of the deal in the middle.", "受注した商談の日数の中央値。"),
        ("Hides the few deals that take very long.", "極端に長い商談が見えなくなります。"),
        direction="down",
    ),
    entry(
        "sales_velocity",
        ("Sales velocity", "セールスベロシティ"),
        "amount rate",
        Formula("created_deals * win_rate * average_deal_size / deal_cycle_days"),
        (
            "Deals × win rate × deal size ÷ deal cycle: what a day of selling brings.",
            "商談作成数 × 受注率 × 平均受注単価 ÷ 平均商談期間。1日あたりに生み出す金額。",
        ),
        (
            "All four of the same period; rises when slow deals are dropped.",
            "4つとも同じ期間の数値です。長い商談をやめるだけでも上がります。",
        ),
    ),
    entry(
        "revenue",
        ("Revenue", "売上額"),
        "amount sum",
        Simple("revenues", "recognized_on", "sum", field="amount"),
        ("Recognised revenue without tax.", "計上した売上の合計（計上日、税抜）。"),
        ("Not bookings.", "受注額とは別の数値です。"),
    ),
    entry(
        "gross_profit",
        ("Gross profit", "粗利額"),
        "amount sum",
        Simple("revenues", "recognized_on", "sum", field="gross_profit"),
        ("Gross profit of recognised revenue.", "計上した売上の粗利の合計。"),
        (
            "A single line without a cost leaves no value: enter the cost first.",
            "原価のない明細が1件でもあると表示されません。先に原価を登録してください。",
        ),
    ),
    entry(
        "gross_margin",
        ("Gross margin", "粗利率"),
        "percent rate",
        Formula("gross_profit / revenue"),
        ("Gross profit ÷ revenue.", "粗利額 ÷ 売上額。"),
        ("A single line without a cost leaves no value.", "原価のない明細が1件でもあると表示されません。"),
    ),
    entry(
        "customers_with_revenue",
        ("Customers with revenue", "取引のあった顧客数"),
        "count sum",
        Simple("revenues", "recognized_on", "distinct", field="account"),
        ("Different accounts with revenue in the period.", "期間内に売上のあった取引先の数。"),
        ("A year is not the sum of its months.", "月の合計は年の数になりません。"),
    ),
    entry(
        "revenue_per_customer",
        ("Revenue per customer", "顧客単価"),
        "amount rate",
        Formula("revenue / customers_with_revenue"),
        ("Revenue ÷ customers with revenue.", "売上額 ÷ 取引のあった顧客数。"),
        ("Depends on the length of the period.", "期間の長さによって変わります。"),
    ),
    entry(
        "activities",
        ("Activities", "活動数"),
        "count sum",
        Simple("activities", "happened_on", "count"),
        ("Calls, meetings, mails and visits.", "架電・商談・メール・訪問などの数。"),
        (
            "Effort, not effect: watch what follows from it.",
            "量であって成果ではありません。結果の数値とあわせて見てください。",
        ),
    ),
    entry(
        "activities_per_deal",
        ("Activities per deal", "商談あたりの活動数"),
        "ratio rate",
        Formula("activities / created_deals"),
        ("Activities ÷ deals created.", "活動数 ÷ 商談作成数。"),
        ("Activities before the deal existed count as well.", "商談作成前の活動も含まれます。"),
    ),
)
