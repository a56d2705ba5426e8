"""The rules of a ChatKit store in a few plain lines, to compare with: what the SDK's server needs of it, kept in lists."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any

DONE = {"completed", "answered", "skipped"}


class Missing(Exception):
    """There is no such thing for this owner."""


class Conflict(Exception):
    """Somebody else completed it first."""


@dataclass
class Thread:
    """A thread: its metadata by field, every item id it ever had in order of place, and the live items."""

    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    places: list[str | None] = field(default_factory=list)
    items: dict[str, dict[str, Any]] = field(default_factory=dict)

    def place(self, id: str) -> int:
        """Return the newest place of an id."""
        for index in range(len(self.places) - 1, -1, -1):
            if self.places[index] == id:
                return index
        raise Missing(id)


class Rules:
    """A store that is slow, small and obvious. Items are dicts of id, status and text."""

    def __init__(self) -> None:
        self.threads: dict[tuple[str, str], Thread] = {}
        self.made: list[tuple[str, str]] = []
        self.gone: set[tuple[str, str]] = set()

    def find(self, owner: str, id: str) -> Thread:
        """Return a thread that is there."""
        thread = self.threads.get((owner, id))
        if thread is None:
            raise Missing(id)
        return thread

    def load_thread(self, owner: str, id: str) -> tuple[str | None, dict[str, Any]]:
        """Return title and metadata."""
        thread = self.find(owner, id)
        return thread.title, copy.deepcopy(thread.metadata)

    def save_thread(self, owner: str, id: str, new: tuple[str | None, dict[str, Any]], base: Any) -> None:
        """Make it, or write what differs from the base."""
        key = owner, id
        if key in self.gone or (base is not None and key not in self.threads):
            raise Missing(id)
        if key not in self.threads:
            self.threads[key] = Thread()
            self.made.append(key)
        thread = self.threads[key]
        title, metadata = new
        if (base is None and title is not None) or (base is not None and title != base[0]):
            thread.title = title
        old = {} if base is None else base[1]
        for name in {*old, *metadata}:
            if name not in metadata:
                thread.metadata.pop(name, None)
            elif name not in old or json.dumps(old[name]) != json.dumps(metadata[name]):
                thread.metadata[name] = metadata[name]

    def save_item(self, owner: str, thread_id: str, new: dict[str, Any], base: dict[str, Any] | None) -> None:
        """Put it in its place, or at the end; what is done stays done."""
        thread = self.find(owner, thread_id)
        there = thread.items.get(new["id"])
        if there is None:
            thread.places.append(new["id"])
        elif there["status"] in DONE and new["status"] == "pending":
            return
        elif base is not None and base["status"] == "pending" and there["status"] in DONE and new != there:
            raise Conflict(new["id"])
        thread.items[new["id"]] = copy.deepcopy(new)

    def load_item(self, owner: str, thread_id: str, id: str) -> dict[str, Any]:
        """Return a live item."""
        thread = self.find(owner, thread_id)
        if id not in thread.items:
            raise Missing(id)
        return copy.deepcopy(thread.items[id])

    def delete_item(self, owner: str, thread_id: str, id: str) -> None:
        """Take it away; its place stays."""
        thread = self.threads.get((owner, thread_id))
        if thread is not None:
            thread.items.pop(id, None)

    def page(self, owner: str, thread_id: str, after: str | None, limit: int, order: str) -> tuple[list[dict[str, Any]], bool]:
        """Return live items in order of place, and whether there are more."""
        thread = self.threads.get((owner, thread_id), Thread())
        live = [(thread.place(id), item) for id, item in thread.items.items()]
        live.sort(key=lambda pair: pair[0], reverse=order == "desc")
        if after is not None:
            if (owner, thread_id) in self.gone:
                return [], False
            bound = thread.place(after)
            live = [pair for pair in live if (pair[0] > bound if order == "asc" else pair[0] < bound)]
        limit = max(limit, 1)
        return [item for _, item in live[:limit]], len(live) > limit

    def list_threads(self, owner: str, after: str | None, limit: int, order: str) -> tuple[list[str], bool]:
        """Return ids in the order of making, and whether there are more."""
        made = [id for who, id in self.made if who == owner]
        if order == "desc":
            made.reverse()
        if after is not None:
            if after not in made:
                raise Missing(after)
            made = made[made.index(after) + 1 :]
        live = [id for id in made if (owner, id) in self.threads]
        limit = max(limit, 1)
        return live[:limit], len(live) > limit

    def delete_thread(self, owner: str, id: str) -> None:
        """Take it away for good."""
        if self.threads.pop((owner, id), None) is not None:
            self.gone.add((owner, id))
