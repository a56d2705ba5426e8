"""An index of the vectors of a large namespace, where the server keeps such: a search by meaning then does not read all of them.

Its state is a document beside the vectors. A vector is written only while that is as its writer knows it, and into the index
first: what is there is in the index. What it finds is compared exactly; where that is too little, everything is looked through.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

import msgspec

from ....errors import ClewError, ConflictError, NotFoundError
from ....nearest import MAX_FOUND
from ....records import PRESENT, PutDocument, Snapshot
from .namespaces import ITEMS, VECTORS, Namespace
from .shelves import Shelves
from .stored import ENDS, META, NEAR, VALUE, Found, find_items
from .vectors import VECTOR, Vectors, pack_vector, read_vectors, vectors_name

FROM: Final = 1_000
"""Vectors of a namespace from which on it gets an index."""
AT_ONCE: Final = 4
"""Vectors that are put into an index at once: the server does nothing else meanwhile, for up to some milliseconds each."""
STALE_MS: Final = 600_000
"""How long an index may be in the making before another process begins anew."""
GRACE_S: Final = 60.0
"""How long an element that leads nowhere is left alone, since what it leads to may be on its way."""
_MARK: Final = 16
"""Characters of a mark in a name."""

_logger = logging.getLogger("clew.langgraph")


class State(msgspec.Struct, array_like=True, frozen=True):
    """What the document NEAR says: which index, for vectors of which length, and whether all of them are in it."""

    format: int
    index: str
    dims: int
    begun_ms: int
    ready: bool = False


_decode = msgspec.msgpack.Decoder(State).decode
_encode = msgspec.msgpack.Encoder().encode


def read_state(stored: bytes | None) -> State | None:
    """Return the state of a namespace's index, None where it has none that this code knows."""
    try:
        state = None if stored is None else _decode(stored)
    except msgspec.DecodeError:
        return None
    return state if state is not None and state.format == 1 else None


def elements_of(name: str, vectors: Vectors) -> dict[str, bytes]:
    """Return the elements of an index for the vectors in a document: no two documents have one in common."""
    size = 4 * vectors.dims
    mark, ending = name[len(VECTOR) : len(VECTOR) + _MARK], name[len(VECTOR) + _MARK :]
    parts = [vectors.data[at : at + size] for at in range(0, len(vectors.data), size)]
    return {f"{mark}{at}{ending}": part for at, part in enumerate(parts)}


def _name_of(element: str) -> tuple[str, str]:
    """Return the name of the document that an element was made of, and what the names of its item's documents end in."""
    at = min(found for found in (element.find("/"), element.find("#")) if found >= 0)
    return f"{VECTOR}{element[:_MARK]}{element[at:]}", element[at:]


async def forget(shelves: Shelves, namespace: Namespace, stored: bytes | None, documents: Mapping[str, bytes]) -> None:
    """Take the vectors of documents that are gone out of the index that the document NEAR tells of, if any."""
    state, nearest = read_state(stored), await shelves.nearest()
    read = {name: read_vectors(document) for name, document in documents.items()}
    elements = [element for name, vectors in read.items() if vectors is not None for element in elements_of(name, vectors)]
    if state is not None and nearest is not None and elements:
        await nearest.put_nearest(shelves.partition(VECTORS, namespace), state.index, dict.fromkeys(elements))


@dataclass(frozen=True, slots=True)
class Near:
    """The items of a namespace that are near, with their vectors, and the document ENDS of its partition."""

    items: list[Found]
    vectors: dict[str, Vectors]
    ends: bytes | None


