"""Redis killed and restarted ten times under 64 clients who post messages to their sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

import servers
from clew.service import settling
from servers import MissingBinaryError, Server

from ...support import do_without, wait_until, with_options
from .conftest import SESSIONS, Serve, client_of, problem
from .signing import sign

CLIENTS = 64
KILLS = 10


class Talk:
    """A client that posts one message after the other to a session of its own.

    Attributes:
        told: the ids of the messages that were answered with success, in order.
        refused: how often it was answered 503.
    """

    def __init__(self, number: int, here: str) -> None:
        self.here = f"{here}/messages"
        self.told: list[str] = []
        self.refused = 0
        self._name = f"c{number}"
        # Half of them give a refused message up, half send it again.
        self._is_patient = number % 2 == 0

    async def run(self, client: httpx2.AsyncClient, is_over: asyncio.Event) -> None:
        """Post until it is over."""
        count = 0
        while not is_over.is_set():
            count += 1
            while not await self.post(client, f"{self._name}-{count}") and self._is_patient:
                pass

    async def post(self, client: httpx2.AsyncClient, text: str) -> bool:
        """Post a message, and tell whether it was taken."""
        reply = await client.post(self.here, json={"role": "user", "content": text})
        if reply.status_code == 201:
            assert reply.json()["duplicates"] == []
            self.told.append(text)
            return True
        assert (reply.status_code, problem(reply)) == (503, "unavailable")
        self.refused += 1
        return False


@pytest.mark.timeout(180)
async def test_what_is_answered_with_success_is_there_once_and_in_order_and_nothing_else_is(serve: Serve) -> None:
    with open_server() as server:
        api = await serve(with_options(server.url, timeout=1), CLEW_RATE="0")
        async with client_of(api.base, sign("ada")) as client:
            places = [(await client.post(SESSIONS, json={})).headers["location"] for _ in range(CLIENTS)]
            talks = [Talk(number, here) for number, here in enumerate(places)]
            late = Talk(CLIENTS, places[0])
            is_over = asyncio.Event()

            async def is_away() -> bool:
                return (await client.get("/readyz")).status_code == 503

            async with asyncio.TaskGroup() as running:
                for talk in talks:
                    running.create_task(talk.run(client, is_over))
                for kill in range(KILLS):
                    await grow(talks)
                    await asyncio.to_thread(server.kill)
                    if kill in (0, 5):
                        # Those whose messages had gone out wait for it; whoever comes now is refused.
                        await wait_until(is_away)
                        assert not await late.post(client, f"late {kill}")
                    await asyncio.to_thread(server.restart)
                await grow(talks)
                is_over.set()
            for talk in talks:
                assert await read(client, talk.here) == talk.told


async def test_a_message_whose_answer_is_late_is_answered_when_the_store_is_and_is_there_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_server() as server:
        api = await serve(with_options(server.url, timeout=0.3))
        here = f"{(await api.ada.post(SESSIONS, json={})).headers['location']}/messages"
        for name, headers in (("plain", {}), ("keyed", {"idempotency-key": "k-1"})):
            server.pause()
            began = time.monotonic()
            post = asyncio.create_task(api.ada.post(here, json={"role": "user", "content": name}, headers=headers))
            # Longer than the store's time-out, after which what had not gone out is refused.
            await wait_until(lambda: time.monotonic() > began + 0.8)  # noqa: B023
            assert not post.done()
            server.resume()
            reply = await post
            assert (reply.status_code, reply.json()["duplicates"]) == (201, []), reply.text
        assert await read(api.ada, here) == ["plain", "keyed"]
        # Nobody waits for ever.
        monkeypatch.setattr(settling, "SETTLE_S", 0.2)
        server.pause()
        reply = await api.ada.post(here, json={"role": "user", "content": "too late"})
        assert (reply.status_code, problem(reply)) == (503, "unavailable")
        server.resume()


@contextmanager
def open_server() -> Iterator[Server]:
    """Start a durable server of the test's own."""
    try:
        binary = servers.find("valkey-9.1")
    except MissingBinaryError as error:
        do_without(error)
    with Server(binary, durable=True) as server:
        yield server


async def grow(talks: list[Talk]) -> None:
    """Return when half as many more messages were answered with success as there are clients."""
    before = sum(len(talk.told) for talk in talks)
    await wait_until(lambda: sum(len(talk.told) for talk in talks) >= before + CLIENTS // 2, 60)


async def read(client: httpx2.AsyncClient, here: str) -> list[str]:
    """Return the texts of all messages of a session."""
    page = (await client.get(here, params={"limit": "1000"})).json()
    assert not page["has_more"]
    return [each["content"] for each in page["data"]]
