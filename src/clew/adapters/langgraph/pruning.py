"""Which checkpoints may go: none from which a surviving one gets the value of a delta channel."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple, TypeAlias

Point: TypeAlias = tuple[str, str]
"""A branch and a checkpoint's id."""


class Line(NamedTuple):
    """What is to be known of a checkpoint.

    Attributes:
        parent: the id of the one before it.
        holds: the channels whose value it has.
        lacks: the delta channels whose value is made of what its ancestors hold and wrote.
        run: the id of the run that made it, None where none is known.
    """

    branch: str
    id: str
    parent: str | None
    holds: frozenset[str]
    lacks: frozenset[str]
    run: str | None


def choose_older(lines: Iterable[Line]) -> set[Point]:
    """Return all but the latest one of each branch."""
    latest: dict[str, str] = {}
    points = {(line.branch, line.id) for line in lines}
    for branch, id in points:
        latest[branch] = max(latest.get(branch, ""), id)
    return points - set(latest.items())


def spare_ancestors(lines: Collection[Line], doomed: set[Point]) -> set[Point]:
    """Return those of `doomed` that no other checkpoint needs: an ancestor stays until each delta channel has its value."""
    by_point = {(line.branch, line.id): line for line in lines}
    needs: dict[Point, set[str]] = {}
    spared: set[Point] = set()
    waiting = [(line, line.lacks) for line in lines if (line.branch, line.id) not in doomed]
    while waiting:
        line, missing = waiting.pop()
        parent = None if line.parent is None else by_point.get((line.branch, line.parent))
        if parent is None or not missing:
            continue
        point = (parent.branch, parent.id)
        asked = needs.setdefault(point, set())
        new = missing - asked
        if not new:
            continue
        asked |= new
        if point in doomed:
            spared.add(point)
        # What one that stays lacks itself is asked for from its own turn.
        waiting.append((parent, frozenset(new - parent.holds)))
    return doomed - spared
