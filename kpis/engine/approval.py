"""Who has to agree before a target in force changes: none, one or two steps, and whose word settles them."""

from collections.abc import Sequence
from dataclasses import dataclass

BY_SIZE = "by_size"
STEPS = {"none": 0, "one": 1, "two": 2}
# Up to this many people everybody still hears of a change; up to the second number one superior is near enough.
FEW, MANY = 10, 50


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands to a request.

    `is_superior`: leads, or stands in for who leads, a team above the proposer's, and every target of the request lies
    within reach. `is_owner`: has the last word on targets. `has_decided`: agreed to an earlier step already.
    """

    is_proposer: bool = False
    is_superior: bool = False
    is_owner: bool = False
    has_decided: bool = False


def steps_needed(setting: str, people: int) -> int:
    """The steps of approval (0, 1 or 2) of a company with this setting and this many people at work.

    >>> [steps_needed("by_size", people) for people in (10, 11, 50, 51)]
    [0, 1, 1, 2]
    >>> steps_needed("two", 3)
    2
    """
    if setting == BY_SIZE:
        return 0 if people <= FEW else 1 if people <= MANY else 2
    return STEPS[setting]


def may_decide(standing: Standing, *, done: int, steps: int) -> bool:
    """Whether somebody may agree to, or send back, a request that has `done` of its `steps` behind it.

    Nobody decides on the own proposal, and nobody twice. The first step is a superior's or an owner's, the last of two
    an owner's.

    >>> superior = Standing(is_superior=True)
    >>> may_decide(superior, done=0, steps=2), may_decide(superior, done=1, steps=2)
    (True, False)
    >>> may_decide(Standing(is_proposer=True, is_owner=True), done=0, steps=1)
    False
    """
    if standing.is_proposer or standing.has_decided or done >= steps:
        return False
    return standing.is_owner or (standing.is_superior and done == 0)


def settles(standing: Standing, *, done: int, steps: int) -> bool:
    """Whether this person's approval is the last that was missing.

    An owner stands above every step: his word settles those before his own as well, so that a company without a
    superior in between does not wait for nobody.

    >>> settles(Standing(is_superior=True), done=0, steps=2), settles(Standing(is_owner=True), done=0, steps=2)
    (False, True)
    """
    return may_decide(standing, done=done, steps=steps) and (standing.is_owner or done + 1 >= steps)


def above(teams: Sequence[int], parents: dict[int, int | None]) -> set[int]:
    """The teams above any of `teams` (team → its parent); a team is not above itself.

    >>> sorted(above([3], {3: 2, 2: 1, 1: None}))
    [1, 2]
    """
    found: set[int] = set()
    for team in teams:
        parent = parents.get(team)
        while parent is not None and parent not in found:
            found.add(parent)
            parent = parents.get(parent)
    return found
