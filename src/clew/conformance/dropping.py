"""Drop: nothing is left, and a tombstone keeps late writes from bringing it back."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..errors import ClosedError, GoneError, InvalidError
from ..limits import MAX_TTL_MS
from ..records import Append, Partition, PutDocument
from .common import LOG, Topic, append, entry, ids_in, until


class DroppingTopic(Topic):
    """Dropping."""

    async def test_drop_tells_whether_it_was_there(self, backend: Backend, partition: Partition) -> None:
        assert await backend.drop(partition) is False
        await append(backend, partition, "a")
        assert await backend.drop(partition) is True
        assert await backend.drop(partition) is False

    async def test_every_verb_says_gone_while_the_tombstone_stands(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await backend.drop(partition, tombstone_ms=60_000)
        for call in (
            lambda: backend.commit(partition, [Append(LOG, entry("late"))]),
            lambda: backend.commit(partition, [PutDocument("d", b"1")], once="t"),
            lambda: backend.commit(partition, [], expect=0),
            lambda: backend.fetch(partition),
            lambda: backend.fetch(partition, ["a"]),
            lambda: backend.read(partition, LOG),
            lambda: backend.read(partition, LOG, after="a"),
            lambda: backend.revision(partition),
            lambda: anext(aiter(backend.follow(partition, LOG))),
        ):
            with pytest.raises(GoneError):
                await call()  # type: ignore[operator]

    async def test_the_name_is_free_again_when_the_tombstone_has_gone(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await backend.drop(partition, tombstone_ms=50)

        async def is_free() -> bool:
            try:
                return await backend.revision(partition) == 0
            except GoneError:
                return False

        await until(is_free)
        assert (await append(backend, partition, "b")).revision == 1
        assert await ids_in(backend, partition) == ["b"]

    async def test_without_a_tombstone_nothing_is_left(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("d", b"1"), Append(LOG, entry("a")), Append("other", entry("a"))], once="t")
        assert await backend.drop(partition, tombstone_ms=0) is True
        snapshot = await backend.fetch(partition)
        assert (snapshot.revision, snapshot.documents) == (0, {})
        assert await ids_in(backend, partition) == []
        assert await ids_in(backend, partition, "other") == []
        assert (await backend.commit(partition, [Append(LOG, entry("a"))], expect=0)).outcomes == (1,)

    @pytest.mark.parametrize("tombstone_ms", [-1, MAX_TTL_MS + 1])
    async def test_a_bad_tombstone_is_refused(self, backend: Backend, partition: Partition, tombstone_ms: int) -> None:
        await append(backend, partition, "a")
        with pytest.raises(InvalidError):
            await backend.drop(partition, tombstone_ms=tombstone_ms)
        assert await ids_in(backend, partition) == ["a"]

    async def test_a_closed_backend_says_so_and_closes_twice(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await backend.drop(partition, tombstone_ms=0)
        await backend.aclose()
        await backend.aclose()
        for call in (backend.revision(partition), backend.read(partition, LOG), backend.commit(partition, [])):
            with pytest.raises(ClosedError):
                await call
