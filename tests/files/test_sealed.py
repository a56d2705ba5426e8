"""Encrypted files: what is stored shows nothing, opens as a whole, in its place and with its key only, and is read in parts."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clew import ConflictError, InvalidError, UnavailableError, UnreadableError
from clew.files import Files, Key, connect_files
from clew.files.contract import Opened, Stored
from clew.files.folder import open_folder
from clew.files.layout import HEADER, LEAST, SEGMENT, STORED, TAG, shape_of
from clew.files.memory import Memory
from clew.files.sealed import Sealed
from clew.files.unsealed import Unsealed
from clew.wrappers.keyring import Keyring

from ..wrappers.support import key

A: Key = ("volumes", "user", "ada", "a.md")
B: Key = ("volumes", "user", "bob", "a.md")
OLD, NEW = key("old"), key("new")
EDGES = sorted({n * SEGMENT + more for n in range(4) for more in (-1, 0, 1, 100) if n * SEGMENT + more >= 0})


class Raw(Memory):
    """Files in memory, which come in chunks of odd sizes, and which tell what was asked of them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, int, int | None]] = []

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        self.asked.append((path, start, length))
        opened = await super()._get(path, start, length)

        async def chunks() -> AsyncGenerator[bytes, None]:
            async for chunk in opened.chunks:
                for at in range(0, len(chunk), 9_973):
                    yield chunk[at : at + 9_973]

        return opened._replace(chunks=chunks())

    async def _head(self, path: str) -> Stored:
        self.asked.append((path, 0, 0))
        return await super()._head(path)


def around(raw: Files, *keys: str, takes_plain: bool = True) -> Sealed:
    """Return encryption around a store with these keys, the newest first, that knows nothing of its files yet."""
    return Sealed(raw, Keyring.parse(",".join(keys or (NEW,))), takes_plain=takes_plain)


async def read(files: Files, key: Key = A, start: int = 0, length: int | None = None) -> bytes:
    return await (await files.get(key, start=start, length=length)).read()


