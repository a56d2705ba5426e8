"""`clew doctor`: what the store is, and whether each thing that clew does with it works, a line each.

Everything it writes has an owner or a key of its own, and is deleted again.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from ..backend import Backend, Collecting, Describing
from ..errors import ClewError
from ..ids import new_id
from ..model import NewItem
from ..records import Partition
from ..store import Store, connect
from ..wrappers import Coded, look
from ..wrappers.journal import take_options
from ..wrappers.observing import bare
from .judging import Check, judge, look_at_journals

__all__ = ["Check", "examine"]


async def examine(url: str, owner: str | None = None) -> AsyncIterator[Check]:
    """Yield each check as it is done. The first failure to reach the store ends them.

    Args:
        owner: of whose threads a sample is looked at; None for no sample.
    """
    try:
        # Past the journal, which would accept what is tried here, and take up what waits for a process that is about to start.
        plain, journal = take_options(url)
        if journal is not None:
            yield look_at_journals(journal)
        started = time.perf_counter()
        store = await connect(plain)
    except ClewError as error:
        yield Check("connect", False, str(error))
        return
    try:
        yield Check("connect", True, f"answered in {_ms(started)}")
        if isinstance(store.backend, Describing):
            facts = await store.backend.describe()
            for name, value in facts.items():
                yield judge(name, value, facts)
        if owner is not None:
            async for check in _look_at_sample(store.backend, owner):
                yield check
        async for check in _try_everything(store):
            yield check
    except ClewError as error:
        yield Check("stopped", False, str(error))
    finally:
        await store.aclose()


async def _look_at_sample(backend: Backend, owner: str) -> AsyncIterator[Check]:
    """Yield what a sample of the owner's threads is stored with, where that is not plain."""
    backend = bare(backend)
    coded = backend if isinstance(backend, Coded) else None
    writes = coded.coding.newest_key if coded is not None else None
    try:
        sample = await look(backend, owner)
    except ClewError as error:
        yield Check("sample", False, str(error))
        return
    if writes is not None and coded is not None and not coded.encodes_values:
        yield Check("literal values", None, "not encrypted, so that other programs can read them (CLEW_ENCRYPTION_VALUES)")
    if sample is None or not (coded is not None or set(sample.forms) - {"plain"}):
        return
    counts = ", ".join(f"{count} {form}" for form, count in sorted(sample.forms.items())) or "nothing there yet"
    if sample.unreadable:
        yield Check("sample", False, f"{counts}; {sample.unreadable} cannot be read: {sample.why}")
    elif writes is not None and set(sample.forms) - {f"key {writes}"}:
        yield Check("sample", None, f"{counts}: not all of it has the newest key, {writes}; keep the older keys")
    else:
        yield Check("sample", True, counts)


async def _try_everything(store: Store) -> AsyncIterator[Check]:
    owner, key = f"clew-doctor-{new_id()}", f"clew:doctor:{new_id()}"
    values = store.values()
    document = {"text": "é☃", "list": [1, 2.5, None, True], "nested": {"a": []}}
    thread = None
    started = time.perf_counter()
    try:
        await values.put(key, document, ttl=60)
        found = await values.get(key)
        yield Check("values: set and get", found is not None, _ms(started))
        yield Check("values: JSON comes back as it was", found is not None and found.value == document, "same document")
        yield Check("values: delete", await values.delete(key) and await values.get(key) is None, "gone")
        if isinstance(store.backend, Collecting):
            async for check in _try_collections(store.backend, key):
                yield check
        started = time.perf_counter()
        thread = await store.threads.create(owner, title="a check")
        yield Check("threads: create", True, _ms(started))
        started = time.perf_counter()
        appended = await store.items.append(thread, [NewItem.json({"n": n}) for n in range(3)])
        yield Check("items: append", appended.positions == (1, 2, 3), _ms(started))
        again = await store.items.append(thread, NewItem.json({"n": 0}, id=appended.ids[0]))
        yield Check("items: a retry stores nothing twice", len(again.duplicates) == 1, "recognised by id")
        started = time.perf_counter()
        page = await store.items.page(thread, limit=2)
        yield Check("items: page", [item.position for item in page] == [1, 2] and page.has_more, _ms(started))
        listed = await store.threads.list(owner)
        yield Check("threads: list", [each.id for each in listed] == [thread.id], f"{len(listed)} listed")
        # Without a tombstone: nobody else knows the name.
        yield Check("threads: delete", await store.backend.drop(Partition(owner, thread.id), tombstone_ms=0), "gone")
        thread = None
    except ClewError as error:
        yield Check("stopped", False, str(error))
    finally:
        if thread is not None:
            await store.backend.drop(Partition(owner, thread.id), tombstone_ms=0)


async def _try_collections(backend: Collecting, key: str) -> AsyncIterator[Check]:
    members, elements = f"{key}:set", f"{key}:list"
    try:
        new = [await backend.add_members(members, [b"a", b"b"]), await backend.add_members(members, [b"b", b"c"])]
        found = sorted(await backend.get_members(members))
        yield Check("sets: add and read", (new, found) == ([2, 1], [b"a", b"b", b"c"]), "each member once")
        lengths = [await backend.push_elements(elements, [b"1", b"2"]), await backend.push_elements(elements, [b"2"])]
        kept = list(await backend.get_elements(elements))
        yield Check("lists: push and read", (lengths, kept) == ([2, 3], [b"1", b"2", b"2"]), "in order")
    finally:
        gone = [await backend.delete_key(each) for each in (members, elements)]
    yield Check("sets and lists: delete", all(gone), "gone")


def _ms(started: float) -> str:
    return f"{(time.perf_counter() - started) * 1000:.1f} ms"
