"""What only a bucket can be asked: a server that is away, hangs, refuses or has no bucket; parts of long uploads; credentials."""

from __future__ import annotations

import asyncio
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import servers
from clew import (
    AlreadyExistsError,
    ClewError,
    ConflictError,
    DeniedError,
    FullError,
    NotFoundError,
    UnavailableError,
    UnsupportedError,
)
from clew.files import Files, connect_files
from clew.files.s3 import PART

TIMEOUT = 1.0
# A request may be repeated once it is late, and the machine may be busy.
BOUND = 4 * TIMEOUT + 3


@pytest.fixture
def url(object_server: servers.ObjectServer, bucket: str) -> str:
    return object_server.url(bucket, "chat", timeout=20)


@pytest.fixture
def hasty_url(object_server: servers.ObjectServer, bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same bucket, with little patience."""
    monkeypatch.setattr("clew.files.s3.SLOWEST", 64 * 1024 * 1024)
    return object_server.url(bucket, "chat", timeout=TIMEOUT)


@contextmanager
def bounded() -> Iterator[None]:
    """Fail where what is inside takes too long."""
    start = time.monotonic()
    yield
    assert time.monotonic() - start < BOUND


async def check_unavailable(files: Files) -> None:
    """Every verb must say in time that the store is away."""
    for call in (
        files.head(("a",)),
        files.get(("a",)),
        files.put(("a",), b"x"),
        files.put(("a",), b"x", create=True),
        files.put(("a",), b"x" * (PART + 1)),
        files.list(),
        files.delete(("a",)),
        files.delete_all(("a",)),
    ):
        with bounded(), pytest.raises(UnavailableError):
            await call


def uploads(server: servers.ObjectServer, bucket: str) -> list[str]:
    """Return the ids of uploads whose parts the bucket still keeps."""
    return re.findall(r"<UploadId>([^<]+)</UploadId>", server.call("GET", f"/{bucket}?uploads"))


async def test_a_server_that_hangs_is_unavailable_in_time_and_works_again(
    object_server: servers.ObjectServer, hasty_url: str
) -> None:
    async with connect_files(hasty_url) as files:
        await files.put(("a",), b"x")
        object_server.pause()
        try:
            await check_unavailable(files)
            with bounded(), pytest.raises(UnavailableError):
                await connect_files(hasty_url)
        finally:
            object_server.resume()
        async with await files.get(("a",)) as reading:
            assert await reading.read() == b"x"


async def test_a_server_that_is_away_is_unavailable_in_time_and_works_again(
    object_server: servers.ObjectServer, bucket: str, hasty_url: str
) -> None:
    async with connect_files(hasty_url) as files:
        object_server.kill()
        try:
            await check_unavailable(files)
            with bounded(), pytest.raises(UnavailableError):
                await connect_files(hasty_url)
        finally:
            await asyncio.to_thread(object_server.run)
        object_server.call("PUT", f"/{bucket}")
        await files.put(("a",), b"x")


async def test_a_server_that_hangs_while_a_file_is_read_is_unavailable_in_time(
    object_server: servers.ObjectServer, url: str, hasty_url: str
) -> None:
    async with connect_files(url) as patient:
        await patient.put(("a",), b"x" * 60_000_000)
    async with connect_files(hasty_url) as files, await files.get(("a",)) as reading:
        chunks = aiter(reading)
        assert await anext(chunks)
        object_server.pause()
        try:
            with bounded(), pytest.raises(UnavailableError):
                async for _ in chunks:
                    pass
        finally:
            object_server.resume()


async def test_a_bucket_that_is_not_there_is_said_to_be_missing(object_server: servers.ObjectServer, credentials: None) -> None:
    with pytest.raises(UnsupportedError, match="does not exist"):
        await connect_files(object_server.url("clew-no-such-bucket"))


async def test_credentials_that_are_refused_are_denied_and_not_repeated(
    object_server: servers.ObjectServer, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_files(url) as files:
        await files.put(("a",), b"x")
        object_server.call("POST", "/moto-api/reset-auth", b"0")
        try:
            for call in (files.head(("a",)), files.put(("a",), b"y"), files.list(), connect_files(url).__aenter__()):
                with pytest.raises(DeniedError, match="AWS_ACCESS_KEY_ID") as caught:
                    await call
                assert "lovelace" not in str(caught.value)
        finally:
            object_server.call("POST", "/moto-api/reset-auth", b"inf")


async def test_the_endpoint_of_the_url_goes_before_the_environments(
    object_server: servers.ObjectServer, bucket: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(variable, object_server.endpoint)
        async with connect_files(f"s3://{bucket}") as files:
            await files.put(("a",), b"x")
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
        with pytest.raises(UnavailableError):
            await connect_files(f"s3://{bucket}?timeout=1")
        async with connect_files(url) as files:
            await files.put(("a",), b"x")


class Heedless(BaseHTTPRequestHandler):
    """Hands every request on to the server, without its preconditions: some servers ignore them."""

    target = ""
    drop = ""

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        kept = {name: value for name, value in self.headers.items() if name.lower() not in (self.drop, "host")}
        request = urllib.request.Request(self.target + self.path, data=body or None, headers=kept, method=self.command)
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() in ("etag", "content-type", "last-modified"):
                    self.send_header(name, value)
            whole = answer.headers["content-length"] if self.command == "HEAD" else str(len(data))
            self.send_header("content-length", whole)
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_HEAD = do_POST = do_DELETE = do_PUT

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def before(handler: type[Heedless]) -> Iterator[str]:
    """Yield the endpoint, as a URL holds it, of a server that stands before the real one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as front:
        thread = threading.Thread(target=front.serve_forever)
        thread.start()
        try:
            yield f"http%3A%2F%2F127.0.0.1%3A{front.server_port}"
        finally:
            front.shutdown()
            thread.join()


@pytest.mark.parametrize("drop", ["if-match", "if-none-match", "nothing"])
async def test_a_server_that_ignores_preconditions_is_found_out(
    object_server: servers.ObjectServer, bucket: str, credentials: None, drop: str
) -> None:
    handler = type("Handler", (Heedless,), {"target": object_server.endpoint, "drop": drop})
    with before(handler) as endpoint:
        async with connect_files(f"s3://{bucket}?endpoint={endpoint}") as files:
            etag = (await files.put(("a",), b"before")).etag
            for _ in range(2):
                if drop == "nothing":
                    etag = (await files.put(("a",), b"after", if_match=etag)).etag
                    with pytest.raises(AlreadyExistsError):
                        await files.put(("a",), b"x", create=True)
                    continue
                with pytest.raises(UnsupportedError, match="preconditions"):
                    await files.put(("a",), b"x", if_match=etag)
                with pytest.raises(UnsupportedError, match="preconditions"):
                    await files.put(("b",), b"x", create=True)
            for _ in range(2):
                if drop == "if-match":
                    with pytest.raises(UnsupportedError, match="preconditions"):
                        await files.delete(("a",), if_match=etag)
            assert [info.key for info in await files.list()] == [("a",)]
            assert await files.delete(("a",), if_match=None if drop == "if-match" else etag)


async def test_what_was_deleted_meanwhile_is_another_version_to_a_writer(
    object_server: servers.ObjectServer, bucket: str, credentials: None
) -> None:
    # Amazon says of an object that is not there that it is missing, and moto that it is another one.
    class Missing(Heedless):
        target = object_server.endpoint

        def do_PUT(self) -> None:
            if self.command == "PUT" and self.headers.get("if-match") == '"gone"':
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(404)
                body = b"<Error><Code>NoSuchKey</Code></Error>"
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                return
            super().do_PUT()

        do_GET = do_PUT

    with before(Missing) as endpoint:
        async with connect_files(f"s3://{bucket}?endpoint={endpoint}") as files:
            with pytest.raises(ConflictError):
                await files.put(("a",), b"x", if_match='"gone"')


async def test_without_credentials_the_answer_comes_in_time(hasty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with bounded(), pytest.raises((UnavailableError, DeniedError)):
        await connect_files(hasty_url)


@pytest.mark.parametrize("size", [PART - 1, PART, PART + 1, 2 * PART, 3 * PART + 7])
async def test_parts_make_one_whole_file(url: str, size: int) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        left = size
        while left:
            chunk = bytes([left % 251]) * min(left, 700_001)
            left -= len(chunk)
            yield chunk

    async with connect_files(url) as files:
        put = await files.put(("a",), chunks())
        head = await files.head(("a",))
        assert (put.size, put.etag) == (head.size, head.etag) == (size, head.etag)
        async with await files.get(("a",)) as reading:
            assert await reading.read() == b"".join([chunk async for chunk in chunks()])


async def test_an_upload_that_breaks_off_leaves_no_parts(object_server: servers.ObjectServer, bucket: str, url: str) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1_000_000
        raise ValueError("the client is gone")

    async with connect_files(url) as files:
        with pytest.raises(ValueError, match="the client is gone"):
            await files.put(("a",), broken())
        with pytest.raises(NotFoundError):
            await files.head(("a",))
    assert uploads(object_server, bucket) == []


async def test_an_upload_that_is_cancelled_leaves_no_parts(object_server: servers.ObjectServer, bucket: str, url: str) -> None:
    half, forever = asyncio.Event(), asyncio.Event()

    async def hanging() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1_000_000
        half.set()
        await forever.wait()

    async with connect_files(url) as files:
        task = asyncio.create_task(files.put(("a",), hanging()))
        await half.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert uploads(object_server, bucket) == []


async def test_only_what_is_below_the_prefix_is_seen(object_server: servers.ObjectServer, bucket: str, url: str) -> None:
    other = object_server.url(bucket, "chatter")
    async with connect_files(url) as files, connect_files(other) as others, connect_files(object_server.url(bucket)) as all:
        await others.put(("a",), b"other")
        await files.put(("a",), b"ours")
        assert [info.key for info in await files.list()] == [("a",)]
        assert [info.key for info in await all.list()] == [("chat", "a"), ("chatter", "a")]
        assert await all.delete_all(("chat",)) == 1
        assert (await others.head(("a",))).size == 5


async def test_what_a_stranger_put_there_is_found_or_left_out(object_server: servers.ObjectServer, bucket: str, url: str) -> None:
    for name in ("plain.md", "with%20blank.md", "a/b.md", ".hidden"):
        object_server.call("PUT", f"/{bucket}/chat/{name}", b"by hand")
    async with connect_files(url) as files:
        assert [info.key for info in await files.list()] == [("a", "b.md"), ("plain.md",)]
        found = await files.head(("plain.md",))
        object_server.call("PUT", f"/{bucket}/chat/plain.md", b"by hand, again")
        with pytest.raises(ConflictError):
            await files.put(("plain.md",), b"x", if_match=found.etag)


async def test_more_files_than_one_answer_of_s3_holds_are_listed_and_deleted(url: str) -> None:
    async with connect_files(url) as files:
        await asyncio.gather(*(files.put(("a", f"{n:04}"), b"") for n in range(1_050)))
        page = await files.list(("a",), limit=1_000)
        assert page.has_more
        assert len(await files.list(("a",), limit=1_000, cursor=page.cursor)) == 50
        assert await files.delete_all(("a",)) == 1_050


async def test_no_error_repeats_a_secret(object_server: servers.ObjectServer, hasty_url: str) -> None:
    object_server.pause()
    try:
        with pytest.raises(ClewError) as caught:
            await connect_files(hasty_url)
    finally:
        object_server.resume()
    assert "lovelace" not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_of_long_files_with_a_precondition_each_is_whole_and_one_wins(url: str) -> None:
    texts = [bytes([n]) * (PART + n) for n in range(4)]

    async def chunks(text: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(text), 3_000_000):
            yield text[at : at + 3_000_000]

    async with connect_files(url) as files:
        made = await asyncio.gather(*(files.put(("a",), chunks(text), create=True) for text in texts), return_exceptions=True)
        (won,) = (n for n, each in enumerate(made) if not isinstance(each, BaseException))
        assert all(isinstance(each, AlreadyExistsError) for n, each in enumerate(made) if n != won)
        head = await files.head(("a",))
        await files.put(("a",), chunks(texts[-1] + b"!"), if_match=head.etag)
        async with await files.get(("a",)) as reading:
            assert await reading.read() == texts[-1] + b"!"
        with pytest.raises(ConflictError):
            await files.put(("a",), chunks(texts[0]), if_match=head.etag)


async def test_a_full_disk_is_told_of_a_long_file_with_a_precondition(
    url: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(2):
            yield b"x" * PART

    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    async with connect_files(url) as files:
        with pytest.raises(FullError, match="temporary"):
            await files.put(("a",), chunks(), create=True)
        assert not any(small_disk.iterdir())
        assert not (await files.list()).data
