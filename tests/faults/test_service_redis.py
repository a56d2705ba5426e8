"""Redis killed and restarted under two instances of the service that 64 clients post to: what was answered with success is there
once and in order, every refusal says when to come again, and no instance is started anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from clew.settings import Settings
from servers import Server
from tests.service.api.conftest import SESSIONS, THREADS, Api, problem, serving
from tests.service.api.signing import ISSUER, SECRET
from tests.support import wait_until, with_options

from .ledger import Ledger

KILLS = 10
CLIENTS = 64
CONVERSATIONS = 2
TIMEOUT_S = 0.75
"""How long the service tries to reach Redis before it refuses."""


@dataclass(frozen=True)
class Stored:
    """A message as it was read at the end: its name, and where it stands."""

    id: str
    position: int


@dataclass
class Session:
    """A session, and what its clients were told.

    Attributes:
        refused: messages that were refused, and not sent again.
    """

    id: str
    ledger: Ledger = field(default_factory=Ledger)
    refused: set[str] = field(default_factory=set)


async def post_until(stop: asyncio.Event, client: httpx2.AsyncClient, session: Session, name: str, *, has_keys: bool) -> None:
    """Post one message after the other. With keys, what was refused is sent again until it is taken; without, it is left."""
    count = 0
    while not stop.is_set():
        taken = await _post(client, session, f"{name}.{count}", has_key=has_keys)
        # The service has tried for a while before it refused, so nothing is lost by asking again at once.
        if taken or not has_keys:
            count += 1


async def _post(client: httpx2.AsyncClient, session: Session, text: str, *, has_key: bool = False) -> bool:
    """Post a message, and tell whether it was taken; where it was not, it was refused as it has to be."""
    headers = {"idempotency-key": text} if has_key else {}
    reply = await client.post(f"{SESSIONS}/{session.id}/messages", json={"role": "user", "content": text}, headers=headers)
    if reply.status_code == 201:
        (position,) = reply.json()["positions"]
        session.ledger.note(text, position)
        return True
    assert (reply.status_code, problem(reply)) == (503, "unavailable"), reply.text
    assert int(reply.headers["retry-after"]) > 0
    if not has_key:
        session.refused.add(text)
    return False


async def read_all(client: httpx2.AsyncClient, session: str) -> list[Stored]:
    """Return every message of a session, in the order read."""
    found: list[Stored] = []
    after: dict[str, Any] = {}
    while True:
        reply = await client.get(f"{THREADS}/{session}/items", params={"limit": 1000, **after})
        page = reply.json()
        found += [Stored(each["data"]["content"], each["position"]) for each in page["data"]]
        if not page["has_more"]:
            return found
        after = {"after": page["cursor"]}


async def kill_and_restart(server: Server, apis: list[Api], sessions: list[Session]) -> None:
    """Take Redis away ten times, each time until both instances have refused something, and until messages are taken again."""
    for kill in range(KILLS):
        await _more_taken(sessions, CLIENTS)
        await asyncio.to_thread(server.kill)
        late = [_post(api.ada, sessions[0], f"late{number}.{kill}") for number, api in enumerate(apis)]
        assert await asyncio.gather(*late) == [False, False]
        await asyncio.to_thread(server.restart)
    await _more_taken(sessions, 2 * CLIENTS)


async def _more_taken(sessions: list[Session], more: int) -> None:
    def taken() -> int:
        return sum(len(session.ledger.positions) for session in sessions)

    enough = taken() + more
    await wait_until(lambda: taken() >= enough, 20)


@pytest.mark.timeout(120)
async def test_messages_outlive_ten_kills_of_redis_and_the_service_goes_on_by_itself(
    own_server: Callable[..., Server],
) -> None:
    server = own_server(durable=True)
    url = with_options(server.url, timeout=TIMEOUT_S)
    env = {"CLEW_URL": url, "CLEW_FILES_URL": "memory://", "CLEW_JWT_SECRET": SECRET, "CLEW_JWT_ISSUER": ISSUER}
    settings = Settings.from_env(env, None)
    async with AsyncExitStack() as stack:
        apis = [await stack.enter_async_context(serving(settings)) for _ in range(2)]
        made = [(await apis[0].ada.post(SESSIONS, json={})).json()["id"] for _ in range(CONVERSATIONS)]
        sessions, stop = [Session(id) for id in made], asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                client, session = apis[number % 2].ada, sessions[number // 2 % CONVERSATIONS]
                group.create_task(post_until(stop, client, session, f"c{number}", has_keys=number % 8 < 4))
            try:
                await kill_and_restart(server, apis, sessions)
            finally:
                stop.set()
        for session in sessions:
            stored = await read_all(apis[0].ada, session.id)
            assert session.ledger.verify(stored).clean
            assert session.refused.isdisjoint(each.id for each in stored)
        for api in apis:
            assert (await api.nobody.get("/readyz")).status_code == 200
