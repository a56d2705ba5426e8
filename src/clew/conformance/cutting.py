"""Truncate and trim: what goes, what stays, and that no position comes back."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..errors import InvalidError, UnknownCursorError
from ..records import Append, Partition, Remove, Replace, Trim, Truncate
from .common import LOG, Topic, append, entry, ids_in


class CuttingTopic(Topic):
    """Cutting."""

    async def test_truncate_removes_what_comes_after_an_id_or_a_position(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcdef")
        assert (await backend.commit(partition, [Truncate(LOG, "d")])).outcomes == (2,)
        assert await ids_in(backend, partition) == list("abcd")
        assert (await backend.commit(partition, [Truncate(LOG, 2)])).outcomes == (2,)
        assert await ids_in(backend, partition) == list("ab")
        assert (await backend.commit(partition, [Truncate(LOG, 99)])).outcomes == (0,)
        assert (await backend.commit(partition, [Truncate(LOG, 0)])).outcomes == (2,)
        assert await ids_in(backend, partition) == []

    async def test_after_a_truncation_positions_go_on_and_none_is_used_again(
        self, backend: Backend, partition: Partition
    ) -> None:
        await append(backend, partition, *"abcdef")
        await backend.commit(partition, [Truncate(LOG, "b")])
        assert (await append(backend, partition, "g", "c")).outcomes == (7, 8)
        assert [(each.position, each.id) for each in (await backend.read(partition, LOG)).entries] == [
            (1, "a"),
            (2, "b"),
            (7, "g"),
            (8, "c"),
        ]
        await backend.commit(partition, [Truncate(LOG, 0)])
        assert (await append(backend, partition, "a")).outcomes == (9,)

    async def test_truncate_and_append_go_together(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abc")
        done = await backend.commit(partition, [Truncate(LOG, "a"), Append(LOG, entry("b")), Append(LOG, entry("d"))])
        assert done.outcomes == (2, 4, 5)
        assert await ids_in(backend, partition) == ["a", "b", "d"]

    async def test_truncate_after_an_unknown_id_is_an_error_and_removes_nothing(
        self, backend: Backend, partition: Partition
    ) -> None:
        await append(backend, partition, *"abc")
        with pytest.raises(UnknownCursorError):
            await backend.commit(partition, [Truncate(LOG, "nobody")])
        assert await ids_in(backend, partition) == list("abc")

    async def test_truncate_after_a_removed_id_cuts_where_it_stood(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcd")
        await backend.commit(partition, [Remove(LOG, "b")])
        assert (await backend.commit(partition, [Truncate(LOG, "b")])).outcomes == (2,)
        assert await ids_in(backend, partition) == ["a"]

    async def test_trim_removes_what_comes_before_a_position(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcdef")
        await backend.commit(partition, [Remove(LOG, "b")])
        assert (await backend.commit(partition, [Trim(LOG, 4)])).outcomes == (2,)
        assert [(each.position, each.id) for each in (await backend.read(partition, LOG)).entries] == [
            (4, "d"),
            (5, "e"),
            (6, "f"),
        ]
        assert (await backend.commit(partition, [Trim(LOG, 4)])).outcomes == (0,)
        assert (await append(backend, partition, "d", "g")).outcomes == (-4, 7)

    async def test_a_trimmed_id_is_forgotten(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abcd")
        await backend.commit(partition, [Trim(LOG, 3)])
        with pytest.raises(UnknownCursorError):
            await backend.read(partition, LOG, after="a")
        assert (await append(backend, partition, "a")).outcomes == (5,)
        assert await ids_in(backend, partition) == ["c", "d", "a"]

    async def test_trimming_everything_leaves_an_empty_log_that_goes_on(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abc")
        assert (await backend.commit(partition, [Trim(LOG, 99)])).outcomes == (3,)
        assert await ids_in(backend, partition) == []
        assert (await append(backend, partition, "a")).outcomes == (4,)
        assert [each.position for each in (await backend.read(partition, LOG, newest_first=True)).entries] == [4]

    async def test_append_and_trim_go_together(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, *"abc")
        done = await backend.commit(partition, [Append(LOG, entry("d")), Trim(LOG, 3)])
        assert done.outcomes == (4, 2)
        assert await ids_in(backend, partition) == ["c", "d"]

    async def test_cuts_of_a_log_that_is_not_there_do_nothing(self, backend: Backend, partition: Partition) -> None:
        done = await backend.commit(partition, [Trim(LOG, 5), Truncate("other", 0)])
        assert done.outcomes == (0, 0)
        assert (await append(backend, partition, "a")).outcomes == (1,)

    async def test_replace_and_remove_after_a_cut_of_the_same_commit_are_refused(
        self, backend: Backend, partition: Partition
    ) -> None:
        await append(backend, partition, *"abc")
        for change in (Replace(LOG, entry("a")), Remove(LOG, "a")):
            with pytest.raises(InvalidError):
                await backend.commit(partition, [Trim(LOG, 2), change])
        assert await ids_in(backend, partition) == list("abc")

    async def test_many_cuts_and_appends_keep_every_position_right(self, backend: Backend, partition: Partition) -> None:
        expected: list[tuple[int, str]] = []
        position = 0
        for round in range(12):
            names = [f"{round}-{n}" for n in range(10)]
            await append(backend, partition, *names)
            expected += [(position + n + 1, name) for n, name in enumerate(names)]
            position += 10
            if round % 3 == 0:
                await backend.commit(partition, [Truncate(LOG, expected[-4][1])])
                expected = expected[:-3]
            elif round % 3 == 1:
                await backend.commit(partition, [Trim(LOG, expected[5][0])])
                expected = expected[5:]
            else:
                await backend.commit(partition, [Remove(LOG, expected[2][1])])
                del expected[2]
            found = (await backend.read(partition, LOG, limit=1000)).entries
            assert [(each.position, each.id) for each in found] == expected
            found = (await backend.read(partition, LOG, limit=1000, newest_first=True)).entries
            assert [(each.position, each.id) for each in found] == expected[::-1]
