"""Files in a bucket of S3 or of what speaks like it, through obstore. Needs the extra `s3`.

Preconditions are S3's own (`If-Match`, `If-None-Match`). A file of up to 8 MiB is one request; a longer one goes in parts,
which are given up when the stream breaks off: a process that is killed meanwhile leaves its parts to the bucket's own rules.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from ..errors import ClewError, ConflictError, InvalidError, MissingExtraError, NotFoundError, UnavailableError, UnsupportedError

try:
    import obstore
    from obstore.store import S3Store
except ImportError as e:
    raise MissingExtraError("keeping files in S3", "s3") from e

from .contract import Files, Opened, Stored
from .feeding import Feed
from .keys import read_path
from .s3_deleting import ask_delete
from .s3_faults import FAULTS, fault_of, is_beyond_end, refusal_of
from .spool import Spool
from .streams import gather
from .waiting import finish, run_thread

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta, PutMode, PutResult
    from obstore.store import S3Config

    from .address import Bucket

T = TypeVar("T")

PART: Final = 8 * 1024 * 1024
"""Bytes of one request of a long upload; two of them are under way at a time."""
CHUNK: Final = 256 * 1024
"""Bytes that are read at a time, at least."""
SLOWEST: Final = 512 * 1024
"""Bytes a second that an upload must reach: the time until an answer starts when this much may have been sent."""
_AT_ONCE: Final = 2
_PROBE: Final = ".clew/probe"
_PROBE_DELETE: Final = ".clew/probe-delete"
_CONNECT_S: Final = 3.0
_RETRIES: Final = 3


class S3(Files):
    """A file store in a bucket. Made by `open_bucket`."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(f"the bucket {bucket.name!r}")
        self._store = _make_store(bucket, bucket.timeout_s)
        self._uploads = _make_store(bucket, bucket.timeout_s + _AT_ONCE * PART / SLOWEST)
        self._prefix = bucket.prefix + "/" if bucket.prefix else ""
        self._timeout = bucket.timeout_s
        self._proving = asyncio.Lock()
        # Long files that must be sent at once are in memory meanwhile.
        self._sending = asyncio.Semaphore(_AT_ONCE)
        self._proven = False
        self._proven_deletes = False

    async def prove(self) -> None:
        """Ask the bucket for something, and raise where it does not answer."""
        await self._list("", None, 1)

    async def _put(self, path: str, chunks: AsyncGenerator[bytes, None], if_match: str | None, create: bool) -> Stored:
        async with aclosing(gather(chunks, PART)) as pieces:
            if create or if_match is not None:
                await self._prove_conditions()
            first, second = await anext(pieces, b""), await anext(pieces, b"")
            mode: PutMode = "create" if create else "overwrite" if if_match is None else {"e_tag": if_match}
            if not second:
                return await self._put_whole(path, first, mode, if_match)
            if mode == "overwrite":
                return await self._put_parts(path, (first, second), pieces)
            # S3 knows preconditions for one request; obstore sends them with no other.
            return await self._put_gathered(path, (first, second), pieces, mode, if_match)

    async def _prove_conditions(self) -> None:
        """Raise UnsupportedError where the server writes whatever is asked of it: once, with a file that no key leads to."""
        async with self._proving:
            if self._proven:
                return
            modes: tuple[PutMode, ...] = ("create", "create", {"e_tag": '"none"'})
            refused = []
            for mode in modes:
                try:
                    await self._put_whole(_PROBE, b"", mode, None)
                    refused.append(False)
                except ConflictError:
                    refused.append(True)
            # The first one makes the file where it is not there yet.
            if refused[1:] != [True, True]:
                raise UnsupportedError(f"{self.name} ignores preconditions: use a server that knows conditional writes")
            self._proven = True

    async def _put_whole(self, path: str, data: bytes, mode: PutMode, expected: str | None) -> Stored:
        put = obstore.put_async(self._uploads, self._prefix + path, data, mode=mode, use_multipart=False)
        done = await self._ask(path, put, seconds=self._timeout + len(data) / SLOWEST, expected=expected)
        return Stored(path, len(data), self._need_etag(done["e_tag"]), datetime.now(UTC))

    async def _put_gathered(
        self, path: str, first: Sequence[bytes], following: AsyncGenerator[bytes, None], mode: PutMode, expected: str | None
    ) -> Stored:
        async with Spool() as spool:
            for piece in first:
                await spool.add(piece)
            async for piece in following:
                await spool.add(piece)
            try:
                async with asyncio.timeout(self._timeout + spool.size / SLOWEST):
                    await self._sending.acquire()
            except TimeoutError as e:
                raise UnavailableError(f"{self.name} is busy with other long files: try again later") from e
            try:
                return await self._put_whole(path, await spool.read(), mode, expected)
            finally:
                self._sending.release()

    async def _put_parts(self, path: str, first: Sequence[bytes], following: AsyncGenerator[bytes, None]) -> Stored:
        feed: Feed[PutResult] = Feed()
        feed.begin(
            obstore.put_async(
                self._uploads,
                self._prefix + path,
                feed.pieces(),
                chunk_size=PART,
                max_concurrency=_AT_ONCE,
                use_multipart=True,
            )
        )
        try:
            for piece in first:
                await feed.add(piece)
            async for piece in following:
                await feed.add(piece)
            done = await feed.end()
        except BaseException as e:
            await finish(asyncio.ensure_future(feed.break_off(self._timeout)))
            if feed.failed is e and isinstance(e, FAULTS):
                raise self._fault(e, path) from e
            raise
        return Stored(path, feed.size, self._need_etag(done["e_tag"]), datetime.now(UTC))

    async def _get(self, path: str, start: int, length: int | None) -> Opened:
        options: GetOptions = {}
        if length is not None:
            options["range"] = (start, start + length)
        elif start:
            options["range"] = {"offset": start}
        try:
            found = await self._ask(path, obstore.get_async(self._store, self._prefix + path, options=options))
        except UnavailableError as e:
            if not is_beyond_end(e):
                raise
            size = (await self._head(path)).size
            raise InvalidError(f"the file has {size:,} bytes: a part of it cannot start at {start:,}") from e
        first, stop = found.range
        closed = False

        async def read() -> AsyncGenerator[bytes, None]:
            stream = found.stream(min_chunk_size=CHUNK)
            while not closed:
                try:
                    chunk = await anext(stream)
                except StopAsyncIteration:
                    return
                except FAULTS as e:
                    raise self._fault(e, path) from e
                yield bytes(chunk)

        async def close() -> None:
            nonlocal closed
            closed = True

        return Opened(self._stored(path, found.meta), first, stop, read(), close)

    async def _head(self, path: str) -> Stored:
        return self._stored(path, await self._ask(path, obstore.head_async(self._store, self._prefix + path)))

    async def _list(self, below: str, after: str | None, most: int) -> list[Stored]:
        # A prefix without its slash: obstore takes whole segments and adds it.
        prefix = (self._prefix + below).rstrip("/") or None
        offset = self._prefix + after if after else None
        found: list[Stored] = []
        pages = obstore.list(self._store, prefix, offset=offset, chunk_size=most)
        while len(found) < most:
            try:
                page = await self._ask(below, anext(pages))
            except StopAsyncIteration:
                break
            for each in page:
                path = each["path"].removeprefix(self._prefix)
                if read_path(path) is not None:
                    found.append(self._stored(path, each))
        return found[:most]

    async def _delete(self, path: str, if_match: str | None) -> bool:
        try:
            found = await self._head(path)
        except NotFoundError:
            return False
        if if_match is None:
            await self._ask(path, obstore.delete_async(self._store, self._prefix + path))
            return True
        if found.etag != if_match:
            raise ConflictError(f"the file {path[:100]!r} is another version by now", expected=if_match, actual=found.etag)
        await self._prove_deletes()
        return await self._delete_version(path, if_match)

    async def _prove_deletes(self) -> None:
        """Raise UnsupportedError where the server deletes whatever it is asked to: once, with a file that no key leads to."""
        async with self._proving:
            if self._proven_deletes:
                return
            await self._put_whole(_PROBE_DELETE, b"", "overwrite", None)
            try:
                await self._delete_version(_PROBE_DELETE, '"none"')
            except ConflictError:
                self._proven_deletes = True
                return
            raise UnsupportedError(
                f"{self.name} ignores preconditions of deletes: delete without one, or use a server that knows them"
            )

    async def _delete_version(self, path: str, etag: str) -> bool:
        for_s = timedelta(seconds=2 * self._timeout + 60)
        url = await self._ask(path, obstore.sign_async(self._store, "DELETE", self._prefix + path, for_s))
        # It is sent once: sent again, it would find its own work done.
        status, code = await self._ask(path, run_thread(lambda: ask_delete(url, etag, self._timeout)))
        if status == 404 and code != "NoSuchBucket":
            return False
        if status not in (200, 204):
            raise refusal_of(status, code, self.name, path, etag)
        return True

    async def _delete_some(self, paths: Sequence[str]) -> int:
        await self._ask("", obstore.delete_async(self._store, [self._prefix + path for path in paths]))
        return len(paths)

    async def _ask(self, path: str, asking: Awaitable[T], *, seconds: float | None = None, expected: str | None = None) -> T:
        """Return the answer, or raise an error of clew: in at most some seconds, for None in those of the store's timeout."""
        limit = self._timeout if seconds is None else seconds
        try:
            async with asyncio.timeout(limit):
                return await asking
        except (ClewError, StopAsyncIteration):
            raise
        except TimeoutError as e:
            raise UnavailableError(f"{self.name} did not answer in {limit:g} seconds") from e
        except FAULTS as e:
            raise self._fault(e, path, expected) from e

    def _fault(self, error: Exception, path: str, expected: str | None = None) -> ClewError:
        return fault_of(error, self.name, path, expected)

    def _stored(self, path: str, meta: ObjectMeta) -> Stored:
        return Stored(path, meta["size"], self._need_etag(meta["e_tag"]), meta["last_modified"])

    def _need_etag(self, etag: str | None) -> str:
        if etag is None:
            raise UnsupportedError(f"{self.name} gives no ETags: use another server for files")
        return etag


