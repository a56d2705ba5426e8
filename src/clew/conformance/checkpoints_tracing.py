"""The way back from a checkpoint to the values that its channels had last, and the writes on this way."""

from __future__ import annotations

from ..checkpointing import Trace
from ..checkpoints import Part
from ..records import Partition, Remove
from .checkpoints_support import CheckpointingBackend, named, one, put, spanning, value, write
from .support import LOG, Suite, numbered

A1, A2, B1 = named("a", 1), named("a", 2), named("b", 1)


class TracingCheckpoints(Suite):
    """`trace_checkpoint`."""

    async def test_it_walks_to_the_nearest_value_of_each_channel(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        writes = tuple(one("t", index, channel=channel) for index, channel in enumerate("abcx"))
        of_a, of_b, of_c = ((each,) for each in writes[:3])
        await backend.commit(partition, [put("0", parts={named("a", 0): Part(b"a0"), named("b", 0): Part(b"b0")})])
        await backend.commit(partition, [put("1", parent="0", parts={B1: Part(b"b1")})])
        await backend.commit(partition, [put("2", parent="1", parts={A1: Part(b"a1")})])
        await backend.commit(partition, [put("3", parent="2"), put("4", A1, parent="3")])
        for n in range(5):
            await backend.commit(partition, [write(str(n), *writes)])
        trace = await backend.trace_checkpoint(partition, "", "4", ["a", "b"])
        assert trace.ancestors == (("3", of_a + of_b), ("2", of_a + of_b), ("1", of_b))
        assert trace.seeds == {"a": A1, "b": B1}
        assert trace.parts == {A1: Part(b"a1"), B1: Part(b"b1")}
        trace = await backend.trace_checkpoint(partition, "", "4", ["a"])
        assert (trace.ancestors, trace.seeds) == ((("3", of_a), ("2", of_a)), {"a": A1})
        trace = await backend.trace_checkpoint(partition, "", "3", ["c", "a"])
        assert trace.ancestors == (("2", of_a + of_c), ("1", of_c), ("0", of_c))
        assert trace.seeds == {"a": A1}

    async def test_the_checkpoint_itself_is_not_on_its_way_back(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        await backend.commit(partition, [put("1", parts={A1: Part(b"1")}), put("2", parent="1", parts={A2: Part(b"2")})])
        await backend.commit(partition, [write("2", one(channel="a"))])
        assert await backend.trace_checkpoint(partition, "", "2", ["a"]) == Trace((("1", ()),), {"a": A1}, {A1: Part(b"1")})
        assert await backend.trace_checkpoint(partition, "", "1", ["a"]) == Trace()

    async def test_the_latest_is_where_it_begins_for_none(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("2", parent="1"), put("1", parts={A1: Part(b"1")}), put("3", parent="2")])
        expected = Trace((("2", ()), ("1", ())), {"a": A1}, {A1: Part(b"1")})
        assert await backend.trace_checkpoint(partition, "", None, ["a"]) == expected
        assert await backend.trace_checkpoint(partition, "", "3", ["a"], window=0) == expected

    async def test_it_ends_where_a_parent_is_not_there(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("3", parent="2"), put("2", parent="1"), write("2", one(channel="a"))])
        # Writes without their checkpoint are none, and a checkpoint of another branch is no ancestor.
        await backend.commit(partition, [write("1", one(channel="a")), put("1", branch="b", parts={A1: Part(b"1")})])
        trace = await backend.trace_checkpoint(partition, "", None, ["a"])
        assert trace == Trace((("2", (one(channel="a"),)),))
        assert await backend.trace_checkpoint(partition, "", "1", ["a"]) == Trace()
        assert await backend.trace_checkpoint(partition, "c", None, ["a"]) == Trace()

    async def test_each_branch_is_walked_by_itself(self, backend: CheckpointingBackend, partition: Partition) -> None:
        for branch in ("", "a", "a:b", "ab"):
            name = named("a", f"of {branch}")
            await backend.commit(partition, [put("1", branch=branch, parts={name: Part(branch.encode())})])
            await backend.commit(partition, [put("2", branch=branch, parent="1")])
            await backend.commit(partition, [write("1", one(channel="a", data=branch.encode()), branch=branch)])
        for branch in ("", "a", "a:b", "ab"):
            trace = await backend.trace_checkpoint(partition, branch, None, ["a"])
            assert trace.ancestors == (("1", (one(channel="a", data=branch.encode()),)),)
            assert value(trace, trace.seeds["a"]) == branch.encode()

    async def test_channels_are_told_apart_by_their_whole_names(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        names = ("a", "a:b", "ab", "*", "a\x01", "ž😀")
        parts = {named(name, "1:2"): Part(name.encode()) for name in names}
        await backend.commit(partition, [put("1", parts=parts), put("2", parent="1"), put("3", parent="2")])
        await backend.commit(partition, [write("2", *(one(index=n, channel=name) for n, name in enumerate(names)))])
        for number, name in enumerate(names):
            trace = await backend.trace_checkpoint(partition, "", "3", [name])
            assert trace.ancestors == (("2", (one(index=number, channel=name),)), ("1", ()))
            assert trace.seeds == {name: named(name, "1:2")}
            assert trace.parts == {named(name, "1:2"): Part(name.encode())}
        trace = await backend.trace_checkpoint(partition, "", "3", [*names, "none"])
        assert trace.seeds == {name: named(name, "1:2") for name in names}

    async def test_a_seed_comes_with_its_entries_and_what_it_goes_on_from(
        self, backend: CheckpointingBackend, partition: Partition
    ) -> None:
        parts = {A1: spanning((-1, 2)), A2: spanning((-3, 2), after=A1), B1: Part(b"no")}
        await backend.commit(partition, [*numbered(5), put("1", A2, B1, parts=parts), put("2", parent="1")])
        await backend.commit(partition, [Remove(LOG, "i3"), put("3", parent="2", parts={named("a", 3): spanning((5, 1))})])
        for window in (0, 1, 4, 256):
            trace = await backend.trace_checkpoint(partition, "", None, ["a"], window=window)
            assert trace.seeds == {"a": A2}
            assert set(trace.parts) == {A1, A2}
            assert set(trace.entries) == {1, 2, 4}
            assert value(trace, A2) == b'{"text":"hello"}' * 3

    async def test_a_way_in_a_circle_ends(self, backend: CheckpointingBackend, partition: Partition) -> None:
        await backend.commit(partition, [put("1", parent="2"), put("2", parent="1"), put("3", parent="3"), put("4", parent="2")])
        for id, others in (("1", {"2"}), ("2", {"1"}), ("3", set()), ("4", {"1", "2"})):
            ancestors = [each for each, _ in (await backend.trace_checkpoint(partition, "", id, ["a"])).ancestors]
            assert len(ancestors) == len(set(ancestors))
            assert others <= set(ancestors) <= others | {id}

    async def test_a_long_way_is_walked_to_its_end(self, backend: CheckpointingBackend, partition: Partition) -> None:
        changes = [put(f"{n:03}", parent=f"{n - 1:03}") for n in range(1, 300)]
        await backend.commit(partition, [put("000", parts={A1: Part(b"1")}), *changes])
        await backend.commit(partition, [write(f"{n:03}", one(channel="a", data=b"%d" % n)) for n in range(300)])
        trace = await backend.trace_checkpoint(partition, "", None, ["a"])
        assert trace.ancestors == tuple((f"{n:03}", (one(channel="a", data=b"%d" % n),)) for n in range(298, -1, -1))
        assert trace.seeds == {"a": A1}
