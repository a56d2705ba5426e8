"""The store: what agents know across threads, by namespace and key, found again by what it says or means.

What each operation means is as in LangGraph's own stores: in a batch what reads comes before what writes, and the last write of a
key stays. Nothing of it shows among an owner's threads.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Final, cast

from langgraph.store.base import (
    BaseStore,
    GetOp,
    IndexConfig,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from .... import Store
from ....blocking import Connection
from ....errors import InvalidError
from ....limits import check_id
from ....nearest import MAX_FOUND
from .gathering import Gathering, Put
from .keeping import Keeping
from .namespaces import ITEMS, Namespace, ending_of
from .nearby import Nearby
from .searching import Meant, accepts, check_filter, list_namespaces, order, walk
from .shelves import Shelves, together
from .stored import ENDS, META, VALUE, Found, encode_value, find_item, moment_of, ttl_ms_of
from .sweeping import Sweeper, sweep
from .vectors import Embedding, pack_vectors
from .writing import Writing

SWEEP_MINUTES: Final = 60


class ClewStore(BaseStore):
    """A LangGraph store for one owner; another owner's items cannot be named. Safe to share by all tasks, threads and loops.

    Every method raises UnavailableError where the store cannot be reached, and InvalidError, a ValueError, for what cannot be
    kept: a value that is no JSON object, or one of more than `limits.MAX_DATA_BYTES`.
    """

    supports_ttl = True

    def __init__(self, store: Store | str, *, owner: str, index: IndexConfig | None = None, ttl: TTLConfig | None = None) -> None:
        """Take a store; nothing is opened yet.

        Args:
            store: an open one, which stays the caller's to close; or the URL of one, which the first call opens.
            owner: whose items these are; at most `limits.MAX_ID_BYTES` bytes. All processes of an application give the same.
            index: how items are found by meaning: `embed`, `dims`, `fields`; None for no such search.
            ttl: `default_ttl` in minutes, and `refresh_on_read`. What has expired is never returned, also without `omit_expired`.
        """
        self.ttl_config = ttl
        self.index_config = index
        self._embedding = None if index is None else Embedding(index)
        self._connection = Connection(store)
        self._is_copy = False
        self._belong_to(owner)

    def for_owner(self, owner: str) -> ClewStore:
        """Return this store for another owner, on the same connection, which closing the copy does not close."""
        other = copy.copy(self)
        other._is_copy = True
        other._belong_to(owner)
        return other

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """See `abatch`; for callers that cannot await. In a coroutine its event loop would stand still: use `abatch` there."""
        return self._connection.run(self.abatch(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Do every operation, and return their results in order.

        Those that read see what was there before. Of several writes of one key the last one stays. Each namespace's writes happen
        together or not at all, up to some thousand of them; those of several namespaces do not.

        Raises:
            InvalidError, InvalidNamespaceError: nothing was read or written.
        """
        wanted = list(ops)
        for op in wanted:
            _check(op)
        results: list[Result] = [None] * len(wanted)
        puts = {(op.namespace, op.key): op for op in wanted if isinstance(op, PutOp)}
        encoded = {where: None if op.value is None else encode_value(op.value) for where, op in puts.items()}
        gets = [op for op in wanted if isinstance(op, GetOp)]
        looks = [at for at, op in enumerate(wanted) if isinstance(op, SearchOp | ListNamespacesOp)]

        async def get() -> None:
            found = await self._get(gets)
            for at, op in enumerate(wanted):
                if isinstance(op, GetOp):
                    results[at] = found.get((op.namespace, op.key))

        async def look(at: int) -> None:
            op = wanted[at]
            if isinstance(op, SearchOp):
                results[at] = await self._search(op)
            else:
                results[at] = await list_namespaces(self._shelves, cast(ListNamespacesOp, op))

        reads = [*([get()] if gets else []), *map(look, looks)]
        if looks or any((op.namespace, op.key) in puts for op in gets):
            await together(reads)
            reads = []
        await together([*reads, *([self._put(puts, encoded)] if puts else [])])
        return results

    def sweep_ttl(self) -> int:
        """See `asweep_ttl`."""
        return self._connection.run(self.asweep_ttl())

    async def asweep_ttl(self) -> int:
        """Delete the items whose time is over, and namespaces that hold nothing; return how many items that were.

        It reads everything that the owner has in the store.
        """
        return await sweep(self._shelves)

    async def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> asyncio.Task[None]:
        """Sweep again and again, in a task of this event loop, until `stop_ttl_sweeper`. One process of an application is enough.

        Args:
            sweep_interval_minutes: None for `ttl["sweep_interval_minutes"]`, and where that is not given for 60 minutes.
        """
        configured = (self.ttl_config or {}).get("sweep_interval_minutes")
        minutes = sweep_interval_minutes or configured or SWEEP_MINUTES
        return self._sweeper.start(minutes)

    async def stop_ttl_sweeper(self) -> None:
        """End the task that sweeps, where there is one."""
        await self._sweeper.stop()

    # -- opening and closing ------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close the store where it was opened here, and not by a copy; the sweeper ends."""
        await self._sweeper.stop()
        await self._nearby.stop()
        if not self._is_copy:
            await self._connection.aclose()

    def close(self) -> None:
        """As `aclose`, for callers that cannot await, and who therefore have no sweeper."""
        if not self._is_copy:
            self._connection.close()

    async def __aenter__(self) -> ClewStore:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __enter__(self) -> ClewStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _belong_to(self, owner: str) -> None:
        self.owner = check_id(owner, "the owner")
        self._shelves = Shelves(self._connection, owner)
        self._nearby = Nearby(self._shelves)
        self._keeping = Keeping(self._shelves, self._nearby)
        self._writing = Writing(self._shelves)
        self._gathering = Gathering(self._writing.write)
        self._sweeper = Sweeper(self._shelves)

    # -- one kind after the other -------------------------------------------------------------------------------------

    async def _get(self, gets: Sequence[GetOp]) -> dict[tuple[Namespace, str], Item]:
        wanted: dict[Namespace, dict[str, bool]] = {}
        for op in gets:
            keys = wanted.setdefault(op.namespace, {})
            keys[op.key] = keys.get(op.key, False) or op.refresh_ttl

        async def fetch(namespace: Namespace, keys: dict[str, bool]) -> list[Found]:
            names = [kind + ending_of(key) for key in keys for kind in (META, VALUE)]
            snapshot = await self._shelves.fetch(ITEMS, namespace, [ENDS, *names])
            found = [item for key in keys if (item := find_item(snapshot, namespace, key)) is not None]
            self._writing.notice(found)
            await self._renew([item for item in found if keys[item.key]], {namespace: snapshot.documents.get(ENDS)})
            return found

        answers = await together(fetch(namespace, keys) for namespace, keys in wanted.items())
        return {(item.namespace, item.key): _make_item(item) for items in answers for item in items}

    async def _search(self, op: SearchOp) -> list[SearchItem]:
        meant = self._embedding if op.query else None
        if meant is None:
            query = None
            walked = await walk(self._shelves, op.namespace_prefix)
        else:
            asking = asyncio.ensure_future(meant.embed_query(op.query or ""))
            # What a filter leaves of those that are near may be too few: then everything is looked through.
            need = op.offset + op.limit if not op.filter and min(op.offset, op.limit) >= 0 else MAX_FOUND + 1
            looking = Meant(asking, need, self._keeping, self._nearby)
            query, walked = await asyncio.gather(asking, walk(self._shelves, op.namespace_prefix, looking))
        wanted = op.filter
        chosen = walked.items if not wanted else [item for item in walked.items if accepts(wanted, item.value())]
        page = order(walked, chosen, query)[op.offset : op.offset + op.limit]
        self._writing.notice(item for item, _ in page)
        if op.refresh_ttl:
            await self._renew([item for item, _ in page], walked.ends)
        return [_make_search_item(item, value) for item, value in page]

    async def _put(self, puts: dict[tuple[Namespace, str], PutOp], encoded: dict[tuple[Namespace, str], bytes | None]) -> None:
        vectors = await self._embed(puts)
        piles: dict[Namespace, list[Put]] = {}
        for where, op in puts.items():
            put = Put(op.key, encoded[where], ttl_ms_of(op.ttl), vectors.get(where))
            piles.setdefault(op.namespace, []).append(put)
        await together(self._gathering.put(namespace, pile) for namespace, pile in piles.items())

    async def _embed(self, puts: dict[tuple[Namespace, str], PutOp]) -> dict[tuple[Namespace, str], bytes]:
        if self._embedding is None:
            return {}
        texts: dict[tuple[Namespace, str], list[str]] = {}
        for where, op in puts.items():
            if op.value is not None and op.index is not False:
                texts[where] = self._embedding.texts_of(op.value, op.index)
        found = await self._embedding.embed(text for each in texts.values() for text in each)
        return {where: pack_vectors([found[text] for text in each]) for where, each in texts.items() if each}

    async def _renew(self, items: Sequence[Found], ends: dict[Namespace, bytes | None]) -> None:
        living = [item for item in items if item.meta.ttl_ms is not None]
        if living:
            await together(self._writing.renew(item, ends.get(item.namespace)) for item in living)


def _check(op: Op) -> None:
    """Raise for what no store can do, before anything is sent."""
    if not isinstance(op, GetOp | PutOp | SearchOp | ListNamespacesOp):
        raise InvalidError(f"a batch holds operations of langgraph.store.base, not {type(op).__name__}")
    validate_op_namespace(op)
    if isinstance(op, GetOp | PutOp):
        ending_of(op.key)
    if isinstance(op, PutOp):
        ttl_ms_of(op.ttl)
    elif isinstance(op, SearchOp):
        check_filter(op.filter)


def _make_item(item: Found) -> Item:
    meta = item.meta
    return Item(
        value=item.value(),
        key=item.key,
        namespace=item.namespace,
        created_at=moment_of(meta.created_us),
        updated_at=moment_of(meta.updated_us),
    )


def _make_search_item(item: Found, score: float | None) -> SearchItem:
    meta = item.meta
    created, updated = moment_of(meta.created_us), moment_of(meta.updated_us)
    return SearchItem(item.namespace, item.key, item.value(), created, updated, score)
