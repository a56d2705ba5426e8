"""Which threads a run wrote to: a partition for each owner and run, beside their threads, which no list of threads shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...errors import ConflictError
from ...limits import check_id
from ...records import Change, Expire, Partition, PutDocument
from ...store import Store
from .memories.namespaces import document_key

RUNS = "langgraph-run"
"""How the names of these partitions begin."""


def partition_of_run(owner: str, run: str) -> Partition:
    """Return where a run's threads are noted."""
    return Partition(owner, document_key(RUNS, run))


async def note_thread(store: Store, owner: str, run: str, thread: str, ttl: float | None) -> None:
    """Note that a run wrote to a thread, for `ttl` seconds after the last such note."""
    changes: list[Change] = [PutDocument(check_id(thread, "the thread id"), b"")]
    if ttl is not None:
        changes.append(Expire(round(ttl * 1000), "sliding"))
    await store.backend.commit(partition_of_run(owner, run), changes)


async def threads_of(store: Store, owner: str, run: str) -> Sequence[str]:
    """Return the ids of the threads that are noted; none for a run that nobody knows."""
    return list((await store.backend.fetch(partition_of_run(owner, run))).documents)


async def forget_threads(store: Store, owner: str, run: str, threads: Iterable[str]) -> None:
    """Strike these threads, and delete the note when it is empty."""
    partition = partition_of_run(owner, run)
    noted = await store.backend.fetch(partition)
    gone = [thread for thread in threads if thread in noted.documents]
    if not noted.revision:
        return
    if len(gone) == len(noted.documents):
        try:
            await store.backend.drop(partition, tombstone_ms=0, expect=noted.revision)
            return
        except ConflictError:
            # Another thread was noted meanwhile.
            pass
    if gone:
        await store.backend.commit(partition, [PutDocument(thread, None) for thread in gone])
