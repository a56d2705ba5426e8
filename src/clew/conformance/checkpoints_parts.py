"""Parts of checkpoints: what they go on from, and the entries that they refer to, wherever these stand."""

from __future__ import annotations

import msgspec
import pytest

from ..checkpoints import Part, Span
from ..limits import MAX_PAGE
from ..records import Append, Change, Partition, Remove, Replace, Trim, Truncate
from .checkpoints_support import CheckpointingBackend, data_of, get, named, put, refers, spanning, value
from .support import LOG, Suite, add, entry

A, B, C = named("a"), named("b"), named("c")


def letters(text: str) -> list[Change]:
    """Return an append for each letter: its id, and its data."""
    return [Append(LOG, entry(letter, letter.encode())) for letter in text]


class PartsOfCheckpoints(Suite):
    """`Part` and `Span`."""

    async def test_a_part_holds_the_entries_that_it_refers_to_in_its_order(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, letters("abcdefg"))
        part = spanning((6, 2), (2, 1), (1, 3), (2, 1))
        await backend.commit(partition, [put("1", parts={A: part})])
        page = await get(backend, partition)
        assert refers(page.parts[A]) == refers(part)
        assert data_of(page) == {n: ("json", letter.encode()) for n, letter in enumerate("abcdefg", 1) if letter not in "de"}
        assert value(page, A) == b"fgbabcb"

    async def test_a_part_may_have_data_and_entries(self, backend: CheckpointingBackend, partition: Partition) -> None:
        part = Part(b"\0x", None, (Span(1, 1),))
        await backend.commit(partition, [*letters("a"), put("1", parts={A: part})])
        page = await get(backend, partition)
        assert (page.parts, data_of(page)) == ({A: part}, {1: ("json", b"a")})

    async def test_the_codec_of_an_entry_is_told(self, backend: CheckpointingBackend, partition: Partition) -> None:
        odd = msgspec.structs.replace(entry("a", b"\xc4"), codec="langgraph/msgpack+aes")
        await backend.commit(partition, [Append(LOG, odd), put("1", parts={A: spanning((-1, 1))})])
        assert data_of(await get(backend, partition)) == {1: ("langgraph/msgpack+aes", b"\xc4")}

    async def test_a_negative_span_is_what_the_commit_appends(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, letters("ab"))
        parts = {A: spanning((1, 2), (-1, 1)), B: spanning((-1, 3), after=A), C: spanning((-3, 1), (2, 1), (-2, 2))}
        await backend.commit(partition, [put("1", parts=parts), *add("x", "y", log="other"), *letters("cde")])
        page = await get(backend, partition)
        assert [refers(page.parts[name]) for name in (A, B, C)] == [[1, 2, 3], [3, 4, 5], [5, 2, 4, 5]]
        assert [value(page, name) for name in (A, B, C)] == [b"abc", b"abccde", b"ebde"]

    async def test_a_negative_span_finds_an_entry_that_was_there_already(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, letters("abc"))
        await backend.commit(partition, [*letters("bxcya"), put("1", parts={A: spanning((-1, 5)), B: spanning((-2, 1))})])
        page = await get(backend, partition)
        assert refers(page.parts[A]) == [2, 4, 3, 5, 1]
        assert (value(page, A), value(page, B)) == (b"bxcya", b"x")

    async def test_an_entry_that_was_there_already_keeps_its_data(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, letters("a"))
        await backend.commit(partition, [*add("a", "b", data=b"other"), put("1", parts={A: spanning((-1, 2))})])
        assert value(await get(backend, partition), A) == b"aother"

    async def test_positions_go_on_after_a_cut(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, letters("abc"))
        await backend.commit(partition, [Truncate(LOG, 1)])
        await backend.commit(partition, [*letters("de"), put("1", parts={A: spanning((1, 1), (-1, 2))})])
        page = await get(backend, partition)
        assert refers(page.parts[A]) == [1, 4, 5]
        assert value(page, A) == b"ade"

    @pytest.mark.parametrize(
        ("change", "left"),
        [
            (Remove(LOG, "c"), b"abde"),
            (Truncate(LOG, 3), b"abc"),
            (Trim(LOG, 3), b"cde"),
            (Trim(LOG, 100), b""),
            (Replace(LOG, entry("c", b"C")), b"abCde"),
        ],
    )
    async def test_what_was_removed_is_left_out_and_what_was_replaced_is_new(
        self, backend: CheckpointingBackend, partition: Partition, change: Change, left: bytes
    ) -> None:
        await backend.commit(partition, [*letters("abcde"), put("1", parts={A: spanning((-1, 5))})])
        await backend.commit(partition, [change])
        await backend.commit(partition, letters("xyz"))
        for window in (0, 2, 256):
            page = await backend.get_checkpoint(partition, "", window=window)
            assert (refers(page.parts[A]), value(page, A)) == ([1, 2, 3, 4, 5], left)
            assert len(page.entries) == len(left)

    async def test_every_entry_comes_however_small_the_window_is(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, [Append(LOG, entry(f"i{n}", b"%d," % n)) for n in range(1, 41)])
        await backend.commit(partition, [Remove(LOG, "i5"), Remove(LOG, "i39"), Remove(LOG, "i40")])
        parts = {A: spanning((2, 37)), B: spanning((4, 3), (20, 1)), C: spanning((35, 4))}
        changes: list[Change] = [put(name[0], parts={name: part}) for name, part in parts.items()]
        await backend.commit(partition, [*changes, put("d", parts=parts, parent="c")])
        whole = {name: b"".join(b"%d," % n for n in refers(part) if n not in (5, 39, 40)) for name, part in parts.items()}
        for window in (0, 1, 2, 3, 6, 20, 36, 37, 38, 39, 40, 41, MAX_PAGE):
            for name in parts:
                page = await backend.get_checkpoint(partition, "", name[0], window=window)
                assert value(page, name) == whole[name], window
                assert set(page.entries) == set(refers(parts[name])) - {5, 39, 40}, window
            trace = await backend.trace_checkpoint(partition, "", "d", ["c"], window=window)
            assert value(trace, C) == whole[C]
        page = await backend.list_checkpoints(partition)
        assert {name: value(page, name) for name in parts} == whole

    async def test_entries_that_stand_far_apart_come_however_small_the_window_is(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, [Append(LOG, entry(f"i{n}", b"%d," % n)) for n in range(1, 301)])
        await backend.commit(partition, [Remove(LOG, "i80"), Trim(LOG, 4)])
        parts = {A: spanning((150, 3), (290, 2)), B: spanning((2, 3), (79, 3), (200, 1), (151, 60), after=A)}
        await backend.commit(partition, [put("1", B, parts=parts)])
        gone = {2, 3, 80}
        wanted = b"".join(b"%d," % n for name in (A, B) for n in refers(parts[name]) if n not in gone)
        for window in (0, 1, 10, 11, 100, 101, 222, 297, 300, 301):
            page = await backend.get_checkpoint(partition, "", window=window)
            assert value(page, B) == wanted, window
            assert set(page.entries) == {*refers(parts[A]), *refers(parts[B])} - gone, window

    async def test_a_span_may_reach_beyond_the_log(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [*letters("abc"), put("1", parts={A: spanning((2, 100_000), (90_000, 3))})])
        for window in (0, 1, 256):
            page = await backend.get_checkpoint(partition, "", window=window)
            assert data_of(page) == {2: ("json", b"b"), 3: ("json", b"c")}

    async def test_a_part_goes_on_from_earlier_ones(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, letters("0123456789"))
        for n in range(40):
            part = spanning((n % 10 + 1, 1), after=named("a", n - 1) if n else None)
            await backend.commit(partition, [put(f"{n:02}", parts={named("a", n): part})])
        page = await get(backend, partition)
        assert page.checkpoints[0].uses == (named("a", 39),)
        assert set(page.parts) == {named("a", n) for n in range(40)}
        assert value(page, named("a", 39)) == b"0123456789" * 4
        page = await get(backend, partition, "07")
        assert value(page, named("a", 7)) == b"01234567"
        assert set(page.parts) == {named("a", n) for n in range(8)}

    async def test_parts_that_go_on_from_each_other_in_a_circle_are_told_once(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        parts = {A: Part(b"a", B), B: Part(b"b", A), C: Part(b"c", C)}
        await backend.commit(partition, [put("1", parts=parts), put("2", A)])
        assert (await get(backend, partition, "1")).parts == parts
        assert set((await get(backend, partition, "2")).parts) == {A, B}
        await backend.commit(partition, [put("3", A, parent="2")])
        assert set((await backend.trace_checkpoint(partition, "", "3", ["a"])).parts) == {A, B}
