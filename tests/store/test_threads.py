"""Threads: made once among many, listed while others write, headers merged and bounded, and headers that cannot be read."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest

import clew
from clew.records import Commit, Partition, PutDocument
from clew.testing import FixedClock, Recorder


async def test_of_many_who_create_one_id_one_succeeds(store: clew.Store) -> None:
    made = await asyncio.gather(*(store.threads.create("ada", id="one", title=f"{n}") for n in range(20)), return_exceptions=True)

    winners = [each for each in made if isinstance(each, clew.Thread)]
    assert len(winners) == 1
    assert [type(each) for each in made].count(clew.AlreadyExistsError) == 19
    assert await store.threads.get(clew.Ref("ada", "one")) == winners[0]


async def test_two_writers_of_two_fields_never_undo_each_other(store: clew.Store, thread: clew.Thread) -> None:
    await asyncio.gather(*(store.threads.update(thread, metadata={f"f{n}": n}) for n in range(20)))

    found = await store.threads.get(thread)
    assert found.metadata == {f"f{n}": n for n in range(20)}
    assert found.revision == 21


async def test_a_title_is_deleted_and_the_rest_stays(store: clew.Store) -> None:
    thread = await store.threads.create("ada", title="t", metadata={"a": 1})
    found = await store.threads.update(thread, title=None)
    assert (found.title, found.metadata) == (None, {"a": 1})


async def test_every_json_value_comes_back(store: clew.Store) -> None:
    fields = {"s": "🧵", "i": 2**70, "f": 0.1, "t": True, "l": [1, None, {"x": []}], "": None, "a/b{c}": {"": ""}}
    del fields[""]
    thread = await store.threads.create("ada", metadata=fields)
    assert (await store.threads.get(thread)).metadata == fields
    assert thread.metadata == fields


async def test_what_create_returns_is_what_get_returns(store: clew.Store) -> None:
    for options in ({}, {"title": "t", "metadata": {"a": 1, "b": None}}, {"ttl": 60}, {"ttl": 60, "sliding": False}):
        thread = await store.threads.create("ada", **options)
        assert thread == await store.threads.get(thread)


# -- the list ------------------------------------------------------------------------------------------------------------


async def test_no_thread_is_missed_or_doubled_while_others_are_written(store: clew.Store) -> None:
    made = [await store.threads.create("ada", id=f"t{n:02}") for n in range(12)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await store.threads.list("ada", limit=3, cursor=cursor)
        seen += [thread.id for thread in page]
        # The oldest ones move to the top while the pages are read: they may be seen there, or not at all, but no other is missed.
        await store.items.append(made[len(seen) % 2], clew.NewItem(b"x"))
        if not page.has_more:
            break
        cursor = page.cursor
    assert len(seen) == len(set(seen))
    assert set(seen) >= {thread.id for thread in made[2:]}


async def test_the_last_page_knows_that_it_is_the_last(store: clew.Store) -> None:
    for _ in range(4):
        await store.threads.create("ada")
    first = await store.threads.list("ada", limit=2)
    second = await store.threads.list("ada", limit=2, cursor=first.cursor)
    assert (first.has_more, second.has_more) == (True, False)
    assert list(await store.threads.list("ada", limit=2, cursor=second.cursor)) == []
    assert len(await store.threads.list("ada", limit=1_000)) == 4


async def test_every_kind_of_write_moves_a_thread_to_the_top(store: clew.Store) -> None:
    thread, other = await store.threads.create("ada"), await store.threads.create("ada")
    for write in (
        lambda key: store.items.append(key, [clew.NewItem(b"1", id="a"), clew.NewItem(b"2", id="b"), clew.NewItem(b"3")]),
        lambda key: store.threads.update(key, title="x"),
        lambda key: store.items.set_status(key, "a", "x", expect=None),
        lambda key: store.items.replace(key, "a", b"x"),
        lambda key: store.items.remove(key, "a"),
        lambda key: store.items.trim(key, 1),
        lambda key: store.items.truncate(key, 0),
    ):
        for key in (thread, other):
            await write(key)
            page = await store.threads.list("ada")
            assert page.data[0].id == key.id
            assert page.data[0].updated_at >= page.data[1].updated_at


@pytest.mark.parametrize("cursor", ["", "x", "x:y", "-1:t", "1:", "99999999999999999999:t", "²:t", 7, b"1:t"], ids=repr)
async def test_a_cursor_that_no_page_gave_is_refused(store: clew.Store, cursor: Any) -> None:
    with pytest.raises(clew.InvalidError, match="cursor"):
        await store.threads.list("ada", cursor=cursor)


async def test_a_cursor_of_an_owner_shows_nothing_of_another(store: clew.Store) -> None:
    await store.threads.create("bob")
    await store.threads.create("ada")
    cursor = (await store.threads.list("ada", limit=1)).cursor
    assert [thread.owner for thread in await store.threads.list("bob", cursor=cursor)] == ["bob"]


# -- what is refused -----------------------------------------------------------------------------------------------------

LOOP: dict[str, Any] = {}
LOOP["self"] = LOOP
BAD: list[tuple[dict[str, Any], str]] = [
    ({"owner": ""}, "owner"),
    ({"owner": None}, "owner"),
    ({"owner": "x" * 513}, "owner"),
    ({"id": ""}, "thread id"),
    ({"id": "\ud800"}, "surrogate"),
    ({"id": 7}, "thread id"),
    ({"title": ""}, "title"),
    ({"title": 7}, "title"),
    ({"title": "x" * 4_097}, "title"),
    ({"metadata": "text"}, "object"),
    ({"metadata": [1]}, "object"),
    ({"metadata": {1: 2}}, "string"),
    ({"metadata": {"": 2}}, "empty"),
    ({"metadata": {"x" * 508: 2}}, "at most 507"),
    ({"metadata": {"a": math.nan}}, "nan"),
    ({"metadata": {"a": {"b": [math.inf]}}}, "inf"),
    ({"metadata": {"a": {1: 2}}}, "strings for keys"),
    ({"metadata": {"a": b"x"}}, "bytes"),
    ({"metadata": {"a": {2}}}, "set"),
    ({"metadata": {"a": "\ud800"}}, "surrogate"),
    ({"metadata": {"a": LOOP}}, "nested"),
    ({"metadata": {"a": "x" * 65_536}}, "at most 65,536"),
    ({"metadata": {"a": 1 << 5_000}}, "whole number"),
    ({"metadata": {str(n): n for n in range(1_001)}}, "fields"),
    ({"ttl": 0}, "seconds"),
    ({"ttl": -1}, "seconds"),
    ({"ttl": math.nan}, "seconds"),
    ({"ttl": math.inf}, "seconds"),
    ({"ttl": 1e12}, "seconds"),
    ({"ttl": True}, "seconds"),
    ({"ttl": "60"}, "seconds"),
]


@pytest.mark.parametrize(("options", "said"), BAD, ids=range(len(BAD)))
async def test_a_bad_thread_is_refused_with_a_sentence(plain: clew.Store, options: dict[str, Any], said: str) -> None:
    with pytest.raises(clew.InvalidError, match=said):
        await plain.threads.create(**{"owner": "ada", **options})
    assert list(await plain.threads.list("ada")) == []


async def test_an_update_of_nothing_is_refused(plain: clew.Store) -> None:
    thread = await plain.threads.create("ada")
    with pytest.raises(clew.InvalidError, match="nothing to update"):
        await plain.threads.update(thread)
    with pytest.raises(clew.InvalidError, match="nothing to update"):
        await plain.threads.update(thread, metadata={})


@pytest.mark.parametrize("expect", [-1, True, "1", 1.0])
async def test_a_bad_revision_is_refused(plain: clew.Store, expect: Any) -> None:
    thread = await plain.threads.create("ada")
    with pytest.raises(clew.InvalidError, match="revision"):
        await plain.threads.update(thread, title="x", expect=expect)


async def test_updating_what_is_not_there_makes_nothing(store: clew.Store) -> None:
    for expect in (None, 3):
        with pytest.raises(clew.NotFoundError):
            await store.threads.update(clew.Ref("ada", "nope"), title="x", expect=expect)
    with pytest.raises(clew.InvalidError, match=r"threads\.create"):
        await store.threads.update(clew.Ref("ada", "nope"), title="x", expect=0)
    assert await store.backend.revision(Partition("ada", "nope")) == 0
    assert list(await store.threads.list("ada")) == []


# -- headers that cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (PutDocument("thread", b"garbage"), "cannot be read"),
        (PutDocument("thread", b"[]"), "cannot be read"),
        (PutDocument("thread", b'{"format":2,"more":true}'), "upgrade"),
        (PutDocument("title", b"7"), "cannot be read"),
        (PutDocument("meta/a", b"{"), "cannot be read"),
    ],
    ids=repr,
)
async def test_a_damaged_header_is_unreadable_and_never_not_found(
    store: clew.Store, thread: clew.Thread, document: PutDocument, said: str
) -> None:
    await store.backend.commit(Partition("ada", thread.id), [document])
    with pytest.raises(clew.UnreadableError, match=said):
        await store.threads.get(thread)


async def test_a_damaged_thread_is_listed_as_such_and_hides_no_other(store: clew.Store, thread: clew.Thread) -> None:
    await store.threads.create("ada", title="well")
    await store.backend.commit(Partition("ada", thread.id), [PutDocument("thread", b"garbage")], listed=True)

    damaged, well = await store.threads.list("ada")

    assert (damaged.id, damaged.title, damaged.revision) == (thread.id, None, 2)
    assert "cannot be read" in (damaged.unreadable or "")
    assert (well.title, well.unreadable) == ("well", None)


# -- time ----------------------------------------------------------------------------------------------------------------


async def test_times_are_the_stores_and_expiry_follows_them(plain: clew.Store, clock: FixedClock) -> None:
    thread = await plain.threads.create("ada", ttl=60)
    assert (thread.created_at, thread.expires_at) == (clock.now, clock.now + timedelta(seconds=60))

    clock.advance(59)
    await plain.items.append(thread, clew.NewItem(b"x"))
    clock.advance(59)
    found = await plain.threads.get(thread)
    assert (found.created_at, found.updated_at) == (thread.created_at, clock.now - timedelta(seconds=59))

    clock.advance(1)
    with pytest.raises(clew.NotFoundError):
        await plain.threads.get(thread)
    assert list(await plain.threads.list("ada")) == []


async def test_a_thread_that_expires_while_it_is_made_is_returned_as_it_was_made(
    plain: clew.Store, recorder: Recorder, clock: FixedClock
) -> None:
    class Slow(Recorder):
        """A backend on which a second passes after each commit."""

        async def commit(self, *arguments: Any, **named: Any) -> Commit:
            """See Backend.commit."""
            done = await super().commit(*arguments, **named)
            clock.advance(1)
            return done

    start = clock.now
    thread = await clew.Store(Slow(recorder.inner)).threads.create("ada", title="t", ttl=0.5)

    assert (thread.title, thread.expires_at) == ("t", start + timedelta(seconds=0.5))
    with pytest.raises(clew.NotFoundError):
        await plain.threads.get(thread)


async def test_a_tombstone_stands_for_a_week(plain: clew.Store, clock: FixedClock) -> None:
    thread = await plain.threads.create("ada", id="t")
    await plain.threads.delete(thread)
    clock.advance(7 * 24 * 3600 - 1)
    with pytest.raises(clew.GoneError):
        await plain.threads.get(thread)
    clock.advance(2)
    with pytest.raises(clew.NotFoundError) as caught:
        await plain.threads.get(thread)
    assert not isinstance(caught.value, clew.GoneError)
    await plain.threads.create("ada", id="t")
