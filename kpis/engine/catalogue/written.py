"""What is written down every evening, because nobody can compute it later."""

from kpis.engine.catalogue.entries import entry
from kpis.engine.specs import Snapshot

WRITTEN = (
    entry(
        "open_pipeline",
        ("Open pipeline", "進行中の商談金額"),
        "amount stock",
        Snapshot("open_pipeline"),
        (
            "Amount of all open deals, whenever they may close, on the last day of the period.",
            "期間の最終日に進行中のすべての商談の金額の合計（完了予定日を問いません）。",
        ),
        (
            "Written down every evening: there is none for days before.",
            "毎日夜に記録します。記録を始める前の日の値はありません。",
        ),
    ),
    entry(
        "pipeline_coverage",
        ("Pipeline coverage", "パイプラインカバレッジ"),
        "ratio stock",
        Snapshot("coverage"),
        (
            "Open deals expected to close in the period ÷ what is missing to the KGI's target.",
            "期間内に完了予定の進行中の商談金額 ÷ KGIの目標までの不足額。",
        ),
        (
            "Undefined once the target is reached. Deals past their date, without movement or without an amount are"
            " left out until they are corrected.",
            "目標を達成すると計算できません。完了予定日を過ぎた商談、動きのない商談、金額のない商談は、直すまで含みません。",
        ),
    ),
    entry(
        "open_deals",
        ("Open deals", "進行中の商談数"),
        "count stock",
        Snapshot("open_deals"),
        (
            "Number of all open deals, whenever they may close, on the last day of the period.",
            "期間の最終日に進行中のすべての商談の数（完了予定日を問いません）。",
        ),
        (
            "Dead deals that nobody closes make it look large. Written down every evening: there is none for days"
            " before.",
            "終わった商談を閉じないと多く見えます。毎日夜に記録し、記録を始める前の日の値はありません。",
        ),
    ),
    entry(
        "renewal_due",
        ("Contracts due for renewal", "更新期限を迎える契約数"),
        "count stock",
        Snapshot("renewal_due"),
        (
            "Contracts that fall due for renewal in the month or quarter, as they were when it was first written down.",
            "その月・四半期に更新期限を迎える契約の数（期間の最初の記録時点）。",
        ),
        (
            "A contract renewed early, or entered later, does not change it. There is none for periods that were over"
            " before the first record.",
            "早めの更新や後からの登録では変わりません。記録を始める前に終わった期間の値はありません。",
        ),
    ),
    entry(
        "order_backlog",
        ("Order backlog", "受注残"),
        "amount stock",
        Snapshot("order_backlog"),
        (
            "Amount won less what is recognised as revenue of the same deals, on the last day of the period.",
            "期間の最終日時点の、受注額 − 同じ商談の計上済み売上額。",
        ),
        (
            "Revenue must name its deal, or its deal stays in the backlog for ever. Deals won before the first known"
            " revenue are left out. Written down every evening: there is none for days before.",
            "売上明細に商談がひも付いていないと、受注残がいつまでも減りません。売上データの開始日より前に受注した商談は"
            "含みません。毎日夜に記録し、記録を始める前の日の値はありません。",
        ),
    ),
    *(
        entry(
            f"landing_{method}",
            name,
            "amount stock",
            Snapshot(f"landing_{method}"),
            meaning,
            trap,
        )
        for method, name, meaning, trap in (
            (
                "pace",
                ("Landing by pace", "着地見込み（ペース）"),
                (
                    "Where the KGI will end the period if it goes on as usual, as last written down in the period.",
                    "このままのペースで進んだ場合のKGIの期末の着地。期間内の最後の記録です。",
                ),
                (
                    "Says little in the first days, and knows nothing of the deals that stand open.",
                    "期間の初めはほとんど参考になりません。進行中の商談は考慮しません。",
                ),
            ),
            (
                "rollup",
                ("Landing by confidence roll-up", "着地見込み（ヨミ積み上げ）"),
                (
                    "Won so far plus open deals of the period, weighed by their confidence.",
                    "受注済みの額 ＋ 期間内に完了予定の商談金額 × ヨミの重み。",
                ),
                (
                    "As good as the ranks are kept. Deals past their date, without movement or without an amount are"
                    " left out until they are corrected.",
                    "ヨミの更新が遅れると外れます。完了予定日を過ぎた商談、動きのない商談、金額のない商談は、直すまで含みません。",
                ),
            ),
            (
                "call",
                ("Landing by the manager's call", "着地見込み（責任者の見込み）"),
                (
                    "Where the manager says the period will end, by the last call.",
                    "責任者が最後に入力した期末の着地の見込み。",
                ),
                (
                    "A judgement, not a calculation: see beside it how often it has been right.",
                    "計算ではなく判断です。過去にどれだけ当たったかとあわせて見てください。",
                ),
            ),
        )
    ),
)
