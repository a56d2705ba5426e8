"""A server that takes connections more slowly than requests wait: the link comes all the same, and serves the next ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

import clew
from clew.backends.redis.trips import MAX_LINKS
from clew.records import Partition
from tests.support import wait_until

from .porter import Porter, stand_before

TIMEOUT_S = 0.5


@pytest.fixture
async def porter(url_of: Callable[..., str]) -> AsyncIterator[tuple[Porter, str]]:
    """A porter, and the URL of a store behind it."""
    async with stand_before(url_of("redis-8.2"), timeout=TIMEOUT_S, connect_timeout=5) as made:
        yield made


async def test_an_attempt_to_connect_goes_on_when_the_requests_that_wait_for_it_are_over(porter: tuple[Porter, str]) -> None:
    door, url = porter
    async with clew.connect(url) as store:
        door.wait_s = 4 * TIMEOUT_S
        door.cut()
        before, refused = door.came, 0
        loop = asyncio.get_running_loop()

        async def answers() -> bool:
            nonlocal refused
            start = loop.time()
            found = await asyncio.gather(
                *(store.backend.revision(Partition("a", f"{n}")) for n in range(5)), return_exceptions=True
            )
            refused += sum(isinstance(each, clew.UnavailableError) for each in found)
            assert loop.time() - start < 3 * TIMEOUT_S
            return 0 in found

        await wait_until(answers)
        assert refused > 0
        assert 1 <= door.came - before <= MAX_LINKS


async def test_a_close_leaves_no_attempt_to_connect_behind(porter: tuple[Porter, str]) -> None:
    door, url = porter
    async with clew.connect(url) as store:
        door.wait_s = 60
        door.cut()
        with pytest.raises(clew.UnavailableError):
            await store.backend.revision(Partition("a", "b"))
        assert door.here == 1
        async with asyncio.timeout(3):
            await store.aclose()
    await wait_until(lambda: door.here == 0)
