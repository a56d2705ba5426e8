"""Checkpoints of a thread: it is made with the first one, and a copy of it is never seen half done."""

from __future__ import annotations

from typing import Any

import pytest

import clew
from clew.checkpoints import Part, PutCheckpoint, Span, Write
from clew.store import copying
from clew.testing import FixedClock, Recorder

REF = clew.Ref("ada", "thread")
COPY = clew.Ref("ada", "copy")


def point(number: int, branch: str = "", **more: Any) -> PutCheckpoint:
    """Return a checkpoint that uses nothing but what `more` says."""
    parent = f"{number - 1:04}" if number > 1 else None
    return PutCheckpoint(branch, f"{number:04}", parent, b"head %d" % number, **more)


def item(number: int) -> clew.NewItem:
    """Return an item."""
    return clew.NewItem(b"item %d" % number, f"i{number}")


async def fill(store: clew.Store, count: int) -> None:
    """Make a thread of as many items and checkpoints in each of two branches, which have parts of the same names."""
    for number in range(1, count + 1):
        after = f"lines\0{number - 1}" if number > 1 else None
        parts = {f"said\0{number}": Part(spans=(Span(-1, 1),)), f"lines\0{number}": Part(b"%d" % number, after)}
        await store.checkpoints.put(REF, point(number, uses=tuple(parts), parts=parts), [item(number)], title="A title")
        await store.checkpoints.put_writes(REF, "", f"{number:04}", [Write("~1", "task", 0, "said", b"%d" % number)])
        other = {f"said\0{number}": Part(b"other %d" % number)}
        await store.checkpoints.put(REF, point(number, "child", uses=tuple(other), parts=other))


async def content(store: clew.Store, thread: clew.Ref) -> list[Any]:
    """Return the checkpoints of a thread, each with what its parts hold: items in the place of positions."""
    found: list[Any] = []
    for branch in ("", "child"):
        page = await store.checkpoints.list(thread, branch=branch, limit=1000)
        for each in page.checkpoints:
            held = {}
            for name in each.uses:
                part = page.parts[name]
                places = [at for first, count in part.spans for at in range(first, first + count) if at in page.entries]
                held[name] = (part.data, part.after, [(page.entries[at].codec, page.entries[at].data) for at in places])
            found.append((each, held))
    return found


async def test_the_first_put_makes_the_thread_and_the_next_ones_are_one_call(recorded: clew.Store, recorder: Recorder) -> None:
    parts = {"said\0001": Part(spans=(Span(-1, 2),))}
    first = await recorded.checkpoints.put(REF, point(1, uses=tuple(parts), parts=parts), [item(1), item(2)], begin=True, ttl=60)
    assert (first.positions, recorder.verbs) == ((1, 2), ["commit"])
    again = await recorded.checkpoints.put(REF, point(2, made_ms=first.made_ms), [item(2), item(3)], begin=True)
    assert (again.positions, again.made_ms, recorder.verbs) == ((2, 3), first.made_ms, ["commit"] * 2)
    await recorded.checkpoints.put_writes(REF, "", "0002", [Write("", "task", 0, "said", b"1")])
    assert recorder.verbs == ["commit"] * 3
    thread = await recorded.threads.get(REF)
    assert thread.expires_at is not None
    assert [each.id for each in await recorded.threads.list("ada")] == ["thread"]


async def test_a_put_makes_a_thread_that_is_not_there_and_revives_a_deleted_one_only_where_it_may_begin(
    store: clew.Store,
) -> None:
    await store.checkpoints.put_writes(REF, "", "0001", [Write("", "task", 0, "said", b"1")], ttl=60, sliding=False)
    await store.checkpoints.put(REF, point(1), title="Too late for a title")
    assert (await store.threads.get(REF)).title is None
    await store.threads.delete(REF)
    for late in (
        store.checkpoints.put(REF, point(2)),
        store.checkpoints.put_writes(REF, "", "0002", [Write("", "task", 0, "said", b"1")]),
        store.checkpoints.get(REF),
        store.checkpoints.list(REF),
        store.checkpoints.trace(REF, "", None, ["said"]),
        store.checkpoints.drop(REF, [("", "0001")]),
    ):
        with pytest.raises(clew.GoneError):
            await late
    await store.checkpoints.put(REF, point(1), begin=True, title="Anew")
    assert (await store.threads.get(REF)).title == "Anew"
    assert len((await store.checkpoints.list(REF)).checkpoints) == 1


