"""Forks: short ones in one commit, long ones in parts that nobody sees before the last, and what stops one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import clew
from clew.records import Change, Commit, Once, Page, Partition
from clew.store import forking
from clew.testing import FixedClock, Recorder


async def fill(store: clew.Store, thread: clew.ThreadKey, count: int) -> None:
    """Append items item-1 ... of ten bytes each."""
    await store.items.append(thread, [clew.NewItem(b"x" * 10, id=f"item-{n}", created_ms=n) for n in range(1, count + 1)])


async def positions(store: clew.Store, thread: clew.ThreadKey) -> list[str]:
    """Return the numbers in the ids of a thread's items."""
    return [item.id.removeprefix("item-") for item in await store.items.tail(thread, 1_000)]


@pytest.mark.parametrize(
    ("at", "copied", "last"),
    [
        (None, "12345", "item-5"),
        ("item-3", "123", "item-3"),
        (3, "123", "item-3"),
        (99, "12345", "item-5"),
        ("item-5", "12345", "item-5"),
        ("item-1", "1", "item-1"),
        (0, "", None),
    ],
)
async def test_a_fork_copies_up_to_and_with_the_item(
    store: clew.Store, thread: clew.Thread, at: str | int | None, copied: str, last: str | None
) -> None:
    await fill(store, thread, 5)

    branch = await store.items.fork(thread, at)

    assert "".join(await positions(store, branch)) == copied
    assert branch.forked_from == (thread.id, last)
    assert branch.revision == 1


async def test_a_fork_at_a_removed_item_copies_what_stands_before_it(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 5)
    await store.items.remove(thread, "item-3")

    branch = await store.items.fork(thread, "item-3")

    assert await positions(store, branch) == ["1", "2"]


async def test_copied_items_keep_ids_times_and_words_and_get_positions_of_their_own(
    store: clew.Store, thread: clew.Thread
) -> None:
    new = clew.NewItem(b"x", id="b", kind="k", codec="c", author="a", parent="p", status="s", links=["l"], created_ms=7)
    await store.items.append(thread, [clew.NewItem(b"", id="a"), new])
    await store.items.remove(thread, "a")

    branch = await store.items.fork(thread)

    (item,) = await store.items.tail(branch)
    assert (item.position, item.id, item.created_ms, item.status, item.links) == (1, "b", 7, "s", ("l",))
    assert (await store.items.append(branch, new)).duplicates == {"b"}


async def test_a_fork_may_have_another_name_owner_and_title(store: clew.Store) -> None:
    source = await store.threads.create("ada", title="Oslo", metadata={"a": [1], "b": "x"})
    await fill(store, source, 2)

    branch = await store.items.fork(source, id="copy", owner="bob", title="Bergen")

    assert (branch.owner, branch.id, branch.title, branch.metadata) == ("bob", "copy", "Bergen", {"a": [1], "b": "x"})
    assert [thread.id for thread in await store.threads.list("bob")] == ["copy"]
    assert branch == await store.threads.get(clew.Ref("bob", "copy"))


async def test_a_fork_never_writes_over_a_thread(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 2)
    other = await store.threads.create("ada", id="there")

    with pytest.raises(clew.AlreadyExistsError):
        await store.items.fork(thread, id="there")

    assert await store.items.tail(other) == []


async def test_what_cannot_be_forked_is_refused(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 2)
    gone = await store.threads.create("ada")
    await store.threads.delete(gone)

    with pytest.raises(clew.UnknownCursorError):
        await store.items.fork(thread, "never-seen")
    with pytest.raises(clew.GoneError):
        await store.items.fork(gone)
    with pytest.raises(clew.GoneError):
        await store.items.fork(thread, id=gone.id)
    with pytest.raises(clew.NotFoundError):
        await store.items.fork(clew.Ref("bob", thread.id))
    assert len(await store.threads.list("ada")) == 1


@pytest.mark.parametrize("options", [{"at": -1}, {"at": ""}, {"at": 1.5}, {"id": ""}, {"owner": ""}, {"title": ""}], ids=str)
async def test_a_bad_argument_is_refused(plain: clew.Store, options: dict[str, Any]) -> None:
    thread = await plain.threads.create("ada")
    with pytest.raises(clew.InvalidError):
        await plain.items.fork(thread, **options)


