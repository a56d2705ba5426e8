"""A graph that ran on another saver goes on in clew: all that the other one has is there, once, and nothing is changed in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

import clew
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.moving import Report, move
from servers import Server

from ...conftest import Pool
from .peers import HARD, Place, Seen, config_of, file_of, fill, make_graph, open_peer, see, see_all, states

OWNER = "ada"
SERVERS = {"langgraph-redis": "redis-stack", "langgraph-plainredis": "redis-6.2"}


class Peer(NamedTuple):
    """Another saver, filled, and what it says itself of what it has."""

    layout: str
    url: str
    seen: dict[Place, Seen]
    states: dict[str, Any]


@pytest.fixture(scope="module", params=["langgraph-redis", "langgraph-plainredis", "langgraph-sqlite"])
def peer(request: pytest.FixtureRequest, pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Each layout, as its own package leaves it."""
    layout = request.param
    server = pool.get(SERVERS[layout]) if layout in SERVERS else None
    url = file_of(tmp_path_factory.mktemp("peer")) if server is None else server.url

    async def prepare() -> tuple[dict[Place, Seen], dict[str, Any]]:
        async with open_peer(layout, url) as saver:
            await fill(saver)
            return await see_all(saver), await states(saver)

    yield Peer(layout, url, *asyncio.run(prepare()))
    if isinstance(server, Server):
        # Its keys have no namespace that the checks of other tests would know.
        server.call("FLUSHALL")


async def bring(peer: Peer, store: clew.Store, owner: str = OWNER) -> Report:
    """Move all of it."""
    return await move(peer.layout, peer.url, store, owner, lambda _: None)


def in_order(writes: list[tuple[str, str, Any]], peer: Peer) -> list[tuple[str, str, Any]]:
    """Return writes in the order that LangGraph asks for; langgraph-checkpoint-redis gives them in another."""
    return sorted(writes, key=repr) if peer.layout == "langgraph-redis" else writes


@pytest.fixture(params=["sqlite", "redis-8.2"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A store of the test's own, on each engine."""
    return url_of(request.param)


async def test_all_that_a_saver_has_is_in_clew_afterwards_once(peer: Peer, store: clew.Store) -> None:
    report = await bring(peer, store)
    writes = sum(len(seen.writes) for seen in peer.seen.values())
    assert (report.threads, report.checkpoints, report.writes, report.left) == (len(HARD), len(peer.seen), writes, 0)
    saver = ClewSaver(store, owner=OWNER)
    moved = await see_all(saver)
    assert moved.keys() == peer.seen.keys()
    for place, expected in peer.seen.items():
        found = moved[place]
        assert found[:4] == expected[:4], place
        assert in_order(found.writes, peer) == in_order(expected.writes, peer), place
        thread, branch, id = place
        config: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": branch, "checkpoint_id": id}}
        one = await saver.aget_tuple(config)
        assert one is not None
        assert see(one) == (place, found)
    assert await states(saver) == peer.states
    items = [[item.id for item in await store.items.page(clew.Ref(OWNER, thread), limit=100)] for thread in HARD]

    again = await bring(peer, store)
    assert (again.checkpoints, again.writes, again.there, again.left) == (0, 0, len(peer.seen), 0)
    assert [[item.id for item in await store.items.page(clew.Ref(OWNER, thread), limit=100)] for thread in HARD] == items
    assert await see_all(saver) == moved
    async with open_peer(peer.layout, peer.url) as theirs:
        assert await see_all(theirs) == peer.seen


@pytest.mark.parametrize("url", ["memory"], indirect=True)
async def test_a_graph_that_waited_for_a_person_goes_on_in_clew(peer: Peer, store: clew.Store) -> None:
    await bring(peer, store)
    saver = ClewSaver(store, owner=OWNER)
    graph = make_graph(saver)
    config = config_of("a:b")
    result = await graph.ainvoke(Command(resume="yes"), config)
    assert result["answer"] == "yes"
    assert [message.content for message in result["messages"]] == [
        "Weather for a:b?",
        "I look it up.",
        "4 degrees",
        "inside",
        "Good.",
    ]
    assert result["log"] == ["began", "talked", "looked", "asked"]
    # And once more from the beginning, with what both savers wrote behind it.
    result = await graph.ainvoke({"messages": [{"role": "user", "content": "And now?", "id": "m9"}]}, config)
    assert result["__interrupt__"][0].value == {"question": "Go out?"}
    read = await store.items.page(clew.Ref(OWNER, "a:b"), limit=100)
    assert [(item.kind, item.author, item.codec) for item in read][:3] == [
        ("message", "user", "langgraph/msgpack"),
        ("tool_call", "assistant", "langgraph/msgpack"),
        ("tool_result", "tool", "langgraph/msgpack"),
    ]
    # What is newer here than in the source stays as it is.
    before = await see_all(saver)
    assert (await bring(peer, store)).checkpoints == 0
    assert await see_all(saver) == before
