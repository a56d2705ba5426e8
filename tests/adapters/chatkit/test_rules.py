"""Random calls of two users with stale and fresh objects, on the store and on the plain rules: both say the same each time."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from chatkit.store import NotFoundError
from chatkit.types import ClientToolCallItem, ThreadItem, ThreadMetadata

from clew.adapters.chatkit import AlreadyCompletedError, ChatKitStore

from .driver import Context
from .rules import Conflict, Missing, Rules

Kit = ChatKitStore[Context]
OWNERS = ("ada", "bob")
THREADS = ("thr_1", "thr_2", "thr_3")
ITEMS = tuple(f"tc_{n}" for n in range(3))
NOW = datetime(2026, 1, 1)
STEPS = 400


class Play:
    """Makes each call on both, and compares what they say."""

    def __init__(self, kit: Kit, seed: int) -> None:
        self.kit, self.rules, self.dice = kit, Rules(), random.Random(seed)
        self.said: list[str] = []
        self.threads: list[tuple[str, ThreadMetadata, Any]] = []
        """Objects that were loaded or saved, some of them stale by now: owner, object, and what the rules take as its base."""
        self.items: list[tuple[str, str, ClientToolCallItem, dict[str, Any] | None]] = []

    async def step(self) -> None:
        """Make one call."""
        steps = [self.save_thread, self.load_thread, self.list_threads, *[self.save_item] * 4, self.load_item, *[self.page] * 3]
        if self.dice.random() < 0.01:
            steps = [self.delete_thread]
        elif self.dice.random() < 0.08:
            steps = [self.delete_item]
        await self.dice.choice(steps)()

    async def both(self, name: str, real: Callable[[], Awaitable[Any]], plain: Callable[[], Any]) -> tuple[Any, bool]:
        """Return what the store said, and whether it was an answer; fail unless the rules say the same."""
        expected: Any
        try:
            expected = plain()
        except (Missing, Conflict) as e:
            expected = type(e).__name__
        found: Any
        given: Any = None
        try:
            given = await real()
            found = shape(given)
        except NotFoundError:
            found = "Missing"
        except AlreadyCompletedError:
            found = "Conflict"
        self.said.append(f"{name}: {found}")
        assert json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True), "\n".join(
            [*self.said[-12:], f"the rules say {expected}"]
        )
        return given, found not in ("Missing", "Conflict")

    def pick(self) -> tuple[str, Context, str]:
        owner = self.dice.choice(OWNERS)
        return owner, {"owner": owner}, self.dice.choice(THREADS)

    async def save_thread(self) -> None:
        owner, context, id = self.pick()
        mine = [each for each in self.threads if each[0] == owner]
        if mine and self.dice.random() < 0.7:
            entry = self.dice.choice(mine)
            thread, base = entry[1], entry[2]
            self.threads = [each for each in self.threads if each is not entry]
        else:
            thread, base = ThreadMetadata(id=id, created_at=NOW), None
        if self.dice.random() < 0.5:
            thread.title = self.dice.choice([None, "", "one", "two"])
        for _ in range(self.dice.randrange(3)):
            name = self.dice.choice("abc")
            if self.dice.random() < 0.3:
                thread.metadata.pop(name, None)
            else:
                thread.metadata[name] = self.dice.choice([None, 0, "x", [1, {}], False])
        new = thread.title, dict(thread.metadata)
        _, is_saved = await self.both(
            f"save_thread {owner} {thread.id} {new} on {base}",
            lambda: self.kit.save_thread(thread, context),
            lambda: self.rules.save_thread(owner, thread.id, new, base),
        )
        if is_saved:
            self.threads.append((owner, thread, new))

    async def load_thread(self) -> None:
        owner, context, id = self.pick()
        found, is_there = await self.both(
            f"load_thread {owner} {id}", lambda: self.kit.load_thread(id, context), lambda: self.rules.load_thread(owner, id)
        )
        if is_there:
            self.threads.append((owner, found, (found.title, dict(found.metadata))))

    async def save_item(self) -> None:
        owner, context, id = self.pick()
        mine = [each for each in self.items if each[0] == owner]
        if mine and self.dice.random() < 0.6:
            entry = self.dice.choice(mine)
            self.items = [each for each in self.items if each is not entry]
            _, id, item, base = entry
        else:
            base = None
            item = ClientToolCallItem(
                id=self.dice.choice(ITEMS), thread_id=id, created_at=NOW, call_id="c", name="n", arguments={}
            )
        item.status = self.dice.choice(["pending", "completed"])
        item.output = self.dice.randrange(3)
        new = plain_item(item)
        save = self.dice.choice([self.kit.save_item, self.kit.add_thread_item])
        _, is_saved = await self.both(
            f"save_item {owner} {id} {new} on {base}",
            lambda: save(id, item, context),
            lambda: self.rules.save_item(owner, id, new, base),
        )
        if is_saved:
            # The object's base is what is stored now, which is not the object where it was not to win.
            self.items.append((owner, id, item, self.rules.load_item(owner, id, item.id)))

    async def load_item(self) -> None:
        owner, context, thread_id = self.pick()
        id = self.dice.choice(ITEMS)
        found, is_there = await self.both(
            f"load_item {owner} {thread_id} {id}",
            lambda: self.kit.load_item(thread_id, id, context),
            lambda: self.rules.load_item(owner, thread_id, id),
        )
        if is_there:
            self.items.append((owner, thread_id, found, plain_item(found)))

    async def page(self) -> None:
        owner, context, id = self.pick()
        after, limit, order = (
            self.dice.choice([None, *ITEMS]),
            self.dice.choice([-3, 1, 2, 5, 1000]),
            self.dice.choice(["asc", "desc"]),
        )
        await self.both(
            f"page {owner} {id} after {after} limit {limit} {order}",
            lambda: self.kit.load_thread_items(id, after, limit, order, context),
            lambda: self.rules.page(owner, id, after, limit, order),
        )

    async def list_threads(self) -> None:
        owner, context, _ = self.pick()
        after, limit, order = (
            self.dice.choice([None, *THREADS]),
            self.dice.choice([0, 1, 2, 1000]),
            self.dice.choice(["asc", "desc"]),
        )
        await self.both(
            f"list {owner} after {after} limit {limit} {order}",
            lambda: self.kit.load_threads(limit, after, order, context),
            lambda: self.rules.list_threads(owner, after, limit, order),
        )

    async def delete_item(self) -> None:
        owner, context, thread_id = self.pick()
        id = self.dice.choice(ITEMS)
        await self.both(
            f"delete_item {owner} {thread_id} {id}",
            lambda: self.kit.delete_thread_item(thread_id, id, context),
            lambda: self.rules.delete_item(owner, thread_id, id),
        )

    async def delete_thread(self) -> None:
        owner, context, id = self.pick()
        await self.both(
            f"delete_thread {owner} {id}",
            lambda: self.kit.delete_thread(id, context),
            lambda: self.rules.delete_thread(owner, id),
        )


def plain_item(item: ThreadItem) -> dict[str, Any]:
    """Return an item as the rules know it."""
    assert isinstance(item, ClientToolCallItem)
    return {"id": item.id, "status": item.status, "output": item.output}


def shape(given: Any) -> Any:
    """Return an answer of the store as the rules give it."""
    if isinstance(given, ThreadMetadata):
        return given.title, dict(given.metadata)
    if isinstance(given, ClientToolCallItem):
        return plain_item(given)
    if given is None:
        return None
    data = [each.id if isinstance(each, ThreadMetadata) else plain_item(each) for each in given.data]
    assert given.after == (given.data[-1].id if given.has_more else None)
    return data, given.has_more


@pytest.mark.parametrize("seed", [1, 3, 5])
async def test_the_store_says_what_the_rules_say(kit: Kit, seed: int) -> None:
    play = Play(kit, seed)
    for _ in range(STEPS):
        await play.step()
    assert any(said.endswith("Conflict") for said in play.said)
    assert sum("Missing" in said for said in play.said) > 10
    assert sum(said.startswith("save_item") and said.endswith("None") for said in play.said) > 20
