"""Tenants: whatever characters names hold, no two partitions meet, and nobody sees another's."""

from __future__ import annotations

import pytest

from ..backend import Backend, Listing
from ..ids import new_id
from ..records import Partition, PutDocument
from .common import LOG, Topic, append, forget, ids_in

TRICKY = [
    "a:b",
    "a/b",
    "{a}",
    "}{",
    "a}b{c",
    "%",
    "%2F",
    "a%3Ab",
    "\x00",
    "a\x00b",
    "☃",
    "é",
    "e\u0301",
    "\u202eabc",
    "*",
    "a b",
    "A",
    ".",
]


class TenantTopic(Topic):
    """Tenants."""

    @pytest.mark.parametrize("name", [*TRICKY, "n" * 512], ids=ascii)
    async def test_a_name_of_any_characters_works(self, backend: Backend, owner: str, name: str) -> None:
        for each in (Partition(owner, name), Partition(f"{owner[:20]}{new_id()}{name}"[:400], "thread")):
            await backend.commit(each, [PutDocument("d", name.encode())], listed=True)
            await append(backend, each, "a")
            assert (await backend.fetch(each)).documents == {"d": name.encode()}
            assert await ids_in(backend, each) == ["a"]
            if isinstance(backend, Listing):
                assert [line.name for line in await backend.list(each.owner)] == [each.name]
            assert await backend.drop(each, tombstone_ms=0) is True

    async def test_owner_and_name_are_never_joined_so_that_two_meet(self, backend: Backend, owner: str) -> None:
        partitions = [
            Partition(f"{owner}{left}", right)
            for left, right in (
                ("a:b", "c"),
                ("a", "b:c"),
                ("a/b", "c"),
                ("a", "b/c"),
                ("a%2Fb", "c"),
                ("a}", "{c"),
                ("a", "}{c"),
                ("a", "c\x00"),
                ("a\x00", "c"),
                ("a", "c"),
                ("A", "c"),
            )
        ]
        for number, each in enumerate(partitions):
            await append(backend, each, f"i{number}")
        for number, each in enumerate(partitions):
            assert await ids_in(backend, each) == [f"i{number}"]
            assert await backend.revision(each) == 1
        await forget(backend, *partitions)

    async def test_another_owner_s_partition_of_the_same_name_is_another(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("d", b"mine")], listed=True)
        await append(backend, partition, "a")
        other = Partition(partition.owner + "2", partition.name)
        assert await backend.revision(other) == 0
        assert (await backend.read(other, LOG)).entries == []
        assert await backend.drop(other) is False
        if isinstance(backend, Listing):
            assert list(await backend.list(other.owner)) == []
        await append(backend, other, "b")
        await backend.drop(other, tombstone_ms=0)
        assert await ids_in(backend, partition) == ["a"]
