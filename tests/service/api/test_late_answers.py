"""A store whose answer to a message is late. tests/faults kills one under many clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from clew.service import settling
from servers import Server

from ...support import find_program, wait_until, with_options
from .conftest import SESSIONS, THREADS, Serve, problem


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
        # Neither is a session that is made refused, and there all the same.
        before = len((await api.ada.get(SESSIONS)).json()["data"])
        for path, body in ((SESSIONS, {"initial_message": "first"}), (THREADS, {"id": "mine", "ttl": 60})):
            server.pause()
            began = time.monotonic()
            post = asyncio.create_task(api.ada.post(path, json=body))
            await wait_until(lambda: time.monotonic() > began + 0.8)  # noqa: B023
            server.resume()
            reply = await post
            assert (reply.status_code, reply.headers.get("idempotency-replayed")) == (201, None), reply.text
        assert reply.json()["expires_at"] is not None
        assert len((await api.ada.get(SESSIONS)).json()["data"]) == before + 2
        # Nobody waits for ever.
        monkeypatch.setattr(settling, "SETTLE_S", 0.2)
        server.pause()
        reply = await api.ada.post(here, json={"role": "user", "content": "too late"})
        assert (reply.status_code, problem(reply)) == (503, "unavailable")
        server.resume()


@contextmanager
def open_server() -> Iterator[Server]:
    """Start a durable server of the test's own."""
    with Server(find_program("valkey-9.1"), durable=True) as server:
        yield server


async def read(client: httpx2.AsyncClient, here: str) -> list[str]:
    """Return the texts of all messages of a session."""
    page = (await client.get(here, params={"limit": "1000"})).json()
    assert not page["has_more"]
    return [each["content"] for each in page["data"]]
