"""Names of every spelling, and what is none: checkpoints of two names never meet, and bad arguments write nothing."""

from __future__ import annotations

from typing import Any

import pytest

from ..checkpoints import Fenced, Part, PutWrites, Span, Write
from ..errors import InvalidError
from ..limits import MAX_BRANCH_BYTES, MAX_DATA_BYTES, MAX_PAGE
from ..records import Change, Partition
from .checkpoints_support import CheckpointingBackend, drop, get, named, one, points, put, read_writes, spanning, value, write
from .support import Fresh, Suite, add
from .tenants import ODD

NAMES = [name for name in ODD if "\0" not in name]
LONGEST = "x" * (MAX_BRANCH_BYTES - 2) + "é"

BAD: list[Change] = [
    put(""),
    put("a\0b"),
    put("x" * 513),
    put("\ud800"),
    put("1", branch="a\0"),
    put("1", branch="x" * (MAX_BRANCH_BYTES + 1)),
    put("1", parent=""),
    put("1", parent="\0"),
    put("1", "a"),
    put("1", "\0"),
    put("1", "a\0"),
    put("1", "\0a"),
    put("1", "a\0b\0c"),
    put("1", "x" * 511 + "\0v"),
    put("1", parts={"a": Part()}),
    put("1", parts={named("a"): Part(after="a")}),
    put("1", parts={named("a"): spanning((0, 1))}),
    put("1", parts={named("a"): spanning((1, 0))}),
    put("1", parts={named("a"): spanning((1, -1))}),
    put("1", parts={named("a"): spanning((-2, 1))}),
    put("1", parts={named("a"): spanning((-1, 2))}),
    put("1", parts={named("a"): Part(spans=(Span(1, 2**70),))}),
    put("1", parts={named("a"): Part("text")}),  # type: ignore[arg-type] # that is the point
    put("1", head="text"),  # type: ignore[arg-type]
    put("1", made_ms=-1),
    put("1", made_ms="1"),  # type: ignore[arg-type]
    write(""),
    write("1", one("")),
    write("1", one("a\0b")),
    write("1", one(path="a\0b")),
    write("1", one(path="x" * (MAX_BRANCH_BYTES + 1))),
    write("1", one(channel="")),
    write("1", one(index=-1001)),
    write("1", one(index=1_000_000)),
    write("1", one(index=1.5)),  # type: ignore[arg-type]
    write("1", one(data="text")),  # type: ignore[arg-type]
    write("1", branch="\0"),
    drop(("", "")),
    drop(("a\0", "1")),
    Fenced("", 1),
    Fenced("lock", 0),
    Fenced("lock", 2**70),
]


