"""The subscription bus: every worker's listeners hear what one of them publishes, also after the store was away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from mcp import Client
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

import clew
import servers
from clew.adapters.mcp import ClewSubscriptionBus
from clew.adapters.mcp import bus as bus_module
from clew.codec import pack_id
from clew.ids import new_id
from clew.records import FORMAT, Append, Entry, Partition

from ...support import find_program, wait_until, with_options
from .serving import serving


@pytest.mark.parametrize("kind", ["sqlite", "redis-8.2"])
async def test_every_worker_hears_every_event_in_order(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url_of: Callable[[str], str] = request.getfixturevalue("url_of")
    url = f"sqlite:///{tmp_path}/clew.db" if kind == "sqlite" else url_of(kind)
    events: list[ServerEvent] = [ToolsListChanged(), PromptsListChanged(), ResourcesListChanged()]
    events += [ResourceUpdated(f"clew://threads/{number}") for number in range(20)]
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(clew.connect(url)) for _ in range(2)]
        await ClewSubscriptionBus(stores[0]).publish(ResourceUpdated("from before anybody listened"))
        workers = [await stack.enter_async_context(ClewSubscriptionBus(store)) for store in stores]
        other = await stack.enter_async_context(ClewSubscriptionBus(stores[0], name="another"))
        heard: list[list[ServerEvent]] = [[], [], []]

        def fail(event: ServerEvent) -> None:
            raise RuntimeError("a listener of somebody else's")

        workers[0].subscribe(fail)
        for bus, hears in zip([*workers, other], heard, strict=True):
            bus.subscribe(hears.append)
        for event in events:
            await workers[1].publish(event)
        await wait_until(lambda: heard[:2] == [events, events])
        assert heard[2] == []
        leaves = workers[0].subscribe(heard[2].append)
        leaves()
        leaves()
        await workers[0].publish(ToolsListChanged())
        await wait_until(lambda: len(heard[1]) == len(events) + 1)
        assert heard[2] == []


@pytest.mark.timeout(120)
async def test_a_bus_hears_again_when_the_store_is_back() -> None:
    with servers.Server(find_program("valkey-9.1"), durable=True) as server:
        async with clew.connect(with_options(server.url, timeout=0.5)) as store, ClewSubscriptionBus(store) as bus:
            heard: list[ServerEvent] = []
            bus.subscribe(heard.append)
            await bus.publish(ToolsListChanged())
            await wait_until(lambda: len(heard) == 1)
            server.kill()
            with pytest.raises(clew.UnavailableError):
                await bus.publish(PromptsListChanged())
            server.restart()

            async def is_back() -> bool:
                try:
                    await bus.publish(ResourcesListChanged())
                except clew.UnavailableError:
                    return False
                return True

            await wait_until(is_back, 30)
            await wait_until(lambda: ResourcesListChanged() in heard, 30)


async def test_a_store_that_comes_back_empty_is_heard_from_its_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "LOOK_S", 0.3)
    with servers.Server(find_program("redis-8.2")) as server:
        async with clew.connect(with_options(server.url, timeout=0.5)) as store, ClewSubscriptionBus(store) as bus:
            heard: list[ServerEvent] = []
            bus.subscribe(heard.append)
            for number in range(5):
                await bus.publish(ResourceUpdated(f"before {number}"))
            await wait_until(lambda: len(heard) == 5)
            server.call("FLUSHALL")
            await bus.publish(ResourceUpdated("after"))
            await wait_until(lambda: heard[5:] == [ResourceUpdated("after")])


async def test_what_a_newer_version_publishes_is_left_out_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async with clew.connect("memory://") as store, ClewSubscriptionBus(store) as bus:
        heard: list[ServerEvent] = []
        bus.subscribe(heard.append)
        for data in (b'["news",null]', b'["news","x"]', b'{"kind":"tools"}', b"no json"):
            entry = Entry(FORMAT, pack_id(new_id()), 0, data)
            await store.backend.commit(Partition("clew:mcp", "bus"), [Append("published", entry)])
        await bus.publish(ToolsListChanged())
        await wait_until(lambda: heard == [ToolsListChanged()])
    assert caplog.text.count("does not know") == 4


async def test_a_client_of_one_worker_is_told_what_another_publishes(url_of: Callable[[str], str]) -> None:
    url = url_of("redis-8.2")
    async with AsyncExitStack() as stack:
        clients = []
        for _ in range(2):
            store = await stack.enter_async_context(clew.connect(url))
            bus = await stack.enter_async_context(ClewSubscriptionBus(store, name="weather"))
            server = MCPServer("weather", subscriptions=bus)

            @server.tool()
            async def change(uri: str, ctx: Context[None]) -> None:
                await ctx.notify_resource_updated(uri)

            address = await stack.enter_async_context(serving(server.streamable_http_app()))
            clients.append(await stack.enter_async_context(Client(f"{address}/mcp")))
        async with clients[0].listen(resource_subscriptions=["weather://paris"]) as news, asyncio.timeout(10):
            for uri in ("weather://rome", "weather://paris"):
                assert not (await clients[1].call_tool("change", {"uri": uri})).is_error
            assert await anext(aiter(news)) == ResourceUpdated("weather://paris")
