"""Threads in and out of a store as JSON Lines, and from one store to another. Nothing is held in memory but one batch.

The first line names the format; then comes each thread's header, followed by its items in order; the last line counts them, so
that a file that was cut off is told from a whole one. Payloads are kept byte for byte, as `text` where they are UTF-8 and as
`base64` where not. Reading is idempotent: items are recognised by id, so what was interrupted goes on when it is run again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import IO, Any, Final

import msgspec

from ..backend import Cataloguing
from ..errors import AlreadyExistsError, UnreadableError, UnsupportedError
from ..frames import explain
from ..model import Item, NewItem, Ref, Thread
from ..store import Store

FORMAT: Final = 1
BATCH: Final = 200
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024

Step = Callable[[str], None]
"""Called with "thread" or "item" for each one done."""


class _Line(msgspec.Struct, omit_defaults=True):
    clew_export: int | None = None
    end: dict[str, int] | None = None
    thread: str | None = None
    title: str | None = None
    metadata: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    item: str | None = None
    kind: str = "message"
    codec: str = "json"
    author: str | None = None
    parent: str | None = None
    status: str | None = None
    links: list[str] = []
    created_ms: int | None = None
    text: str | None = None
    base64: str | None = None


_decode = msgspec.json.Decoder(_Line).decode


async def list_threads(store: Store, owner: str) -> AsyncIterator[Thread]:
    """Yield every thread of an owner, the oldest first where the store knows the order, so that a copy keeps it."""
    cursor, more = None, True
    in_order = isinstance(store.backend, Cataloguing)
    while more:
        if in_order:
            page = await store.threads.made(owner, limit=100, after=cursor, newest_first=False)
        else:
            page = await store.threads.list(owner, limit=100, cursor=cursor)
        for thread in page:
            yield thread
        cursor, more = page.cursor, page.has_more


async def export_threads(
    store: Store, owner: str, threads: Iterable[str] | None, write: Callable[[bytes], object], step: Step
) -> None:
    """Write threads as lines.

    Args:
        threads: their ids; None for all of the owner.

    Raises:
        UnreadableError: a stored record cannot be decoded, so the export would not be whole.
    """
    count = {"threads": 0, "items": 0}
    write(_line({"clew_export": FORMAT}))
    async for thread in _chosen(store, owner, threads):
        step("thread")
        count["threads"] += 1
        head: dict[str, Any] = {"thread": thread.id, "title": thread.title, "metadata": dict(sorted(thread.metadata.items()))}
        if thread.notes:
            head["notes"] = dict(sorted(thread.notes.items()))
        write(_line(head))
        async for item in _items(store, thread):
            write(_line(_item_fields(item)))
            step("item")
            count["items"] += 1
    write(_line({"end": count}))


async def import_threads(store: Store, owner: str, source: IO[bytes], step: Step) -> None:
    """Read lines into the owner's threads; what is there already stays as it is.

    Raises:
        UnreadableError: a line is malformed, and it says which; or the file was cut off. What stood before it is stored,
            nothing after it.
        UnsupportedError: the file's format is not the one of this clew.
    """
    current: Ref | None = None
    batch: list[NewItem] = []
    size = 0
    is_headed = is_whole = False

    async def flush() -> None:
        nonlocal size
        if batch and current is not None:
            await store.items.append(current, batch)
            for _ in batch:
                step("item")
        batch.clear()
        size = 0

    try:
        for number, raw in enumerate(source, 1):
            if not raw.strip():
                continue
            line = _read_line(raw, number)
            if is_whole:
                # Several exports, one after the other, are one: each starts with a head.
                is_headed = is_whole = False
            if line.clew_export is not None:
                if line.clew_export != FORMAT:
                    raise UnsupportedError(
                        f"line {number}: the export has format {line.clew_export}, and this clew reads {FORMAT}: upgrade clew"
                    )
                is_headed = True
            elif not is_headed:
                raise UnreadableError(f"line {number} comes before the head of an export: did clew export write this file?")
            elif line.end is not None:
                await flush()
                is_whole = True
            elif line.thread is not None:
                await flush()
                current = await _make_thread(store, owner, line)
                step("thread")
            elif line.item is not None:
                if current is None:
                    raise UnreadableError(f"line {number} is an item that stands before any thread")
                item = _new_item(line, number)
                if len(batch) >= BATCH or size + len(item.data) > MAX_BATCH_BYTES:
                    await flush()
                batch.append(item)
                size += len(item.data)
            else:
                raise UnreadableError(f"line {number} is neither a thread nor an item")
    except (UnreadableError, UnsupportedError):
        # What stands before the bad line is good.
        await flush()
        raise
    await flush()
    if not is_whole:
        raise UnreadableError("the export was cut off: what there is of it was imported, so export again and import that")


async def copy_threads(source: Store, target: Store, owner: str, threads: Iterable[str] | None, step: Step) -> None:
    """Copy threads between two stores; what is there already stays as it is, so a copy that was interrupted goes on."""
    async for thread in _chosen(source, owner, threads):
        head = _Line(thread=thread.id, title=thread.title, metadata=dict(thread.metadata), notes=dict(thread.notes))
        ref = await _make_thread(target, owner, head)
        step("thread")
        batch: list[NewItem] = []
        size = 0
        async for item in _items(source, thread):
            if batch and (len(batch) >= BATCH or size + len(item.data) > MAX_BATCH_BYTES):
                await target.items.append(ref, batch)
                batch, size = [], 0
            batch.append(_renew(item))
            size += len(item.data)
            step("item")
        if batch:
            await target.items.append(ref, batch)


async def _chosen(store: Store, owner: str, threads: Iterable[str] | None) -> AsyncIterator[Thread]:
    if threads is None:
        async for thread in list_threads(store, owner):
            if thread.unreadable is not None:
                raise UnreadableError(f"{thread.unreadable}; or drop it, or name the threads to take with --thread")
            yield thread
    else:
        for id in threads:
            yield await store.threads.get(Ref(owner, id))


async def _items(store: Store, thread: Thread) -> AsyncIterator[Item]:
    position, more = 0, True
    while more:
        page = await store.items.page(thread, after=position, limit=BATCH)
        for item in page:
            # Taken for data of its own, what is encrypted or compressed would be for nobody to read in another place.
            why = item.unreadable or explain(item.data)
            if why is not None:
                raise UnreadableError(
                    f"the item at position {item.position} of {thread.id!r} cannot be read ({why}): "
                    "remove it, or name the threads to take with --thread"
                )
            yield item
            position = item.position
        more = page.has_more


async def _make_thread(store: Store, owner: str, line: _Line) -> Ref:
    assert line.thread is not None
    # Where a run before this one, or a person, made it, its header is theirs.
    with suppress(AlreadyExistsError):
        await store.threads.create(owner, id=line.thread, title=line.title, metadata=line.metadata, notes=line.notes)
    return Ref(owner, line.thread)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _item_fields(item: Item) -> dict[str, Any]:
    value: dict[str, Any] = {"item": item.id, "created_ms": item.created_ms}
    for name, default in (("kind", "message"), ("codec", "json"), ("author", None), ("parent", None), ("status", None)):
        if getattr(item, name) != default:
            value[name] = getattr(item, name)
    if item.links:
        value["links"] = list(item.links)
    try:
        value["text"] = item.data.decode()
    except UnicodeDecodeError:
        value["base64"] = base64.b64encode(item.data).decode()
    return value


def _read_line(raw: bytes, number: int) -> _Line:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableError(f"line {number} is not a line of an export: {error}") from error


def _new_item(line: _Line, number: int) -> NewItem:
    if (line.text is None) == (line.base64 is None):
        raise UnreadableError(f"line {number} must hold the item's data once, as text or as base64")
    try:
        data = line.text.encode() if line.text is not None else base64.b64decode(line.base64 or "", validate=True)
    except ValueError as error:
        raise UnreadableError(f"line {number}: the item's data is no base64: {error}") from error
    return NewItem(
        data,
        id=line.item,
        kind=line.kind,
        codec=line.codec,
        author=line.author,
        parent=line.parent,
        status=line.status,
        links=line.links,
        created_ms=line.created_ms,
    )


def _renew(item: Item) -> NewItem:
    return NewItem(
        item.data,
        id=item.id,
        kind=item.kind,
        codec=item.codec,
        author=item.author,
        parent=item.parent,
        status=item.status,
        links=item.links,
        created_ms=item.created_ms,
    )