class NamesOfCheckpoints(Suite):
    """Branches, ids, parts, channels and tasks by their names."""

    async def test_branches_and_ids_of_all_spellings_are_told_apart(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        pairs = [*((name, "1") for name in ["", *NAMES, LONGEST]), *(("", name) for name in NAMES if name != "1"), ("a", "b:1")]
        changes: list[Change] = []
        for number, (branch, id) in enumerate(pairs):
            changes += [put(id, branch=branch, head=b"%d" % number), write(id, one(data=b"%d" % number), branch=branch)]
        await backend.commit(partition, changes)
        for number, (branch, id) in enumerate(pairs):
            found = (await get(backend, partition, id, branch=branch)).checkpoints[0]
            assert (found.branch, found.id, found.head) == (branch, id, b"%d" % number)
            assert found.writes == (one(data=b"%d" % number),)
        page = await backend.list_checkpoints(partition, limit=MAX_PAGE)
        assert points(page) == sorted(pairs, key=lambda pair: (pair[0].encode(), pair[1].encode()), reverse=True)
        half = pairs[::2]
        assert (await backend.commit(partition, [drop(*half)])).outcomes == (len(half),)
        page = await backend.list_checkpoints(partition, limit=MAX_PAGE)
        assert set(points(page)) == set(pairs[1::2])

    async def test_parts_of_all_spellings_are_told_apart(self, backend: CheckpointingBackend, partition: Partition) -> None:
        names = [name for name in NAMES if len(name) < 400]
        parts = {named(name, version): Part(name.encode() + b"/%d" % version) for name in names for version in (1, 11)}
        parts |= {named("a", name): Part(name.encode()) for name in names if not name.isdigit()}
        await backend.commit(partition, [put("1", parts=parts, parent="0"), put("2", parent="1")])
        page = await get(backend, partition, "1")
        assert (page.checkpoints[0].uses, page.parts) == (tuple(parts), parts)
        for name in parts:
            await backend.commit(partition, [put("3", name)])
            assert value(await get(backend, partition), name) == parts[name].data

    async def test_writes_of_all_spellings_are_told_apart(self, backend: CheckpointingBackend, partition: Partition) -> None:
        some = [Write(name, "task", 0, "a", b"1") for name in ["", *NAMES, LONGEST]]
        some += [Write("", name, 0, "a", b"2") for name in NAMES]
        some += [Write("", "channels", n, name, b"3") for n, name in enumerate(NAMES)]
        assert (await backend.commit(partition, [put("1"), write("1", *some[::-1])])).outcomes[1] == len(some)
        assert (await backend.commit(partition, [write("1", *some)])).outcomes == (0,)
        wanted = sorted(some, key=lambda each: (each.path.encode(), each.task.encode(), each.index))
        assert await read_writes(backend, partition, "1") == tuple(wanted)

    async def test_partitions_of_all_spellings_are_told_apart(self, backend: CheckpointingBackend, fresh: Fresh) -> None:
        pairs = [("x", "n:1"), ("x:n", "1"), ("x", "n"), ("u*", "1"), ("u", "*"), ("u", "u:x"), ("{a}", "b"), ("a", "{b}")]
        partitions = [fresh(name, owner=owner) for owner, name in pairs]
        a = named("a")
        for number, each in enumerate(partitions):
            mine = b"%d" % number
            await backend.commit(each, [*add("i", data=mine), put("1", branch="1", parts={a: spanning((-1, 1))})])
            await backend.commit(each, [write("1", one(data=mine), branch="1")])
        for number, each in enumerate(partitions):
            page = await get(backend, each, branch="1")
            assert value(page, a) == b"%d" % number
            assert page.checkpoints[0].writes == (one(data=b"%d" % number),)
            assert points(await backend.get_checkpoint(each, "")) == []
            await backend.drop(each, tombstone_ms=0)

    async def test_a_bad_change_is_refused(self, backend: CheckpointingBackend, partition: Partition) -> None:
        for number, bad in enumerate(BAD):
            with pytest.raises(InvalidError):  # noqa: PT012  # so that a failure names the change
                await backend.commit(partition, [*add("i1"), bad, put("good")])
                pytest.fail(f"change {number} was not refused")
        assert await backend.revision(partition) == 0

    async def test_too_much_at_once_is_refused(self, backend: CheckpointingBackend, partition: Partition) -> None:
        large = b"x" * MAX_DATA_BYTES
        for bad in (
            put("1", parts={named("a"): Part(large + b"x")}),
            put("1", head=large, parts={named("a", n): Part(large) for n in range(8)}),
            PutWrites("", "1", tuple(one(index=n, data=large) for n in range(9))),
        ):
            with pytest.raises(InvalidError):
                await backend.commit(partition, [bad])
        assert await backend.revision(partition) == 0

    async def test_bad_arguments_of_a_read_are_refused(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1")])
        gets: list[dict[str, Any]] = [{"window": window} for window in (-1, MAX_PAGE + 1, True, 1.5, None)]
        gets += [{"branch": bad} for bad in ("\0", None, 1, "x" * (MAX_BRANCH_BYTES + 1))]
        gets += [{"id": bad} for bad in ("", "\0", 1, "x" * 513, "\ud800")]
        for bad in gets:
            good: dict[str, Any] = {"branch": "", "id": "1", "window": 0}
            with pytest.raises(InvalidError):
                await backend.get_checkpoint(partition, **{**good, **bad})
            with pytest.raises(InvalidError):
                await backend.trace_checkpoint(partition, **{**good, **bad}, channels=["a"])
        for channels in ([], [""], ["a\0b"], ["x" * 513], [1]):
            with pytest.raises(InvalidError):
                await backend.trace_checkpoint(partition, "", "1", channels)  # type: ignore[arg-type] # that is the point
        lists: list[dict[str, Any]] = [{"limit": limit} for limit in (0, -1, MAX_PAGE + 1, True, None)]
        lists += [{"branch": "\0"}, {"before": ""}, {"before": "a\0"}, {"after": ("", "")}, {"after": ("\0", "1")}]
        for bad in lists:
            with pytest.raises(InvalidError):
                await backend.list_checkpoints(partition, **bad)
        for owner in ("", "x" * 513):
            with pytest.raises(InvalidError):
                await backend.get_checkpoint(Partition(owner, "a"), "")
            with pytest.raises(InvalidError):
                await backend.list_checkpoints(Partition("a", owner))
            with pytest.raises(InvalidError):
                await backend.trace_checkpoint(Partition("a", owner), "", None, ["a"])
