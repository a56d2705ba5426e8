"""A backend without an optional power: what needs it is refused with a sentence, and all the rest works."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

import clew
from clew.backend import Backend, Expiry, Leasing, Listing, Values
from clew.checkpoints import PutCheckpoint
from clew.limits import TOMBSTONE_MS
from clew.records import Change, Commit, Entry, Once, Page, Partition, Snapshot
from clew.store import forking


class Bare:
    """The seven verbs of another backend, and none of its powers."""

    def __init__(self, inner: Backend) -> None:
        self._inner = inner

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
        return await self._inner.commit(partition, changes, expect=expect, once=once, listed=listed)

    async def fetch(self, partition: Partition, keys: Sequence[str] | None = None) -> Snapshot:
        """See Backend.fetch."""
        return await self._inner.fetch(partition, keys)

    async def read(self, partition: Partition, log: str, **arguments: Any) -> Page:
        """See Backend.read."""
        return await self._inner.read(partition, log, **arguments)

    def follow(self, partition: Partition, log: str, *, after: int | str | None = None) -> AsyncIterator[Entry]:
        """See Backend.follow."""
        return self._inner.follow(partition, log, after=after)

    async def revision(self, partition: Partition) -> int:
        """See Backend.revision."""
        return await self._inner.revision(partition)

    async def drop(
        self, partition: Partition, *, tombstone_ms: int = TOMBSTONE_MS, unless: str | None = None, expect: int | None = None
    ) -> bool:
        """See Backend.drop."""
        return await self._inner.drop(partition, tombstone_ms=tombstone_ms, unless=unless, expect=expect)

    async def aclose(self) -> None:
        """See Backend.aclose."""
        await self._inner.aclose()


@pytest.fixture
def bare(plain: clew.Store) -> clew.Store:
    """A store on a backend without powers."""
    backend = Bare(plain.backend)
    assert not isinstance(backend, Listing | Leasing | Expiry | Values)
    return clew.Store(backend)


async def test_all_that_needs_no_power_works(bare: clew.Store) -> None:
    thread = await bare.threads.create("ada", title="t")
    await bare.items.append(thread, [clew.NewItem(b"1", id="a"), clew.NewItem(b"2")])
    branch = await bare.items.fork(thread, "a")
    assert [item.id for item in await bare.items.tail(branch)] == ["a"]
    assert await bare.threads.delete(thread)
    await bare.ping()


async def test_what_needs_a_power_is_unsupported_and_writes_nothing(bare: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = await bare.threads.create("ada")
    await bare.items.append(thread, [clew.NewItem(b"1"), clew.NewItem(b"2"), clew.NewItem(b"3")])
    monkeypatch.setattr(forking, "MAX_CHANGES", 2)
    monkeypatch.setattr(forking, "new_thread_id", lambda: "copy")
    for asked, said in (
        (bare.threads.list("ada"), "list"),
        (bare.threads.expire(thread, 60), "expire"),
        (bare.threads.create("ada", id="brief", ttl=60), "expire"),
        (bare.items.append(clew.Ref("ada", "brief"), clew.NewItem(b"1"), create=True, ttl=60), "expire"),
        (bare.items.fork(thread), "expire"),
        (bare.values("v:").get("k"), "values"),
        (bare.values("v:").put("k", 1), "values"),
        (bare.values("v:").list(), "values"),
        (bare.routes("r:").resolve("c"), "values"),
        (bare.routes("r:").delete("c"), "values"),
        (bare.routes("r:", index="i:").conversations("s"), "sets and lists"),
        (bare.checkpoints.get(thread), "checkpoints"),
        (bare.checkpoints.put(clew.Ref("ada", "brief"), PutCheckpoint("", "1", None, b"")), "checkpoints"),
        (bare.checkpoints.put_writes(clew.Ref("ada", "brief"), "", "1", []), "checkpoints"),
        (bare.checkpoints.drop(thread, [("", "1")]), "checkpoints"),
        (bare.checkpoints.copy(thread, clew.Ref("ada", "copy")), "checkpoints"),
        (bare.checkpoints.claim(thread, "name", "holder", ttl=1), "leases"),
    ):
        with pytest.raises(clew.UnsupportedError, match=said):
            await asked
    for name in ("brief", "copy"):
        assert await bare.backend.revision(Partition("ada", name)) == 0


async def test_a_power_that_is_not_there_is_no_unfinished_code(bare: clew.Store) -> None:
    assert not issubclass(clew.UnsupportedError, NotImplementedError)
    with pytest.raises(clew.ClewError):
        await bare.threads.list("ada")
