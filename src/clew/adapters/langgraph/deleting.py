"""Deleting: whole threads, what a run made, and all but the latest state; and copying, which replaces what is there."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...errors import ClewError, GoneError, InvalidError, UnreadableError
from ...model import Ref
from .context import Context
from .pruning import Line, Point, choose_older, spare_ancestors
from .reading import heads, threads_of_owner
from .threads_of_runs import forget_threads, note_thread, threads_of

_logger = logging.getLogger("clew.langgraph")


async def delete_thread(context: Context, thread_id: str) -> None:
    """See ClewSaver.adelete_thread."""
    thread = Ref(context.owner, str(thread_id))
    runs: set[str] = set()
    try:
        runs = {line.run for line in await _lines(context, thread) if line.run is not None}
    except Exception as error:  # a cipher may raise anything
        if isinstance(error, ClewError) and not isinstance(error, UnreadableError):
            raise
        # Whoever lacks the key may delete it all the same. What is noted of its runs leads to nothing then.
        _logger.warning("the checkpoints of the thread %r cannot be read, so what is noted of their runs stays", thread.id)
    await context.store.threads.delete(thread)
    context.memory.forget(thread.owner, thread.id)
    for run in runs:
        await forget_threads(context.store, context.owner, run, [thread.id])


async def delete_for_runs(context: Context, run_ids: Sequence[str]) -> None:
    """See ClewSaver.adelete_for_runs."""
    runs = {str(run) for run in run_ids}
    touched: dict[str, set[str]] = {}
    unknown = False
    for run in runs:
        threads = await threads_of(context.store, context.owner, run)
        unknown = unknown or not threads
        for thread_id in threads:
            touched.setdefault(thread_id, set()).add(run)
    if unknown and context.ttl is not None:
        # The note may have expired before a thread that went on with other runs.
        async for thread in threads_of_owner(context):
            touched.setdefault(thread.id, set()).update(runs)
    for thread_id, wanted in touched.items():
        thread = Ref(context.owner, thread_id)
        lines = await _lines(context, thread)
        doomed: set[Point] = {(line.branch, line.id) for line in lines if line.run in wanted}
        going = spare_ancestors(lines, doomed)
        await _drop(context, thread, going)
        left = {line.run for line in lines if (line.branch, line.id) in doomed - going}
        for run in wanted - left:
            await forget_threads(context.store, context.owner, run, [thread_id])
            context.memory.find(context.owner, thread_id).runs.discard(run)


async def prune(context: Context, thread_ids: Sequence[str], strategy: str) -> None:
    """See ClewSaver.aprune."""
    if strategy not in ("keep_latest", "delete"):
        raise InvalidError(f"a strategy is 'keep_latest' or 'delete', not {strategy!r}")
    for thread_id in thread_ids:
        if strategy == "delete":
            await delete_thread(context, thread_id)
            continue
        thread = Ref(context.owner, str(thread_id))
        lines = await _lines(context, thread)
        await _drop(context, thread, spare_ancestors(lines, choose_older(lines)))


async def copy_thread(context: Context, source: str, target: str) -> None:
    """See ClewSaver.acopy_thread."""
    copy = Ref(context.owner, str(target))
    if copy.id == str(source):
        raise InvalidError("a thread cannot be copied onto itself: name another target")
    await context.store.checkpoints.copy(Ref(context.owner, str(source)), copy)
    context.memory.forget(copy.owner, copy.id)
    for run in {line.run for line in await _lines(context, copy) if line.run is not None}:
        await note_thread(context.store, context.owner, run, copy.id, context.ttl)


async def _drop(context: Context, thread: Ref, points: set[Point]) -> None:
    if points:
        try:
            await context.store.checkpoints.drop(thread, sorted(points))
        except GoneError:
            # Nothing of it is left.
            return


async def _lines(context: Context, thread: Ref) -> list[Line]:
    lines = []
    async for stored, metadata in heads(context, thread):
        holds = frozenset([name.partition("\0")[0] for name in stored.uses])
        lacks = frozenset(metadata.get("counters_since_delta_snapshot") or ()) - holds
        run = metadata.get("run_id")
        lines.append(Line(stored.branch, stored.id, stored.parent, holds, lacks, None if run is None else str(run)))
    return lines
