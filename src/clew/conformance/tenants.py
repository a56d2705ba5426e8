"""Owners and names of every spelling: two partitions never meet, and what is no valid id is refused."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..errors import InvalidError, NotFoundError, UnknownCursorError
from ..records import PRESENT, Change, Partition, PutDocument
from .support import LOG, Fresh, Suite, add, read_ids

ODD = [
    "a:b",
    "a/b",
    "a%3Ab",
    "a%2Fb",
    "%",
    "%%",
    "{a}",
    "{",
    "}",
    "{}",
    "}{",
    "a}:meta",
    "*",
    "?",
    "[a]",
    "\\",
    "'",
    '"',
    "a b",
    " a",
    "a ",
    "a\nb",
    "a\0b",
    "\0",
    "a",
    "A",
    "é",
    "e\u0301",
    "😀",
    "👩\u200d👩\u200d👧",
    "\u202eabc",
    "שלום",
    "../..",
    "-",
    "--",
    "1",
    "01",
    "None",
    "x" * 400,
]
"""Told apart by their bytes, also where people read them alike."""


class Tenants(Suite):
    """Partitions by their names."""

    async def test_names_of_all_spellings_are_told_apart(self, backend: Backend, fresh: Fresh) -> None:
        partitions = [fresh(name) for name in ODD]
        await _tell_apart(backend, partitions)

    async def test_owners_of_all_spellings_are_told_apart(self, backend: Backend, fresh: Fresh) -> None:
        partitions = [fresh("thread", owner=owner) for owner in ODD]
        await _tell_apart(backend, partitions)

    async def test_the_border_between_owner_and_name_is_kept(self, backend: Backend, fresh: Fresh) -> None:
        pairs = [
            ("a:b", "c"),
            ("a", "b:c"),
            ("a/b", "c"),
            ("a", "b/c"),
            ("a%2Fb", "c"),
            ("a", "b%2Fc"),
            ("a}", "{c"),
            ("a", "}{c"),
            ("a\0b", "c"),
            ("a", "b\0c"),
            ("ab", "c"),
            ("a", "bc"),
            ("a:", ":c"),
            ("a", "::c"),
            ("a::", "c"),
        ]
        await _tell_apart(backend, [fresh(name, owner=owner) for owner, name in pairs])

    async def test_logs_of_all_spellings_are_told_apart(self, backend: Backend, partition: Partition) -> None:
        for number, log in enumerate(ODD):
            await backend.commit(partition, add(f"i{number}", log=log))
        for number, log in enumerate(ODD):
            assert await read_ids(backend, partition, log) == [f"i{number}"]

    async def test_documents_of_all_spellings_are_told_apart(self, backend: Backend, partition: Partition) -> None:
        documents = {key: str(number).encode() for number, key in enumerate(ODD)}
        await backend.commit(partition, [PutDocument(key, data) for key, data in documents.items()])
        assert (await backend.fetch(partition)).documents == documents
        assert (await backend.fetch(partition, ODD)).documents == documents

    async def test_entries_of_all_spellings_are_told_apart(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, add(*ODD))).outcomes == tuple(range(1, len(ODD) + 1))
        assert await read_ids(backend, partition) == ODD
        for number, id in enumerate(ODD, 1):
            page = await backend.read(partition, LOG, after=id, before=id, inclusive=True)
            assert [each.position for each in page.entries] == [number]

    async def test_ids_of_the_greatest_length_are_taken(self, backend: Backend, fresh: Fresh) -> None:
        prefix = fresh.owner
        partitions = [
            fresh.exact(prefix + "x" * (512 - len(prefix)), "y" * 512),
            fresh.exact(prefix + "x" * (512 - len(prefix)), "y" * 511),
            fresh.exact(prefix + "ž" * ((512 - len(prefix)) // 2), "😀" * 128),
        ]
        await _tell_apart(backend, partitions)

    async def test_another_owners_thread_is_not_found(self, backend: Backend, fresh: Fresh) -> None:
        mine, theirs = fresh("same", owner="mine"), fresh("same", owner="theirs")
        await backend.commit(mine, [*add("a"), PutDocument("x", b"secret")])
        assert await backend.revision(theirs) == 0
        assert (await backend.fetch(theirs)).documents == {}
        assert await read_ids(backend, theirs) == []
        with pytest.raises(UnknownCursorError):
            await backend.read(theirs, LOG, after="a")
        with pytest.raises(NotFoundError):
            await backend.commit(theirs, add("b"), expect=PRESENT)
        assert await backend.drop(theirs) is False
        assert await read_ids(backend, mine) == ["a"]

    @pytest.mark.parametrize("bad", ["", "x" * 513, "ž" * 257, "\ud800", None, 1, b"a"])
    async def test_what_is_no_id_is_refused(self, backend: Backend, fresh: Fresh, bad: str) -> None:
        good = fresh()
        for partition in (Partition(bad, "name"), Partition(fresh.owner, bad)):
            with pytest.raises(InvalidError):
                await backend.commit(partition, add("a"))
            with pytest.raises(InvalidError):
                await backend.fetch(partition)
            with pytest.raises(InvalidError):
                await backend.read(partition, LOG)
            with pytest.raises(InvalidError):
                await backend.revision(partition)
            with pytest.raises(InvalidError):
                await backend.drop(partition)
            with pytest.raises(InvalidError):
                await anext(backend.follow(partition, LOG))
        with pytest.raises(InvalidError):
            await backend.read(good, bad)
        with pytest.raises(InvalidError):
            await anext(backend.follow(good, bad))


async def _tell_apart(backend: Backend, partitions: list[Partition]) -> None:
    for number, partition in enumerate(partitions):
        changes: list[Change] = [*add(f"i{number}"), PutDocument("number", str(number).encode())]
        assert (await backend.commit(partition, changes, expect=0)).revision == 1, partition
    for number, partition in enumerate(partitions):
        assert await read_ids(backend, partition) == [f"i{number}"]
        assert (await backend.fetch(partition)).documents == {"number": str(number).encode()}
    for partition in partitions:
        assert await backend.drop(partition, tombstone_ms=0) is True, partition
