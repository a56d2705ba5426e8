"""What the tests of the store share: vectors of words, and LangGraph's own store, held to what its databases do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any

from langgraph.store.base import IndexConfig, ListNamespacesOp, Op, PutOp, Result
from langgraph.store.memory import InMemoryStore

DIMS = 8


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Return a vector for each text, which has nothing to do with any other's."""
    return [[random.Random(f"{text}/{at}").uniform(-1, 1) for at in range(DIMS)] for text in texts]


async def embed_later(texts: Sequence[str]) -> list[list[float]]:
    """Return the same, as a model does that is asked over a network."""
    await asyncio.sleep(0)
    return embed(texts)


def index_of(fields: Sequence[str] = ("text",)) -> IndexConfig:
    """Return an index configuration."""
    return {"dims": DIMS, "embed": embed, "fields": list(fields)}


class Reference(InMemoryStore):
    """LangGraph's store in memory, but for three things in which it differs from its stores in databases, and from clew's.

    A namespace is listed only while it has an item; vectors go with the value that they were made of; an item keeps the time when
    it was made.
    """

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        wanted = list(ops)
        puts = [op for op in wanted if isinstance(op, PutOp)]
        before = {(op.namespace, op.key): self._data[op.namespace].get(op.key) for op in puts}
        results = await super().abatch([op for op in wanted if not isinstance(op, PutOp)])
        for op in puts:
            self._vectors[op.namespace].pop(op.key, None)
        await super().abatch(puts)
        for (namespace, key), old in before.items():
            item = self._data[namespace].get(key)
            if item is not None:
                item.updated_at = item.created_at
                item.created_at = item.created_at if old is None else old.created_at
        self._forget()
        following = iter(results)
        return [None if isinstance(op, PutOp) else next(following) for op in wanted]

    def _handle_list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        self._forget()
        return super()._handle_list_namespaces(op)

    def _forget(self) -> None:
        for namespace in [namespace for namespace, items in self._data.items() if not items]:
            del self._data[namespace]


def named(items: Iterable[Any]) -> list[tuple[tuple[str, ...], str]]:
    """Return the names of items, in their order."""
    return [(item.namespace, item.key) for item in items]
