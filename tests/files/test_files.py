"""What every file store promises, on each of them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from clew import AlreadyExistsError, ClosedError, ConflictError, InvalidError, NotFoundError
from clew.files import FileInfo, Files, Key

A: Key = ("volumes", "user", "ada", "skills", "search.md")


async def in_chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[at : at + size]


async def read(files: Files, key: Key) -> bytes:
    async with await files.get(key) as reading:
        return await reading.read()


async def keys_of(files: Files, prefix: Key = (), limit: int = 100) -> list[Key]:
    """Return the keys below, read page by page."""
    found: list[Key] = []
    cursor = None
    while True:
        page = await files.list(prefix, limit=limit, cursor=cursor)
        found += [info.key for info in page]
        assert page.has_more == (page.cursor is not None)
        assert len(page) <= limit
        if not page.has_more:
            return found
        assert len(page) == limit
        cursor = page.cursor


# -- put, get, head -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", b"\0\xff" * 1000], ids=["empty", "one byte", "any bytes"])
async def test_what_is_put_is_got(files: Files, data: bytes) -> None:
    put = await files.put(A, data)
    head = await files.head(A)
    async with await files.get(A) as reading:
        assert await reading.read() == data
        assert reading.info == head
    assert (head.key, head.size, head.etag) == (A, len(data), put.etag)
    assert put.size == len(data)
    assert abs(head.modified - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("size", [1_000, 3 * 1024 * 1024, 19 * 1024 * 1024 + 1], ids=lambda size: f"{size:,}")
async def test_a_stream_is_put_and_got_in_chunks(files: Files, size: int) -> None:
    data = hashlib.sha256(b"clew").digest() * (size // 32 + 1)
    data = data[:size]
    put = await files.put(A, in_chunks(data, 100_000))
    assert put.size == size
    digest, largest, count = hashlib.sha256(), 0, 0
    async with await files.get(A) as reading:
        async for chunk in reading:
            digest.update(chunk)
            largest, count = max(largest, len(chunk)), count + 1
    assert digest.digest() == hashlib.sha256(data).digest()
    assert largest <= 4 * 1024 * 1024
    assert (await files.head(A)).etag == put.etag


async def test_a_file_that_is_not_there_is_not_found(files: Files) -> None:
    await files.put((*A, "below"), b"x")
    for missing in (("none",), A):
        with pytest.raises(NotFoundError):
            await files.get(missing)
        with pytest.raises(NotFoundError):
            await files.head(missing)


async def test_a_part_of_a_file_can_be_got(files: Files) -> None:
    data = bytes(range(256)) * 4000
    await files.put(A, data)
    for start, length in ((0, 1), (1, None), (500_000, 300_000), (len(data) - 1, None), (10, 10_000_000), (0, len(data))):
        async with await files.get(A, start=start, length=length) as reading:
            stop = len(data) if length is None else min(len(data), start + length)
            assert (reading.start, reading.stop, reading.info.size) == (start, stop, len(data))
            assert await reading.read() == data[start:stop]


async def test_a_part_that_starts_behind_the_end_is_refused(files: Files) -> None:
    await files.put(A, b"abc")
    await files.put(("empty",), b"")
    for key, start, length in ((A, 3, None), (A, 4, 1), (("empty",), 1, None), (("empty",), 0, 1)):
        with pytest.raises(InvalidError, match="bytes"):
            await files.get(key, start=start, length=length)
    for start, length in ((-1, None), (0, 0), (0, -1)):
        with pytest.raises(InvalidError):
            await files.get(A, start=start, length=length)


async def test_a_reading_stays_the_version_that_was_opened(files: Files) -> None:
    old, new = b"old" * 200_000, b"new" * 300_000
    await files.put(A, old)
    async with await files.get(A) as reading:
        await files.put(A, new)
        assert await reading.read() == old
    async with await files.get(A) as reading:
        await files.delete(A)
        assert await reading.read() == new


async def test_a_reading_that_is_closed_gives_no_more(files: Files) -> None:
    await files.put(A, b"x" * 2_000_000)
    async with await files.get(A) as reading:
        async for _ in reading:
            break
    await reading.aclose()
    assert [chunk async for chunk in reading] == []


# -- limits -------------------------------------------------------------------------------------------------------------


async def test_a_file_over_its_limit_is_refused_and_nothing_is_written(files: Files) -> None:
    await files.put(A, b"before")
    assert (await files.put(("exact",), b"12345", most=5)).size == 5
    for most in (5, 9_000_000, 19_000_000):
        data = b"1" * (most + 1)
        for given in (data, in_chunks(data, 1 + most // 7)):
            with pytest.raises(InvalidError, match="most"):
                await files.put(A, given, most=most)
    assert await read(files, A) == b"before"
    assert await keys_of(files) == [("exact",), A]


async def test_a_stream_that_breaks_off_leaves_what_was_there(files: Files) -> None:
    async def broken(size: int) -> AsyncIterator[bytes]:
        yield b"x" * size
        raise ConnectionResetError("the client is gone")

    await files.put(A, b"before")
    for size in (10, 20_000_000):
        with pytest.raises(ConnectionResetError, match="the client is gone"):
            await files.put(A, broken(size))
        with pytest.raises(ConnectionResetError):
            await files.put(("other",), broken(size))
    assert await read(files, A) == b"before"
    assert await keys_of(files) == [A]


async def test_an_upload_that_is_cancelled_leaves_what_was_there(files: Files) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 3_000_000
            started.set()
            await asyncio.sleep(0.01)

    await files.put(A, b"before")
    task = asyncio.create_task(files.put(A, endless()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await read(files, A) == b"before"
    assert await keys_of(files) == [A]


async def test_an_upload_in_a_scope_that_cancels_again_and_again_leaves_what_was_there(files: Files) -> None:
    """As a web framework does it when a client is gone: every await of the clean-up is cancelled anew."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 3_000_000
            await asyncio.sleep(0.005)

    await files.put(A, b"before")
    with anyio.move_on_after(0.4) as scope:
        await files.put(A, endless())
    assert scope.cancelled_caught
    assert await read(files, A) == b"before"
    assert await keys_of(files) == [A]


