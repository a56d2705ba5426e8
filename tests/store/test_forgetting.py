"""An owner is erased: nothing of theirs is left by any look, and everything of everybody else's stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import clew
from clew.adapters.key_value.names import prefix_of
from clew.adapters.langgraph import cache
from clew.backend import Collecting, Leasing
from clew.checkpoints import Part, PutCheckpoint
from clew.mcp.desk import Shelves
from clew.records import Expire, Partition, PutDocument
from clew.store import Owned, owned_keys

SECRET = "the secret of somebody"
OTHERS = ("ad", "adab", "ada/x", "ada}", "*", "{ada}", "a/b")


@pytest.fixture(params=["sqlite", "redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """Where the store is."""
    return url_of(request.param, sweep=False) if request.param == "redis-8.2" else url_of(request.param)


async def fill(store: clew.Store, owner: str) -> None:
    """Let an owner have something of each kind: listed and not, alive, expired and deleted."""
    thread = await store.threads.create(owner, id="t", title=SECRET, metadata={"a": 1})
    await store.items.append(thread, [clew.NewItem(SECRET.encode(), id=f"i{n}") for n in range(30)], once="o")
    await store.items.remove(thread, "i3")
    run = await store.runs.start(thread)
    await run.append(SECRET.encode())
    await run.finish()
    gone = await store.threads.create(owner, id="gone", title=SECRET)
    await store.items.append(gone, clew.NewItem(SECRET.encode()))
    await store.threads.delete(gone)
    backend = store.backend
    await backend.commit(Partition(owner, "staged"), [PutDocument("d", SECRET.encode()), Expire(60_000)])
    part = Part(SECRET.encode())
    await backend.commit(Partition(owner, "program"), [PutCheckpoint("", "1", None, b"head", ("c\0001",), {"c\0001": part})])
    assert isinstance(backend, Leasing)
    await backend.claim(Partition(owner, "nowhere"), "lease", "holder", ttl_ms=60_000)


async def fill_keys(store: clew.Store, owner: str) -> None:
    """Let an owner have literal keys of each kind."""
    assert isinstance(store.backend, Collecting)
    for prefix, member in owned_keys(owner, namespace=getattr(store.backend, "namespace", "clew")):
        if member is None:
            await store.values(prefix).put_data("1", SECRET.encode())
            await store.backend.push_elements(f"{prefix}2", [SECRET.encode()])
        else:
            await store.backend.add_members(f"{prefix}s", [member + b"telegram:1"])


async def test_nothing_of_an_owner_is_left_and_all_of_the_others_stays(store: clew.Store, url: str, tmp_path: Path) -> None:
    await fill(store, "ada")
    await fill_keys(store, "ada")
    for other in OTHERS:
        kept = await store.threads.create(other, id="t", title="kept")
        await store.items.append(kept, clew.NewItem(b"kept"))
        await fill_keys(store, other)
    counted = await store.forget("ada", dry=True)
    assert {"partitions", "documents", "logs", "checkpoints", "runs", "leases", "values", "members"} <= counted.found.keys()
    done = await store.forget("ada", told=lambda found: None)
    assert (done.found, done.left) == (counted.found, {})
    assert (await store.forget("ada")).found == {}
    assert list(await store.threads.list("ada")) == []
    for other in OTHERS:
        assert [each.title for each in await store.threads.list(other)] == ["kept"]
        assert [item.data for item in await store.items.tail(clew.Ref(other, "t"))] == [b"kept"]
        before = await store.forget(other, dry=True)
        assert (before.found["values"], before.found["members"]) == (2 * (len(owned_keys(other)) - 1), 1)
    # A name is free at once: no tombstone tells of it.
    with pytest.raises(clew.NotFoundError):
        await store.items.append(clew.Ref("ada", "gone"), clew.NewItem(b"late"))
    assert (await store.threads.create("ada", id="gone")).revision == 1
    for other in (*OTHERS, "ada"):
        await store.forget(other, scrub=False)


async def test_no_byte_of_an_owner_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    async with clew.connect(f"sqlite:///{path}") as store:
        await fill(store, "ada")
        await fill_keys(store, "ada")
        await store.threads.create("grace", title="kept")
        # The bytes of what was deleted in the ordinary way, too.
        assert (await store.forget("ada")).left == {}
        for file in tmp_path.iterdir():
            assert SECRET.encode() not in file.read_bytes(), file.name
            assert b"ada" not in file.read_bytes(), file.name
        assert len(await store.threads.list("grace")) == 1


async def test_what_is_written_meanwhile_is_gone_with_the_next_walk_or_told(store: clew.Store) -> None:
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            await store.threads.create("ada")
            await asyncio.sleep(0.001)

    writer = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    first = await store.forget("ada", keys=(), scrub=False)
    assert first.left == {} or "partitions" in first.left
    stop.set()
    await writer
    assert first.found["partitions"] > 0
    assert (await store.forget("ada", keys=(), scrub=False)).left == {}
    assert (await store.forget("ada", keys=(), dry=True)).found == {}


async def test_followers_are_told_that_an_erased_thread_is_gone(store: clew.Store) -> None:
    thread = await store.threads.create("ada")
    items = store.items.follow(thread)
    waiting = asyncio.ensure_future(anext(items))
    await store.items.append(thread, clew.NewItem(b"1"))
    await waiting
    waiting = asyncio.ensure_future(anext(items))
    await store.forget("ada", keys=(), scrub=False)
    with pytest.raises(clew.NotFoundError):
        async with asyncio.timeout(10):
            await waiting


async def test_a_programs_own_keys_go_where_it_says_how_they_begin(store: clew.Store) -> None:
    for key in ("bot*:ada:1", "bot*:ada:2", "bot1:ada:3"):
        await store.values().put(key, 1)
    done = await store.forget("ada", keys=[Owned("bot*:ada:")], scrub=False)
    assert (done.found, done.left) == ({"values": 2}, {})
    assert await store.values().get("bot1:ada:3") is not None
    await store.values().delete("bot1:ada:3")


def test_the_keys_are_those_that_adapters_and_tools_make() -> None:
    from clew.adapters.chatkit.attached import _prefix
    from clew.adapters.routing import ConversationConfig

    for owner in ("ada", "a b/c:d", "x" * 500):
        prefixes = [each.prefix for each in owned_keys(owner, namespace="team", chat_prefix="bot:conv:")]
        assert prefix_of(owner) in prefixes
        assert Shelves("team").prefix(owner) in prefixes
        assert _prefix(owner) in prefixes
        assert any(each.startswith(cache.PREFIX) for each in prefixes)
    config = ConversationConfig(key_prefix="bot:conv:")
    owned = owned_keys("a/b", chat_prefix="bot:conv:")
    expected = [f"{config.routes_prefix}a%2Fb/", f"{config.prefix_of('making')}a%2Fb/", f"{config.prefix_of('once')}a%2Fb/"]
    assert [each.prefix for each in owned][-4:] == [*expected, config.prefix_of("session")]
