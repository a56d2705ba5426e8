"""Taking away what nobody finds any more: items whose time is over, and the namespaces that hold nothing.

It reads the whole store of an owner, and may run beside everything else, also twice: no step is taken where somebody wrote.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ....errors import ClewError, ConflictError, NotFoundError
from ....records import Change, PutDocument, Snapshot
from .namespaces import ITEMS, LABELS, VECTORS, Namespace
from .searching import label_of
from .shelves import End, Shelves, together
from .stored import META, VALUE, decode_meta, find_items, find_over
from .vector_writing import write_vectors
from .vectors import VECTOR, read_vectors, vectors_name

IN_USE_MS: Final = 3_600_000
"""How long after it was written a label stays, whatever it leads to: much longer than a writer takes it for granted."""
AT_ONCE: Final = 500
"""How many items are deleted in one commit."""
NODES_AT_ONCE: Final = 8
"""How many namespaces are read together."""

_logger = logging.getLogger("clew.langgraph")


@dataclass(slots=True)
class _Node:
    """A namespace, and the document in its parent's labels that leads to it."""

    namespace: Namespace
    name: str
    data: bytes
    parent: _Node | None
    children: int = 0


async def sweep(shelves: Shelves) -> int:
    """Delete all that is over, and return how many items that were."""
    level = [_Node((), "", b"", None)]
    nodes: list[_Node] = []
    while level:
        nodes += level
        answers = await together(shelves.fetch(LABELS, node.namespace) for node in level)
        following: list[_Node] = []
        for node, labels in zip(level, answers, strict=True):
            node.children = len(labels.documents)
            for name, data in labels.documents.items():
                following.append(_Node((*node.namespace, label_of(name, data)), name, data, node))
        level = following
    # The deepest first, so that a namespace is looked at when those below it are gone.
    depths: dict[int, list[_Node]] = {}
    for node in nodes:
        depths.setdefault(len(node.namespace), []).append(node)
    count, gate = 0, asyncio.Semaphore(NODES_AT_ONCE)
    for depth in sorted(depths, reverse=True):
        count += sum(await together(_sweep_node(shelves, node, gate) for node in depths[depth]))
    return count


async def _sweep_node(shelves: Shelves, node: _Node, gate: asyncio.Semaphore) -> int:
    async with gate:
        # The vectors first: those of an item that is put meanwhile are younger than what is taken away.
        vectors = await shelves.fetch(VECTORS, node.namespace)
        items = await shelves.fetch(ITEMS, node.namespace)
        await _take_strays(shelves, node.namespace, vectors, items)
    over = find_over(items)
    count = 0
    for at in range(0, len(over), AT_ONCE):
        count += await _delete(shelves, node.namespace, over[at : at + AT_ONCE])
    if not node.children and not find_items(items, node.namespace):
        await _close(shelves, node)
    return count


async def _take_strays(shelves: Shelves, namespace: Namespace, vectors: Snapshot, items: Snapshot) -> None:
    """Delete vectors that no item has, as a writer may leave them that dies, or meets another."""
    metas = {name: decode_meta(stored) for name, stored in items.documents.items() if name.startswith((f"{META}/", f"{META}#"))}
    own = {vectors_name(meta.mark, name[len(META) :]) for name, meta in metas.items()}
    strays = [
        name
        for name, document in vectors.documents.items()
        if name.startswith(VECTOR)
        and name not in own
        and ((read := read_vectors(document)) is None or vectors.now_ms - read.made_ms > IN_USE_MS)
    ]
    await write_vectors(shelves, namespace, None, {}, strays, End())


async def _delete(shelves: Shelves, namespace: Namespace, over: Sequence[tuple[str, bytes]]) -> int:
    """Delete some items that nobody has written since, and their vectors; return how many."""
    changes: list[Change] = []
    for name, stored in over:
        changes += (PutDocument(name, None, stored), PutDocument(VALUE + name[len(META) :], None))
    try:
        await shelves.commit(ITEMS, namespace, changes)
    except ConflictError:
        if len(over) == 1:
            return 0
        return sum(await together(_delete(shelves, namespace, [each]) for each in over))
    marks = [(decode_meta(stored).mark, name[len(META) :]) for name, stored in over]
    await write_vectors(shelves, namespace, None, {}, [vectors_name(mark, ending) for mark, ending in marks if mark], End())
    return len(over)


async def _close(shelves: Shelves, node: _Node) -> None:
    """Take away a namespace that has nothing in it, and nothing below it."""
    kinds = (ITEMS, VECTORS, LABELS)
    found = dict(zip(kinds, await together(shelves.fetch(kind, node.namespace) for kind in kinds), strict=True))
    if find_items(found[ITEMS], node.namespace) or found[LABELS].documents:
        return
    await together(_drop(shelves, kind, node.namespace, found[kind]) for kind in kinds)
    written = int.from_bytes(node.data[:8])
    if node.parent is None or found[ITEMS].now_ms - written < IN_USE_MS:
        return
    try:
        await shelves.commit(LABELS, node.parent.namespace, [PutDocument(node.name, None, node.data)])
    except ConflictError:
        return
    node.parent.children -= 1


async def _drop(shelves: Shelves, kind: str, namespace: Namespace, found: Snapshot) -> None:
    if not found.revision:
        return
    with suppress(ConflictError, NotFoundError):
        await shelves.drop(kind, namespace, expect=found.revision)


class Sweeper:
    """Sweeps again and again, in a task of the event loop that started it."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
        self._task: asyncio.Task[None] | None = None

    def start(self, minutes: float) -> asyncio.Task[None]:
        """Begin to sweep every so many minutes, unless it has begun; return the task."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._live(minutes), name="clew-langgraph-sweeper")
        return self._task

    async def stop(self) -> None:
        """End it, and return when it has ended."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _live(self, minutes: float) -> None:
        while True:
            await asyncio.sleep(minutes * 60)
            try:
                count = await sweep(self._shelves)
            except ClewError as error:
                _logger.warning("the store could not be swept, and is tried again later: %s", error)
            else:
                _logger.info("swept %d items whose time was over", count)