@pytest.mark.parametrize("data", ["text", None, 3, [1, 2]], ids=repr)
async def test_what_is_no_bytes_is_refused(files: Files, data: object) -> None:
    async def text() -> AsyncIterator[object]:
        yield data

    with pytest.raises(InvalidError, match="bytes"):
        await files.put(A, data)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InvalidError, match="bytes"):
        await files.put(A, text())  # type: ignore[arg-type]  # that is the test
    assert await keys_of(files) == []


# -- preconditions ------------------------------------------------------------------------------------------------------


async def test_every_version_has_another_etag(files: Files) -> None:
    seen = [(await files.put(A, b"%03d" % n)).etag for n in range(50)]
    assert len(set(seen)) == 50
    assert all(etag.startswith('"') and etag.endswith('"') for etag in seen)
    assert (await files.head(A)).etag == seen[-1]


async def test_a_write_with_the_right_etag_replaces(files: Files) -> None:
    first = await files.put(A, b"one", create=True)
    second = await files.put(A, b"two", if_match=first.etag)
    assert await read(files, A) == b"two"
    assert (await files.put(A, b"three", if_match=second.etag)).etag not in (first.etag, second.etag)


async def test_a_write_with_a_stale_etag_writes_nothing(files: Files) -> None:
    first = await files.put(A, b"one")
    await files.put(A, b"two")
    with pytest.raises(ConflictError) as caught:
        await files.put(A, b"three", if_match=first.etag)
    assert not isinstance(caught.value, AlreadyExistsError)
    assert caught.value.expected == first.etag
    assert await read(files, A) == b"two"


async def test_a_write_that_expects_a_version_of_what_is_gone_writes_nothing(files: Files) -> None:
    first = await files.put(A, b"one")
    await files.delete(A)
    with pytest.raises(ConflictError):
        await files.put(A, b"two", if_match=first.etag)
    assert await keys_of(files) == []


async def test_a_create_only_write_does_not_replace(files: Files) -> None:
    await files.put(A, b"one", create=True)
    with pytest.raises(AlreadyExistsError):
        await files.put(A, b"two", create=True)
    assert await read(files, A) == b"one"


@pytest.mark.parametrize("etag", ["", '"a"\r\nx: y', "\u00e9", "x" * 2000, 7], ids=["empty", "lines", "script", "long", "number"])
async def test_what_is_no_etag_is_refused(files: Files, etag: str) -> None:
    with pytest.raises(InvalidError, match="ETag"):
        await files.put(A, b"x", if_match=etag)
    with pytest.raises(InvalidError, match="exclude"):
        await files.put(A, b"x", if_match='"a"', create=True)


async def test_of_many_writers_with_one_etag_one_wins(files: Files) -> None:
    for _ in range(3):
        before = await files.put(A, b"start")
        written = await asyncio.gather(
            *(files.put(A, b"by %02d" % n, if_match=before.etag) for n in range(16)), return_exceptions=True
        )
        won = [n for n, each in enumerate(written) if isinstance(each, FileInfo)]
        assert len(won) == 1
        assert all(isinstance(each, ConflictError) for n, each in enumerate(written) if n not in won)
        assert await read(files, A) == b"by %02d" % won[0]


