"""Documents: bytes under keys, conditions on what is there."""

from __future__ import annotations

import asyncio

import pytest

from ..backend import Backend
from ..errors import ConflictError
from ..records import Partition, PutDocument
from .common import Topic


class DocumentTopic(Topic):
    """Documents."""

    @pytest.mark.parametrize(
        "data", [b"", b"\x00\xff\xc0", "é☃".encode(), b"x" * 1_000_000], ids=["empty", "binary", "utf8", "1MB"]
    )
    async def test_bytes_come_back_unchanged(self, backend: Backend, partition: Partition, data: bytes) -> None:
        await backend.commit(partition, [PutDocument("a", data)])
        assert (await backend.fetch(partition, ["a"])).documents == {"a": data}

    async def test_fetch_gives_the_documents_asked_for_or_all(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("a", b"1"), PutDocument("b", b"2"), PutDocument("", b"3")][:2])
        assert (await backend.fetch(partition, ["b", "x"])).documents == {"b": b"2"}
        assert (await backend.fetch(partition, [])).documents == {}
        assert (await backend.fetch(partition, [])).revision == 1
        assert (await backend.fetch(partition)).documents == {"a": b"1", "b": b"2"}

    async def test_the_outcome_tells_whether_a_document_was_there(self, backend: Backend, partition: Partition) -> None:
        assert (await backend.commit(partition, [PutDocument("a", b"1"), PutDocument("b", None)])).outcomes == (0, 0)
        assert (await backend.commit(partition, [PutDocument("a", b"2")])).outcomes == (1,)
        assert (await backend.commit(partition, [PutDocument("a", None)])).outcomes == (1,)
        assert (await backend.fetch(partition)).documents == {}

    async def test_when_none_means_only_where_there_is_none(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("a", b"1", when=None)])
        with pytest.raises(ConflictError):
            await backend.commit(partition, [PutDocument("a", b"2", when=None)])
        assert (await backend.fetch(partition)).documents == {"a": b"1"}

    async def test_when_bytes_means_only_where_they_are_equal(self, backend: Backend, partition: Partition) -> None:
        await backend.commit(partition, [PutDocument("a", b"")])
        for wrong in (b"1", None):
            with pytest.raises(ConflictError):
                await backend.commit(partition, [PutDocument("a", b"2", when=wrong)])
        with pytest.raises(ConflictError):
            await backend.commit(partition, [PutDocument("b", b"2", when=b"")])
        await backend.commit(partition, [PutDocument("a", b"2", when=b"")])
        with pytest.raises(ConflictError):
            await backend.commit(partition, [PutDocument("a", None, when=b"1")])
        await backend.commit(partition, [PutDocument("a", None, when=b"2")])
        assert (await backend.fetch(partition)).documents == {}

    async def test_writers_of_different_documents_never_undo_each_other(self, backend: Backend, partition: Partition) -> None:
        await asyncio.gather(*(backend.commit(partition, [PutDocument(f"d{n}", b"%d" % n)]) for n in range(30)))
        assert (await backend.fetch(partition)).documents == {f"d{n}": b"%d" % n for n in range(30)}

    async def test_keys_of_any_characters_do_not_meet(self, backend: Backend, partition: Partition) -> None:
        keys = ["a", "a:b", "a/b", "{a}", "a\x00b", "=a", "#1", "☃", "a%3Ab", " a", "A"]
        await backend.commit(partition, [PutDocument(key, key.encode()) for key in keys])
        assert (await backend.fetch(partition)).documents == {key: key.encode() for key in keys}
        assert (await backend.fetch(partition, keys)).documents == {key: key.encode() for key in keys}
