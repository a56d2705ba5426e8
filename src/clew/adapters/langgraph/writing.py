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
from .context import Address, Context, address_of, config_of
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
    address = address_of(context.owner, config)
    branch = address.branch or ""
    thread = address.thread
    known = context.memory.find(thread.owner, thread.id)
    all_metadata = get_checkpoint_metadata(config, metadata)
    head = pack_head(context.plain.serde, all_metadata, checkpoint)
    lease = lease_of(config["configurable"])
    begins = address.id is None and _may_begin(branch, known, all_metadata)
    run = all_metadata.get("run_id")
    putting = _put(context, address, branch, known, head, checkpoint, new_versions, lease, begins)
    if run is None or run in known.runs:
        await putting
    else:
        await asyncio.gather(putting, note_thread(context.store, context.owner, str(run), thread.id, context.ttl))
        known.runs.add(run)
    return config_of(config["configurable"]["thread_id"], branch, checkpoint["id"], None if lease is None else {LEASE: lease})


async def _put(
    context: Context,
    address: Address,
    branch: str,
    known: Known,
    head: bytes,
    checkpoint: Checkpoint,
    new_versions: ChannelVersions,
    lease: Lease | None,
    begins: bool,
) -> None:
    is_first = begins and not branch
    if is_first:
        # Its writes wait for it, where they overtake it.
        known.begin()
    try:
        try:
            await _send(context, address, branch, known, head, checkpoint, new_versions, lease, begins, known.made_ms or None)
        except FencedError:
            raise
        except ConflictError:
            # Another life of the thread, or parts that are gone: every value once more, and nothing taken as known.
            thread = address.thread
            context.memory.forget(thread.owner, thread.id)
            again = context.memory.find(thread.owner, thread.id)
            versions = checkpoint["channel_versions"]
            await _send(context, address, branch, again, head, checkpoint, versions, lease, begins, None)
    finally:
        if is_first:
            known.end_beginning()


async def _send(
    context: Context,
    address: Address,
    branch: str,
    known: Known,
    head: bytes,
    checkpoint: Checkpoint,
    new_versions: ChannelVersions,
    lease: Lease | None,
    begins: bool,
    made_ms: int | None,
) -> None:
    values: Mapping[str, Any] = checkpoint["channel_values"]
    draft = Draft(context.plain, known, branch)
    for channel, version in new_versions.items():
        # One without a value is empty, and has no part.
        if channel in values and not is_trigger(channel, values[channel]):
            draft.add(channel, version, values[channel])
    versions = checkpoint["channel_versions"]
    kept = [channel for channel, value in values.items() if channel in versions and not is_trigger(channel, value)]
    uses = tuple([name_part(channel, versions[channel]) for channel in kept])
    before: tuple[int, ...] = ()
    if len(draft.items) >= MOST_ITEMS or sum([len(item.data) for item in draft.items]) > MOST_BYTES:
        before = await _append_before(context, address.thread, draft)
    parts = draft.parts
    done = await context.store.checkpoints.put(
        address.thread,
        PutCheckpoint(branch, checkpoint["id"], address.id, head, uses, parts, made_ms),
        draft.items,
        begin=begins,
        ttl=context.ttl,
        sliding=context.sliding,
        lease=lease,
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
    address = address_of(context.owner, config)
    if not writes or address.id is None:
        return
    serde = context.plain.serde
    made = [
        Write(task_path, task_id, WRITES_IDX_MAP.get(channel, index), channel, pack(serde.dumps_typed(value)))
        for index, (channel, value) in enumerate(writes)
    ]
    known = context.memory.find(address.thread.owner, address.thread.id)
    await _begun(known)
    put_all = context.store.checkpoints.put_writes
    await put_all(
        address.thread,
        address.branch or "",
        address.id,
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


async def _begun(known: Known) -> None:
    """Return when the first put of the thread is done, where one is under way."""
    begun = known.begun
    if begun is not None:
        await asyncio.wait([asyncio.wrap_future(begun)], timeout=PATIENCE_S)
