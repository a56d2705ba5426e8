"""The search animation: one start and one stop for every search, however it ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from chatkit.types import ThreadStreamEvent

from clew.assistant.animation import OpenSearches, start_event, stop_event
from clew.assistant.looking import Looking
from clew.assistant.search import DocsSearch, Found
from clew.errors import ClosedError, UnavailableError

from ..support import wait_until
from .support import Failing, animation, collect


class Waiting:
    """A search that does not end by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.ended = False

    async def search(self, query: str, limit: int = 5) -> list[Found]:
        """Wait."""
        self.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.ended = True
        raise AssertionError


async def read_into(seen: list[ThreadStreamEvent], looking: Looking) -> None:
    """Read as one that writes each event somewhere."""
    async for event in looking.events():
        await asyncio.sleep(0)
        seen.append(event)


async def test_a_search_that_finds_starts_and_stops_once() -> None:
    looking = Looking(DocsSearch(), "tombstone", 10)
    assert animation(await collect(looking.events())) == ["start", "stop"]
    assert looking.found
    assert looking.failure == ""


async def test_a_search_that_fails_stops_and_says_why() -> None:
    closed = DocsSearch()
    closed.close()
    looking = Looking(closed, "tombstone", 10)
    assert animation(await collect(looking.events())) == ["start", "stop"]
    assert looking.found == []
    assert looking.failure == "The documentation could not be searched: the search was closed: make a new one."


async def test_a_search_that_takes_too_long_is_ended_and_stops() -> None:
    waiting = Waiting()
    looking = Looking(waiting, "tombstone", 0.05)
    assert animation(await collect(looking.events())) == ["start", "stop"]
    assert "within 0.05 seconds" in looking.failure
    assert waiting.ended


async def test_a_fault_in_a_search_stops_and_is_raised() -> None:
    seen: list[ThreadStreamEvent] = []
    with pytest.raises(ZeroDivisionError):
        await read_into(seen, Looking(Failing(ZeroDivisionError()), "x", 10))
    assert animation(seen) == ["start", "stop"]


async def test_a_cancelled_search_stops_and_then_is_cancelled() -> None:
    waiting, seen = Waiting(), list[ThreadStreamEvent]()

    task = asyncio.create_task(read_into(seen, Looking(waiting, "x", 10)))
    await waiting.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert animation(seen) == ["start", "stop"]
    assert waiting.ended


async def test_a_reader_with_a_timeout_of_its_own_gets_it() -> None:
    seen: list[ThreadStreamEvent] = []
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read_into(seen, Looking(Waiting(), "x", 10)), 0.05)
    assert animation(seen) == ["start", "stop"]


async def test_a_search_that_nobody_reads_any_more_ends_quietly() -> None:
    async with aclosing(Looking(Waiting(), "x", 10).events()) as events:
        assert animation([await anext(events)]) == ["start"]
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_a_reader_that_is_cancelled_between_the_two_knows_what_is_owed() -> None:
    sent: list[ThreadStreamEvent] = []
    searches, writing = OpenSearches(), asyncio.Event()

    async def pass_on() -> None:
        try:
            async with aclosing(Looking(DocsSearch(), "x", 10).events()) as events:
                async for event in events:
                    sent.append(event)
                    searches.see(event)
                    writing.set()
                    await asyncio.get_running_loop().create_future()
        finally:
            sent.extend(searches.owed())

    task = asyncio.create_task(pass_on())
    await writing.wait()
    task.cancel()
    await wait_until(task.done)
    assert task.cancelled()
    assert animation(sent) == ["start", "stop"]
    assert searches.owed() == []


def test_what_has_stopped_is_not_owed() -> None:
    searches = OpenSearches()
    for event in (start_event(), stop_event(), start_event(), stop_event()):
        searches.see(event)
    assert searches.owed() == []


@pytest.mark.parametrize("error", [UnavailableError("the pages are away"), ClosedError("the search was closed")])
async def test_every_error_of_clews_becomes_a_sentence(error: Exception) -> None:
    looking = Looking(Failing(error), "x", 10)
    assert animation(await collect(looking.events())) == ["start", "stop"]
    assert looking.failure.endswith(f"{error}.")
