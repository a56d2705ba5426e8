"""Reading: a checkpoint in one trip, the list of them page by page, and the history of a delta channel in one trip."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple, DeltaChannelHistory, PendingWrite
from langgraph.checkpoint.base.id import uuid6

from ...checkpointing import WINDOW, CheckpointPage
from ...checkpoints import Checkpoint as Stored
from ...checkpoints import Write
from ...errors import GoneError
from ...limits import MAX_PAGE
from ...model import Ref
from .claiming import LEASE
from .coding import unpack, unpack_head
from .context import Context, address_of, config_of, locate
from .gathering import Gathered

PAGE: Final = 50
"""How many checkpoints are read at once, with all they hold."""
BARE_PAGE: Final = 500
"""How many heads are read at once."""
SPARE: Final = 16
"""How many items more than the last state spans are asked for, since somebody may have added some."""
_OLD_VERSION: Final = re.compile(r"[0-9]{32}\.[0-9]")
_COUNT: Final = 28


async def get(context: Context, config: RunnableConfig) -> CheckpointTuple | None:
    """See ClewSaver.aget_tuple."""
    known, named, id = locate(context, config)
    branch = named or ""
    window = WINDOW if known.window is None else min(known.window + SPARE, MAX_PAGE)
    try:
        page = await context.store.checkpoints.get(known.ref, branch, id, window=window)
    except GoneError:
        page = _NONE
    if not page.checkpoints:
        if id is None and not branch:
            known.absent_at = None if page.made_ms else str(uuid6(clock_seq=-2))
        return None
    known.absent_at = None
    gathered = Gathered(context.plain, page.parts, page.entries)
    given = config["configurable"]
    found = _make_tuple(context, given["thread_id"], page.checkpoints[0], gathered, learns=True, lease=given.get(LEASE))
    context.memory.learn(known, page.made_ms, gathered.lists)
    return found


async def list_tuples(
    context: Context,
    config: RunnableConfig | None,
    filter: Mapping[str, Any] | None,
    before: RunnableConfig | None,
    limit: int | None,
) -> AsyncIterator[CheckpointTuple]:
    """See ClewSaver.alist."""
    left = limit
    async for thread in threads_of_owner(context) if config is None else _only(address_of(context.owner, config).thread):
        async for found in _list_thread(context, thread, config, filter, before, left):
            yield found
            if left is not None:
                left -= 1
        if left is not None and left <= 0:
            return


async def trace(context: Context, config: RunnableConfig, channels: Sequence[str]) -> Mapping[str, DeltaChannelHistory]:
    """See ClewSaver.aget_delta_channel_history."""
    if not channels:
        return {}
    address = address_of(context.owner, config)
    history: dict[str, DeltaChannelHistory] = {channel: {"writes": []} for channel in channels}
    try:
        found = await context.store.checkpoints.trace(address.thread, address.branch or "", address.id, list(history))
    except GoneError:
        return history
    for _, writes in reversed(found.ancestors):
        for write in writes:
            if write.channel in history:
                history[write.channel]["writes"].append(_load_write(context, write))
    gathered = Gathered(context.plain, found.parts, found.entries)
    for channel, name in found.seeds.items():
        history[channel]["seed"] = gathered.value(name)[0]
    return history


async def heads(context: Context, thread: Ref) -> AsyncIterator[tuple[Stored, dict[str, Any]]]:
    """Yield every checkpoint of a thread, bare, with its metadata; none of one that was deleted."""
    after: tuple[str, str] | None = None
    while True:
        try:
            page = await context.store.checkpoints.list(thread, after=after, limit=BARE_PAGE, bare=True)
        except GoneError:
            return
        for stored in page.checkpoints:
            yield stored, unpack_head(context.plain.serde, stored.head)[0]
        if not page.has_more or not page.checkpoints:
            return
        after = (page.checkpoints[-1].branch, page.checkpoints[-1].id)


async def threads_of_owner(context: Context) -> AsyncIterator[Ref]:
    """Yield every thread of the owner, of whatever kind, in pages."""
    cursor: str | None = None
    while True:
        page = await context.store.threads.list(context.owner, limit=100, cursor=cursor)
        for thread in page:
            yield Ref(thread.owner, thread.id)
        if not page.has_more or page.cursor is None:
            return
        cursor = page.cursor


async def _only(thread: Ref) -> AsyncIterator[Ref]:
    yield thread


async def _list_thread(
    context: Context,
    thread: Ref,
    config: RunnableConfig | None,
    filter: Mapping[str, Any] | None,
    before: RunnableConfig | None,
    limit: int | None,
) -> AsyncIterator[CheckpointTuple]:
    address = None if config is None else address_of(context.owner, config)
    branch = None if address is None else address.branch
    only = None if address is None else address.id
    earlier = None if before is None else (before.get("configurable") or {}).get("checkpoint_id")
    after: tuple[str, str] | None = None
    if limit is not None and limit <= 0:
        return
    # With a condition the heads are looked at alone, and the rest is read of those that meet it.
    bare = bool(filter) or only is not None
    size = BARE_PAGE if bare else PAGE if limit is None else min(limit, PAGE)
    while True:
        try:
            page = await context.store.checkpoints.list(thread, branch=branch, before=earlier, after=after, limit=size, bare=bare)
        except GoneError:
            return
        if bare:
            wanted = [stored for stored in page.checkpoints if _matches(context, stored, only, filter)][:limit]
            for at in range(0, len(wanted), PAGE):
                for found in await asyncio.gather(*(_fetch(context, thread, each) for each in wanted[at : at + PAGE])):
                    if found is not None:
                        yield found
            count = len(wanted)
        else:
            gathered = Gathered(context.plain, page.parts, page.entries)
            for stored in page.checkpoints[:limit]:
                yield _make_tuple(context, thread.id, stored, gathered)
            count = len(page.checkpoints[:limit])
        if limit is not None:
            limit -= count
        if not page.has_more or not page.checkpoints or limit == 0:
            return
        after = (page.checkpoints[-1].branch, page.checkpoints[-1].id)


def _matches(context: Context, stored: Stored, only: str | None, filter: Mapping[str, Any] | None) -> bool:
    if only is not None and stored.id != only:
        return False
    if not filter:
        return True
    metadata = unpack_head(context.plain.serde, stored.head)[0]
    return all(metadata.get(key) == value for key, value in filter.items())


async def _fetch(context: Context, thread: Ref, stored: Stored) -> CheckpointTuple | None:
    try:
        page = await context.store.checkpoints.get(thread, stored.branch, stored.id)
    except GoneError:
        return None
    if not page.checkpoints:
        return None
    return _make_tuple(context, thread.id, page.checkpoints[0], Gathered(context.plain, page.parts, page.entries))


def _make_tuple(
    context: Context,
    thread: str,
    stored: Stored,
    gathered: Gathered,
    *,
    learns: bool = False,
    lease: object = None,
) -> CheckpointTuple:
    metadata, checkpoint = unpack_head(context.plain.serde, stored.head)
    branch, id, parent = stored.branch, stored.id, stored.parent
    checkpoint["id"] = id
    checkpoint["channel_values"].update(gathered.values(branch, stored.uses, learns=learns))
    if str in set(map(type, checkpoint["channel_versions"].values())):
        _renumber(checkpoint)
    more = None if lease is None else {LEASE: lease}
    # The shapes are LangGraph's own: what was put.
    return CheckpointTuple(
        config_of(thread, branch, id, more),
        checkpoint,  # type: ignore[arg-type]
        metadata,  # type: ignore[arg-type]
        None if parent is None else config_of(thread, branch, parent, more),
        [_load_write(context, write) for write in stored.writes],
    )


def _load_write(context: Context, write: Write) -> PendingWrite:
    return write.task, write.channel, context.plain.serde.loads_typed(unpack(write.data))


def _renumber(checkpoint: dict[str, Any]) -> None:
    """Turn versions as other savers write them into whole numbers, since LangGraph compares them with new ones."""
    for versions in (checkpoint["channel_versions"], *checkpoint["versions_seen"].values()):
        for channel, version in versions.items():
            if isinstance(version, str) and _OLD_VERSION.match(version):
                whole, _, rest = version.partition(".")
                versions[channel] = int(whole) << _COUNT | int(rest.replace(".", "")[:8]) & (1 << _COUNT) - 1


_NONE: Final = CheckpointPage()
