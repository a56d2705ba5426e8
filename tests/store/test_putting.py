"""Putting: an item added or put in the place of the one read, a header written in one commit, threads as they were made."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

import clew
from clew import NewItem, Ref
from clew.testing import Recorder, WholeBackend


async def test_a_new_item_is_appended_and_comes_back_as_it_is_stored(store: clew.Store, thread: clew.Thread) -> None:
    put = await store.items.put(thread, NewItem(b"1", id="a", status="pending", author="x", links=["l"], created_ms=5))
    assert put == await store.items.get(thread, "a")
    made = await store.items.put(thread, NewItem(b"2"))
    assert [item.id for item in await store.items.tail(thread)] == ["a", made.id]


async def test_an_item_is_put_in_the_place_of_the_one_that_was_read(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, [NewItem(b"1", id="a", created_ms=5), NewItem(b"2", id="b")])
    read = await store.items.get(thread, "a")
    put = await store.items.put(thread, NewItem(b"3", id="a", kind="other", status="done"), expect=read)
    assert (put.position, put.created_ms, put.kind, put.status) == (1, 5, "other", "done")
    assert await store.items.get(thread, "a") == put
    assert [item.data for item in await store.items.tail(thread)] == [b"3", b"2"]


async def test_a_conflict_tells_what_is_there(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, NewItem(b"1", id="a"))
    read = await store.items.get(thread, "a")
    with pytest.raises(clew.ConflictError) as caught:
        await store.items.put(thread, NewItem(b"2", id="a"))
    assert caught.value.actual == read
    changed = await store.items.replace(thread, "a", b"3")
    with pytest.raises(clew.ConflictError) as caught:
        await store.items.put(thread, NewItem(b"2", id="a"), expect=read)
    assert (caught.value.expected, caught.value.actual) == (read, changed)
    await store.items.remove(thread, "a")
    with pytest.raises(clew.ConflictError) as caught:
        await store.items.put(thread, NewItem(b"2", id="a"), expect=changed)
    assert caught.value.actual is None
    assert await store.items.tail(thread) == []
    again = await store.items.put(thread, NewItem(b"4", id="a"))
    assert again.position == 2


async def test_what_was_put_may_be_put_again(store: clew.Store, thread: clew.Thread) -> None:
    item = NewItem(b"1", id="a", created_ms=5)
    assert await store.items.put(thread, item) == await store.items.put(thread, item)
    assert len(await store.items.tail(thread)) == 1


async def test_of_many_who_put_at_once_one_is_first(store: clew.Store, thread: clew.Thread) -> None:
    done = await asyncio.gather(
        *(store.items.put(thread, NewItem(b"%d" % n, id="a", created_ms=n)) for n in range(10)), return_exceptions=True
    )
    (winner,) = [item for item in done if isinstance(item, clew.Item)]
    assert all(isinstance(each, clew.ConflictError) and each.actual == winner for each in done if each != winner)


async def test_an_item_is_put_into_a_thread_that_is_there(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, NewItem(b"1", id="a"))
    read = await store.items.get(thread, "a")
    for expect in (None, read):
        with pytest.raises(clew.NotFoundError):
            await store.items.put(Ref("ada", "nobody"), NewItem(b"1", id="a"), expect=expect)
    await store.threads.delete(thread)
    for expect in (None, read):
        with pytest.raises(clew.GoneError):
            await store.items.put(thread, NewItem(b"1", id="a"), expect=expect)


async def test_what_cannot_be_put_is_refused(store: clew.Store, thread: clew.Thread) -> None:
    await store.items.append(thread, NewItem(b"1", id="a"))
    read = await store.items.get(thread, "a")
    with pytest.raises(clew.InvalidError, match="expect"):
        await store.items.put(thread, NewItem(b"1", id="b"), expect=read)
    with pytest.raises(clew.InvalidError, match="NewItem"):
        await store.items.put(thread, b"1")  # type: ignore[arg-type]


async def test_notes_go_with_the_item_and_apart_from_the_metadata(store: clew.Store) -> None:
    thread = await store.threads.create("ada", metadata={"a": 1})
    await store.items.put(thread, NewItem(b"1", id="a"), notes={"x/one": {"deep": [1]}, "x/two": 2})
    await store.threads.put(thread, notes={"x/two": None, "x/three": False})
    found = await store.threads.get(thread)
    assert (dict(found.notes), dict(found.metadata)) == ({"x/one": {"deep": [1]}, "x/three": False}, {"a": 1})
    await store.threads.update(thread, metadata={"a": None})
    assert dict((await store.threads.get(thread)).notes) == {"x/one": {"deep": [1]}, "x/three": False}
    assert (await store.items.fork(thread)).notes == {}


async def test_a_header_is_put_in_one_call_whether_the_thread_is_there_or_not(store: clew.Store) -> None:
    recorder = Recorder(cast(WholeBackend, store.backend))
    watched = clew.Store(recorder)
    ref = Ref("ada", "t")
    with pytest.raises(clew.NotFoundError):
        await watched.threads.put(ref, title="one")
    await watched.threads.put(ref, title="one", metadata={"a": 1, "b": None}, notes={"n": 1}, create=True)
    await watched.threads.put(ref, metadata={"a": None, "c": 3})
    assert recorder.verbs == ["commit"] * 3
    await watched.threads.put(ref, title=None, notes={"n": None}, create=True)
    found = await store.threads.get(ref)
    assert (found.title, dict(found.metadata), dict(found.notes)) == (None, {"c": 3}, {})
    await store.threads.delete(ref)
    for create in (False, True):
        with pytest.raises(clew.GoneError):
            await watched.threads.put(ref, title="late", create=create)


async def test_a_note_can_forbid_a_deletion(store: clew.Store, thread: clew.Thread) -> None:
    await store.threads.put(thread, notes={"held": True})
    with pytest.raises(clew.ConflictError):
        await store.threads.delete(thread, unless_note="held")
    await store.threads.put(thread, notes={"held": None})
    assert await store.threads.delete(thread, unless_note="held")
    assert not await store.threads.delete(thread, unless_note="held")


async def test_threads_are_listed_as_they_were_made(store: clew.Store) -> None:
    made = [await store.threads.create("ada", title=f"t{n}") for n in range(5)]
    await store.items.append(made[0], NewItem(b"1"))
    page = await store.threads.made("ada", limit=2)
    assert ([thread.title for thread in page], page.has_more, page.cursor) == (["t4", "t3"], True, made[3].id)
    await store.threads.delete(made[3])
    page = await store.threads.made("ada", limit=3, after=page.cursor)
    assert ([thread.title for thread in page], page.has_more) == (["t2", "t1", "t0"], False)
    page = await store.threads.made("ada", newest_first=False)
    assert [thread.title for thread in page] == ["t0", "t1", "t2", "t4"]
    assert page.data[1] == await store.threads.get(made[1])
    with pytest.raises(clew.UnknownCursorError):
        await store.threads.made("bob", after=made[0].id)
    assert (await store.threads.made("bob")).data == []
