"""Commits: revisions, outcomes, conditions, and all or nothing."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend
from ..errors import ConflictError, InvalidError, NotFoundError, UnknownCursorError
from ..limits import MAX_CHANGES, MAX_COMMIT_BYTES, MAX_DATA_BYTES
from ..records import PRESENT, Append, Change, Partition, PutDocument, Remove, Replace, Snapshot, Trim, Truncate
from .support import LOG, Suite, add, entry, numbered, read_ids

REFUSED: list[tuple[Change, type[Exception]]] = [
    (PutDocument("there", b"new", b"other"), ConflictError),
    (PutDocument("there", b"new", None), ConflictError),
    (PutDocument("missing", b"new", b"other"), ConflictError),
    (PutDocument("there", None, b"other"), ConflictError),
    (Replace(LOG, entry("unknown")), NotFoundError),
    (Replace(LOG, entry("i1", b"2"), entry("i1", b"never stored")), ConflictError),
    (Truncate(LOG, "unknown"), UnknownCursorError),
]


class Commits(Suite):
    """`commit` as a whole; each kind of change has its own file."""

    async def test_each_commit_adds_one_to_the_revision(self, backend: Backend, partition: Partition) -> None:
        revisions = [(await backend.commit(partition, changes)).revision for changes in (add("a"), add("b"), add("c", "d"))]
        assert revisions == [1, 2, 3]
        assert await backend.revision(partition) == 3

    async def test_an_empty_commit_makes_the_partition(self, backend: Backend, partition: Partition) -> None:
        assert await backend.revision(partition) == 0
        done = await backend.commit(partition, [])
        assert (done.revision, done.outcomes, done.replayed) == (1, (), False)
        assert await backend.revision(partition) == 1

    async def test_outcomes_come_in_the_order_of_the_changes(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("old", b"1"), *numbered(5)])
        changes: list[Change] = [
            PutDocument("new", b"1"),
            PutDocument("old", b"2"),
            *add("i6", "i2"),
            Remove(LOG, "i3"),
            Remove(LOG, "unknown"),
            Replace(LOG, entry("i4", b"2")),
            PutDocument("unknown", None),
            Truncate(LOG, 5),
            Trim(LOG, 3),
            *add("i7", log="other"),
        ]
        done = await backend.commit(partition, changes)
        assert done.outcomes == (0, 1, 6, -2, 3, 0, 4, 0, 1, 2, 1)
        assert await read_ids(backend, partition) == ["i4", "i5"]
        assert await read_ids(backend, partition, "other") == ["i7"]

    async def test_the_time_of_a_commit_is_that_of_the_snapshot(self, backend: Backend, partition: Partition) -> None:
        first = await backend.commit(partition, [PutDocument("a", b"1")])
        second = await backend.commit(partition, add("a"))
        snapshot = await backend.fetch(partition)
        assert 1_600_000_000_000 < first.committed_ms <= second.committed_ms
        assert (snapshot.created_ms, snapshot.updated_ms) == (first.committed_ms, second.committed_ms)

    async def test_a_right_expect_applies(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, add("a"), expect=0)).revision == 1
        assert (await backend.commit(partition, add("b"), expect=1)).revision == 2
        assert (await backend.commit(partition, [PutDocument("c", b"1")], expect=2)).revision == 3
        assert (await backend.commit(partition, add("d"), expect=PRESENT)).revision == 4
        assert (await backend.commit(partition, [], expect=PRESENT)).revision == 5
        assert await read_ids(backend, partition) == ["a", "b", "d"]

    @pytest.mark.parametrize("expect", [0, 1, 3, 1000])
    async def test_a_wrong_expect_writes_nothing_and_tells_the_revision(
        self, backend: Backend, partition: Partition, expect: int
    ) -> None:
        await backend.commit(partition, add("a"))
        await backend.commit(partition, add("b"))
        refused: list[list[Change]] = [[*add("c")], [PutDocument("c", b"1")], [*add("c"), PutDocument("c", b"1")], []]
        for changes in refused:
            with pytest.raises(ConflictError) as caught:
                await backend.commit(partition, changes, expect=expect)
            assert (caught.value.expected, caught.value.actual) == (expect, 2)
        assert await backend.revision(partition) == 2
        assert await read_ids(backend, partition) == ["a", "b"]
        assert (await backend.fetch(partition)).documents == {}

    async def test_an_expect_of_a_revision_refuses_a_partition_that_is_not_there(
        self, backend: Backend, partition: Partition
    ) -> None:
        with pytest.raises(ConflictError) as caught:
            await backend.commit(partition, add("a"), expect=1)
        assert caught.value.actual == 0
        assert await backend.revision(partition) == 0

    async def test_present_refuses_a_partition_that_is_not_there(self, backend: Backend, partition: Partition) -> None:
        for changes in (add("a"), [PutDocument("a", b"1")], []):
            with pytest.raises(NotFoundError) as caught:
                await backend.commit(partition, changes, expect=PRESENT)
            assert type(caught.value) is NotFoundError
        assert await backend.fetch(partition) == Snapshot()

    @pytest.mark.parametrize("expect", [-2, True, 1.0, "1"])
    async def test_a_bad_expect_is_refused(self, backend: Backend, partition: Partition, expect: int) -> None:
        for changes in (add("a"), [PutDocument("a", b"1")]):
            with pytest.raises(InvalidError):
                await backend.commit(partition, changes, expect=expect)
        assert await backend.revision(partition) == 0

    @pytest.mark.parametrize("number", range(len(REFUSED)))
    async def test_a_commit_is_applied_whole_or_not_at_all(self, backend: Backend, partition: Partition, number: int) -> None:
        bad, error = REFUSED[number]
        await backend.commit(partition, [PutDocument("there", b"old"), *numbered(3)])
        good: list[Change] = [PutDocument("new", b"1"), *add("i4", "i5"), *add("x", log="other"), Remove(LOG, "i2")]
        first = good[:-1] if isinstance(bad, Truncate) else good  # a remove comes before a cut
        for changes in ([*good, bad], [bad, *first]):
            with pytest.raises(error):
                await backend.commit(partition, changes)
            snapshot = await backend.fetch(partition)
            assert (snapshot.revision, snapshot.documents) == (1, {"there": b"old"})
            assert await read_ids(backend, partition) == ["i1", "i2", "i3"]
            assert await read_ids(backend, partition, "other") == []
        assert (await backend.commit(partition, add("i4"))).outcomes == (4,)

    async def test_a_refused_first_commit_makes_nothing(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(NotFoundError):
            await backend.commit(partition, [*add("a"), PutDocument("a", b"1"), Replace(LOG, entry("b"))])
        assert await backend.fetch(partition) == Snapshot()
        assert await read_ids(backend, partition) == []

    async def test_conditions_are_those_of_the_moment_before_the_commit(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("a", b"1")])
        done = await backend.commit(partition, [PutDocument("b", b"2", None), PutDocument("a", None, b"1"), *add("c")])
        assert done.outcomes == (0, 1, 1)
        assert (await backend.fetch(partition)).documents == {"b": b"2"}

    @pytest.mark.parametrize(
        "changes",
        [
            add("a", "a"),
            [Remove(LOG, "a"), *add("a")],
            [*add("a"), Replace(LOG, entry("a"))],
            [Truncate(LOG, 0), Remove(LOG, "a")],
            add(""),
            add("x" * 513),
            add("a", log=""),
            [PutDocument("", b"1")],
            [Remove(LOG, "")],
            [Truncate(LOG, -1)],
            [Truncate(LOG, "")],
            [Trim(LOG, -1)],
        ],
    )
    async def test_a_bad_change_is_refused(self, backend: Backend, partition: Partition, changes: list[Change]) -> None:
        await backend.commit(partition, add("z"))
        with pytest.raises(InvalidError):
            await backend.commit(partition, changes)
        assert await backend.revision(partition) == 1

    async def test_the_largest_sizes_are_taken_and_larger_ones_refused(self, backend: Backend, partition: Partition) -> None:
        largest = b"x" * MAX_DATA_BYTES
        await backend.commit(partition, [*add("a", data=largest), PutDocument("a", largest)])
        assert (await backend.read(partition, LOG)).entries[0].data == largest
        assert (await backend.fetch(partition)).documents == {"a": largest}
        too_many = [PutDocument(str(n), b"") for n in range(MAX_CHANGES + 1)]
        too_much = [Append(LOG, entry(str(n), largest)) for n in range(MAX_COMMIT_BYTES // MAX_DATA_BYTES + 1)]
        for changes in (add("b", data=largest + b"x"), [PutDocument("b", largest + b"x")], too_many, too_much):
            with pytest.raises(InvalidError):
                await backend.commit(partition, changes)
        assert await backend.revision(partition) == 1

    async def test_a_commit_of_the_most_changes_is_one_revision(self, backend: Backend, partition: Partition) -> None:
        done = await backend.commit(partition, numbered(MAX_CHANGES))
        assert done.revision == 1
        assert done.outcomes == tuple(range(1, MAX_CHANGES + 1))
        assert len(await read_ids(backend, partition)) == 1000

    async def test_a_cancelled_caller_does_not_tear_its_commit(self, backend: Backend, partition: Partition) -> None:
        for steps in range(12):
            before = await backend.revision(partition)
            first = 1 + steps * 150
            task = asyncio.create_task(
                backend.commit(partition, [*numbered(150, first), PutDocument("last", str(first).encode())])
            )
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            # A commit of our own after it: whatever was sent is done by now.
            after = (await backend.commit(partition, add(f"after-{steps}"))).revision
            whole = after - before == 2
            if not task.cancelled():
                assert whole, "what was acknowledged is there"
            found = {each.id for each in (await backend.read(partition, LOG, limit=200, newest_first=True)).entries}
            there = {f"i{n}" for n in range(first, first + 150)} & found
            assert len(there) == (150 if whole else 0)
            last = (await backend.fetch(partition, ["last"])).documents.get("last")
            assert (last == str(first).encode()) == whole
