"""Appending and replacing: positions, ids that are there already, and every field as it was given."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..codec import make_entry
from ..errors import ConflictError, NotFoundError
from ..records import Append, Entry, Partition, Remove, Replace, Trim, Truncate
from .support import LOG, Suite, add, entry, ids, numbered, positions, read_ids

IDS = [
    "0123456789abcdef0123456789abcdef",
    "0123456789ABCDEF0123456789ABCDEF",
    "0123456789abcdef0123456789abcde",
    "x" * 15,
    "x" * 16,
    "x" * 17,
    "x" * 253,
    "x" * 254,
    "x" * 255,
    "x" * 256,
    "x" * 512,
    "ž" * 256,
    "1",
    "01",
    " ",
    "a\0b",
    "unreadable-1",
]


class Entries(Suite):
    """`Append` and `Replace`."""

    async def test_positions_start_at_one_and_grow_by_one(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, add("a", "b"))).outcomes == (1, 2)
        assert (await backend.commit(partition, add("c"))).outcomes == (3,)
        assert positions(await backend.read(partition, LOG)) == [1, 2, 3]

    async def test_an_entry_keeps_every_field(self, backend: Backend, partition: Partition) -> None:
        made = make_entry(
            "id",
            bytes(range(256)),
            kind="tool_call",
            codec="openai.responses/1",
            author="ada",
            parent="parent",
            status="pending",
            links=("call-1", "call-2"),
            created_ms=1_234_567_890_123,
        )
        plain = make_entry("plain", b"", created_ms=0)
        await backend.commit(partition, [Append(LOG, made), Append(LOG, plain)])
        found = (await backend.read(partition, LOG)).entries
        assert found == [_at(made, 1), _at(plain, 2)]

    @pytest.mark.parametrize("field", ["kind", "codec", "author", "parent", "status", "links"])
    async def test_each_field_is_kept_by_itself(self, backend: Backend, partition: Partition, field: str) -> None:
        value: object = ("x", "ž") if field == "links" else "x"
        made = make_entry("id", b"1", created_ms=1, **{field: value})  # type: ignore[arg-type] # one name of several
        await backend.commit(partition, [Append(LOG, made)])
        assert (await backend.read(partition, LOG)).entries == [_at(made, 1)]

    async def test_the_first_entry_of_an_id_is_kept(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a", "b", data=b"first"))
        done = await backend.commit(partition, add("b", "c", "a", data=b"second"))
        assert (done.revision, done.outcomes) == (2, (-2, 3, -1))
        again = await backend.commit(partition, add("a", data=b"third"))
        assert (again.revision, again.outcomes) == (3, (-1,))
        page = await backend.read(partition, LOG)
        assert [(each.id, each.data, each.position) for each in page.entries] == [
            ("a", b"first", 1),
            ("b", b"first", 2),
            ("c", b"second", 3),
        ]

    async def test_an_id_is_known_among_many(self, backend: Backend, partition: Partition) -> None:
        for first in range(1, 1000, 90):
            await backend.commit(partition, numbered(90, first))
        count = 1 + (999 - 1) // 90 * 90 + 89
        known = [f"i{n}" for n in range(1, count + 1, 7)]
        done = await backend.commit(partition, add(*known[:90]))
        assert done.outcomes == tuple(-n for n in range(1, count + 1, 7))[:90]
        general = await backend.commit(partition, [*add(*known), *add("new")])
        assert general.outcomes == (*(-n for n in range(1, count + 1, 7)), count + 1)

    async def test_equal_data_under_two_ids_is_kept_twice(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, add("a", "b", data=b"same"))
        await backend.commit(partition, add("c", data=b"same"))
        assert await read_ids(backend, partition) == ["a", "b", "c"]

    async def test_ids_of_all_shapes_are_told_apart(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, add(*IDS))).outcomes == tuple(range(1, len(IDS) + 1))
        assert await read_ids(backend, partition) == IDS
        assert (await backend.commit(partition, add(*reversed(IDS)))).outcomes == tuple(range(-len(IDS), 0))
        for number, id in enumerate(IDS, 1):
            after = await backend.read(partition, LOG, after=id, limit=1)
            assert positions(after) == [number + 1] * (number < len(IDS))

    async def test_an_id_counts_in_its_own_log_only(self, backend: Backend, partition: Partition) -> None:
        done = await backend.commit(partition, [*add("a"), *add("a", log="other"), *add("b", log="other")])
        assert done.outcomes == (1, 1, 2)
        assert await read_ids(backend, partition) == ["a"]
        assert await read_ids(backend, partition, "other") == ["a", "b"]

    async def test_a_removed_id_may_be_appended_again(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(3))
        await backend.commit(partition, [Remove(LOG, "i2")])
        assert (await backend.commit(partition, add("i2", data=b"new"))).outcomes == (4,)
        page = await backend.read(partition, LOG)
        assert (ids(page), positions(page)) == (["i1", "i3", "i2"], [1, 3, 4])
        assert (await backend.commit(partition, add("i2"))).outcomes == (-4,)
        assert ids(await backend.read(partition, LOG, after="i2")) == []
        assert (await backend.commit(partition, [Remove(LOG, "i2")])).outcomes == (4,)
        assert (await backend.commit(partition, [*add("i2"), *add("x", log="other")])).outcomes == (5, 1)

    @pytest.mark.parametrize("cut", [Truncate(LOG, 1), Truncate(LOG, "i1"), Trim(LOG, 3), Trim(LOG, 4)])
    async def test_an_id_that_was_cut_off_may_be_appended_again(
        self, backend: Backend, partition: Partition, cut: Truncate | Trim
    ) -> None:
        await backend.commit(partition, numbered(3))
        await backend.commit(partition, [cut])
        assert (await backend.commit(partition, add("i2", data=b"new"))).outcomes == (4,)
        assert (await backend.read(partition, LOG, limit=1, newest_first=True)).entries[0].data == b"new"
        assert (await backend.commit(partition, add("i2"))).outcomes == (-4,)

    async def test_a_cut_and_an_append_of_the_same_id_go_in_one_commit(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(3))
        assert (await backend.commit(partition, [Truncate(LOG, 1), *add("i3", "i2")])).outcomes == (2, 4, 5)
        assert (await backend.commit(partition, [Trim(LOG, 5), *add("i1")])).outcomes == (2, 6)
        page = await backend.read(partition, LOG)
        assert (ids(page), positions(page)) == (["i2", "i1"], [5, 6])

    async def test_a_replaced_entry_stays_in_its_place(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, numbered(3))
        changed = make_entry("i2", b"changed", kind="note", status="done", links=("x",), created_ms=7)
        done = await backend.commit(partition, [Replace(LOG, changed)])
        assert (done.revision, done.outcomes) == (2, (2,))
        page = await backend.read(partition, LOG)
        assert (ids(page), positions(page)) == (["i1", "i2", "i3"], [1, 2, 3])
        assert page.entries[1] == _at(changed, 2)
        assert (await backend.commit(partition, add("i2"))).outcomes == (-2,)

    async def test_what_is_not_there_cannot_be_replaced(self, backend: Backend, partition: Partition) -> None:
        with pytest.raises(NotFoundError):
            await backend.commit(partition, [Replace(LOG, entry("a"))])
        assert await backend.revision(partition) == 0
        await backend.commit(partition, numbered(4))
        await backend.commit(partition, [Remove(LOG, "i2"), Truncate(LOG, 3), Trim(LOG, 2)])
        for id in ("i1", "i2", "i4", "unknown"):
            with pytest.raises(NotFoundError):
                await backend.commit(partition, [Replace(LOG, entry(id, b"new"))])
        with pytest.raises(NotFoundError):
            await backend.commit(partition, [Replace("other", entry("i3"))])
        assert await read_ids(backend, partition) == ["i3"]

    async def test_a_replacement_may_expect_what_was_read(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [*add("a"), Append(LOG, entry("b", b"1", status="pending"))])
        read = (await backend.read(partition, LOG)).entries[1]
        await backend.commit(partition, [Replace(LOG, entry("b", b"1", status="running"), read)])
        with pytest.raises(ConflictError):
            await backend.commit(partition, [Replace(LOG, entry("b", b"1", status="done"), read)])
        now = (await backend.read(partition, LOG)).entries[1]
        assert (now.status, now.position) == ("running", 2)
        await backend.commit(partition, [Replace(LOG, entry("b", b"2", status="done"), now)])
        assert (await backend.read(partition, LOG)).entries[1].data == b"2"
        with pytest.raises(NotFoundError):
            await backend.commit(partition, [Replace(LOG, entry("c"), entry("c"))])


def _at(made: Entry, position: int) -> Entry:
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    return Entry(**fields | {"position": position})
