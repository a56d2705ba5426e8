"""LangGraph's checkpoints on clew: each put and each get one trip, and each message stored once, as an item of a thread.

A checkpoint refers to what is there already. Nothing is read before it is written, and nothing of a thread is kept here that
the store does not have.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from random import getrandbits
from types import TracebackType
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from ...blocking import Connection
from ...limits import check_id
from ...model import Ref
from ...store import Store
from ...store.checks import ttl_ms_of
from . import deleting, reading, writing
from .claiming import Claim
from .context import Context
from .drafting import Plain
from .memory import Memory

MEMORY: Final = 64 * 1024 * 1024
"""Bytes of lists that a saver and its copies remember, so that a put sends only what is new."""
_COUNT: Final = 28
"""The random bits of a version, below its counter."""


class ClewSaver(BaseCheckpointSaver[int]):
    """A checkpointer for `compile(checkpointer=...)`: synchronous and asynchronous, for one owner. Safe to share by all graphs,
    tasks, threads and event loops. `async with` it, or `with` it, or close what it opened yourself.

    Every method raises UnavailableError where the store is away, GoneError where it writes to a thread that was deleted
    (but for the first put of a new conversation), and InvalidError for a name or size that is not allowed.
    """

    def __init__(
        self,
        store: Store | str,
        *,
        owner: str,
        ttl: float | None = None,
        sliding: bool = True,
        serde: SerializerProtocol | None = None,
    ) -> None:
        """Take a store; nothing is opened yet.

        Args:
            store: an open one, which stays the caller's to close; or the URL of one, which the first call opens.
            owner: whose the threads are; at most `limits.MAX_ID_BYTES` bytes. Another owner's cannot be named.
            ttl: seconds until a thread vanishes as a whole; None keeps it.
            sliding: whether each write starts the time anew.
            serde: LangGraph's serializer; its own for None. With `EncryptedSerializer` no value, message or metadata can be read
                in the store; the names of channels, tasks and branches can.
        """
        super().__init__(serde=serde)
        self.owner = check_id(owner, "the owner")
        if ttl is not None:
            ttl_ms_of(ttl)
        self._ttl = ttl
        self._sliding = sliding
        self._connection = Connection(store)
        self._is_copy = False
        self._memory = Memory(MEMORY)
        self._plain = Plain(self.serde)

    def for_owner(self, owner: str) -> ClewSaver:
        """Return this saver for another owner, on the same connection, which closing the copy does not close."""
        other = copy.copy(self)
        other.owner, other._is_copy = check_id(owner, "the owner"), True
        return other

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> BaseCheckpointSaver[int]:
        """See BaseCheckpointSaver. Closing the copy does not close the connection."""
        other = super().with_allowlist(extra_allowlist)
        if isinstance(other, ClewSaver) and other is not self:
            other._is_copy = True
        return other

    def claim(self, thread_id: str, *, ttl: float = 30, holder: str | None = None) -> Claim:
        """Return a claim on a thread: `async with saver.claim(id) as config`, or `with`. What is put with `config` is fenced.

        Args:
            ttl: seconds that it holds where this process dies; it is renewed while it is held.
            holder: who claims it; made for None.

        Raises:
            ConflictError: when it is entered: another holder has it (`actual`).
            FencedError: by each later put with `config`, once another holder has claimed the thread.
        """
        ttl_ms_of(ttl)
        return Claim(self._connection, Ref(self.owner, str(thread_id)), ttl, holder)

    def get_next_version(self, current: int | str | None, channel: None) -> int:
        """Return the version after `current`: a counter, and random bits below it, so that no two branches have one in common."""
        if isinstance(current, str):
            current = int(current.split(".")[0]) << _COUNT
        return ((int(current or 0) >> _COUNT) + 1) << _COUNT | getrandbits(_COUNT)

    # -- for coroutines -----------------------------------------------------------------------------------------------

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that `config` names, or the latest of its branch; None where there is none."""
        return await reading.get(await self._context(), config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield checkpoints, the latest of a branch first.

        Args:
            config: names a thread, and perhaps a branch or one checkpoint; None for all threads of the owner.
            filter: what the metadata must have, each key the very value.
            before: names the checkpoint before which they were made.
            limit: how many at most.
        """
        async for found in reading.list_tuples(await self._context(), config, filter, before, limit):
            yield found

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Put a checkpoint, and return the configuration that names it.

        Args:
            config: names the thread, the branch, and the parent; the first one of a thread has none, and begins it.
            new_versions: the channels whose value is new.

        Raises:
            FencedError: another holder has claimed the thread since `config` was made by `claim`.
        """
        return await writing.put(await self._context(), config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Add what a task wrote to a checkpoint, which need not be there yet. A repeated call changes nothing."""
        await writing.put_writes(await self._context(), config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a thread with its messages. For a week, what is put late is refused; a new conversation may begin."""
        await deleting.delete_thread(await self._context(), thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that these runs made (`run_id` in the metadata), but for those that a delta channel needs.

        The messages stay in the thread, where people read them.
        """
        await deleting.delete_for_runs(await self._context(), run_ids)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Let a thread begin anew as a copy of another one; what was there is deleted.

        Raises:
            NotFoundError: there is no source.
        """
        await deleting.copy_thread(await self._context(), source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all checkpoints but the latest of each branch, and those that one of its delta channels needs.

        Args:
            strategy: "keep_latest"; or "delete", which deletes the threads.
        """
        await deleting.prune(await self._context(), thread_ids, strategy)

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what the ancestors of a checkpoint wrote to these channels since each one's last stored value, in one trip."""
        return await reading.trace(await self._context(), config, channels)

    # -- for callers that cannot await --------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `aget_tuple`."""
        return self._connection.run(self.aget_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """See `alist`."""
        found = self.alist(config, filter=filter, before=before, limit=limit)

        async def step() -> CheckpointTuple | None:
            return await anext(found, None)

        while (each := self._connection.run(step())) is not None:
            yield each

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `aput`."""
        return self._connection.run(self.aput(config, checkpoint, metadata, new_versions))

    def put_writes(self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        """See `aput_writes`."""
        self._connection.run(self.aput_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """See `adelete_thread`."""
        self._connection.run(self.adelete_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """See `adelete_for_runs`."""
        self._connection.run(self.adelete_for_runs(run_ids))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """See `acopy_thread`."""
        self._connection.run(self.acopy_thread(source_thread_id, target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """See `aprune`."""
        self._connection.run(self.aprune(thread_ids, strategy=strategy))

    def get_delta_channel_history(self, *, config: RunnableConfig, channels: Sequence[str]) -> Mapping[str, DeltaChannelHistory]:
        """See `aget_delta_channel_history`."""
        return self._connection.run(self.aget_delta_channel_history(config=config, channels=channels))

    # -- the connection -----------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Close the store where this saver opened it; not where this is a copy."""
        if not self._is_copy:
            await self._connection.aclose()

    def close(self) -> None:
        """See `aclose`."""
        if not self._is_copy:
            self._connection.close()

    async def __aenter__(self) -> ClewSaver:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()

    def __enter__(self) -> ClewSaver:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _context(self) -> Context:
        plain = self._plain
        if plain.serde is not self.serde:
            # A copy with another serializer.
            plain = self._plain = Plain(self.serde)
        store = await self._connection.get()
        return Context(store, self.owner, self._ttl, self._sliding, plain, self._memory)
