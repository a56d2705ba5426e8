"""Checkpoints that are read: the latest of a branch by its id, and pages in one order over all branches."""

from __future__ import annotations

import itertools

import pytest

from ..checkpoints import Checkpoint, Part
from ..limits import MAX_PAGE
from ..records import Partition
from .checkpoints_support import CheckpointingBackend, get, named, one, points, put, spanning, value, write
from .support import Suite, numbered

IDS = ("-", "1", "10", "1:", "2", "Z", "a", "ab", "é", "\uff5e", "😀")
"""In the order of their UTF-8 bytes."""
BRANCHES = ("", "a", "a\x01", "a:", "a:b", "ab", "é", "\uff5e", "😀")
"""Likewise."""


class ReadingCheckpoints(Suite):
    """`get_checkpoint` and `list_checkpoints`."""

    async def test_the_latest_is_the_one_with_the_greatest_id(self, backend: CheckpointingBackend, partition: Partition) -> None:
        for branch in ("", "b"):
            await backend.commit(partition, [put(id, branch=branch) for id in ("2", "10", "3", "1")])
            assert (await get(backend, partition, branch=branch)).checkpoints[0].id == "3"
        await backend.commit(partition, [put("29")])
        assert (await get(backend, partition)).checkpoints[0].id == "3"
        await backend.commit(partition, [put("4")])
        assert (await get(backend, partition)).checkpoints[0].id == "4"
        assert (await get(backend, partition, branch="b")).checkpoints[0].id == "3"

    async def test_one_is_found_by_its_branch_and_id_alone(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1", head=b"root"), put("1", branch="a:b", head=b"b"), put("11", branch="a")])
        assert (await get(backend, partition, "1")).checkpoints[0].head == b"root"
        assert (await get(backend, partition, "1", branch="a:b")).checkpoints[0].head == b"b"
        for branch, id in (("", "11"), ("a", "1"), ("a", "b\x011"), ("a:b", "11"), ("a:", "1"), ("", "2"), ("b", "1")):
            page = await backend.get_checkpoint(partition, branch, id)
            assert (points(page), page.parts, page.entries) == ([], {}, {})
        assert points(await backend.get_checkpoint(partition, "a:")) == []

    async def test_a_page_has_everything_of_its_checkpoints_and_nothing_else(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        parts = {named("a", n): spanning((n, 1), after=named("a", n - 1) if n > 1 else None) for n in range(1, 6)}
        await backend.commit(partition, numbered(5))
        for n, (name, part) in enumerate(parts.items(), 1):
            await backend.commit(partition, [put(str(n), parent=str(n - 1), parts={name: part}), write(str(n), one(f"t{n}"))])
        page = await backend.list_checkpoints(partition, before="4", limit=2)
        uses = {n: (named("a", n),) for n in (3, 2)}
        assert page.checkpoints == tuple(Checkpoint("", str(n), str(n - 1), b"head", uses[n], (one(f"t{n}"),)) for n in (3, 2))
        assert page.has_more
        assert set(page.parts) == {named("a", n) for n in (1, 2, 3)}
        assert set(page.entries) == {1, 2, 3}
        assert value(page, named("a", 3)) == b'{"text":"hello"}' * 3

    async def test_a_bare_page_has_heads_and_names_alone(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [*numbered(2), put("1", parts={named("a"): spanning((1, 2))}), write("1", one())])
        page = await backend.list_checkpoints(partition, bare=True)
        assert page.checkpoints == (Checkpoint("", "1", None, b"head", (named("a"),)),)
        assert (page.parts, page.entries, page.has_more) == ({}, {}, False)

    async def test_ids_and_branches_are_ordered_as_their_bytes_are(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        pairs = list(itertools.product(BRANCHES, IDS))
        await backend.commit(partition, [put(id, branch=branch) for branch, id in pairs[::2] + pairs[1::2]])
        found = points(await backend.list_checkpoints(partition, limit=MAX_PAGE, bare=True))
        assert found == pairs[::-1]
        for branch in BRANCHES:
            page = await backend.list_checkpoints(partition, branch=branch, limit=MAX_PAGE)
            assert points(page) == [(branch, id) for id in IDS[::-1]]
            assert points(await backend.get_checkpoint(partition, branch)) == [(branch, IDS[-1])]

    @pytest.mark.parametrize("bare", [False, True])
    async def test_pages_of_each_size_hold_each_one_once(
        self, backend: CheckpointingBackend, partition: Partition, bare: bool
    ) -> None:
        pairs = [(branch, id) for branch in ("", "a", "a:b", "b") for id in ("1", "12", "2", "3", "31")]
        await backend.commit(partition, [put(id, branch=branch) for branch, id in pairs])
        orders = [(None, None), ("a", None), (None, "3"), ("a:b", "2"), ("c", None), (None, "1")]
        for (branch, before), limit in itertools.product(orders, (1, 3, 5, 20)):
            wanted = [(b, id) for b, id in sorted(pairs, reverse=True) if branch in (None, b) and (before is None or id < before)]
            found: list[tuple[str, str]] = []
            while True:
                after = found[-1] if found else None
                page = await backend.list_checkpoints(
                    partition, branch=branch, before=before, after=after, limit=limit, bare=bare
                )
                got = points(page)
                assert got == wanted[len(found) : len(found) + limit], (branch, before, after, limit)
                found += got
                assert page.has_more == (len(found) < len(wanted)), (branch, before, after, limit)
                if not page.has_more:
                    break
            assert found == wanted

    async def test_a_page_goes_on_after_one_that_is_not_there(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put(id, branch=branch) for branch in ("a", "c") for id in ("1", "3")])
        for after, wanted in (
            (("z", "1"), ["c3", "c1", "a3", "a1"]),
            (("c", "4"), ["c3", "c1", "a3", "a1"]),
            (("c", "2"), ["c1", "a3", "a1"]),
            (("c", "0"), ["a3", "a1"]),
            (("b", "9"), ["a3", "a1"]),
            (("a", "2"), ["a1"]),
            (("a", "1"), []),
            (("", "9"), []),
        ):
            page = await backend.list_checkpoints(partition, after=after)
            assert ["".join(point) for point in points(page)] == wanted, after
            page = await backend.list_checkpoints(partition, after=after, limit=1)
            assert ["".join(point) for point in points(page)] == wanted[:1], after
            assert page.has_more == (len(wanted) > 1)
            page = await backend.list_checkpoints(partition, branch="a", after=after)
            assert ["".join(point) for point in points(page)] == [point for point in wanted if point[0] == "a"], after
            page = await backend.list_checkpoints(partition, after=after, before="2")
            assert ["".join(point) for point in points(page)] == [point for point in wanted if point[1] == "1"], after

    async def test_twenty_are_a_page_where_nobody_says(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put(f"{n:02}", parts={named("a", n): Part(b"%d" % n)}) for n in range(21)])
        page = await backend.list_checkpoints(partition)
        assert (len(page.checkpoints), page.has_more) == (20, True)
        assert {name: part.data for name, part in page.parts.items()} == {named("a", n): b"%d" % n for n in range(1, 21)}

    async def test_a_page_ends_before_a_branch_with_another_part_of_the_same_name(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        a, b, c = named("a"), named("b"), named("c")
        parts = {"z": {a: Part(b"same")}, "y": {a: Part(b"same"), b: Part(b"1")}, "x": {c: Part(b"", b), b: Part(b"2")}}
        for branch in "xyz":
            await backend.commit(
                partition, [put("1", branch=branch, parts=parts[branch]), put("2", *parts[branch], branch=branch)]
            )
        page = await backend.list_checkpoints(partition)
        assert points(page) == [("z", "2"), ("z", "1"), ("y", "2"), ("y", "1")]
        assert (page.parts, page.has_more) == ({**parts["z"], **parts["y"]}, True)
        page = await backend.list_checkpoints(partition, after=("y", "1"))
        assert (points(page), page.parts, page.has_more) == ([("x", "2"), ("x", "1")], parts["x"], False)
        page = await backend.list_checkpoints(partition, bare=True)
        assert (len(page.checkpoints), page.has_more) == (6, False)
