"""Sets and lists under literal keys, whole keys of whatever kind, and whether the store answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import pytest
import pytest_asyncio

from ..backend import Collecting, Values
from ..errors import InvalidError
from ..limits import MAX_CHANGES, MAX_DATA_BYTES
from ..records import ANY
from .support import Suite, wait_until
from .tenants import ODD
from .values import LONG, Keys

BYTES = (b"1", b"", bytes(range(256)), "ø🧵".encode(), b"x" * 100_000)


class Both(Collecting, Values, Protocol):
    """A backend whose keys hold values, sets and lists."""


class CollectingSuite(Suite):
    """The verbs of `Collecting`."""

    @pytest_asyncio.fixture
    async def key(self, backend: Collecting) -> AsyncIterator[Callable[..., str]]:
        """`key(name)`: a key that nobody else uses."""
        keys = Keys()
        yield keys
        for made in set(keys.made):
            await backend.delete_key(made)

    async def test_a_set_holds_each_member_once_byte_for_byte(self, backend: Both, key: Keys) -> None:
        assert list(await backend.get_members(key())) == []
        assert await backend.add_members(key(), BYTES) == len(BYTES)
        assert await backend.add_members(key(), [b"1", b"2", b"2"]) == 1
        assert sorted(await backend.get_members(key())) == sorted({*BYTES, b"2"})
        assert await backend.remove_members(key(), [b"1", b"3"]) == 1
        assert sorted(await backend.get_members(key())) == sorted({*BYTES, b"2"} - {b"1"})

    async def test_a_list_holds_what_was_pushed_in_order_byte_for_byte(self, backend: Both, key: Keys) -> None:
        assert (list(await backend.get_elements(key())), await backend.count_elements(key())) == ([], 0)
        assert await backend.push_elements(key(), BYTES) == len(BYTES)
        assert await backend.push_elements(key(), [b"1", b"1"]) == len(BYTES) + 2
        assert list(await backend.get_elements(key())) == [*BYTES, b"1", b"1"]
        assert await backend.count_elements(key()) == len(BYTES) + 2

    async def test_a_range_is_counted_from_both_ends(self, backend: Both, key: Keys) -> None:
        await backend.push_elements(key(), [b"%d" % n for n in range(6)])
        places = (-100, -7, -6, -2, -1, 0, 1, 5, 6, 100, 1 << 70, -(1 << 70))
        ranges = [(first, last) for first in places for last in places]
        found = await asyncio.gather(*(backend.get_elements(key(), first, last) for first, last in ranges))
        for (first, last), elements in zip(ranges, found, strict=True):
            start = max(first + 6, 0) if first < 0 else first
            stop = last + 6 if last < 0 else last
            assert list(elements) == [b"%d" % n for n in range(6) if start <= n <= stop], (first, last)
        for bad in ("0", 1.5, None, True):
            with pytest.raises(InvalidError):
                await backend.get_elements(key(), bad)  # type: ignore[arg-type]  # as a caller without types

    async def test_what_many_push_at_once_is_there_once_and_whole(self, backend: Both, key: Keys) -> None:
        pairs = [[b"%d a" % n, b"%d b" % n] for n in range(50)]
        lengths = await asyncio.gather(*(backend.push_elements(key(), pair) for pair in pairs))
        assert sorted(lengths) == list(range(2, 101, 2))
        found = list(await backend.get_elements(key()))
        assert sorted(zip(found[::2], found[1::2], strict=True)) == sorted((a, b) for a, b in pairs)

    async def test_what_many_add_at_once_is_new_to_one(self, backend: Both, key: Keys) -> None:
        counts = await asyncio.gather(*(backend.add_members(key(), [b"same", b"%d" % n]) for n in range(30)))
        assert sum(counts) == 31
        assert len(await backend.get_members(key())) == 31

    async def test_an_empty_set_is_not_there(self, backend: Both, key: Keys) -> None:
        await backend.add_members(key(), [b"a", b"b"])
        assert await backend.remove_members(key(), [b"a", b"b"]) == 2
        assert await backend.value_ttl(key()) is None
        assert not await backend.delete_key(key())
        assert await backend.push_elements(key(), [b"now a list"]) == 1

    async def test_a_key_holds_one_kind_of_thing(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key("value"), b"1")
        await backend.add_members(key("set"), [b"1"])
        await backend.push_elements(key("list"), [b"1"])
        for name in ("value", "set", "list"):
            others: dict[str, list[Callable[[], Awaitable[object]]]] = {
                "value": [
                    lambda: backend.get_value(key(name)),  # noqa: B023 - called in this turn of the loop
                    lambda: backend.get_value(key(name), touch_ms=LONG),  # noqa: B023
                    lambda: backend.put_value(key(name), b"2", when=ANY),  # noqa: B023
                    lambda: backend.put_value(key(name), b"2", when=None),  # noqa: B023
                    lambda: backend.put_value(key(name), None),  # noqa: B023
                ],
                "set": [
                    lambda: backend.add_members(key(name), [b"2"]),  # noqa: B023
                    lambda: backend.remove_members(key(name), [b"1"]),  # noqa: B023
                    lambda: backend.get_members(key(name)),  # noqa: B023
                ],
                "list": [
                    lambda: backend.push_elements(key(name), [b"2"]),  # noqa: B023
                    lambda: backend.get_elements(key(name)),  # noqa: B023
                    lambda: backend.count_elements(key(name)),  # noqa: B023
                ],
            }
            for kind, verbs in others.items():
                for verb in verbs:
                    if kind != name:
                        with pytest.raises(InvalidError, match="another type"):
                            await verb()
        assert await backend.get_value(key("value")) == b"1"
        assert list(await backend.get_members(key("set"))) == [b"1"]
        assert list(await backend.get_elements(key("list"))) == [b"1"]

    async def test_a_key_of_any_kind_is_deleted_and_free(self, backend: Both, key: Keys) -> None:
        assert not await backend.delete_key(key())
        await backend.put_value(key(), b"1")
        assert await backend.delete_key(key())
        await backend.add_members(key(), [b"1", b"2"])
        assert await backend.delete_key(key())
        await backend.push_elements(key(), [b"1", b"2"])
        assert await backend.delete_key(key())
        assert not await backend.delete_key(key())
        assert await backend.add_members(key(), [b"1"]) == 1
        assert await backend.delete_key(key())
        assert await backend.put_value(key(), b"1", when=None) == (True, None)

    async def test_a_key_of_any_kind_is_given_a_time_and_kept_after_all(self, backend: Both, key: Keys) -> None:
        assert not await backend.expire_key(key(), LONG)
        assert not await backend.expire_key(key(), None)
        await backend.put_value(key("value"), b"1")
        await backend.add_members(key("set"), [b"1"])
        await backend.push_elements(key("list"), [b"1"])
        for name in ("value", "set", "list"):
            assert await backend.value_ttl(key(name)) == -1
            assert await backend.expire_key(key(name), None)
            assert await backend.expire_key(key(name), LONG)
            left = await backend.value_ttl(key(name))
            assert left is not None
            assert LONG - 30_000 < left <= LONG
        await backend.add_members(key("set"), [b"2"])
        await backend.push_elements(key("list"), [b"2"])
        for name in ("set", "list"):
            left = await backend.value_ttl(key(name))
            assert left is not None
            assert left > 0, "a write leaves its time alone"
        for name in ("value", "set", "list"):
            assert await backend.expire_key(key(name), None)
            assert await backend.value_ttl(key(name)) == -1

    async def test_what_has_expired_is_not_there_and_its_key_is_free(self, backend: Both, key: Keys) -> None:
        for name in ("set", "other set"):
            await backend.add_members(key(name), [b"1", b"2"])
        for name in ("list", "other list"):
            await backend.push_elements(key(name), [b"1", b"2"])
        for name in ("set", "other set", "list", "other list"):
            await backend.expire_key(key(name), 50)

        async def is_over() -> bool:
            return [await backend.value_ttl(key(name)) for name in ("set", "other set", "list", "other list")] == [None] * 4

        await wait_until(is_over, "sets and lists of 50 ms to run out")
        assert (list(await backend.get_members(key("set"))), list(await backend.get_elements(key("list")))) == ([], [])
        assert await backend.add_members(key("set"), [b"2"]) == 1
        assert await backend.push_elements(key("list"), [b"3"]) == 1
        assert await backend.put_value(key("other set"), b"1", when=None) == (True, None)
        assert await backend.add_members(key("other list"), [b"1"]) == 1
        assert list(await backend.get_members(key("set"))) == [b"2"]
        assert list(await backend.get_elements(key("list"))) == [b"3"]

    async def test_a_look_at_a_value_may_start_its_time_anew(self, backend: Both, key: Keys) -> None:
        assert await backend.get_value(key(), touch_ms=LONG) is None
        assert await backend.value_ttl(key()) is None
        await backend.put_value(key(), b"1")
        for touch_ms in (LONG, 10 * LONG, LONG):
            assert await backend.get_value(key(), touch_ms=touch_ms) == b"1"
            left = await backend.value_ttl(key())
            assert left is not None
            assert touch_ms - 30_000 < left <= touch_ms
        assert await backend.get_value(key()) == b"1"
        left = await backend.value_ttl(key())
        assert left is not None
        assert left > 0

    async def test_collections_are_no_values_to_a_scan(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key("value"), b"1")
        await backend.add_members(key("set"), [b"1"])
        found: list[str] = []
        cursor: str | None = None
        while True:
            some, cursor = await backend.scan_values(f"{key.prefix}*", cursor=cursor)
            found += some
            if cursor is None:
                break
        assert set(found) == {key("value")}

    async def test_keys_of_all_spellings_are_told_apart(self, backend: Both, key: Keys) -> None:
        for number, name in enumerate(ODD):
            assert await backend.push_elements(key(name), [b"%d" % number]) == 1
        for number, name in enumerate(ODD):
            assert list(await backend.get_elements(key(name))) == [b"%d" % number]

    async def test_the_most_is_taken_and_more_is_refused(self, backend: Both, key: Keys) -> None:
        many = [b"%d" % n for n in range(MAX_CHANGES)]
        assert await backend.push_elements(key("list"), many) == MAX_CHANGES
        assert await backend.add_members(key("set"), many) == MAX_CHANGES
        assert list(await backend.get_elements(key("list"))) == many
        assert sorted(await backend.get_members(key("set"))) == sorted(many)
        for verb in (backend.push_elements, backend.add_members, backend.remove_members):
            for bad in ([], [b"1"] * (MAX_CHANGES + 1), [b"x" * (MAX_DATA_BYTES + 1)], ["text"]):
                with pytest.raises(InvalidError):
                    await verb(key("bad"), bad)  # type: ignore[arg-type]  # as a caller without types
        assert await backend.value_ttl(key("bad")) is None

    async def test_bad_keys_and_times_are_refused(self, backend: Both, key: Keys) -> None:
        for bad in ("", "\ud800", "x" * 5_000):
            for asked in (
                backend.add_members(bad, [b"1"]),
                backend.get_members(bad),
                backend.push_elements(bad, [b"1"]),
                backend.get_elements(bad),
                backend.count_elements(bad),
                backend.delete_key(bad),
                backend.expire_key(bad, LONG),
            ):
                with pytest.raises(InvalidError):
                    await asked
        await backend.put_value(key(), b"1")
        for ttl_ms in (0, -1, 10**18, True):
            with pytest.raises(InvalidError):
                await backend.expire_key(key(), ttl_ms)
            with pytest.raises(InvalidError):
                await backend.get_value(key(), touch_ms=ttl_ms)
        assert await backend.value_ttl(key()) == -1
