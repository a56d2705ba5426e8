"""Values: bytes under literal keys, with conditions, times to live, and a scan."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ..backend import Backend, Values
from ..errors import InvalidError
from ..ids import new_id
from ..limits import MAX_DATA_BYTES, MAX_VALUE_KEY_BYTES
from .common import Topic, until


async def scan(values: Values, pattern: str, limit: int = 100) -> list[str]:
    """Return every key that matches, sorted."""
    found: set[str] = set()
    cursor: str | None = None
    while True:
        keys, cursor = await values.scan_values(pattern, limit=limit, cursor=cursor)
        found.update(keys)
        if cursor is None:
            return sorted(found)


class ValuesSuite(Topic):
    """Values."""

    @pytest.fixture
    def values(self, backend: Backend) -> Values:
        """The backend as one that keeps values."""
        assert isinstance(backend, Values)
        return backend

    @pytest.fixture
    async def prefix(self, values: Values) -> AsyncIterator[str]:
        """A prefix that nobody else has; its keys are deleted at the end."""
        made = f"conform-{new_id()}:"
        yield made
        for key in await scan(values, f"{made}*"):
            await values.put_value(key, None)

    async def test_set_get_and_delete_tell_what_was_there(self, values: Values, prefix: str) -> None:
        key = f"{prefix}a"
        assert await values.get_value(key) is None
        assert await values.put_value(key, b"1") == (True, None)
        assert await values.put_value(key, b"2") == (True, b"1")
        assert await values.get_value(key) == b"2"
        assert await values.put_value(key, None) == (True, b"2")
        assert await values.put_value(key, None) == (True, None)
        assert await values.get_value(key) is None

    @pytest.mark.parametrize("data", [b"", b"\x00\xff", b"42", b"x" * 1_000_000], ids=["empty", "binary", "number", "1MB"])
    async def test_bytes_come_back_unchanged(self, values: Values, prefix: str, data: bytes) -> None:
        await values.put_value(f"{prefix}a", data)
        assert await values.get_value(f"{prefix}a") == data

    async def test_a_condition_writes_only_over_what_is_expected(self, values: Values, prefix: str) -> None:
        key = f"{prefix}a"
        assert await values.put_value(key, b"1", when=b"0") == (False, None)
        assert await values.put_value(key, b"1", when=None) == (True, None)
        assert await values.put_value(key, b"2", when=None) == (False, b"1")
        assert await values.put_value(key, b"2", when=b"0") == (False, b"1")
        assert await values.put_value(key, b"2", when=b"1") == (True, b"1")
        assert await values.put_value(key, None, when=b"1") == (False, b"2")
        assert await values.put_value(key, None, when=b"2") == (True, b"2")

    async def test_of_many_that_create_at_once_one_does(self, values: Values, prefix: str) -> None:
        done = await asyncio.gather(*(values.put_value(f"{prefix}a", b"%d" % n, when=None) for n in range(30)))
        assert sum(written for written, _ in done) == 1
        winner = await values.get_value(f"{prefix}a")
        assert {previous for written, previous in done if not written} == {winner}

    async def test_a_value_expires(self, values: Values, prefix: str) -> None:
        key = f"{prefix}a"
        assert await values.value_ttl(key) is None
        await values.put_value(key, b"1", ttl_ms=60_000)
        left = await values.value_ttl(key)
        assert left is not None
        assert 50_000 < left <= 60_000
        await values.put_value(key, b"2")
        assert await values.value_ttl(key) == -1
        await values.put_value(key, b"3", ttl_ms=30, when=b"2")

        async def is_gone() -> bool:
            return await values.get_value(key) is None

        await until(is_gone)
        assert await values.value_ttl(key) is None
        assert await values.put_value(key, b"4", when=None) == (True, None)

    async def test_a_scan_finds_every_key_that_matches_and_no_other(self, values: Values, prefix: str) -> None:
        for n in range(40):
            await values.put_value(f"{prefix}s:{n}", b"")
        for key in ("t:1", "s", "s;1"):
            await values.put_value(prefix + key, b"")
        assert await scan(values, f"{prefix}s:*", limit=7) == sorted(f"{prefix}s:{n}" for n in range(40))
        assert await scan(values, f"{prefix}s:?") == sorted(f"{prefix}s:{n}" for n in range(10))
        assert await scan(values, f"{prefix}s:[12]") == [f"{prefix}s:1", f"{prefix}s:2"]
        assert await scan(values, f"{prefix}nothing*") == []

    async def test_a_key_is_literal_whatever_it_holds(self, values: Values, prefix: str) -> None:
        for name in ("a b", "{x}", "a:b:c", "☃", "a\x00b", "%41", "A"):
            await values.put_value(prefix + name, name.encode())
            assert await values.get_value(prefix + name) == name.encode()
        assert await values.get_value(f"{prefix}a") is None

    async def test_bad_input_is_refused(self, values: Values, prefix: str) -> None:
        for key in ("", "k" * (MAX_VALUE_KEY_BYTES + 1), "\ud800"):
            with pytest.raises(InvalidError):
                await values.get_value(key)
            with pytest.raises(InvalidError):
                await values.put_value(key, b"")
        with pytest.raises(InvalidError):
            await values.put_value(f"{prefix}a", b"x" * (MAX_DATA_BYTES + 1))
        for ttl_ms in (0, -1):
            with pytest.raises(InvalidError):
                await values.put_value(f"{prefix}a", b"1", ttl_ms=ttl_ms)
        with pytest.raises(InvalidError):
            await values.scan_values("*", limit=0)
        assert await values.get_value(f"{prefix}a") is None
