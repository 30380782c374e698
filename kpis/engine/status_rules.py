"""A node's own rules for its status: an ordered list, the first that applies decides; what none decides is as usual."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import ge, gt, le, lt
from types import MappingProxyType

from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.status import AT_RISK_FROM, ON_TRACK_FROM, Status
from kpis.engine.values import Value

LARGEST = 20  # rules of one node
OPEN = frozenset({Status.ON_TRACK, Status.AT_RISK, Status.BEHIND})
FINISHED = frozenset({Status.MET, Status.MISSED})
MEASURES = ("pace", "achievement", "value")
OPERATORS: Mapping[str, Callable[[Decimal, Decimal], bool]] = MappingProxyType(
    {"gte": ge, "gt": gt, "lte": le, "lt": lt}
)
_FIELDS = frozenset({"status", "measure", "op", "limit"})


@dataclass(frozen=True, slots=True)
class StatusRule:
    """One rule: where `measure` is `op` than `limit`, the status.

    Measures: `pace` (achievement of what is due by now), `achievement` (of the whole target), both as fractions, or the
    `value` in the metric's unit. on_track, at_risk and behind are for open periods, met and missed for finished ones.
    """

    status: Status
    measure: str
    op: str
    limit: Decimal

    def applies(self, *, value: Value, achievement: Decimal | None, pace: Decimal | None) -> bool:
        """Whether the rule decides a cell; never where its measure is absent."""
        read = {"value": value, "achievement": achievement, "pace": pace}[self.measure]
        return isinstance(read, Decimal) and OPERATORS[self.op](read, self.limit)


def rule_status(
    rules: Sequence[StatusRule],
    *,
    state: str,
    value: Value,
    achievement: Decimal | None,
    pace: Decimal | None,
) -> Status | None:
    """What the rules say of a cell in a period of this state; None where none applies.

    >>> strict = [StatusRule(Status.ON_TRACK, "pace", "gte", Decimal(1))]
    >>> rule_status(strict, state="open", value=Decimal(9), achievement=Decimal("0.5"), pace=Decimal("1.1"))
    <Status.ON_TRACK: 'on_track'>
    >>> rule_status(strict, state="closed", value=Decimal(9), achievement=Decimal(2), pace=Decimal(2)) is None
    True
    """
    meant = OPEN if state == "open" else FINISHED
    for rule in rules:
        if rule.status in meant and rule.applies(value=value, achievement=achievement, pace=pace):
            return rule.status
    return None


def limit_rules(
    *, on_track: Decimal | None = None, at_risk: Decimal | None = None, met: Decimal | None = None
) -> list[dict[str, str]]:
    """The rules, as plain data, that move the usual limits; None leaves a limit as it is.

    >>> [each["status"] for each in limit_rules(on_track=Decimal("0.9"), at_risk=Decimal("0.7"))]
    ['on_track', 'at_risk', 'behind']
    """
    found: list[tuple[Status, str, str, Decimal]] = []
    if on_track is not None or at_risk is not None:
        upper, lower = on_track or ON_TRACK_FROM, at_risk or AT_RISK_FROM
        found = [(Status.ON_TRACK, "pace", "gte", upper), (Status.AT_RISK, "pace", "gte", lower)]
        found.append((Status.BEHIND, "pace", "lt", lower))
    if met is not None:
        found += [(Status.MET, "achievement", "gte", met), (Status.MISSED, "achievement", "lt", met)]
    return [
        {"status": str(status), "measure": read, "op": op, "limit": str(limit)} for status, read, op, limit in found
    ]


def limits_of(rules: Sequence[StatusRule]) -> dict[str, Decimal | None] | None:
    """The limits that rules set, by the names of `limit_rules`; None where they say more than that.

    >>> limits_of(read_rules(limit_rules(met=Decimal("0.98")))[0])["met"]
    Decimal('0.98')
    """
    by_status = {rule.status: rule.limit for rule in rules if rule.op == "gte"}
    limits = {name: by_status.get(Status(name)) for name in ("on_track", "at_risk", "met")}
    return limits if read_rules(limit_rules(**limits))[0] == tuple(rules) else None


def read_rules(data: object) -> tuple[tuple[StatusRule, ...], list[Issue]]:
    """Rules from plain data, or what is wrong with them, by path ("status_rules.0.op").

    >>> read_rules([{"status": "met", "measure": "achievement", "op": "gte", "limit": "0.98"}])[0][0].limit
    Decimal('0.98')
    >>> [issue.field for issue in read_rules([{"status": "fine", "measure": "pace", "op": "gte", "limit": 1}])[1]]
    ['status_rules.0.status']
    """
    if not isinstance(data, list | tuple) or len(data) > LARGEST:
        message = gettext_noop("Status rules are a list of at most %(limit)s rules.")
        return (), [Issue("status_rules", "invalid", message, (("limit", LARGEST),))]
    rules: list[StatusRule] = []
    issues: list[Issue] = []
    for number, each in enumerate(data):
        found = _read_rule(each, f"status_rules.{number}", issues)
        if found is not None:
            rules.append(found)
    return (() if issues else tuple(rules)), issues


def _read_rule(data: object, place: str, issues: list[Issue]) -> StatusRule | None:
    if not isinstance(data, Mapping) or set(data) != _FIELDS:
        issues.append(Issue(place, "invalid", gettext_noop("A status rule has exactly status, measure, op and limit.")))
        return None
    choices: dict[str, list[str]] = {
        "status": sorted(OPEN | FINISHED),
        "measure": list(MEASURES),
        "op": list(OPERATORS),
    }
    wrong = [name for name, known in choices.items() if data[name] not in known]
    for name in wrong:
        message = gettext_noop("Use one of %(choices)s.")
        issues.append(Issue(f"{place}.{name}", "unknown", message, (("choices", ", ".join(choices[name])),)))
    limit = _number(data["limit"])
    if limit is None:
        issues.append(Issue(f"{place}.limit", "invalid", gettext_noop("The limit is a number, 0.95 for 95 %.")))
    if wrong or limit is None:
        return None
    return StatusRule(Status(data["status"]), data["measure"], data["op"], limit)


def _number(data: object) -> Decimal | None:
    if isinstance(data, bool) or not isinstance(data, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(data))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
