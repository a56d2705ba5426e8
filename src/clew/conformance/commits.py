"""Commits: all or nothing, a revision that counts them, `expect`, and writers that race."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend
from ..errors import ConflictError, InvalidError, NotFoundError
from ..limits import MAX_CHANGES, MAX_DATA_BYTES, MAX_ID_BYTES
from ..records import PRESENT, Append, Partition, PutDocument, Remove, Replace, Trim
from .common import LOG, Topic, append, entry, ids_in


class CommitTopic(Topic):
    """Commits."""

    async def test_it_is_a_backend(self, backend: Backend) -> None:
        assert isinstance(backend, Backend)

    async def test_an_unknown_partition_is_at_revision_nought_and_empty(self, backend: Backend, partition: Partition) -> None:
        assert await backend.revision(partition) == 0
        assert (await backend.fetch(partition)).revision == 0
        assert (await backend.fetch(partition, ["a"])).documents == {}
        assert (await backend.read(partition, LOG)).entries == []

    async def test_each_commit_adds_one_to_the_revision(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, [PutDocument("a", b"1")])).revision == 1
        assert (await backend.commit(partition, [])).revision == 2
        assert (await append(backend, partition, "x", "y")).revision == 3
        assert (await append(backend, partition, "x")).revision == 4
        assert await backend.revision(partition) == 4

    async def test_an_empty_commit_makes_the_partition(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [])
        snapshot = await backend.fetch(partition)
        assert (snapshot.revision, snapshot.documents) == (1, {})

    async def test_a_commit_tells_the_store_s_time_and_a_snapshot_repeats_it(
        self, backend: Backend, partition: Partition
    ) -> None:
        first = await backend.commit(partition, [])
        second = await append(backend, partition, "a")
        snapshot = await backend.fetch(partition)
        assert (snapshot.created_ms, snapshot.updated_ms) == (first.committed_ms, second.committed_ms)
        assert 0 < first.committed_ms <= second.committed_ms

    async def test_a_right_expect_applies(self, backend: Backend, partition: Partition) -> None:
        first = await backend.commit(partition, [PutDocument("a", b"1")], expect=0)
        second = await backend.commit(partition, [PutDocument("a", b"2")], expect=first.revision)
        third = await backend.commit(partition, [Append(LOG, entry("x"))], expect=second.revision)
        assert third.revision == 3

    async def test_a_wrong_expect_changes_nothing_and_tells_both(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        with pytest.raises(ConflictError) as caught:
            await backend.commit(partition, [PutDocument("d", b"2"), Append(LOG, entry("x"))], expect=7)
        assert (caught.value.expected, caught.value.actual) == (7, 1)
        with pytest.raises(ConflictError):
            await backend.commit(partition, [Append(LOG, entry("y"))], expect=0)
        assert await ids_in(backend, partition) == ["a"]
        assert await backend.revision(partition) == 1
        assert (await backend.fetch(partition)).documents == {}

    async def test_present_wants_a_partition_that_exists(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(NotFoundError):
            await backend.commit(partition, [Append(LOG, entry("a"))], expect=PRESENT)
        assert await backend.revision(partition) == 0
        await backend.commit(partition, [])
        assert (await backend.commit(partition, [Append(LOG, entry("a"))], expect=PRESENT)).revision == 2

    async def test_one_refused_change_refuses_the_whole_commit(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a", "b")
        for refused in (Replace(LOG, entry("nobody")), PutDocument("d", b"2", when=b"other")):
            with pytest.raises((NotFoundError, ConflictError)):
                await backend.commit(
                    partition, [PutDocument("e", b"1"), Append(LOG, entry("c")), Remove(LOG, "a"), refused, Trim(LOG, 2)]
                )
        assert await ids_in(backend, partition) == ["a", "b"]
        assert (await backend.fetch(partition)).documents == {}
        assert await backend.revision(partition) == 1

    async def test_changes_of_every_kind_go_together(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a", "b", "c")
        done = await backend.commit(
            partition,
            [
                PutDocument("d", b"1"),
                Replace(LOG, entry("b", b"new")),
                Remove(LOG, "a"),
                Remove(LOG, "nobody"),
                Append(LOG, entry("e")),
                Append("other", entry("a")),
                Trim(LOG, 2),
            ],
        )
        assert done.outcomes == (0, 2, 1, 0, 4, 1, 0)
        assert await ids_in(backend, partition) == ["b", "c", "e"]
        assert await ids_in(backend, partition, "other") == ["a"]

    async def test_one_of_many_racing_writers_wins(self, backend: Backend, partition: Partition) -> None:
        async def write(number: int) -> bool:
            try:
                await backend.commit(partition, [Append(LOG, entry(f"w{number}")), PutDocument("d", b"1")], expect=0)
            except ConflictError:
                return False
            return True

        assert sum(await asyncio.gather(*map(write, range(20)))) == 1
        assert len(await ids_in(backend, partition)) == 1

    async def test_many_appenders_lose_nothing_and_share_no_position(self, backend: Backend, partition: Partition) -> None:
        done = await asyncio.gather(*(append(backend, partition, f"a{n}", f"b{n}") for n in range(100)))
        entries = (await backend.read(partition, LOG, limit=1000)).entries
        assert [each.position for each in entries] == list(range(1, 201))
        assert sorted(each.revision for each in done) == list(range(1, 101))
        at = {each.id: each.position for each in entries}
        assert all(commit.outcomes == (at[f"a{n}"], at[f"b{n}"]) for n, commit in enumerate(done))
        assert all(first + 1 == second for first, second in (commit.outcomes for commit in done))

    async def test_one_failed_commit_fails_only_its_own_caller(self, backend: Backend, partition: Partition) -> None:
        async def write(number: int) -> object:
            try:
                if number % 5 == 0:
                    return await backend.commit(partition, [Replace(LOG, entry(f"no{number}")), Append(LOG, entry(f"x{number}"))])
                return await append(backend, partition, f"a{number}")
            except NotFoundError as error:
                return error

        results = await asyncio.gather(*map(write, range(50)))
        assert [number for number, each in enumerate(results) if isinstance(each, NotFoundError)] == list(range(0, 50, 5))
        assert set(await ids_in(backend, partition)) == {f"a{number}" for number in range(50) if number % 5}

    async def test_a_cancelled_caller_tears_nothing(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [])
        for round in range(10):
            tasks = [asyncio.create_task(append(backend, partition, f"{round}-{n}-a", f"{round}-{n}-b")) for n in range(10)]
            for _ in range(round):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await append(backend, partition, "last")
        found = await ids_in(backend, partition)
        assert len(found) == len(set(found))
        assert all(
            (f"{name}-a" in found) == (f"{name}-b" in found) for name in {id.rpartition("-")[0] for id in found if "-" in id}
        )
        assert all(f"{round}-{n}-a" in found for round in range(10) for n in range(1, 10, 2))
        assert found[-1] == "last"

    @pytest.mark.parametrize("bad", ["", "x" * (MAX_ID_BYTES + 1), "é" * MAX_ID_BYTES, "lone \ud800", "m" * 1_000_000])
    async def test_a_bad_id_is_refused_wherever_it_stands(
        self, backend: Backend, partition: Partition, owner: str, bad: str
    ) -> None:
        for wrong in (Partition(bad, "a"), Partition(owner, bad)):
            with pytest.raises(InvalidError):
                await backend.commit(wrong, [])
            with pytest.raises(InvalidError):
                await backend.fetch(wrong)
            with pytest.raises(InvalidError):
                await backend.read(wrong, LOG)
        for change in (PutDocument(bad, b""), Remove(LOG, bad), Append(bad, entry("a"))):
            with pytest.raises(InvalidError):
                await backend.commit(partition, [change])
        with pytest.raises(InvalidError):
            await backend.commit(partition, [], once=bad)
        with pytest.raises(InvalidError):
            await backend.read(partition, LOG, after=bad)
        assert await backend.revision(partition) == 0

    async def test_what_is_too_large_is_refused_before_anything_is_written(self, backend: Backend, partition: Partition) -> None:
        large = b"x" * (MAX_DATA_BYTES + 1)
        for changes in (
            [PutDocument("a", b"1"), PutDocument("d", large)],
            [Append(LOG, entry("a")), Append(LOG, entry("b", large))],
            [PutDocument("d", b"") for _ in range(MAX_CHANGES + 1)],
        ):
            with pytest.raises(InvalidError):
                await backend.commit(partition, changes)
        assert await backend.revision(partition) == 0

    async def test_one_id_twice_in_a_commit_is_refused(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(InvalidError):
            await backend.commit(partition, [Append(LOG, entry("a")), Append(LOG, entry("b")), Append(LOG, entry("a"))])
        with pytest.raises(InvalidError):
            await backend.commit(partition, [Append(LOG, entry("a")), Remove(LOG, "a")])
        assert await backend.revision(partition) == 0
