"""The subscription bus: every worker's listeners hear what one of them publishes, also after the store was away."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
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
from servers import MissingBinaryError

from ...support import do_without, wait_until, with_options


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
    try:
        binary = servers.find("valkey-9.1")
    except MissingBinaryError as error:
        do_without(error)
    with servers.Server(binary, durable=True) as server:
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