@pytest.mark.parametrize("begin", [False, True])
@pytest.mark.parametrize("before", ["nothing", "tombstone", "another"])
async def test_what_refers_to_another_life_of_the_thread_is_refused_and_nothing_is_made(
    store: clew.Store, begin: bool, before: str
) -> None:
    if before != "nothing":
        await store.checkpoints.put(REF, point(1))
        await store.threads.delete(REF)
    if before == "another":
        await store.checkpoints.put(REF, point(1), begin=True)
    wanted = clew.GoneError if before == "tombstone" and not begin else clew.ConflictError
    for lost in (point(2, made_ms=1), point(2, uses=("said\0001",)), point(2, parts={"a\0001": Part(after="a\0000")})):
        with pytest.raises(wanted):
            await store.checkpoints.put(REF, lost, begin=begin)
    if before == "nothing":
        assert len((await store.threads.list("ada")).data) == 0
    if before == "another":
        assert len((await store.checkpoints.list(REF)).checkpoints) == 1


async def test_nothing_is_dropped_where_nothing_is(store: clew.Store) -> None:
    assert await store.checkpoints.drop(REF, [("", "0001")]) == 0
    assert (await store.checkpoints.get(REF)).checkpoints == ()
    with pytest.raises(clew.NotFoundError):
        await store.checkpoints.copy(REF, COPY)
    with pytest.raises(clew.InvalidError, match="channel"):
        await store.checkpoints.trace(REF, "", None, [])
    with pytest.raises(clew.InvalidError, match="names no thread"):
        await store.checkpoints.get("thread")  # type: ignore[arg-type]


@pytest.mark.parametrize("most", [5_000, 40, 7])
async def test_a_copy_has_all_of_it_in_one_commit_or_in_several(
    store: clew.Store, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, 12)
    await store.items.remove(REF, "i3")
    await store.checkpoints.put(COPY, point(1, uses=("old\0001",), parts={"old\0001": Part(b"old")}), [item(99)])
    monkeypatch.setattr(copying, "MAX_CHANGES", most)
    monkeypatch.setattr(copying, "PAGE", 5)
    made = await store.checkpoints.copy(REF, COPY)
    assert made == 24
    # The positions are the copy's own. What stands there is the same, without what was removed.
    assert await content(store, COPY) == await content(store, REF)
    assert [entry.id for entry in await store.items.tail(COPY)] == [f"i{n}" for n in range(1, 13) if n != 3]
    thread = await store.threads.get(COPY)
    assert (thread.title, thread.forked_from, thread.expires_at) == ("A title", ("thread", None), None)


async def test_a_copy_that_dies_in_the_middle_is_listed_nowhere_and_vanishes(
    plain: clew.Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(plain, 12)
    monkeypatch.setattr(copying, "MAX_CHANGES", 7)
    commit, count = plain.backend.commit, 0

    async def dies(*given: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == 5:
            raise clew.UnavailableError("the store went away")
        return await commit(*given, **more)

    monkeypatch.setattr(plain.backend, "commit", dies)
    with pytest.raises(clew.UnavailableError):
        await plain.checkpoints.copy(REF, COPY)
    assert [each.id for each in await plain.threads.list("ada")] == ["thread"]
    # Of the checkpoints the latest are there first, so that no older state is taken for the latest.
    newest = (await plain.checkpoints.get(COPY, "child")).checkpoints
    assert [each.id for each in newest] == ["0012"]
    clock.advance(3601)
    assert (await plain.checkpoints.list(COPY)).checkpoints == ()
    assert list(await plain.items.page(COPY, missing_ok=True)) == []
