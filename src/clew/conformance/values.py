"""Plain values: bytes under literal keys, compare-and-set, a time to live, and keys by pattern."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from ..backend import Values
from ..errors import InvalidError
from ..ids import new_id
from ..limits import MAX_DATA_BYTES, MAX_PAGE, MAX_VALUE_KEY_BYTES
from ..records import ANY
from .support import Suite, wait_until
from .tenants import ODD

LONG = 60_000


class Keys:
    """Keys of this test's own, deleted after it."""

    def __init__(self) -> None:
        self.prefix = f"conformance-{new_id()}:"
        self.made: list[str] = []

    def __call__(self, name: str = "key") -> str:
        self.made.append(self.prefix + name)
        return self.made[-1]


class ValuesSuite(Suite):
    """`get_value`, `put_value`, `value_ttl` and `scan_values`."""

    @pytest_asyncio.fixture
    async def key(self, backend: Values) -> AsyncIterator[Callable[..., str]]:
        """`key(name)`: a key that nobody else uses."""
        keys = Keys()
        yield keys
        for made in set(keys.made):
            await backend.put_value(made, None)

    async def test_a_value_is_kept_byte_for_byte(self, backend: Values, key: Keys) -> None:
        assert await backend.get_value(key()) is None
        for data in (b"1", b"", bytes(range(256)), b"x" * 100_000):
            await backend.put_value(key(), data)
            assert await backend.get_value(key()) == data

    async def test_a_put_tells_what_was_there(self, backend: Values, key: Keys) -> None:
        for when in (ANY, None):
            assert await backend.put_value(key(), b"1", when=when) == (True, None)
            assert await backend.put_value(key(), b"2") == (True, b"1")
            assert await backend.put_value(key(), None) == (True, b"2")
            assert await backend.put_value(key(), None) == (True, None)
            assert await backend.get_value(key()) is None

    @pytest.mark.parametrize("stored", [b"1", b"", b"none", b"=1", bytes(range(256))])
    async def test_a_condition_compares_the_bytes_that_are_stored(self, backend: Values, key: Keys, stored: bytes) -> None:
        await backend.put_value(key(), stored)
        for when in (None, b"other", stored + b"x"):
            assert await backend.put_value(key(), b"new", when=when) == (False, stored)
            assert await backend.put_value(key(), None, when=when) == (False, stored)
        assert await backend.get_value(key()) == stored
        assert await backend.put_value(key(), b"new", when=stored) == (True, stored)
        assert await backend.put_value(key(), None, when=b"new") == (True, b"new")
        assert await backend.get_value(key()) is None

    async def test_a_condition_on_what_is_not_there(self, backend: Values, key: Keys) -> None:
        for when in (b"", b"none", b"1"):
            assert await backend.put_value(key(), b"new", when=when) == (False, None)
            assert await backend.put_value(key(), None, when=when) == (False, None)
        assert await backend.put_value(key(), None, when=None) == (True, None)
        assert await backend.put_value(key(), b"", when=None) == (True, None)
        assert await backend.put_value(key(), b"1", when=None) == (False, b"")

    async def test_one_of_many_with_the_same_condition_wins(self, backend: Values, key: Keys) -> None:
        for when in (None, b"start"):
            answers = await asyncio.gather(*(backend.put_value(key(), b"%d" % n, when=when) for n in range(20)))
            winners = [n for n, (written, _) in enumerate(answers) if written]
            assert len(winners) == 1
            assert await backend.get_value(key()) == b"%d" % winners[0]
            await backend.put_value(key(), b"start")

    @pytest.mark.parametrize("when", [ANY, None])
    async def test_a_value_tells_how_long_it_stays(self, backend: Values, key: Keys, when: None) -> None:
        assert await backend.value_ttl(key()) is None
        await backend.put_value(key(), b"1", ttl_ms=LONG, when=when)
        left = await backend.value_ttl(key())
        assert left is not None
        assert LONG - 30_000 < left <= LONG
        await backend.put_value(key(), b"2", ttl_ms=10 * LONG, when=b"1")
        left = await backend.value_ttl(key())
        assert left is not None
        assert left > 9 * LONG

    async def test_a_put_without_a_time_to_live_stays(self, backend: Values, key: Keys) -> None:
        for when in (ANY, b"1"):
            await backend.put_value(key(), b"1", ttl_ms=LONG)
            await backend.put_value(key(), b"2", when=when)
            assert await backend.value_ttl(key()) == -1
        await backend.put_value(key(), b"1", ttl_ms=LONG)
        assert await backend.put_value(key(), b"3", when=b"wrong") == (False, b"1")
        left = await backend.value_ttl(key())
        assert left is not None
        assert left > 0

    async def test_an_expired_value_is_not_there(self, backend: Values, key: Keys) -> None:
        await backend.put_value(key("short"), b"1", ttl_ms=100)
        await backend.put_value(key("long"), b"1", ttl_ms=LONG)

        async def is_over() -> bool:
            return await backend.get_value(key("short")) is None

        await wait_until(is_over, "a value of 100 ms to run out")
        assert await backend.value_ttl(key("short")) is None
        assert await _scan(backend, f"{key.prefix}*", 10) == {key("long")}
        assert await backend.put_value(key("short"), b"2", when=None) == (True, None)

    async def test_keys_of_all_spellings_are_told_apart(self, backend: Values, key: Keys) -> None:
        for number, name in enumerate(ODD):
            assert await backend.put_value(key(name), b"%d" % number, when=None) == (True, None)
        for number, name in enumerate(ODD):
            assert await backend.get_value(key(name)) == b"%d" % number
        assert await _scan(backend, f"{key.prefix}*", 7) == {key.prefix + name for name in ODD}

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("*", "a1 a2 b1 ab abc [x] a* A1"),
            ("a*", "a1 a2 ab abc a*"),
            ("a?", "a1 a2 ab a*"),
            ("[ab]1", "a1 b1"),
            ("?1", "a1 b1 A1"),
            ("*b*", "b1 ab abc"),
            ("a1", "a1"),
            ("a", ""),
            ("\\[x\\]", "[x]"),
            ("a\\*", "a*"),
        ],
    )
    async def test_keys_are_found_by_pattern(self, backend: Values, key: Keys, pattern: str, expected: str) -> None:
        for name in ("a1", "a2", "b1", "ab", "abc", "[x]", "a*", "A1"):
            await backend.put_value(key(name), b"1")
        assert await _scan(backend, key.prefix + pattern, 3) == {key.prefix + name for name in expected.split()}

    @pytest.mark.parametrize("limit", [1, 10, MAX_PAGE])
    async def test_a_scan_sees_every_key(self, backend: Values, key: Keys, limit: int) -> None:
        names = {key(f"k{n}") for n in range(60)}
        await asyncio.gather(*(backend.put_value(name, b"1") for name in names))
        assert await _scan(backend, f"{key.prefix}*", limit) == names

    async def test_the_largest_sizes_are_taken_and_larger_ones_refused(self, backend: Values, key: Keys) -> None:
        longest = key("x" * (MAX_VALUE_KEY_BYTES - len(key.prefix)))
        await backend.put_value(longest, b"x" * MAX_DATA_BYTES)
        assert len(await backend.get_value(longest) or b"") == MAX_DATA_BYTES
        with pytest.raises(InvalidError):
            await backend.put_value(key(), b"x" * (MAX_DATA_BYTES + 1))
        for bad in ("", longest + "x", "\ud800"):
            with pytest.raises(InvalidError):
                await backend.put_value(bad, b"1")
            with pytest.raises(InvalidError):
                await backend.get_value(bad)
            with pytest.raises(InvalidError):
                await backend.value_ttl(bad)

    async def test_bad_arguments_are_refused(self, backend: Values, key: Keys) -> None:
        for ttl_ms in (0, -1, 10**18, True):
            with pytest.raises(InvalidError):
                await backend.put_value(key(), b"1", ttl_ms=ttl_ms)
        for limit in (0, -1, MAX_PAGE + 1):
            with pytest.raises(InvalidError):
                await backend.scan_values("*", limit=limit)
        with pytest.raises(InvalidError):
            await backend.scan_values("")
        assert await backend.get_value(key()) is None


async def _scan(backend: Values, pattern: str, limit: int) -> set[str]:
    found: set[str] = set()
    cursor: str | None = None
    for _ in range(100_000):
        keys, cursor = await backend.scan_values(pattern, limit=limit, cursor=cursor)
        found.update(keys)
        if cursor is None:
            return found
    raise AssertionError("the scan does not end")
