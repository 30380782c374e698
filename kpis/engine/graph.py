"""The calculation graph: which formula names which codes, in an order in which they can be computed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from kpis.engine.issues import Issue, gettext_noop


@dataclass(frozen=True, slots=True)
class CalculationOrder:
    """Every code after the codes it needs, and what is wrong. Codes with issues stay in the order."""

    codes: tuple[str, ...]
    issues: tuple[Issue, ...]


def calculation_order(references: Mapping[str, Collection[str]]) -> CalculationOrder:
    """Order codes by what they name. `references` maps every known code to the codes of its formula (none = empty).

    An issue's field is the code whose formula is at fault; a cycle is reported once and named in full.

    >>> calculation_order({"win_rate": ["won", "closed"], "won": [], "closed": []}).codes
    ('won', 'closed', 'win_rate')
    >>> [issue.message for issue in calculation_order({"a": ["b"], "b": ["a"]}).issues]
    ['The formulas go in a circle: a → b → a. Take one of these codes out of the formula that names it.']
    """
    issues = [
        Issue(
            code,
            "unknown_code",
            gettext_noop("The formula of %(code)s names %(unknown)s, which does not exist. Create it or correct it."),
            (("code", code), ("unknown", name)),
        )
        for code, named in references.items()
        for name in dict.fromkeys(named)
        if name not in references
    ]
    edges = {code: [name for name in named if name in references] for code, named in references.items()}
    while True:
        try:
            return CalculationOrder(tuple(TopologicalSorter(edges).static_order()), tuple(issues))
        except CycleError as error:
            # graphlib lists a cycle from the needed to the needing code; people read a formula the other way.
            cycle: list[str] = list(reversed(error.args[1]))
            issues.append(
                Issue(
                    cycle[0],
                    "cycle",
                    gettext_noop(
                        "The formulas go in a circle: %(cycle)s. "
                        "Take one of these codes out of the formula that names it."
                    ),
                    (("cycle", " → ".join(cycle)),),
                )
            )
            edges[cycle[0]] = [name for name in edges[cycle[0]] if name != cycle[1]]


def needed(references: Mapping[str, Collection[str]], codes: Collection[str]) -> frozenset[str]:
    """The codes and everything that they need, directly or not.

    >>> sorted(needed({"a": ["b"], "b": ["c"], "c": [], "d": []}, ["a"]))
    ['a', 'b', 'c']
    """
    found: set[str] = set()
    waiting = list(codes)
    while waiting:
        code = waiting.pop()
        if code not in found:
            found.add(code)
            waiting.extend(references.get(code, ()))
    return frozenset(found)
