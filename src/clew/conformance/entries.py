"""Entries: append, dedupe by id, replace in place, remove; positions are given once."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from ..backend import Backend
from ..codec import make_entry
from ..errors import ConflictError, NotFoundError
from ..ids import new_id
from ..records import Append, Partition, Remove, Replace
from .common import LOG, Topic, append, entry, ids_in


class EntryTopic(Topic):
    """Entries."""

    @pytest.mark.parametrize(
        "data", [b"", b"\x00\xff\xc0", "é☃".encode(), b"x" * 1_000_000], ids=["empty", "binary", "utf8", "1MB"]
    )
    async def test_an_entry_s_bytes_come_back_unchanged(self, backend: Backend, partition: Partition, data: bytes) -> None:
        await backend.commit(partition, [Append(LOG, entry("a", data))])
        (found,) = (await backend.read(partition, LOG)).entries
        assert found.data == data

    async def test_the_whole_envelope_comes_back(self, backend: Backend, partition: Partition) -> None:
        made = make_entry(
            "é☃",
            b"d",
            kind="tool_call",
            codec="x/1",
            author="ada",
            parent="p",
            status="pending",
            links=("l1", "l2"),
            created_ms=7,
        )
        await backend.commit(partition, [Append(LOG, made)])
        (found,) = (await backend.read(partition, LOG)).entries
        assert found == msgspec.structs.replace(made, position=1)
        assert found.id == "é☃"

    async def test_positions_count_from_one_in_the_order_of_commits(self, backend: Backend, partition: Partition) -> None:
        assert (await append(backend, partition, "b", "a")).outcomes == (1, 2)
        assert (await append(backend, partition, "c")).outcomes == (3,)
        entries = (await backend.read(partition, LOG)).entries
        assert [(each.position, each.id) for each in entries] == [(1, "b"), (2, "a"), (3, "c")]

    async def test_ids_of_every_length_are_told_apart(self, backend: Backend, partition: Partition) -> None:
        ids = [
            new_id(),
            new_id().upper(),
            *("x" * size for size in (1, 14, 15, 16, 17, 31, 32, 33, 255, 256, 257, 512)),
            "\x00",
            "a\x00",
        ]
        await append(backend, partition, *ids)
        assert await ids_in(backend, partition) == ids
        assert (await append(backend, partition, *ids)).outcomes == tuple(-n for n in range(1, len(ids) + 1))

    async def test_appending_an_id_again_keeps_the_first_and_tells_where(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [Append(LOG, entry("a", b"1")), Append(LOG, entry("b", b"2"))])
        done = await backend.commit(partition, [Append(LOG, entry("c", b"3")), Append(LOG, entry("a", b"9"))])
        assert done.outcomes == (3, -1)
        entries = (await backend.read(partition, LOG)).entries
        assert [(each.id, each.data) for each in entries] == [("a", b"1"), ("b", b"2"), ("c", b"3")]

    async def test_one_id_appended_by_many_at_once_is_there_once(self, backend: Backend, partition: Partition) -> None:
        done = await asyncio.gather(*(append(backend, partition, "same", f"own{n}") for n in range(30)))
        assert sorted(await ids_in(backend, partition)) == sorted(["same", *(f"own{n}" for n in range(30))])
        assert sum(commit.outcomes[0] > 0 for commit in done) == 1
        assert len({abs(commit.outcomes[0]) for commit in done}) == 1

    async def test_a_log_of_many_entries_knows_every_id(self, backend: Backend, partition: Partition) -> None:
        ids = [f"id-{n}" for n in range(1500)]
        for start in range(0, 1500, 250):
            await append(backend, partition, *ids[start : start + 250])
        assert (await append(backend, partition, *ids[700:800])).outcomes == tuple(-n for n in range(701, 801))
        page = await backend.read(partition, LOG, after="id-999", limit=2)
        assert [each.id for each in page.entries] == ["id-1000", "id-1001"]
        assert (await append(backend, partition, "new")).outcomes == (1501,)

    async def test_replace_keeps_the_place(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a", "b", "c")
        done = await backend.commit(partition, [Replace(LOG, entry("b", b"new", status="done"))])
        assert done.outcomes == (2,)
        entries = (await backend.read(partition, LOG)).entries
        assert [(each.position, each.id, each.data, each.status) for each in entries] == [
            (1, "a", b"a", None),
            (2, "b", b"new", "done"),
            (3, "c", b"c", None),
        ]
        assert (await append(backend, partition, "b")).outcomes == (-2,)

    async def test_replacing_what_is_not_there_is_not_found(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        await backend.commit(partition, [Remove(LOG, "a")])
        for id in ("a", "nobody"):
            with pytest.raises(NotFoundError):
                await backend.commit(partition, [Replace(LOG, entry(id))])
        assert await ids_in(backend, partition) == []

    async def test_replace_with_a_condition_wants_the_very_entry_that_was_read(
        self, backend: Backend, partition: Partition
    ) -> None:
        await append(backend, partition, "a")
        (read,) = (await backend.read(partition, LOG)).entries
        await backend.commit(partition, [Replace(LOG, msgspec.structs.replace(read, status="one"), when=read)])
        with pytest.raises(ConflictError):
            await backend.commit(partition, [Replace(LOG, msgspec.structs.replace(read, status="two"), when=read)])
        (found,) = (await backend.read(partition, LOG)).entries
        assert (found.status, found.data) == ("one", b"a")

    async def test_of_many_that_replace_what_they_read_one_wins(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a")
        (read,) = (await backend.read(partition, LOG)).entries

        async def claim(number: int) -> bool:
            try:
                await backend.commit(partition, [Replace(LOG, msgspec.structs.replace(read, status=str(number)), when=read)])
            except ConflictError:
                return False
            return True

        assert sum(await asyncio.gather(*map(claim, range(10)))) == 1

    async def test_remove_leaves_a_hole_that_is_never_filled(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a", "b", "c")
        assert (await backend.commit(partition, [Remove(LOG, "c"), Remove(LOG, "a")])).outcomes == (3, 1)
        assert (await backend.commit(partition, [Remove(LOG, "a"), Remove(LOG, "nobody")])).outcomes == (0, 0)
        assert (await append(backend, partition, "d")).outcomes == (4,)
        assert [each.position for each in (await backend.read(partition, LOG)).entries] == [2, 4]

    async def test_a_removed_id_may_be_appended_again_and_gets_a_new_place(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a", "b")
        await backend.commit(partition, [Remove(LOG, "a")])
        assert (await append(backend, partition, "a")).outcomes == (3,)
        assert (await append(backend, partition, "a")).outcomes == (-3,)
        assert await ids_in(backend, partition) == ["b", "a"]
        await backend.commit(partition, [Remove(LOG, "a")])
        assert await ids_in(backend, partition) == ["b"]

    async def test_a_record_from_a_newer_format_is_kept_and_reported(self, backend: Backend, partition: Partition) -> None:
        newer = msgspec.structs.replace(entry("new", b"from the future"), format=2)
        await backend.commit(partition, [Append(LOG, entry("a")), Append(LOG, newer), Append(LOG, entry("b"))])
        for newest_first in (False, True):
            entries = (await backend.read(partition, LOG, newest_first=newest_first)).entries
            assert [each.position for each in entries] == ([3, 2, 1] if newest_first else [1, 2, 3])
            assert entries[1].unreadable is not None
            assert entries[1].id == "new"
            assert b"from the future" in entries[1].data

    async def test_logs_of_a_partition_do_not_meet(self, backend: Backend, partition: Partition) -> None:
        await append(backend, partition, "a", log="one")
        await append(backend, partition, "a", "b", log="o/ne:{2} é")
        assert await ids_in(backend, partition, "one") == ["a"]
        assert await ids_in(backend, partition, "o/ne:{2} é") == ["a", "b"]
        assert await ids_in(backend, partition, "other") == []
