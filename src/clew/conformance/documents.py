"""Documents: bytes under keys, and the conditions on what is stored."""

from __future__ import annotations

import pytest

from ..backend import Backend
from ..errors import ConflictError, InvalidError
from ..records import Partition, PutDocument, Snapshot
from .support import Suite, add

EVERY_BYTE = bytes(range(256))


class Documents(Suite):
    """`PutDocument` and `fetch`."""

    async def test_a_document_is_kept_byte_for_byte(self, backend: Backend, partition: Partition) -> None:
        documents = {"bytes": EVERY_BYTE * 4, "empty": b"", "zero": b"\0", "text": "žlutý".encode()}
        await backend.commit(partition, [PutDocument(key, data) for key, data in documents.items()])
        assert (await backend.fetch(partition)).documents == documents

    async def test_an_unknown_partition_is_an_empty_snapshot(self, backend: Backend, partition: Partition) -> None:
        assert await backend.fetch(partition) == Snapshot()
        assert await backend.fetch(partition, ["a"]) == Snapshot()
        assert await backend.fetch(partition, []) == Snapshot()

    async def test_a_snapshot_tells_the_clock_that_commits_are_timed_by(self, backend: Backend, partition: Partition) -> None:
        before = (await backend.fetch(partition)).now_ms
        done = (await backend.commit(partition, [PutDocument("a", b"1")])).committed_ms
        assert 0 < before <= done <= (await backend.fetch(partition)).now_ms

    async def test_only_the_documents_asked_for_are_fetched(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument(key, key.encode()) for key in "abc"])
        assert (await backend.fetch(partition, ["c", "a", "missing"])).documents == {"a": b"a", "c": b"c"}
        nothing = await backend.fetch(partition, [])
        assert (nothing.revision, nothing.documents) == (1, {})

    async def test_the_outcome_tells_whether_it_was_there(self, backend: Backend, partition: Partition) -> None:
        outcomes = [
            (await backend.commit(partition, [PutDocument("a", data)])).outcomes for data in (b"1", b"2", None, None, b"3", b"3")
        ]
        assert outcomes == [(0,), (1,), (1,), (0,), (0,), (1,)]
        assert (await backend.fetch(partition)).documents == {"a": b"3"}

    async def test_a_partition_without_documents_is_still_there(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("a", b"1")])
        await backend.commit(partition, [PutDocument("a", None)])
        snapshot = await backend.fetch(partition)
        assert (snapshot.revision, snapshot.documents, snapshot.expires_ms) == (2, {}, None)

    @pytest.mark.parametrize("stored", [b"1", b"", b"none", b"any", b"=", b"=1", EVERY_BYTE])
    async def test_a_condition_compares_the_bytes_that_are_stored(
        self, backend: Backend, partition: Partition, stored: bytes
    ) -> None:
        await backend.commit(partition, [PutDocument("a", stored)])
        for when in (None, stored + b"x", b"other"):
            with pytest.raises(ConflictError):
                await backend.commit(partition, [PutDocument("a", b"2", when)])
            with pytest.raises(ConflictError):
                await backend.commit(partition, [PutDocument("a", None, when)])
        assert (await backend.fetch(partition)).documents == {"a": stored}
        await backend.commit(partition, [PutDocument("a", b"2", stored)])
        assert (await backend.commit(partition, [PutDocument("a", None, b"2")])).outcomes == (1,)
        assert (await backend.fetch(partition)).documents == {}

    async def test_none_as_condition_means_not_there(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, [PutDocument("a", b"", None)])).outcomes == (0,)
        with pytest.raises(ConflictError):
            await backend.commit(partition, [PutDocument("a", b"1", None)])
        assert (await backend.commit(partition, [PutDocument("b", None, None)])).outcomes == (0,)
        for when in (b"", b"none", b"any", b"1"):
            with pytest.raises(ConflictError):
                await backend.commit(partition, [PutDocument("missing", b"1", when)])
        assert (await backend.fetch(partition)).documents == {"a": b""}

    async def test_documents_and_logs_do_not_meet(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("items", b"1"), *add("items")])
        assert (await backend.fetch(partition)).documents == {"items": b"1"}

    async def test_a_bad_key_is_refused(self, backend: Backend, partition: Partition) -> None:
        for key in ("", "x" * 513, "\ud800"):
            with pytest.raises(InvalidError):
                await backend.fetch(partition, ["a", key])
