"""Once: a repeated call with its token writes nothing, and gets the first call's result."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend
from ..errors import ConflictError
from ..limits import ONCE_REMEMBERED
from ..records import Append, Partition, PutDocument
from .common import LOG, Topic, entry, ids_in


class OnceTopic(Topic):
    """Once."""

    async def test_a_token_applies_once_and_gives_the_first_result_again(self, backend: Backend, partition: Partition) -> None:
        changes = [Append(LOG, entry("a")), PutDocument("d", b"1"), Append(LOG, entry("b"))]
        first = await backend.commit(partition, changes, once="token")
        await backend.commit(partition, [Append(LOG, entry("c"))])
        again = await backend.commit(partition, [Append(LOG, entry("x"))], once="token")
        assert (first.replayed, again.replayed) == (False, True)
        assert (again.revision, again.outcomes, again.committed_ms) == (first.revision, first.outcomes, first.committed_ms)
        assert await ids_in(backend, partition) == ["a", "b", "c"]
        assert await backend.revision(partition) == 2

    async def test_a_known_token_wins_over_expect(self, backend: Backend, partition: Partition) -> None:
        first = await backend.commit(partition, [Append(LOG, entry("a"))], once="token", expect=0)
        again = await backend.commit(partition, [Append(LOG, entry("a"))], once="token", expect=0)
        assert (again.replayed, again.revision) == (True, first.revision)

    async def test_a_refused_commit_does_not_use_its_token_up(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(ConflictError):
            await backend.commit(partition, [Append(LOG, entry("a"))], once="token", expect=5)
        assert not (await backend.commit(partition, [Append(LOG, entry("a"))], once="token")).replayed

    async def test_a_token_belongs_to_its_partition(self, backend: Backend, partition: Partition) -> None:
        other = Partition(partition.owner, partition.name + "2")
        await backend.commit(partition, [], once="token")
        assert not (await backend.commit(other, [], once="token")).replayed
        await backend.drop(other, tombstone_ms=0)

    async def test_a_drop_forgets_the_tokens(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [Append(LOG, entry("a"))], once="token")
        await backend.drop(partition, tombstone_ms=0)
        assert not (await backend.commit(partition, [Append(LOG, entry("b"))], once="token")).replayed
        assert await ids_in(backend, partition) == ["b"]

    async def test_many_calls_with_one_token_write_once(self, backend: Backend, partition: Partition) -> None:
        done = await asyncio.gather(*(backend.commit(partition, [Append(LOG, entry(f"a{n}"))], once="token") for n in range(20)))
        assert len(await ids_in(backend, partition)) == 1
        assert sum(not each.replayed for each in done) == 1
        assert {each.revision for each in done} == {1}

    async def test_the_newest_tokens_are_remembered(self, backend: Backend, partition: Partition) -> None:
        for start in range(0, ONCE_REMEMBERED + 10, 101):
            await asyncio.gather(
                *(backend.commit(partition, [], once=f"t{n}") for n in range(start, min(start + 101, ONCE_REMEMBERED + 10)))
            )
        assert (await backend.commit(partition, [], once=f"t{ONCE_REMEMBERED + 9}")).replayed
        assert (await backend.commit(partition, [], once="t200")).replayed
        replays = [(await backend.commit(partition, [], once=f"t{n}")).replayed for n in range(3)]
        assert replays == [False, False, False]

    @pytest.mark.parametrize("token", ["a:b", "#1", "=x", "{t}", "\x00", "☃", "t" * 512])
    async def test_a_token_may_hold_any_characters(self, backend: Backend, partition: Partition, token: str) -> None:
        assert not (await backend.commit(partition, [], once=token)).replayed
        assert (await backend.commit(partition, [], once=token)).replayed