async def test_of_many_creators_one_wins(files: Files) -> None:
    written = await asyncio.gather(*(files.put(A, b"%d" % n, create=True) for n in range(16)), return_exceptions=True)
    won = [n for n, each in enumerate(written) if isinstance(each, FileInfo)]
    assert len(won) == 1
    assert await read(files, A) == b"%d" % won[0]


# -- list, delete -------------------------------------------------------------------------------------------------------


async def test_a_listing_goes_by_pages_in_the_order_of_keys(files: Files) -> None:
    made: list[Key] = [("a", f"{n:02}") for n in range(23)]
    made += [("a", "05x", "y"), ("a", "05-", "y"), ("a-b", "x"), ("ab", "x"), ("A", "x"), ("a", "\u00e9"), ("a", "~")]
    for n, key in enumerate(made):
        await files.put(key, b"x" * n)
    for limit in (1, 4, 30, 31, 100):
        found = await keys_of(files, limit=limit)
        assert sorted(found) == sorted(made)
        assert await keys_of(files, ("a",), limit) == [key for key in found if key[0] == "a"]
    assert await keys_of(files, ("a", "05-")) == [("a", "05-", "y")]
    assert await keys_of(files, ("none",)) == []
    assert await keys_of(files, ("a", "05")) == []
    sizes = {info.key: info.size for info in await files.list()}
    assert sizes == {key: n for n, key in enumerate(made)}
    page = await files.list(("a",), limit=1)
    assert page.data[0] == await files.head(page.data[0].key)


async def test_a_page_goes_on_after_a_file_that_was_deleted(files: Files) -> None:
    for n in range(6):
        await files.put(("a", str(n)), b"")
    page = await files.list(("a",), limit=3)
    await files.delete(("a", "2"))
    await files.delete(("a", "3"))
    rest = await files.list(("a",), limit=3, cursor=page.cursor)
    assert [info.key[1] for info in rest] == ["4", "5"]


@pytest.mark.parametrize("cursor", ["b/1", "a", "", "a/../b", "a//1", "a/%2e", "a/\0"], ids=repr)
async def test_a_cursor_of_something_else_is_refused(files: Files, cursor: str) -> None:
    await files.put(("a", "1"), b"")
    with pytest.raises(InvalidError, match="cursor"):
        await files.list(("a",), cursor=cursor)


async def test_a_deleted_file_is_gone_and_its_place_is_free(files: Files) -> None:
    await files.put(A, b"x")
    assert await files.delete(A) is True
    assert await files.delete(A) is False
    with pytest.raises(NotFoundError):
        await files.head(A)
    await files.put(A[:-1], b"a file where a folder was")
    assert await keys_of(files) == [A[:-1]]


@pytest.mark.parametrize("key", [A, ("a b", "100%", "\u00e9+~&=?#", "..", "a/b")], ids=["plain", "strange"])
async def test_a_delete_with_an_etag_deletes_that_version_alone(files: Files, key: Key) -> None:
    first = await files.put(key, b"one")
    second = await files.put(key, b"two")
    with pytest.raises(ConflictError) as caught:
        await files.delete(key, if_match=first.etag)
    assert caught.value.expected == first.etag
    assert await read(files, key) == b"two"
    assert await files.delete(key, if_match=second.etag)
    assert not await files.delete(key, if_match=second.etag)
    assert await keys_of(files) == []
    with pytest.raises(InvalidError, match="ETag"):
        await files.delete(key, if_match="a\r\nb: c")


async def test_a_prefix_is_deleted_and_nothing_beside_it(files: Files) -> None:
    below: list[Key] = [("a", str(n), "x") for n in range(25)]
    beside: list[Key] = [("a-",), ("ab", "x"), ("b",)]
    for key in below + beside:
        await files.put(key, b"x")
    assert await files.delete_all(("a", "3")) == 1
    assert await files.delete_all(("a",)) == 24
    assert await files.delete_all(("a",)) == 0
    assert sorted(await keys_of(files)) == beside
    with pytest.raises(InvalidError, match="empty"):
        await files.delete_all(())


async def test_a_closed_store_refuses_every_call(files: Files) -> None:
    await files.aclose()
    await files.aclose()
    for call in (files.put(A, b""), files.get(A), files.head(A), files.list(), files.delete(A), files.delete_all(A)):
        with pytest.raises(ClosedError):
            await call