# -- long ones -----------------------------------------------------------------------------------------------------------


class Dying(Recorder):
    """A backend whose process dies at its n-th commit."""

    dies_at = 0

    async def commit(
        self,
        partition: Partition,
        changes: Sequence[Change],
        *,
        expect: int | None = None,
        once: str | Once | None = None,
        listed: bool = False,
    ) -> Commit:
        """See Backend.commit."""
        if self.verbs.count("commit") + 1 == self.dies_at:
            raise KeyboardInterrupt
        return await super().commit(partition, changes, expect=expect, once=once, listed=listed)


@pytest.fixture(params=["changes", "bytes"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit takes ten items only."""
    if request.param == "changes":
        monkeypatch.setattr(forking, "MAX_CHANGES", 10)
    else:
        monkeypatch.setattr(forking, "MAX_COMMIT_BYTES", 100)


@pytest.mark.usefixtures("parts")
async def test_a_long_fork_is_whole_and_stays(store: clew.Store) -> None:
    thread = await store.threads.create("ada", metadata={"a": 1})
    await fill(store, thread, 35)

    branch = await store.items.fork(thread, "item-33", title="Long")

    assert await positions(store, branch) == [str(n) for n in range(1, 34)]
    assert (branch.title, branch.metadata, branch.expires_at) == ("Long", {"a": 1}, None)
    assert branch.forked_from == (thread.id, "item-33")
    assert [found.id for found in await store.threads.list("ada")] == [branch.id, thread.id]


async def test_a_fork_over_many_pages_and_one_commit(store: clew.Store, thread: clew.Thread) -> None:
    await fill(store, thread, 2_345)
    branch = await store.items.fork(thread, 2_300)
    assert (await store.items.tail(branch, 1))[0].position == 2_300
    assert branch.revision == 1


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("dies_at", [1, 2, 3, 4, 5])
async def test_a_fork_that_dies_in_the_middle_is_never_seen_and_vanishes(
    plain: clew.Store, recorder: Recorder, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    monkeypatch.setattr(forking, "new_thread_id", lambda: "copy")
    thread = await plain.threads.create("ada")
    await fill(plain, thread, 35)
    dying = Dying(recorder.inner)
    dying.dies_at = dies_at

    with pytest.raises(KeyboardInterrupt):
        await clew.Store(dying).items.fork(thread)

    copy = clew.Ref("ada", "copy")
    assert [found.id for found in await plain.threads.list("ada")] == [thread.id]
    with pytest.raises(clew.NotFoundError):
        await plain.threads.get(copy)
    if dies_at not in (2, 5):
        # At the second commit only its empty name was there for good; at the last one it was made to stay.
        clock.advance(3_601)
        assert await plain.backend.revision(Partition("ada", "copy")) == 0


@pytest.mark.usefixtures("parts")
async def test_a_long_fork_takes_no_given_id_under_which_another_could_write_meanwhile(
    plain: clew.Store, recorder: Recorder
) -> None:
    thread = await plain.threads.create("ada")
    await fill(plain, thread, 35)

    with pytest.raises(clew.InvalidError, match="leave the id out"):
        await clew.Store(recorder).items.fork(thread, id="copy")

    assert "commit" not in recorder.verbs
    assert (await plain.items.fork(thread, 1, id="copy")).id == "copy"


@pytest.mark.parametrize("how", ["deleted", "expired", "truncated"])
async def test_a_fork_of_a_thread_that_goes_meanwhile_is_not_made_of_the_half(
    plain: clew.Store, recorder: Recorder, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(forking, "MAX_PAGE", 10)
    thread = await plain.threads.create("ada", ttl=60)
    await fill(plain, thread, 35)

    class Going(Recorder):
        """A backend on which the thread goes after its second page."""

        async def read(self, partition: Partition, log: str, **arguments: Any) -> Page:
            """See Backend.read."""
            page = await super().read(partition, log, **arguments)
            if self.verbs.count("read") == 2:
                if how == "deleted":
                    await plain.threads.delete(thread)
                elif how == "expired":
                    clock.advance(61)
                else:
                    await plain.items.truncate(thread, 5)
            return page

    with pytest.raises(clew.NotFoundError):
        await clew.Store(Going(recorder.inner)).items.fork(thread, "item-30", id="copy")
    assert await plain.backend.revision(Partition("ada", "copy")) == 0
