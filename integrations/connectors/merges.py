"""Records that a source has merged: chains of aliases, followed to whoever is left. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def winners(aliases: Mapping[str, str]) -> dict[str, str]:
    """Each merged record with the one that is left of its chain; records that only lead to one another have none.

    >>> winners({"A": "B", "B": "C", "X": "Y", "Y": "X"})
    {'A': 'C', 'B': 'C'}
    """
    found: dict[str, str] = {}
    for loser in aliases:
        seen, last = {loser}, aliases[loser]
        while last in aliases and last not in seen:
            seen.add(last)
            last = aliases[last]
        if last not in seen:
            found[loser] = last
    return found
