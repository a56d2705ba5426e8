"""A session message posted over HTTP, against an endpoint of the same framework and server that does one bare RPUSH of its bytes.

The client is the same, and writes to both in turn: over one connection, and over 64 at once, each a user with a session.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import jwt

from servers import Server, find

from ..core.place import PAYLOAD
from ..measure import Work, interleave
from ..report import Row, judge_cost, judge_throughput
from ..topics import Plan, Topic
from .client import HttpLink, make_links, make_request
from .place import FLOOR, SECRET, read_cpu, start

NAME: Final = "session-post"
LATENCY: Final = f"{NAME}/latency"
THROUGHPUT: Final = f"{NAME}/throughput"
CONNECTIONS: Final = 64
CALLS: Final = 300
CALLS_AT_ONCE: Final = 1_280
FLOOR_LINKS: Final = 8
"""Connections of the floor's pool: where 64 requests come at once, 1, 4, 16 and 64 are no quicker."""
CPU_NOTE: Final = "no limit: the time that the server's process had a processor for a request, which other work does not stretch"
BODY: Final = b'{"role":"user","content":%b}' % json.dumps(json.loads(PAYLOAD)["text"]).encode()


def sign(user: str) -> str:
    """Return a token, as an identity provider issues it."""
    now = int(time.time())
    claims = {
        "sub": user,
        "aud": "authenticated",
        "iss": "https://bench.example/auth/v1",
        "iat": now,
        "exp": now + 3600,
        "role": "authenticated",
        "email": f"{user}@bench.example",
        "session_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        "app_metadata": {"provider": "email", "providers": ["email"], "teams": ["support"]},
        "user_metadata": {"email_verified": True},
    }
    return jwt.encode(claims, SECRET, "HS256")


async def run(plan: Plan) -> list[Row]:
    """Measure `session-post`."""
    rows: list[Row] = []
    async with AsyncExitStack() as stack:
        server = stack.enter_context(Server(find("redis-8.2")))
        subject = await stack.enter_async_context(start("subject", server.url))
        floor = await stack.enter_async_context(start("floor", server.url, str(FLOOR_LINKS)))
        ours = await stack.enter_async_context(make_links(subject.port, CONNECTIONS))
        theirs = await stack.enter_async_context(make_links(floor.port, CONNECTIONS))
        posts = [await _make_session(link, f"user-{number}") for number, link in enumerate(ours)]
        pushes = [make_request(FLOOR, BODY)] * CONNECTIONS
        pids = {"subject": subject.pid, "floor": floor.pid}
        if plan.wants(LATENCY):
            works = {"subject": _one_by_one(ours[0], posts[0]), "floor": _one_by_one(theirs[0], pushes[0])}
            times, cpu = await _measure(LATENCY, works, pids, plan.rounds, CALLS)
            note = (
                "one connection; floor: JSONResponse(await client.rpush(key, await request.body())) in an endpoint of Starlette"
            )
            rows.append(judge_cost(LATENCY, times["subject"], times["floor"], note=note))
            rows.append(judge_cost(f"{LATENCY}/cpu", cpu["subject"], cpu["floor"], note=CPU_NOTE, free=True))
        if plan.wants(THROUGHPUT):
            works = {"subject": _all_at_once(ours, posts), "floor": _all_at_once(theirs, pushes)}
            times, cpu = await _measure(THROUGHPUT, works, pids, plan.rounds, CALLS_AT_ONCE)
            note = f"{CONNECTIONS} connections, each a user with a session; the floor has {FLOOR_LINKS} connections to Redis"
            rows.append(judge_throughput(THROUGHPUT, times["subject"], times["floor"], note=note))
            rows.append(judge_cost(f"{THROUGHPUT}/cpu", cpu["subject"], cpu["floor"], free=True))
    return rows


async def _measure(
    title: str, works: Mapping[str, Work], pids: Mapping[str, int], rounds: int, count: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the seconds that a request took, a figure a round, and those that the server's process had a processor for it."""
    cpu: dict[str, list[float]] = {name: [] for name in works}

    def meter(name: str, work: Work) -> Work:
        async def metered(count: int) -> None:
            before = read_cpu(pids[name])
            await work(count)
            cpu[name].append((read_cpu(pids[name]) - before) / count)

        return metered

    times = await interleave(title, {name: meter(name, work) for name, work in works.items()}, rounds=rounds, count=count)
    # The first figure is the warm-up's.
    return times, {name: figures[1:] for name, figures in cpu.items()}


async def _make_session(link: HttpLink, user: str) -> bytes:
    """Make a session, and return the request that posts a message to it."""
    token = sign(user)
    made = json.loads(await link.ask(make_request("/api/sessions", b'{"name":"A session of the benchmark"}', token)))
    return make_request(f"/api/sessions/{made['id']}/messages", BODY, token)


def _one_by_one(link: HttpLink, request: bytes) -> Work:
    async def work(count: int) -> None:
        for _ in range(count):
            await link.ask(request)

    return work


def _all_at_once(links: Sequence[HttpLink], requests: Sequence[bytes]) -> Work:
    async def work(count: int) -> None:
        each = count // len(links)
        await asyncio.gather(*(_one_by_one(link, request)(each) for link, request in zip(links, requests, strict=True)))

    return work


TOPIC: Final = Topic((LATENCY, THROUGHPUT), run)