def data_of(size: int) -> bytes:
    """Return bytes in which no segment is like another one."""
    return b"".join(n.to_bytes(4) for n in range(size // 4 + 1))[:size]


# -- what is stored -----------------------------------------------------------------------------------------------------


async def test_nothing_of_a_file_but_its_name_and_length_is_stored_as_it_is(tmp_path: Path) -> None:
    async with around(await open_folder(tmp_path)) as sealed:
        for _ in range(2):
            await sealed.put(A, b"a secret" * 20_000)
        first = (tmp_path / "/".join(A)).read_bytes()
        await sealed.put(A, b"a secret" * 20_000)
    second = (tmp_path / "/".join(A)).read_bytes()
    assert b"secret" not in first
    assert first[40:] != second[40:]
    assert not {first[at : at + 64] for at in range(HEADER, len(first), 64)} & {
        second[at : at + 64] for at in range(HEADER, len(second), 64)
    }


@pytest.mark.parametrize("size", EDGES)
async def test_the_stored_size_alone_tells_the_size(size: int) -> None:
    raw = Raw()
    put = await around(raw, takes_plain=False).put(A, data_of(size))
    [stored] = await raw.list()
    assert put.size == shape_of(stored.size).size == size
    assert stored.size == HEADER + size + TAG * max(1, -(-size // SEGMENT))
    for takes_plain in (True, False):
        files = around(raw, takes_plain=takes_plain)
        assert (await files.list()).data == [await files.head(A)] == [put]
        assert await read(files) == data_of(size)


async def test_sizes_are_told_without_a_look_into_files_that_are_known_or_must_be_encrypted() -> None:
    raw = Raw()
    files = around(raw)
    for n in range(40):
        await files.put(("a", str(n)), b"x" * n)
    assert {info.size for info in await files.list()} == set(range(40))
    assert {info.size for info in await around(raw, takes_plain=False).list()} == set(range(40))
    assert await around(raw).delete_all(("b",)) == 0
    assert raw.asked == []
    other = around(raw)
    for _ in range(2):
        assert {info.size for info in await other.list()} == set(range(40))
    assert sorted(raw.asked) == sorted((f"a/{n}", 0, HEADER) for n in range(40))
    raw.asked.clear()
    assert (await other.head(("a", "7"))).size == 7
    assert len(raw.asked) == 1


# -- parts --------------------------------------------------------------------------------------------------------------

NEAR = st.builds(lambda n, more: max(0, n * SEGMENT + more), st.integers(0, 3), st.integers(-2, 2))
PLACES = st.one_of(NEAR, st.integers(0, 3 * SEGMENT + 5))


@settings(max_examples=40, deadline=None)
@given(size=PLACES, start=PLACES, length=st.one_of(st.none(), NEAR, st.integers(1, 3 * SEGMENT)), cut=st.integers(1, 2 * SEGMENT))
@example(size=0, start=0, length=None, cut=1)
@example(size=SEGMENT, start=SEGMENT - 1, length=1, cut=SEGMENT)
@example(size=2 * SEGMENT, start=SEGMENT, length=SEGMENT, cut=SEGMENT + 1)
@example(size=2 * SEGMENT + 1, start=2 * SEGMENT, length=None, cut=7_000)
def test_any_part_is_the_part_of_the_plain_bytes(size: int, start: int, length: int | None, cut: int) -> None:
    data = data_of(size)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, size, cut):
            yield data[at : at + cut]

    async def check(files: Files) -> None:
        stop = size if length is None else min(size, start + length)
        if length == 0 or (start >= stop and (start, length) != (0, None)):
            with pytest.raises(InvalidError, match="at least one" if length == 0 else f"the file has {size:,} bytes"):
                await files.get(A, start=start, length=length)
            return
        async with await files.get(A, start=start, length=length) as reading:
            assert (reading.start, reading.stop, reading.info.size) == (start, stop, size)
            assert await reading.read() == data[start:stop]

    async def main() -> None:
        raw = Raw()
        known = around(raw)
        await known.put(A, chunks())
        for files in (known, around(raw), around(raw, takes_plain=False)):
            await check(files)
        await raw.put(A, data)
        for files in (known, around(raw)):
            await check(files)

    asyncio.run(main())


async def test_a_part_asks_for_its_own_segments_only() -> None:
    raw = Raw()
    files = around(raw)
    await files.put(A, data_of(20 * SEGMENT))
    assert await read(files, A, 9 * SEGMENT - 1, 2) == data_of(20 * SEGMENT)[9 * SEGMENT - 1 :][:2]
    assert raw.asked == [("/".join(A), HEADER + 8 * STORED, 2 * STORED)]
    raw.asked.clear()
    await read(files, A, 5, 10)
    await read(around(raw), A, 19 * SEGMENT)
    assert raw.asked == [
        ("/".join(A), 0, HEADER + STORED),
        ("/".join(A), 0, HEADER),
        ("/".join(A), HEADER + 19 * STORED, None),
    ]


async def test_a_part_is_of_one_version_where_the_file_is_replaced_meanwhile() -> None:
    raw = Raw()
    files, other = around(raw), around(raw)
    await files.put(A, b"1" * 3 * SEGMENT)
    for data in (b"2" * 3 * SEGMENT, b"3" * 4 * SEGMENT):
        written = await other.put(A, data)
        async with await files.get(A, start=2 * SEGMENT) as reading:
            assert reading.info == written
            assert await reading.read() == data[2 * SEGMENT :]
    await raw.put(A, b"plain" * SEGMENT)
    assert await read(files, A, 2 * SEGMENT) == (b"plain" * SEGMENT)[2 * SEGMENT :]


async def test_a_file_that_is_always_replaced_is_read_from_its_beginning() -> None:
    class Busy(Raw):
        async def _get(self, path: str, start: int, length: int | None) -> Opened:
            opened = await super()._get(path, start, length)
            await other.put(A, b"%d" % len(self.asked) * 3 * SEGMENT)
            return opened

    raw = Busy()
    files, other = around(raw), around(raw)
    await other.put(A, b"0" * 3 * SEGMENT)
    found = await read(files, A, 2 * SEGMENT)
    assert len(found) == SEGMENT
    assert found == found[:1] * SEGMENT


async def test_a_long_stream_goes_in_and_out_in_little_memory(tmp_path: Path) -> None:
    size, piece = 32 * 1024 * 1024, bytes(range(256)) * 4096

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size // len(piece)):
            yield piece

    async with around(await open_folder(tmp_path)) as sealed:
        tracemalloc.start()
        try:
            await sealed.put(A, chunks())
            async with await sealed.get(A) as reading:
                seen = sum([len(chunk) async for chunk in reading])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert seen == size
    assert peak < 6 * 1024 * 1024


# -- what was changed ---------------------------------------------------------------------------------------------------

WHOLE = data_of(3 * SEGMENT + 1_000)


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda stored: stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1 :]


def segment(stored: bytes, n: int) -> bytes:
    return stored[HEADER + n * STORED :][:STORED]


def order(*numbers: int) -> Callable[[bytes], bytes]:
    return lambda stored: stored[:HEADER] + b"".join(segment(stored, n) for n in numbers)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "the key's id": flip(9),
    "what pads the id": flip(30),
    "the salt": flip(HEADER - 1),
    "the first segment": flip(HEADER),
    "a middle segment": flip(HEADER + STORED + 50),
    "the last tag": flip(-1),
    "the last byte cut off": lambda stored: stored[:-1],
    "the last segment cut off": order(0, 1, 2),
    "all but the first segment cut off": order(0),
    "all segments cut off": lambda stored: stored[:HEADER],
    "half a header": lambda stored: stored[:20],
    "two swapped": order(1, 0, 2, 3),
    "one left out": order(0, 2, 3),
    "one twice": order(0, 1, 1, 2, 3),
    "the end twice": order(0, 1, 2, 3, 3),
    "bytes added": lambda stored: stored + b"x",
    "a segment added": lambda stored: stored + bytes(STORED),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_a_changed_file_is_refused(what: str) -> None:
    raw = Raw()
    await around(raw).put(A, WHOLE)
    stored = await read(raw)
    changed = CHANGES[what](stored)
    assert changed != stored
    await raw.put(A, changed)
    for files in (around(raw), around(raw, takes_plain=False)):
        with pytest.raises(
            UnreadableError, match=r"'volumes/user/ada/a\.md' cannot be read: it (is encrypted|cannot be decrypted)"
        ):
            await read(files)
        assert [info.key for info in await files.list()] == [A]
        assert await files.delete(("none",)) is False


async def test_what_was_changed_elsewhere_spoils_no_part() -> None:
    raw = Raw()
    await around(raw).put(A, WHOLE)
    await raw.put(A, flip(HEADER + STORED + 50)(await read(raw)))
    for files in (around(raw), around(raw, takes_plain=False)):
        assert await read(files, A, 2 * SEGMENT) == WHOLE[2 * SEGMENT :]
        assert await read(files, A, 0, SEGMENT) == WHOLE[:SEGMENT]
        for start, length in ((SEGMENT, 1), (0, SEGMENT + 1), (2 * SEGMENT - 1, None)):
            with pytest.raises(UnreadableError):
                await read(files, A, start, length)


async def test_a_file_opens_in_its_own_place_only() -> None:
    raw = Raw()
    sealed = around(raw)
    await sealed.put(A, WHOLE)
    await sealed.put(B, WHOLE)
    mine, others = await read(raw, A), await read(raw, B)
    for key_ in (B, (*A[:-1], "b.md"), ("volumes", "user", "ada/a.md")):
        await raw.put(key_, mine)
        with pytest.raises(UnreadableError, match="moved here"):
            await read(around(raw), key_)
    spliced = mine[: HEADER + STORED] + others[HEADER + STORED :]
    await raw.put(A, spliced)
    with pytest.raises(UnreadableError, match="moved here"):
        await read(around(raw), A)
    await raw.put(A, mine)
    assert await read(around(raw), A) == WHOLE


async def test_a_newer_layout_says_so() -> None:
    raw = Raw()
    await around(raw).put(A, b"x")
    stored = await read(raw)
    await raw.put(A, stored[:6] + b"\2" + stored[7:])
    with pytest.raises(UnreadableError, match="format 2, newer than 1: upgrade clew"):
        await read(around(raw))


# -- keys, and what is plain --------------------------------------------------------------------------------------------


async def test_the_newest_key_writes_and_older_ones_are_read() -> None:
    raw = Raw()
    for keys in ((OLD,), (NEW, OLD)):
        await around(raw, *keys).put((keys[0][:3],), WHOLE)
    both = around(raw, NEW, OLD)
    assert await read(both, ("old",)) == await read(both, ("new",)) == WHOLE
    assert await read(around(raw, NEW), ("new",)) == WHOLE
    alone = around(raw, NEW)
    for start in (0, SEGMENT):
        with pytest.raises(UnreadableError, match="the key 'old', which is not there: add that key"):
            await alone.get(("old",), start=start)
    assert (await alone.head(("old",))).size == len(WHOLE)
    assert {info.size for info in await alone.list()} == {len(WHOLE)}
    other = around(raw, key("new", 1))
    with pytest.raises(UnreadableError, match="cannot be decrypted with the key 'new'"):
        await other.get(("new",))
    await both.put(("old",), WHOLE, if_match=(await both.head(("old",))).etag)
    assert await read(alone, ("old",)) == WHOLE


@pytest.mark.parametrize("size", [0, 1, HEADER, LEAST, SEGMENT + 1])
async def test_what_was_there_before_is_read_until_it_is_refused_and_is_encrypted_when_it_is_written(size: int) -> None:
    raw = Raw()
    before = await raw.put(A, data_of(size))
    files, strict = around(raw), around(raw, takes_plain=False)
    assert await files.head(A) == before
    assert (await files.list()).data == [before]
    assert await read(files) == data_of(size)
    for start in {0, size // 2}:
        with pytest.raises(UnreadableError, match=r"not encrypted, and encryption_plain=refuse|cannot start at"):
            await read(strict, A, start)
    assert [info.key for info in await strict.list()] == [A]
    after = await files.put(A, data_of(size), if_match=before.etag)
    with pytest.raises(ConflictError):
        await files.put(A, b"", if_match=before.etag)
    assert await read(strict) == await read(files) == data_of(size)
    assert (await files.list()).data == [await files.head(A)] == [after]


async def test_without_keys_an_encrypted_file_is_not_handed_out(tmp_path: Path) -> None:
    async with around(await open_folder(tmp_path)) as sealed:
        await sealed.put(A, b"secret" * 20)
    async with connect_files(tmp_path.as_uri()) as bare:
        for start, length in ((0, None), (0, 1), (100, None), (7, 2)):
            with pytest.raises(UnreadableError, match=r"a\.md' cannot be read: it is encrypted: set CLEW_ENCRYPTION_KEYS"):
                await bare.get(A, start=start, length=length)
        with pytest.raises(InvalidError, match="set CLEW_ENCRYPTION_KEYS"):
            await bare.put(B, (tmp_path / "/".join(A)).read_bytes())
        assert [info.key for info in await bare.list()] == [A]


async def test_without_keys_a_part_of_a_plain_file_costs_a_look_once_and_is_of_one_version() -> None:
    raw = Raw()
    await raw.put(A, WHOLE)
    files = Unsealed(raw)
    for _ in range(2):
        assert await read(files, A, 10, 5) == WHOLE[10:15]
    path = "/".join(A)
    assert raw.asked == [(path, 10, 5), (path, 0, HEADER), (path, 10, 5)]
    raw.asked.clear()
    await files.put(A, b"newer" * 10)
    assert await read(files, A, 10) == b"newer" * 8
    assert raw.asked == [(path, 10, None)]
    await around(raw).put(A, WHOLE)
    with pytest.raises(UnreadableError):
        await read(files, A, 10)

    class Busy(Raw):
        async def _get(self, path: str, start: int, length: int | None) -> Opened:
            opened = await super()._get(path, start, length)
            await self.put(A, b"%d" % len(self.asked) * 10)
            return opened

    busy = Busy()
    await busy.put(A, WHOLE)
    with pytest.raises(UnavailableError, match="changes faster"):
        await read(Unsealed(busy), A, 5)


async def test_a_listing_goes_on_where_a_file_vanishes_while_it_is_looked_at() -> None:
    class Vanishing(Raw):
        async def _list(self, below: str, after: str | None, most: int) -> list[Stored]:
            found = await super()._list(below, after, most)
            await super()._delete_some([found[0].path])
            return found

    raw = Vanishing()
    for n in range(3):
        await around(raw).put((str(n),), b"x" * 200)
    assert [info.key for info in await around(raw).list()] == [("0",), ("1",), ("2",)]


async def test_a_failure_while_files_are_looked_at_is_raised_and_leaves_no_work_behind() -> None:
    class Failing(Raw):
        async def _get(self, path: str, start: int, length: int | None) -> Opened:
            if path == "1":
                raise ConflictError("it fails")
            return await super()._get(path, start, length)

    raw = Failing()
    for n in range(3):
        await around(raw).put((str(n),), b"x" * 200)
    with pytest.raises(ConflictError, match="it fails"):
        await around(raw).list()
    assert len(asyncio.all_tasks()) == 1


async def test_what_is_open_is_let_go_of_where_it_cannot_be_read() -> None:
    closed: list[str] = []

    class Watched(Raw):
        async def _get(self, path: str, start: int, length: int | None) -> Opened:
            opened = await super()._get(path, start, length)

            async def close() -> None:
                closed.append(path)

            return opened._replace(close=close)

    raw = Watched()
    await around(raw, OLD).put(A, WHOLE)
    for files in (around(raw, NEW), around(raw, key("old", 1))):
        for start in (SEGMENT, 0):
            with pytest.raises(UnreadableError):
                await files.get(A, start=start)
        with pytest.raises(InvalidError):
            await files.get(A, start=len(WHOLE))
    async with await around(raw, OLD).get(A, start=SEGMENT, length=5):
        pass
    assert len(closed) == len([each for each in raw.asked if each[2] != 0]) > 6
