"""What holds the KGI back: its gap over the nodes of the tree, adding up to it in whole units."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from kpis.engine.apportion import apportion
from kpis.engine.contribution import Explanation, Method, Share, explain
from kpis.engine.identities import is_off_date, result_axis
from kpis.engine.specs import Simple, event_kind
from kpis.models import KpiTree, Period
from kpis.selectors.contributions.lags import LaggedPart, Question, find_starts, read_lagged_parts, read_median
from kpis.selectors.contributions.reading import Reading
from kpis.selectors.contributions.shapes import ZERO, Cause, Contributions, NodeShare
from kpis.selectors.details import Segment
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix

__all__ = ["Cause", "Contributions", "NodeShare", "explain_matrix", "read_contributions"]


def read_contributions(
    tree: KpiTree, period: Period, segment: Segment, *, now: datetime, to_date: bool = False
) -> Contributions | None:
    """Explain the KGI's gap in a period for the company or one member; None without a KGI, its value or its target."""
    query = MatrixQuery(
        tree=tree,
        grain=period.grain,
        start=period.start_date,
        end=period.start_date + timedelta(days=1),
        dimension=segment.dimension,
        org=segment.org,
        member_ids=segment.member_ids,
    )
    return explain_matrix(build_matrix(query, now=now), segment, now=now, to_date=to_date)


def explain_matrix(
    matrix: KpiMatrix, segment: Segment, *, now: datetime, to_date: bool = False, with_starts: bool = True
) -> Contributions | None:
    """The same of a matrix of all nodes that is there already: its last period and first member.

    Without `with_starts` earlier numbers of the funnel are left out, so that hardly more than definitions is read.
    """
    if not matrix.periods or not matrix.members:
        return None
    reading = Reading(matrix, to_date=to_date)
    explanation = explain(reading.root, reading.formulas, reading.numbers) if reading.goal else None
    if explanation is None:
        return None
    question = Question(matrix, segment, reading.metrics, reading.nodes, reading.root, reading.pace)
    axis = result_axis(reading.root, reading.metrics)
    apart = [share for share in explanation.shares if is_off_date(share.code, axis, reading.metrics)]
    if apart and not question.is_shorter_than_cycle(read_median(question)):
        apart = []
    stated = [share for share in explanation.shares if share not in apart]
    driven = _driven(reading, axis, stated, explanation, is_apart=bool(apart))
    parts: Sequence[LaggedPart] = ()
    if with_starts and driven is not None:
        parts = read_lagged_parts(question, find_starts(question, {share.code for share in apart}), driven, now=now)
    pool = sum((share.amount for share in apart), ZERO)
    if parts and driven is not None and not apart:
        pool = driven.amount
    return _rounded(reading, explanation, stated, driven if parts and not apart else None, pool, parts)


def _driven(
    reading: Reading, axis: str, stated: Sequence[Share], explanation: Explanation, *, is_apart: bool
) -> Share | None:
    """The number that earlier ones reach: what is counted on the result's own date, else the KGI itself."""
    for share in stated:
        spec = reading.metrics[share.code].spec
        if isinstance(spec, Simple) and spec.aggregate == "count" and event_kind(spec) == axis:
            return None if is_apart else share
    if is_apart or not stated:
        return Share(reading.root, explanation.not_explained, Method.DIFFERENCE, Decimal(1))
    return None


def _rounded(
    reading: Reading,
    explanation: Explanation,
    stated: Sequence[Share],
    driven: Share | None,
    pool: Decimal,
    parts: Sequence[LaggedPart],
) -> Contributions:
    """All parts in whole units.

    The pool (what may not be stated, or the driven number) is told by the lagged parts and the timing that they leave.
    """
    whole = [share for share in stated if share != driven]
    is_rest = driven is not None and driven.code == reading.root
    rest = ZERO if is_rest else explanation.not_explained
    timing = pool - sum((part.amount for part in parts), ZERO)
    exact = [*(share.amount for share in whole), *(part.amount for part in parts), timing, rest]
    *amounts, timing, rest = apportion(exact, reading.step)
    starts = tuple(
        NodeShare(part.node, amount, Method.LAGGED, part.month)
        for part, amount in zip(parts, amounts[len(whole) :], strict=True)
    )
    causes = [_cause(reading, share, amount) for share, amount in zip(whole, amounts, strict=False)]
    is_cause = driven is not None and not is_rest
    if driven is not None and is_cause:
        amount = timing + sum((start.amount for start in starts), ZERO)
        causes.append(_cause(reading, driven, amount, starts, timing))
    assert reading.goal is not None
    return Contributions(
        goal=reading.goal,
        currency=reading.matrix.currency,
        period_start=reading.period.start,
        gap=sum(amounts, timing + rest),
        causes=tuple(sorted(causes, key=lambda cause: -abs(cause.amount))),
        starts=() if is_cause else starts,
        timing=ZERO if is_cause else timing,
        not_explained=rest,
        due=reading.due,
    )


def _cause(
    reading: Reading, share: Share, amount: Decimal, starts: tuple[NodeShare, ...] = (), timing: Decimal = ZERO
) -> Cause:
    numbers = reading.numbers[share.code]
    assert isinstance(numbers.actual, Decimal)
    assert numbers.target is not None
    return Cause(
        node=reading.nodes[share.code],
        amount=amount,
        method=share.method,
        actual=numbers.actual,
        target=numbers.target,
        needed=reading.needed(share.code),
        starts=starts,
        timing=timing,
    )