class Nearby:
    """The indexes of one owner's namespaces: found, made, and left where they are of no use."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
        self._known: dict[Namespace, bytes] = {}
        self._tasks: dict[Namespace, asyncio.Task[None]] = {}
        self._astray: dict[tuple[Namespace, str], float] = {}

    def knows(self, namespace: Namespace) -> bool:
        """Tell whether a namespace had an index when it was last looked at."""
        return namespace in self._known

    async def notice(self, namespace: Namespace, found: Snapshot, vectors: Mapping[str, Vectors]) -> None:
        """Learn from all of a namespace's vectors whether it has an index; have one made in the background where it is to."""
        stored = found.documents.get(NEAR)
        state = read_state(stored)
        if state is not None and state.ready and stored is not None and await self._shelves.nearest() is not None:
            self._known[namespace] = stored
            return
        self._known.pop(namespace, None)
        is_begun = stored is not None and (state is None or found.now_ms - state.begun_ms < STALE_MS)
        if len(vectors) < FROM or is_begun or namespace in self._tasks or await self._shelves.nearest() is None:
            return
        task = asyncio.get_running_loop().create_task(self._make(namespace), name="clew-langgraph-index")
        self._tasks[namespace] = task
        task.add_done_callback(lambda _: self._tasks.pop(namespace, None))

    async def stop(self) -> None:
        """Make no more indexes in this event loop; another process begins anew later."""
        mine = [task for task in self._tasks.values() if task.get_loop() is asyncio.get_running_loop()]
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)

    async def settle(self) -> None:
        """Return when no index is in the making in this event loop."""
        mine = [task for task in self._tasks.values() if task.get_loop() is asyncio.get_running_loop()]
        await asyncio.gather(*mine, return_exceptions=True)

    async def find(self, namespace: Namespace, query: Sequence[float], need: int) -> Near | None:
        """Return at least `need` items near a query; None where the index is not there any more, or cannot say."""
        stored = self._known.get(namespace)
        state = read_state(stored)
        nearest = await self._shelves.nearest()
        count = min(2 * need + 20, MAX_FOUND)
        if state is None or nearest is None or state.dims != len(query) or need > MAX_FOUND:
            return None
        partition = self._shelves.partition(VECTORS, namespace)
        elements = await nearest.find_nearest(partition, state.index, pack_vector(query), count=count)
        if elements is None:
            self._known.pop(namespace, None)
            return None
        named = {element: _name_of(element) for element, _ in elements}
        names = list(dict.fromkeys(name for name, _ in named.values()))
        ends = list(dict.fromkeys(end for _, end in named.values()))
        items, vectors = await asyncio.gather(
            self._shelves.fetch(ITEMS, namespace, [ENDS, *(kind + end for end in ends for kind in (META, VALUE))]),
            self._shelves.fetch(VECTORS, namespace, [NEAR, *names]),
        )
        if vectors.documents.get(NEAR) != stored:
            self._known.pop(namespace, None)
            return None
        kept = {name: read_vectors(vectors.documents.get(name, b"")) for name in names}
        await self._tidy(namespace, state.index, [element for element, (name, _) in named.items() if kept[name] is None])
        near = Near([], {}, items.documents.get(ENDS))
        for item in find_items(items, namespace):
            of_item = kept.get(vectors_name(item.meta.mark, item.ending))
            if of_item is not None:
                near.items.append(item)
                near.vectors[item.key] = of_item
        return near if len(near.items) >= need else None

    async def _tidy(self, namespace: Namespace, index: str, astray: Sequence[str]) -> None:
        """Remove elements that have led nowhere for a while."""
        now = time.monotonic()
        if len(self._astray) > 10_000:
            self._astray.clear()
        gone = {element: None for element in astray if now - self._astray.setdefault((namespace, element), now) > GRACE_S}
        nearest = await self._shelves.nearest()
        if gone and nearest is not None:
            await nearest.put_nearest(self._shelves.partition(VECTORS, namespace), index, gone)

    # -- making one ---------------------------------------------------------------------------------------------------

    async def _make(self, namespace: Namespace) -> None:
        try:
            await self._try_to_make(namespace)
        except (ConflictError, NotFoundError):
            return  # others were quicker, or it is gone
        except ClewError as error:
            _logger.warning("no index could be made of a namespace with many vectors, which are compared one by one: %s", error)

    async def _try_to_make(self, namespace: Namespace) -> None:
        nearest, partition = await self._shelves.nearest(), self._shelves.partition(VECTORS, namespace)
        found = await self._shelves.fetch(VECTORS, namespace)
        elements = _elements(found)
        if nearest is None or not elements:
            return
        dims = len(next(iter(elements.values()))) // 4
        state = State(1, token_hex(6), dims, found.now_ms)
        begun = _encode(state)
        # It is there before anybody is told to write to it.
        first = next(iter(elements))
        await nearest.put_nearest(partition, state.index, {first: elements[first]}, begin=True)
        try:
            before = found.documents.get(NEAR)
            await self._shelves.commit(VECTORS, namespace, [PutDocument(NEAR, begun, before)], expect=PRESENT)
            stopped = read_state(before)
            if stopped is not None:
                await nearest.end_nearest(partition, stopped.index)
            put = _elements(await self._shelves.fetch(VECTORS, namespace))
            names = list(put)
            for at in range(0, len(names), AT_ONCE):
                if not await nearest.put_nearest(partition, state.index, {name: put[name] for name in names[at : at + AT_ONCE]}):
                    raise NotFoundError("the index is gone")
            # What was deleted meanwhile may have been put after it was removed.
            now = _elements(await self._shelves.fetch(VECTORS, namespace))
            gone = {name: None for name in (first, *names) if name not in now}
            if not put or not now or not await nearest.put_nearest(partition, state.index, gone):
                raise NotFoundError("the index is gone")
            ready = _encode(State(1, state.index, dims, state.begun_ms, True))
            await self._shelves.commit(VECTORS, namespace, [PutDocument(NEAR, ready, begun)], expect=PRESENT)
        except ClewError:
            await nearest.end_nearest(partition, state.index)
            raise
        self._known[namespace] = ready


def _elements(found: Snapshot) -> dict[str, bytes]:
    """Return the elements for every vector of a namespace; none where they do not all fit into one index."""
    elements: dict[str, bytes] = {}
    dims = set[int]()
    for name, document in found.documents.items():
        vectors = read_vectors(document) if name.startswith(VECTOR) else None
        if vectors is not None:
            dims.add(vectors.dims)
            elements |= elements_of(name, vectors)
    return elements if len(dims) == 1 else {}
