"""The event store of the MCP SDK on clew: in order, once each, resumed by its own session alone, and never with a gap unsaid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.server.streamable_http import EventMessage
from mcp.types import JSONRPCNotification

import clew
import servers
from clew.adapters.mcp import ClewEventStore
from clew.adapters.mcp import events as events_module
from clew.errors import UnknownCursorError
from clew.ids import new_id

from ...support import find_program, wait_until, with_options

JSON = Any
"""What a message holds; a test looks into it."""


def notice(number: int | str) -> JSONRPCNotification:
    """Return a message that can be told from the others."""
    return JSONRPCNotification(jsonrpc="2.0", method="n", params={"number": number})


async def replay(events: ClewEventStore, after: str) -> tuple[str | None, list[Any]]:
    """Return the stream that an id is of, and what comes after it."""
    found: list[Any] = []

    async def hear(event: EventMessage) -> None:
        assert isinstance(event.message, JSONRPCNotification)
        assert event.message.params is not None
        found.append(event.message.params["number"])

    return await events.replay_events_after(after, hear), found


@pytest.fixture(params=["sqlite", "redis-8.2"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[clew.Store]:
    """A store, on both engines in turn."""
    url = f"sqlite:///{tmp_path}/clew.db" if request.param == "sqlite" else request.getfixturevalue("url_of")(request.param)
    async with clew.connect(url) as made:
        yield made


async def test_a_stream_goes_on_after_any_of_its_events(store: clew.Store) -> None:
    events = ClewEventStore(store).scoped()
    priming = await events.store_event("7", None)
    ids = [await events.store_event("7" if number % 2 else "_GET_stream", notice(number)) for number in range(10)]
    assert await replay(events, priming) == ("7", [1, 3, 5, 7, 9])
    assert await replay(events, ids[3]) == ("7", [5, 7, 9])
    assert await replay(events, ids[4]) == ("_GET_stream", [6, 8])
    assert await replay(events, ids[9]) == ("7", [])
    tag, _, id = ids[3].partition(".")
    for unknown in ("", "7", id, f"{ids[3]}0", "x.y-1", f"{tag}.", f"{tag}.{'x' * 3000}", f"{tag}.\ud800"):
        assert await replay(events, unknown) == (None, [])


async def test_no_scope_reaches_another(store: clew.Store) -> None:
    shared = ClewEventStore(store)
    one, other = shared.scoped(), shared.scoped()
    first = await one.store_event("7", notice("one's first"))
    await one.store_event("7", notice("one's second"))
    await other.store_event("7", notice("the other's"))
    assert await replay(other, first) == (None, [])
    assert await replay(one, first) == ("7", ["one's second"])


async def test_two_writers_of_one_stream_lose_nothing(store: clew.Store) -> None:
    writers = [ClewEventStore(store, scope="both") for _ in range(2)]
    first = await writers[0].store_event("7", None)
    await asyncio.gather(
        *(writer.store_event("7", notice(f"{name}{n}")) for n in range(100) for name, writer in zip("ab", writers, strict=True))
    )
    stream, found = await replay(writers[1], first)
    assert stream == "7"
    for name in "ab":
        assert [each for each in found if each[0] == name] == [f"{name}{n}" for n in range(100)]


async def test_the_oldest_events_go_and_a_cursor_that_went_with_them_is_not_known(store: clew.Store) -> None:
    events = ClewEventStore(store, keep=20).scoped()
    ids = [await events.store_event("7", notice(number)) for number in range(100)]
    assert await replay(events, ids[0]) == (None, [])
    assert await replay(events, ids[85]) == ("7", list(range(86, 100)))


async def test_an_event_that_was_not_kept_has_no_id_and_is_never_skipped(tmp_path: Path) -> None:
    with servers.Server(find_program("valkey-9.1"), durable=True) as server:
        async with clew.connect(with_options(server.url, timeout=0.5)) as store:
            shared = ClewEventStore(store)
            events = shared.scoped()
            before = await events.store_event("7", notice(1))
            server.kill()
            assert await events.store_event("7", notice(2)) == ""
            # From then on nobody waits for the time-out of a store that is known to be away, in no session.
            async with asyncio.timeout(0.4):
                for number in range(50):
                    assert await shared.scoped().store_event("7", notice(number)) == ""
            server.restart()

            async def is_back() -> bool:
                return await events.store_event("8", notice("probe")) != ""

            await wait_until(is_back, 30)
            after = await events.store_event("7", notice(3))
            with pytest.raises(UnknownCursorError, match="not kept"):
                await replay(events, before)
            await events.store_event("7", notice(4))
            assert await replay(events, after) == ("7", [4])


async def test_workers_that_share_a_session_by_its_name_lose_nothing(store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MOST_SESSIONS", 3)
    workers = [ClewEventStore(store), ClewEventStore(store)]
    name = f"4:{new_id()[-4:]}:7"
    other = f"5:{new_id()[-5:]}:7"
    first = await workers[0].store_event(name, None)
    await asyncio.gather(
        *(worker.store_event(name, notice(n * 100 + number)) for number in range(50) for n, worker in enumerate(workers)),
        *(worker.store_event(other, notice("the other's")) for worker in workers),
    )
    for worker in workers:
        stream, found = await replay(worker, first)
        assert stream == name
        assert sorted(found) == [*range(50), *range(100, 150)]
    # Of more sessions than are remembered, those that were silent longest are forgotten: nothing is sent, nothing fails.
    for number in range(3):
        await workers[0].store_event(f"1:{number}:7", None)
    assert await replay(workers[0], first) == (None, [])
    await workers[0].store_event(name, notice("again"))
    assert (await replay(workers[0], first))[1][-1] == "again"
