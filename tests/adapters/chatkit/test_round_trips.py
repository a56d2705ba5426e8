"""Each method is one call of the backend, and one read of the server's socket, also for a worker that has seen nothing before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest

import clew
from bench.chatkit.methods import METHODS, RARE
from bench.chatkit.trips import count_trips
from clew import Store
from clew.adapters.chatkit import ChatKitStore
from clew.testing import Recorder, WholeBackend
from servers import Server, find


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    """A server that nobody else talks to, so that its statistics are ours."""
    with Server(find("valkey-9.1")) as running:
        yield running


@pytest.mark.parametrize("method", METHODS)
async def test_a_method_is_one_call_of_the_backend(method: str) -> None:
    async with clew.connect("memory://") as store:
        recorder = Recorder(cast(WholeBackend, store.backend))
        writer, kit = ChatKitStore[None](store, owner="ada"), ChatKitStore[None](Store(cast(Any, recorder)), owner="ada")
        call = await METHODS[method](writer, kit)
        recorder.clear()
        await call()
        assert len(recorder.calls) == 1, recorder.calls


async def test_a_method_is_one_read_of_the_servers_socket(redis: Server) -> None:
    async with clew.connect(redis.url) as first, clew.connect(redis.url) as second:
        writer, kit = ChatKitStore[None](first, owner="ada"), ChatKitStore[None](second, owner="ada")
        for case in METHODS.values():
            await (await case(writer, kit))()
        counted = {method: await count_trips(redis, await case(writer, kit)) for method, case in METHODS.items()}
        assert counted == dict.fromkeys(METHODS, 1)
        rare = {method: await count_trips(redis, await case(writer, kit)) for method, case in RARE.items()}
        assert rare == {"save_item/made-anew": 3}
