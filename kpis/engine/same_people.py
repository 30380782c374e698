"""Which people of several sources are one person: decided from the keyed hash of the e-mail and what people said."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A person as one source knows it. `key`: the hash of the e-mail, "" where the source says none.

    `is_here`: the source still has it. `weight`: how much hangs on this row (a login, an employee code).
    """

    person: int
    source: str
    key: str
    is_here: bool = True
    weight: int = 0


def decide_same_people(
    known: Collection[Known],
    *,
    said: Mapping[int, int],
    found: Mapping[int, int],
    refused: AbstractSet[tuple[int, int]] = frozenset(),
) -> dict[int, int]:
    """Person → the person it is the same as, by the same e-mail; without chains, and without those of `said`.

    `said`: what people said, `found`: what this rule found before; both person → who stands for it. `refused`: pairs
    that a person took apart. An address that one source gives to several is nobody's. Whoever stands for others
    already goes on doing so, else the one on whom more hangs, else who was there first. What was found stays found
    while a source says no address or has no such person any more.

    >>> hana, sato, shared = Known(1, "ma", "h"), Known(2, "crm", "h", weight=1), Known(3, "ma", "h")
    >>> decide_same_people([hana, sato], said={}, found={})
    {1: 2}
    >>> decide_same_people([hana, sato, shared], said={}, found={})
    {}
    >>> decide_same_people([hana, sato], said={}, found={}, refused={(1, 2)})
    {}
    >>> decide_same_people([Known(1, "ma", ""), sato], said={}, found={1: 2})
    {1: 2}
    >>> decide_same_people([Known(1, "ma", "other"), sato], said={}, found={1: 2})
    {}
    """
    by_id = {each.person: each for each in known}
    decided = {
        person: head
        for person, head in found.items()
        if person in by_id and head in by_id and _may_stay(by_id[person], by_id[head])
    }
    groups: dict[str, list[Known]] = defaultdict(list)
    for each in known:
        if each.key and each.is_here:
            groups[each.key].append(each)
    leading = {*said.values(), *found.values()}
    for group in groups.values():
        if max(Counter(each.source for each in group).values()) > 1:
            for each in group:
                decided.pop(each.person, None)
            continue
        spoken = {by_id[said.get(each.person) or decided.get(each.person) or each.person] for each in group}
        head = min(spoken, key=lambda each: (each.person not in leading, -each.weight, each.person))
        for other in spoken - {head}:
            pair = {(other.person, head.person), (head.person, other.person)}
            if other.person not in leading and other.source != head.source and not pair & refused:
                decided[other.person] = head.person
    return decided


def _may_stay(person: Known, head: Known) -> bool:
    """Whether nothing says any more than before that two people are not one."""
    return not person.key or not head.key or person.key == head.key
