"""Encryption: what is stored shows nothing, and opens in its place and with its key only; keys change while it is used."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace

from clew.backend import Backend
from clew.checkpoints import Part, PutCheckpoint, PutWrites, Write
from clew.codec import make_entry
from clew.errors import ConflictError, FencedError, ReusedTokenError, UnreadableError
from clew.frames import SEALED
from clew.records import Append, Once, Partition, PutDocument, Remove, Replace
from clew.runs import EventId, Retention, RunEvent
from clew.testing import WholeBackend

from .support import around, key

HERE, THERE = Partition("ada", "here"), Partition("ada", "there")
SECRET = b'"a secret that is long enough to be found"'
OLD, NEW = key("old"), key("new")


def entry(id: str, data: bytes = SECRET, **fields: Any) -> Any:
    """Return an entry of the log."""
    return make_entry(id, data, created_ms=1, **fields)


async def read(backend: Backend, partition: Partition = HERE, log: str = "items") -> list[Any]:
    """Return the entries of a log."""
    return (await backend.read(partition, log)).entries


async def test_nothing_of_an_item_but_its_id_is_stored_as_it_is(raw: Backend) -> None:
    sealed = around(raw, NEW)
    whole = entry("i1", author="author-secret", kind="kind-secret", status="status-secret", links=("link-secret",))
    await sealed.commit(HERE, [Append("items", whole), PutDocument("title", SECRET)])
    assert await read(sealed) == [replace(whole, position=1)]
    [stored] = await read(raw)
    assert (stored.id, stored.position, stored.author, stored.kind, stored.links) == ("i1", 1, None, "message", ())
    documents = (await raw.fetch(HERE)).documents
    assert b"secret" not in stored.data + documents["title"]
    assert (await sealed.fetch(HERE)).documents == {"title": SECRET}


async def test_a_ciphertext_opens_in_its_own_place_only(raw: Backend) -> None:
    sealed = around(raw, NEW)
    await sealed.commit(HERE, [Append("items", entry("i1")), Append("items", entry("i2", b"2")), Append("other", entry("i2"))])
    await sealed.commit(HERE, [PutDocument("a", SECRET), PutDocument("b", b"b")])
    await sealed.commit(THERE, [Append("items", entry("i1", b"1")), PutDocument("a", b"a")])
    moved, taken = (await read(raw))[0], (await raw.fetch(HERE)).documents["a"]
    await raw.commit(HERE, [Replace("items", replace(moved, key=b"i2\xff", position=0)), PutDocument("b", taken)])
    await raw.commit(HERE, [Replace("other", replace(moved, key=b"i2\xff", position=0))])
    await raw.commit(THERE, [Replace("items", replace(moved, position=0)), PutDocument("a", taken)])
    first, second = await read(sealed)
    assert (first.data, first.unreadable) == (SECRET, None)
    for each in (second, *await read(sealed, log="other"), *await read(sealed, THERE)):
        assert "moved here" in str(each.unreadable)
        with pytest.raises(UnreadableError, match="moved here"):
            each.json()
    for partition, name in ((HERE, "b"), (THERE, "a")):
        documents = (await sealed.fetch(partition)).documents
        assert name in documents
        with pytest.raises(UnreadableError, match="moved here"):
            documents[name]
    assert (await sealed.fetch(HERE)).documents["a"] == SECRET


async def test_parts_writes_and_events_open_in_their_own_places_only(raw: Backend) -> None:
    inner, sealed = cast(WholeBackend, raw), cast(WholeBackend, around(raw, NEW))
    for branch in ("x", "y"):
        parts = {"a\0001": Part(branch.encode()), "b\0001": Part(b"b")}
        await sealed.commit(HERE, [PutCheckpoint(branch, "1", None, b"head", tuple(parts), parts)])
        await sealed.commit(HERE, [PutWrites(branch, "1", (Write("", "t", 0, "a", b"a"), Write("", "t", 1, "a", b"b")))])
    page = await inner.get_checkpoint(HERE, "x")
    [found] = page.checkpoints
    writes = (found.writes[0], found.writes[1]._replace(data=found.writes[0].data))
    for branch, stolen, more in (("x", {"b\0002": page.parts["a\0001"]}, ()), ("z", page.parts, writes)):
        change = PutCheckpoint(
            branch, "2", None, (await inner.get_checkpoint(HERE, branch)).checkpoints[0].head if branch == "x" else b"h"
        )
        await inner.commit(HERE, [replace(change, uses=tuple(stolen), parts=stolen)])
        await inner.commit(HERE, [PutWrites(branch, "2", more)])
    # The head of another checkpoint, and writes and parts of another branch.
    with pytest.raises(UnreadableError, match=r"checkpoint '2'.*moved here"):
        await sealed.get_checkpoint(HERE, "x")
    with pytest.raises(UnreadableError, match=r"write.*moved here"):
        await sealed.get_checkpoint(HERE, "z")
    assert (await sealed.get_checkpoint(HERE, "x", "1")).parts["a\0001"].data == b"x"

    run = await sealed.start_run(HERE, "r", "h", lease_ms=60_000, takes_turn=False, retention=Retention(), data=b"mine")
    await sealed.append_events(HERE, run, [RunEvent(EventId(1, 1), data=SECRET)])
    [_, event] = (await inner.read_events(HERE, "r")).events
    await inner.append_events(HERE, run, [RunEvent(EventId(1, 2), data=event.data)])
    assert SECRET not in event.data
    assert (await sealed.read_events(HERE, "r", limit=2)).events[1].data == SECRET
    with pytest.raises(UnreadableError, match=r"1-2.*moved here"):
        await sealed.read_events(HERE, "r")
    assert (await inner.find_run(HERE, "r")).data != (await sealed.find_run(HERE, "r")).data == b"mine"


async def test_parts_that_branches_swapped_are_refused(raw: Backend) -> None:
    inner, sealed = cast(WholeBackend, raw), cast(WholeBackend, around(raw, NEW))
    await sealed.commit(HERE, [PutCheckpoint("x", "1", None, b"", ("a\0001",), {"a\0001": Part(SECRET)})])
    stolen = (await inner.get_checkpoint(HERE, "x")).parts
    sealed_head = around(raw, NEW)
    await sealed_head.commit(HERE, [PutCheckpoint("y", "1", None, b"")])
    head = (await inner.get_checkpoint(HERE, "y")).checkpoints[0].head
    await inner.commit(HERE, [PutCheckpoint("y", "1", None, head, ("a\0001",), stolen)])
    with pytest.raises(UnreadableError, match="moved here"):
        (await sealed.get_checkpoint(HERE, "y")).parts["a\0001"]
    with pytest.raises(UnreadableError, match="moved here"):
        # One page has one part for both branches: it has to be that of each.
        (await sealed.list_checkpoints(HERE)).parts["a\0001"]


@pytest.mark.parametrize("cut", [0, 2, 5, 12, 25, -1])
async def test_what_was_cut_off_is_marked_and_does_not_hide_its_neighbours(raw: Backend, cut: int) -> None:
    sealed = around(raw, NEW)
    await sealed.commit(HERE, [Append("items", entry(id)) for id in ("i1", "i2", "i3")])
    stored = (await read(raw))[1]
    await raw.commit(HERE, [Replace("items", replace(stored, data=stored.data[:cut], position=0))])
    found = await read(around(raw, NEW, takes_plain=False))
    assert [each.id for each in found] == ["i1", "i2", "i3"]
    assert [bool(each.unreadable) for each in found] == [False, True, False]
    assert [each.data for each in found if not each.unreadable] == [SECRET, SECRET]


async def test_a_wrong_and_a_missing_key_say_what_to_do(raw: Backend) -> None:
    await around(raw, OLD).commit(HERE, [Append("items", entry("i1")), PutDocument("a", SECRET)])
    for other, said in ((key("old", 1), "give the key that had this id"), (NEW, "add that key to CLEW_ENCRYPTION_KEYS")):
        backend = around(raw, other)
        [found] = await read(backend)
        assert (found.id, found.position) == ("i1", 1)
        assert said in str(found.unreadable)
        with pytest.raises(UnreadableError, match=said):
            (await backend.fetch(HERE, ["a"])).documents["a"]
    with pytest.raises(UnreadableError, match="set CLEW_ENCRYPTION_KEYS"):
        (await read(raw))[0].json()


async def test_keys_change_while_the_store_is_used(raw: Backend) -> None:
    stages = [raw, around(raw, OLD), around(raw, NEW, OLD)]
    for number, backend in enumerate(stages):
        await backend.commit(
            HERE, [Append("items", entry(f"i{number}", b"%d" % number)), PutDocument(f"d{number}", b"%d" % number)]
        )
    found = await read(stages[2])
    assert [each.data for each in found] == [b"0", b"1", b"2"]
    assert (await stages[2].fetch(HERE)).documents == {"d0": b"0", "d1": b"1", "d2": b"2"}
    assert [bool(each.unreadable) for each in await read(around(raw, NEW))] == [False, True, False]
    assert [bool(each.unreadable) for each in await read(around(raw, NEW, OLD, takes_plain=False))] == [True, False, False]


@pytest.mark.parametrize("before", [[], [OLD]], ids=["plain", "old"])
async def test_conditions_hold_whatever_the_stored_bytes_are(raw: Backend, before: list[str]) -> None:
    first = around(raw, *before) if before else raw
    await first.commit(HERE, [Append("items", entry("i1")), Append("items", entry("i2")), PutDocument("a", b"1")])
    sealed = around(raw, NEW, OLD)
    one, two = await read(sealed)
    for wrong in (PutDocument("a", b"2", b"other"), Replace("items", entry("i1", b"x"), replace(one, data=b"y"))):
        with pytest.raises(ConflictError) as caught:
            await sealed.commit(HERE, [wrong])
        assert (caught.value.expected, caught.value.actual) == (None, None)
    await sealed.commit(
        HERE, [PutDocument("a", b"2", b"1"), Replace("items", entry("i1", b"new"), one), Remove("items", "i2", two)]
    )
    await sealed.commit(HERE, [PutDocument("a", b"3", b"2")])
    assert [each.data for each in await read(sealed)] == [b"new"]
    assert (await sealed.fetch(HERE)).documents == {"a": b"3"}


async def test_repeated_calls_are_told_over_a_change_of_keys(raw: Backend) -> None:
    first, later = cast(WholeBackend, around(raw, OLD)), cast(WholeBackend, around(raw, NEW, OLD))
    once = Once("token", b"digest")
    done = await first.commit(HERE, [PutDocument("a", b"1")], once=once)
    again = await later.commit(HERE, [PutDocument("a", b"1")], once=once)
    assert (again.revision, again.replayed) == (done.revision, True)
    with pytest.raises(ReusedTokenError):
        await later.commit(HERE, [PutDocument("a", b"1")], once=Once("token", b"other"))
    run = await first.start_run(HERE, "r", "h", lease_ms=60_000, takes_turn=False, retention=Retention())
    events = [RunEvent(EventId(1, n), data=b"%d" % n) for n in (1, 2)]
    end = RunEvent(EventId(1, 3), "done", b"end")
    for backend in (first, first, later):
        await backend.append_events(HERE, run, events)
    with pytest.raises(FencedError):
        await later.append_events(HERE, run, [events[0], replace(events[1], data=b"other")])
    ended = await first.end_run(HERE, run, end)
    assert ended == await later.end_run(HERE, run, end)
    with pytest.raises(FencedError):
        await later.end_run(HERE, run, replace(end, data=b"other"))


async def test_encrypted_values_are_compared_by_what_they_mean(raw: Backend) -> None:
    plain, first = cast(WholeBackend, raw), cast(WholeBackend, around(raw, OLD, values=True))
    later = cast(WholeBackend, around(raw, NEW, OLD, values=True))
    for write in (plain, first):
        await write.put_value("k", b"1")
        assert await later.put_value("k", b"2", when=b"other") == (False, b"1")
        assert await later.put_value("k", b"2", when=b"1") == (True, b"1")
        assert await later.get_value("k") == b"2"
        assert (await plain.get_value("k") or b"").startswith(SEALED)
    await plain.put_value("moved", await plain.get_value("k"))
    with pytest.raises(UnreadableError, match=r"'moved'.*moved here"):
        await later.get_value("moved")
