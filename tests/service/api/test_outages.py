"""A store that goes away under many requests: nobody waits twice, channels go on, and one server of a cluster is not all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

import servers
from clew.errors import UnavailableError
from servers import Cluster, Server

from ...support import find_program, wait_until, with_options
from .conftest import SESSIONS, THREADS, Serve, problem
from .signing import sign
from .test_chat import say


@pytest.fixture
def binary() -> servers.Binary:
    """The program of the servers."""
    return find_program("valkey-9.1")


@pytest.mark.timeout(120)
async def test_whoever_waits_for_a_store_that_went_away_keeps_nobody_from_chat(serve: Serve, binary: servers.Binary) -> None:
    with Server(binary, durable=True) as server:
        api = await serve(with_options(server.url, timeout=2), CLEW_CONCURRENCY="20")
        kept = await say(api.ada, "words 1 0")
        assert kept["persisted"]
        server.kill()
        asking = [asyncio.create_task(api.eve.get(path)) for path in (THREADS, SESSIONS) * 20]
        await wait_until(lambda: api.app.state.limits.working == 15)
        # All the places that others may take are taken, for as long as the store is waited for.
        answer = await say(api.ada, "words 2 0")
        assert (answer["persisted"], answer["session_id"]) == (False, None)
        assert {problem(reply) for reply in await asyncio.gather(*asking)} == {"busy", "unavailable"}
        # From here on it is known, and nobody takes a place to wait.
        began = time.monotonic()
        replies = await asyncio.gather(*(api.eve.get(path) for path in (THREADS, SESSIONS) * 6))
        assert {problem(reply) for reply in replies} == {"unavailable"}
        for method, path, body in (("POST", THREADS, {}), ("DELETE", f"{THREADS}/x", None), ("POST", "/chatkit", {})):
            assert (await api.ada.request(method, path, json=body)).status_code == 503
        assert time.monotonic() - began < 1.5, "each of them would wait for two seconds"
        server.restart()

        async def is_back() -> bool:
            return (await api.ada.get(THREADS)).status_code == 200

        await wait_until(is_back, 30)
        back = await say(api.ada, "words 1 0")
        assert (back["persisted"], back["session_id"]) == (True, kept["session_id"])


@pytest.mark.timeout(120)
async def test_requests_alone_find_out_that_the_store_is_away(serve: Serve, binary: servers.Binary) -> None:
    with Server(binary) as server:
        api = await serve(with_options(server.url, timeout=1))
        assert (await api.ada.get(THREADS)).status_code == 200
        server.pause()
        assert problem(await api.ada.get(THREADS)) == "unavailable"
        await wait_until(lambda: api.app.state.room.chat.is_away)
        began = time.monotonic()
        assert not (await say(api.ada, "words 1 0"))["persisted"]
        assert time.monotonic() - began < 0.8
        server.resume()
        await wait_until(lambda: not api.app.state.room.chat.is_away)
        assert (await api.ada.get(THREADS)).status_code == 200


@pytest.fixture
def cluster(binary: servers.Binary) -> Iterator[Cluster]:
    """Three primaries, none of which another takes over for."""
    with Cluster(binary, primaries=3) as running:
        yield running


@pytest.fixture
async def stack() -> AsyncIterator[contextlib.AsyncExitStack]:
    """Closes a test's clients, whatever becomes of it."""
    async with contextlib.AsyncExitStack() as opened:
        yield opened


@pytest.mark.timeout(180)
async def test_one_server_of_a_cluster_that_is_away_takes_only_its_own_along(
    serve: Serve, cluster: Cluster, stack: contextlib.AsyncExitStack
) -> None:
    for node in cluster.nodes:
        node.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
    api = await serve(with_options(cluster.url, timeout=0.6))
    # Some of them on each server.
    users = ["ada", "eve", "bob", "cleo", "dan", "fay", "gus", "hal", "ida", "jo", "kim", "leo"]
    clients = [await stack.enter_async_context(api.client(sign(user))) for user in users]
    assert {(await client.post(THREADS, json={"id": "mine"})).status_code for client in clients} == {201}
    # The one that is asked first where any server will do.
    min(cluster.primaries, key=lambda node: node.address).kill()
    found = await asyncio.gather(*(client.get(f"{THREADS}/mine") for client in clients))
    dead = {n for n, reply in enumerate(found) if reply.status_code == 503}
    assert 0 < len(dead) < len(users)
    living = [n for n in range(len(users)) if n not in dead]
    for _ in range(2):
        # A request that meets the dead one shuts out nobody who asks for what is on the others.
        missing = asyncio.create_task(clients[min(dead)].get(f"{THREADS}/mine"))
        chats = [say(clients[n], "words 1 0") for n in living[:3]]
        replies = [await clients[n].get(f"{THREADS}/mine") for n in living]
        assert [reply.status_code for reply in replies] == [200] * len(living)
        assert problem(await missing) == "unavailable"
        answers = await asyncio.gather(*chats)
        assert all(answer["reply"] for answer in answers)
        assert not api.app.state.room.chat.is_away
    # Asked for all of it, it says that some is missing.
    store = api.app.state.room.store
    await store.reach()
    with pytest.raises(UnavailableError):
        await store.ping()
    for node in cluster.primaries:
        node.kill()
    # When nothing of it is there, nobody waits.
    assert problem(await clients[living[0]].get(f"{THREADS}/mine")) == "unavailable"
    await wait_until(lambda: bool(api.app.state.room.chat.is_away))
    began = time.monotonic()
    assert problem(await clients[living[0]].get(f"{THREADS}/mine")) == "unavailable"
    assert time.monotonic() - began < 0.5
