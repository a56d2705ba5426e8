"""Values that are changed at their end: by how they end, in one step, whole to every other verb."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

import pytest
import pytest_asyncio

from ..backend import Values
from ..errors import InvalidError
from ..limits import MAX_DATA_BYTES, MAX_TTL_MS
from ..splicing import MAX_TAIL_BYTES, Splicing
from .support import Suite, wait_until
from .tenants import ODD
from .values import LONG, Keys

END = b"]=0000"
"""How the values of these tests end: a mark, and four bytes that change."""


class Both(Splicing, Values, Protocol):
    """A backend whose values may be spliced."""


class SplicingSuite(Suite):
    """`splice_value`."""

    @pytest_asyncio.fixture
    async def key(self, backend: Values) -> AsyncIterator[Callable[..., str]]:
        """`key(name)`: a key that nobody else uses."""
        keys = Keys()
        yield keys
        for made in set(keys.made):
            await backend.put_value(made, None)

    async def test_what_is_put_at_the_end_takes_the_place_of_the_tail(self, backend: Both, key: Keys) -> None:
        whole = b"["
        await backend.put_value(key(), whole + END)
        for number, piece in enumerate((b"a", b"", bytes(range(256)), b"x" * 40_000, b"y" * 10_000, b"z" * 7_000, b"end")):
            before = END if number == 0 else b"]=%04d" % (number - 1)
            data = piece + b"]=%04d" % number
            assert await backend.splice_value(key(), data, mark=b"]=", tail=6) == (True, before)
            whole += piece
            assert await backend.get_value(key()) == whole + data[-6:]

    async def test_a_thousand_splices_are_there_in_order(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), b"[" + END)
        for number in range(1_000):
            await backend.splice_value(key(), b"%04d," % number * 10 + b"]=%04d" % number, mark=b"]=", tail=6)
        assert await backend.get_value(key()) == b"[" + b"".join(b"%04d," % n * 10 for n in range(1_000)) + b"]=0999"

    async def test_a_value_that_ends_otherwise_stays_as_it_is(self, backend: Both, key: Keys) -> None:
        assert await backend.splice_value(key(), END, mark=b"]=", tail=6) == (False, None)
        assert await backend.value_ttl(key()) is None
        for value in (b"", b"]=12", b"[]=00000", b"]=0000]"):
            await backend.put_value(key(), value)
            for whole in (False, True):
                answer = await backend.splice_value(key(), b"other" + END, mark=b"]=", tail=6, whole=whole, ttl_ms=LONG)
                assert answer == (False, value[-6:])
            assert await backend.get_value(key()) == value
            assert await backend.value_ttl(key()) == -1

    async def test_a_whole_value_is_replaced_by_how_it_ends(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), b"old" + END)
        await backend.splice_value(key(), b"er" + END, mark=END, tail=6)
        assert await backend.splice_value(key(), b"new]=0001", mark=END, tail=6, whole=True) == (True, END)
        assert await backend.get_value(key()) == b"new]=0001"
        assert await backend.splice_value(key(), b"newer]=0002", mark=END, tail=6, whole=True) == (False, b"]=0001")
        assert await backend.get_value(key()) == b"new]=0001"

    async def test_of_many_who_saw_the_same_end_one_replaces_it(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), END)
        answers = await asyncio.gather(
            *(backend.splice_value(key(), b"%02d]=0001" % n, mark=END, tail=6, whole=True) for n in range(20))
        )
        (winner,) = [number for number, (done, _) in enumerate(answers) if done]
        assert await backend.get_value(key()) == b"%02d]=0001" % winner

    async def test_what_many_put_at_the_end_at_once_is_all_there_once(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), b"x" * 20_000 + b"," + END)
        calls = (backend.splice_value(key(), b"%04d" % n * 100 + b",]=%04d" % n, mark=b"]=", tail=6) for n in range(200))
        answers = await asyncio.gather(*calls)
        assert {done for done, _ in answers} == {True}
        found = await backend.get_value(key())
        assert found is not None
        assert sorted(found[20_001:-6].split(b",")[:-1]) == [b"%04d" % n * 100 for n in range(200)]

    async def test_a_tail_may_be_shorter_or_longer_the_next_time(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), b"abc")
        for data, mark, tail in ((b"12", b"c", 1), (b"345678", b"ab12", 4), (b"9", b"8", 1), (b"0123456789", b"5679", 4)):
            await backend.splice_value(key(), data, mark=mark, tail=tail)
        assert await backend.get_value(key()) == b"340123456789"

    async def test_the_very_last_bytes_may_stay(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), b"[]=0000 kept")
        for piece in (b"a", b"b" * 20_000, b"c"):
            assert (await backend.splice_value(key(), piece + b"]=0001", mark=b"]=", tail=11, keep=5))[0]
        assert await backend.get_value(key()) == b"[a" + b"b" * 20_000 + b"c]=0001 kept"

    async def test_the_beginning_may_be_put_in_the_same_step(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), b"head-" + b"x" * 30_000 + END)
        for number in range(3):
            head = b"%d%d%d%d" % ((number,) * 4)
            assert (await backend.splice_value(key(), b"more" + END, mark=END, tail=6, head=head))[0]
            assert await backend.get_value(key()) == head + b"-" + b"x" * 30_000 + b"more" * (number + 1) + END
        assert (await backend.splice_value(key(), b"y" + END, mark=b"no", tail=6, head=b"never")) == (False, END)
        long = b"z" * (5 + 30_000 + 6)  # into what was added
        assert (await backend.splice_value(key(), b"y" + END, mark=END, tail=6, head=long))[0]
        assert await backend.get_value(key()) == long + b"remore" + b"y" + END
        found = await backend.get_value(key())
        assert found is not None
        answer = await backend.splice_value(key(), END, mark=END, tail=6, head=b"w" * (len(found) - 5))
        assert answer == (False, END)
        assert await backend.get_value(key()) == found

    async def test_a_time_to_live_is_left_given_or_read_from_the_tail(self, backend: Both, key: Keys) -> None:
        async def splice(end: bytes, **times: Any) -> int:
            assert (await backend.splice_value(key(), b"," + end, mark=b"]", tail=8, **times))[0]
            left = await backend.value_ttl(key())
            assert left is not None
            return left

        await backend.put_value(key(), b"]       ")
        assert await splice(b"]  60000") == -1
        assert LONG - 30_000 < await splice(b"] 120000", ttl_at=(1, 8)) <= LONG
        assert 2 * LONG - 30_000 < await splice(b"]     no", ttl_at=(1, 8)) <= 2 * LONG
        assert 2 * LONG - 30_000 < await splice(b"]      0", ttl_at=(1, 8)) <= 2 * LONG
        assert await splice(b"]      0", ttl_at=(1, 8)) == -1
        assert LONG - 30_000 < await splice(b"]      0", ttl_ms=LONG) <= LONG
        assert LONG - 30_000 < await splice(b"]      0", whole=True) <= LONG
        assert await splice(b"]      0", ttl_ms=0) == -1
        assert LONG - 30_000 < await splice(b"]      0", ttl_ms=LONG, whole=True) <= LONG

    async def test_what_was_deleted_replaced_or_has_expired_leaves_nothing_behind(self, backend: Both, key: Keys) -> None:
        for name in ("deleted", "put", "expired"):
            await backend.put_value(key(name), END)
            await backend.splice_value(key(name), b"late" + END, mark=b"]=", tail=6, ttl_ms=50 if name == "expired" else LONG)
        await backend.put_value(key("deleted"), None)

        async def is_over() -> bool:
            return await backend.value_ttl(key("expired")) is None

        await wait_until(is_over, "a value of 50 ms to run out")
        assert await backend.splice_value(key("expired"), END, mark=b"]=", tail=6) == (False, None)
        for name in ("deleted", "put", "expired"):
            assert await backend.splice_value(key("gone"), END, mark=b"]=", tail=6) == (False, None)
            await backend.put_value(key(name), END)
            assert await backend.get_value(key(name)) == END
            assert await backend.splice_value(key(name), b"new" + END, mark=b"]=", tail=6) == (True, END)
            assert await backend.get_value(key(name)) == b"new" + END

    async def test_a_spliced_value_may_be_compared_and_set(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), END)
        await backend.splice_value(key(), b"more" + END, mark=b"]=", tail=6)
        assert await backend.put_value(key(), b"1", when=END) == (False, b"more" + END)
        assert await backend.put_value(key(), b"1", when=b"more" + END) == (True, b"more" + END)

    async def test_it_grows_up_to_the_limit_of_a_value_and_no_further(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), b"x" * (MAX_DATA_BYTES - 12) + END)
        assert (await backend.splice_value(key(), b"123456" + END, mark=b"]=", tail=6))[0]
        with pytest.raises(InvalidError, match="shorten"):
            await backend.splice_value(key(), b"7" + END, mark=b"]=", tail=6)
        found = await backend.get_value(key())
        assert found is not None
        assert (len(found), found[-12:]) == (MAX_DATA_BYTES, b"123456" + END)

    async def test_keys_of_all_spellings_are_spliced_apart(self, backend: Both, key: Keys) -> None:
        for number, name in enumerate(ODD):
            await backend.put_value(key(name), b"%d" % number + END)
        for number, name in enumerate(ODD):
            await backend.splice_value(key(name), b"/%d" % number + END, mark=b"]=", tail=6)
        for number, name in enumerate(ODD):
            assert await backend.get_value(key(name)) == b"%d/%d" % (number, number) + END

    async def test_bad_arguments_are_refused(self, backend: Both, key: Keys) -> None:
        await backend.put_value(key(), END)
        good: dict[str, Any] = {"key": key(), "data": END, "mark": b"]=", "tail": 6}
        for bad in (
            {"key": ""},
            {"data": "text"},
            {"data": b"short"},
            {"data": b"x" * (MAX_DATA_BYTES + 1)},
            {"mark": b""},
            {"mark": b"longer than it"},
            {"mark": None},
            {"tail": 0},
            {"keep": 6},
            {"keep": -1},
            {"keep": 1, "whole": True},
            {"head": "text"},
            {"head": b"1", "whole": True},
            {"data": b"1234", "keep": 1},
            {"tail": True},
            {"tail": MAX_TAIL_BYTES + 1},
            {"ttl_ms": -1},
            {"ttl_ms": MAX_TTL_MS + 1},
            {"ttl_ms": 1.5},
            {"ttl_ms": 1, "ttl_at": (0, 1)},
            {"ttl_at": (0, 7)},
            {"ttl_at": (3, 3)},
            {"ttl_at": (-1, 3)},
        ):
            with pytest.raises(InvalidError):
                await backend.splice_value(**{**good, **bad})
        assert (await backend.get_value(key()), await backend.value_ttl(key())) == (END, -1)
