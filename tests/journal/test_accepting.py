"""What is accepted while the store is away, what its callers get, and what is refused as before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import clew
from clew import NewItem, Ref
from clew.errors import AlreadyExistsError, FullError, InvalidError, UnavailableError
from clew.records import Partition
from clew.wrappers.journal import find_journals

from ..support import wait_until
from .conftest import Open, journal_of
from .faulty import Faulty


def said(page: clew.Page[clew.Item]) -> list[object]:
    """Return what the items hold."""
    return [item.json() for item in page]


async def test_an_append_is_accepted_while_the_store_is_away_and_is_there_after(instance: Open, server: Faulty) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    await store.items.append(thread, NewItem.json(0))
    server.is_away = True
    done = await store.items.append(thread, NewItem.json(1))
    assert done.pending
    assert (done.positions, done.revision, len(done.ids)) == ((), 0, 1)
    for number in range(2, 40):
        await store.items.append(thread, NewItem.json(number))
    server.is_away = False
    await journal_of(store).drained()
    page = await store.items.page(thread, limit=100)
    assert said(page) == list(range(40))
    assert page.data[1].id == done.ids[0]
    assert not (await store.items.append(thread, NewItem.json(40))).pending


async def test_threads_are_made_while_the_store_is_away(instance: Open, server: Faulty) -> None:
    store = await instance()
    server.is_away = True
    made = await store.threads.create("ada", title="New", metadata={"a": 1}, ttl=1000)
    assert made.pending
    await store.items.append(made, NewItem.json("first"))
    other = Ref("ada", "other")
    assert (await store.items.append(other, [NewItem.json(1)], create=True, title="Other", once="t")).pending
    assert (await store.items.append(other, [NewItem.json(2)], create=True)).pending
    server.is_away = False
    await journal_of(store).drained()
    found = await store.threads.get(made)
    assert (found.title, found.metadata, found.pending) == ("New", {"a": 1}, False)
    assert found.expires_at is not None
    assert said(await store.items.page(made)) == ["first"]
    assert (await store.threads.get(other)).title == "Other"
    assert said(await store.items.page(other)) == [1, 2]
    again = await store.items.append(other, [NewItem.json(1)], create=True, once="t")
    assert (again.replayed, again.positions) == (True, (1,))
    assert {thread.id for thread in await store.threads.list("ada")} == {made.id, "other"}


@pytest.mark.parametrize(
    "call",
    [
        lambda store, thread: store.items.append(thread, NewItem.json(1), expect=1),
        lambda store, thread: store.items.append(thread, NewItem.json(1), trim_before=1),
        lambda store, thread: store.threads.update(thread, title="Other"),
        lambda store, thread: store.threads.delete(thread),
        lambda store, thread: store.threads.get(thread),
        lambda store, thread: store.items.page(thread),
        lambda store, thread: store.threads.list("ada"),
        lambda store, thread: store.values("v:").put("a", 1),
        lambda store, thread: store.backend.claim(Partition("ada", thread.id), "name", "me", ttl_ms=1000),
        lambda store, thread: store.runs.list(thread),
    ],
)
async def test_what_depends_on_the_store_is_unavailable_without_it(
    call: Callable[[clew.Store, clew.Thread], Awaitable[object]], instance: Open, server: Faulty
) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    server.is_away = True
    await store.items.append(thread, NewItem.json(1))
    tries = server.tries
    with pytest.raises(UnavailableError):
        await call(store, thread)
    # Nor was the store asked: it is known to be away.
    assert server.tries <= tries + 1


async def test_what_is_wrong_is_refused_and_not_accepted(instance: Open, server: Faulty) -> None:
    store = await instance()
    server.is_away = True
    with pytest.raises(InvalidError):
        await store.items.append(Ref("ada", ""), NewItem.json(1))
    with pytest.raises(InvalidError):
        await store.backend.commit(Partition("ada", "t"), [], expect=0, once="")
    assert (await journal_of(store).waiting())["depth"] == 0


async def test_a_read_waits_for_what_is_on_its_way_and_later_writes_queue_behind_it(instance: Open, server: Faulty) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    server.is_away = True
    await store.items.append(thread, NewItem.json(1))
    server.is_away = False
    # Nothing has been tried since: the store is thought to be away, until the one prober finds out.
    assert (await store.items.append(thread, NewItem.json(2))).pending
    await journal_of(store).drained()
    server.is_away = True
    await store.items.append(thread, NewItem.json(3))
    server.is_away = False
    await wait_until(lambda: journal_of(store)._drainer.away is None)
    assert said(await store.items.page(thread)) == [1, 2, 3]


async def test_a_create_whose_answer_was_lost_is_not_taken_for_another_ones(instance: Open, server: Faulty) -> None:
    store = await instance()
    server.losing = 1
    made = await store.threads.create("ada", id="one", title="Mine")
    assert made.pending
    await journal_of(store).drained()
    assert (await journal_of(store).waiting())["aside"] == 0
    with pytest.raises(AlreadyExistsError):
        await store.threads.create("ada", id="one")


async def test_a_full_journal_is_a_full_error_and_nothing_half_done(instance: Open, server: Faulty, tmp_path: Path) -> None:
    store = await instance(256 * 1024)
    thread = await store.threads.create("ada")
    server.is_away = True
    accepted = 0

    async def fill() -> None:
        nonlocal accepted
        while accepted < 100:
            await store.items.append(thread, [NewItem(b'"%d"' % accepted + b" " * 20_000), NewItem.json("second")])
            accepted += 1

    with pytest.raises(FullError):
        await fill()
    assert 5 < accepted < 20
    (found,) = find_journals(tmp_path / "journal")
    assert found.depth == accepted
    server.is_away = False
    await journal_of(store).drained()
    assert len(await store.items.page(thread, limit=100)) == 2 * accepted
    server.is_away = True
    assert (await store.items.append(thread, NewItem.json("there is room again"))).pending


async def test_a_cancelled_caller_does_not_tear_what_was_accepted(instance: Open, server: Faulty) -> None:
    store = await instance()
    thread = await store.threads.create("ada")
    server.is_away = True
    tasks = [asyncio.create_task(store.items.append(thread, NewItem.json(number))) for number in range(20)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    server.is_away = False
    await journal_of(store).drained()
    found = said(await store.items.page(thread, limit=100))
    assert set(range(1, 20, 2)) <= set(found)
    assert len(found) == len(set(map(repr, found)))
