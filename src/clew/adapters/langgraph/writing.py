"""Writing: a put in one trip, and a second one only where what was known of the thread is not so any more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    get_checkpoint_metadata,
)

from ...checkpoints import PutCheckpoint, Write
from ...errors import ConflictError, FencedError
from ...limits import MAX_CHANGES, MAX_COMMIT_BYTES
from ...model import Ref
from ...records import Lease
from .claiming import LEASE, lease_of
from .coding import is_trigger, pack, pack_head
from .context import Context, config_of, locate
from .drafting import Draft, name_part
from .memory import Known
from .threads_of_runs import note_thread

MOST_ITEMS: Final = MAX_CHANGES - 100
MOST_BYTES: Final = MAX_COMMIT_BYTES // 2
"""New messages in one commit, beside the other values; more of them are appended before."""
PATIENCE_S: Final = 10.0
"""How long a write waits for the first put of its thread, which it may have overtaken."""


async def put(
    context: Context,
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    new_versions: ChannelVersions,
) -> RunnableConfig:
    """See ClewSaver.aput."""
    configurable = config["configurable"]
    known, branch, parent = locate(context, config)
    all_metadata = get_checkpoint_metadata(config, metadata)
    lease = lease_of(configurable)
    putting = _Putting(
        context,
        known,
        branch or "",
        parent,
        checkpoint,
        pack_head(context.plain.serde, all_metadata, checkpoint),
        lease,
        parent is None and _may_begin(branch or "", known, all_metadata),
    )
    run = all_metadata.get("run_id")
    if run is None or run in known.runs:
        await putting.put(new_versions)
    else:
        noting = note_thread(context.store, context.owner, str(run), known.ref.id, context.ttl)
        await asyncio.gather(putting.put(new_versions), noting)
        known.runs.add(run)
    more = None if lease is None else {LEASE: lease}
    return config_of(configurable["thread_id"], branch or "", checkpoint["id"], more)


class _Putting:
    """One put, and its second attempt."""

    __slots__ = ("_begins", "_branch", "_checkpoint", "_context", "_head", "_known", "_lease", "_parent")

    def __init__(
        self,
        context: Context,
        known: Known,
        branch: str,
        parent: str | None,
        checkpoint: Checkpoint,
        head: bytes,
        lease: Lease | None,
        begins: bool,
    ) -> None:
        self._context = context
        self._known = known
        self._branch = branch
        self._parent = parent
        self._checkpoint = checkpoint
        self._head = head
        self._lease = lease
        self._begins = begins

    async def put(self, new_versions: ChannelVersions) -> None:
        """Put it, and begin the thread where this may."""
        known = self._known
        is_first = self._begins and not self._branch
        if is_first:
            # Its writes wait for it, where they overtake it.
            known.begin()
        try:
            await self._send(known, new_versions, known.made_ms or None)
        except FencedError:
            raise
        except ConflictError:
            # Another life of the thread, or parts that are gone: every value once more, and nothing taken as known.
            memory = self._context.memory
            memory.forget(*known.key)
            await self._send(memory.find(*known.key), self._checkpoint["channel_versions"], None)
        finally:
            if is_first:
                known.end_beginning()

    async def _send(self, known: Known, new_versions: ChannelVersions, made_ms: int | None) -> None:
        context, checkpoint = self._context, self._checkpoint
        values: Mapping[str, Any] = checkpoint["channel_values"]
        versions = checkpoint["channel_versions"]
        draft = Draft(context.plain, known, self._branch)
        uses = []
        for channel, value in values.items():
            if value is None and is_trigger(channel, value):
                continue
            version = new_versions.get(channel)
            if version is not None:
                # A channel that is new and has no value is empty, and has no part.
                draft.add(channel, version, value)
            version = versions.get(channel)
            if version is not None:
                uses.append(name_part(channel, version))
        items = draft.items
        before: tuple[int, ...] = ()
        if len(items) > 1 and (len(items) > MOST_ITEMS or sum([len(item.data) for item in items]) > MOST_BYTES):
            before, items = await _append_before(context, known.ref, draft), []
        done = await context.store.checkpoints.put(
            known.ref,
            PutCheckpoint(self._branch, checkpoint["id"], self._parent, self._head, tuple(uses), draft.parts, made_ms),
            items,
            begin=self._begins,
            ttl=context.ttl,
            sliding=context.sliding,
            lease=self._lease,
        )
        context.memory.learn(known, done.made_ms, draft.learn(before or done.positions))


async def _append_before(context: Context, thread: Ref, draft: Draft) -> tuple[int, ...]:
    """Append messages that do not fit one commit, in as many as hold them. What dies then has said too much, and lost nothing."""
    positions: list[int] = []
    items = draft.take_items()
    while items:
        count = size = 0
        while count < len(items) and count < MOST_ITEMS and (size := size + len(items[count].data)) <= MOST_BYTES:
            count += 1
        done = await context.store.items.append(
            thread, items[: count or 1], create=True, ttl=context.ttl, sliding=context.sliding
        )
        positions += done.positions
        items = items[count or 1 :]
    draft.place(positions)
    return tuple(positions)


async def put_writes(
    context: Context, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str
) -> None:
    """See ClewSaver.aput_writes."""
    known, branch, id = locate(context, config)
    if not writes or id is None:
        return
    serde = context.plain.serde
    made = [
        Write(task_path, task_id, WRITES_IDX_MAP.get(channel, index), channel, pack(serde.dumps_typed(value)))
        for index, (channel, value) in enumerate(writes)
    ]
    if known.begun is not None:
        # The first put of the thread is under way, and has to make it.
        await asyncio.wait([asyncio.wrap_future(known.begun)], timeout=PATIENCE_S)
    await context.store.checkpoints.put_writes(
        known.ref,
        branch or "",
        id,
        made,
        ttl=context.ttl,
        sliding=context.sliding,
        lease=lease_of(config["configurable"]),
    )


def _may_begin(branch: str, known: Known, metadata: Mapping[str, Any]) -> bool:
    """Tell whether a checkpoint without a parent may begin a thread that was deleted.

    The root graph's may. That of a subgraph may be the first of a new conversation too, with durability="exit"; then the graph
    that called it began after the thread was looked for in vain.
    """
    if not branch:
        return True
    caller = (metadata.get("parents") or {}).get("")
    return known.absent_at is not None and isinstance(caller, str) and caller > known.absent_at