async def open_bucket(bucket: Bucket) -> S3:
    """Open a bucket as a file store, and prove that it answers.

    Raises:
        UnavailableError: it does not answer in time.
        DeniedError: the credentials in the environment are missing, wrong, or may not list the bucket.
        UnsupportedError: there is no such bucket, or the server gives no ETags.
    """
    files = S3(bucket)
    await files.prove()
    return files


def _make_store(bucket: Bucket, answer_s: float) -> S3Store:
    config: S3Config = {"virtual_hosted_style_request": bucket.virtual_hosts}
    endpoint = bucket.endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        # By this name, since obstore would let the variable of this name go before `endpoint`.
        config["aws_endpoint_url_s3"] = endpoint
    if bucket.region is not None:
        config["region"] = bucket.region
    timeout = timedelta(seconds=bucket.timeout_s)
    return S3Store(
        bucket.name,
        config=config,
        client_options={
            "allow_http": endpoint is not None and endpoint.startswith("http:"),
            "connect_timeout": min(timeout, timedelta(seconds=_CONNECT_S)),
            # From the start of a request to its answer, and from each piece of that to the next.
            "read_timeout": timedelta(seconds=answer_s),
            # Not the time for all of an answer: a long file to a slow reader takes what it takes.
            "timeout": timedelta(days=1),
        },
        retry_config={
            "max_retries": _RETRIES,
            "retry_timeout": timeout,
            "backoff": {"init_backoff": timedelta(milliseconds=50), "max_backoff": timedelta(seconds=1), "base": 2},
        },
    )
