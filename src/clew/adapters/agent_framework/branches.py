"""Branches within one thread: each turn names the item it continues, and a session's state remembers where it stands.

Two sessions that were copied from one then share what came before the copy, and nothing that came after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clew import Item

HEAD = "head"
"""The key of the session's state that holds the head."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last item of a branch."""

    id: str
    position: int


def read_head(state: Mapping[str, Any] | None) -> Head | None:
    """Return where the session stands, None where it has not said anything yet or its state holds no sound head."""
    value = state.get(HEAD) if state else None
    if isinstance(value, Mapping) and isinstance(value.get("id"), str) and isinstance(value.get("position"), int):
        return Head(value["id"], value["position"])
    return None


def write_head(state: dict[str, Any], id: str, position: int) -> None:
    """Remember the last item of this session's branch."""
    state[HEAD] = {"id": id, "position": position}


def follow_branch(items: Sequence[Item], head: str) -> list[Item]:
    """Return the items of the branch that ends with the id `head`, oldest first.

    Args:
        items: consecutive items of the thread, oldest first, up to the head or further.
    """
    branch: list[Item] = []
    wanted: str | None = head
    for index in range(len(items) - 1, -1, -1):
        item = items[index]
        if wanted is not None and item.id != wanted:
            continue
        branch.append(item)
        # Without a parent it simply continues the one before.
        wanted = item.parent
    branch.reverse()
    return branch
