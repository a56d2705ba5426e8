"""What a worker takes, and what it says to who asks for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from clew.service.limiting import Rates
from clew.service.refusals import RateError

from ...support import wait_until
from .conftest import THREADS, Serve, make_thread, problem
from .signing import bearer, sign


async def test_a_body_that_is_too_long_is_refused_however_it_is_sent(serve: Serve) -> None:
    api = await serve(CLEW_MAX_BODY="100000")
    mine = await make_thread(api.ada)
    here, kind = f"{THREADS}/{mine}/items", {"content-type": "application/json"}

    async def pieces(count: int) -> AsyncIterator[bytes]:
        yield b'{"items": [{"data": "'
        for _ in range(count):
            yield b"x" * 10_000
        yield b'"}]}'

    assert (await api.ada.post(here, content=pieces(9), headers=kind)).status_code == 201
    for content in (pieces(11), b" " * 100_001):
        reply = await api.ada.post(here, content=content, headers=kind)
        assert (problem(reply), reply.status_code) == ("too-large", 413)
    reply = await api.ada.post("/chatkit", content=b" " * 100_001)
    assert reply.status_code == 413
    large = await serve(CLEW_MAX_BODY=str(20 << 20))
    reply = await large.ada.post("/chatkit", content=b" " * (17 << 20))
    assert reply.status_code == 400
    assert len((await api.ada.get(here)).json()["data"]) == 1


async def test_a_caller_who_asks_too_often_waits_and_no_one_else_does(serve: Serve) -> None:
    api = await serve(CLEW_RATE="1")
    replies = [await api.ada.get(THREADS) for _ in range(6)]
    refused = [reply for reply in replies if reply.status_code == 429]
    assert replies[0].status_code == 200
    assert refused
    assert problem(refused[0]) == "rate"
    assert int(refused[0].headers["retry-after"]) >= 1
    # A new token of the same user is the same caller.
    again = [(await api.nobody.get(THREADS, headers=bearer(sign("ada", jti=str(n))))).status_code for n in range(3)]
    assert 429 in again
    assert (await api.eve.get(THREADS)).status_code == 200
    assert (await api.nobody.get("/healthz")).status_code == 200


def test_a_bucket_fills_again() -> None:
    now = 0.0
    rates = Rates(10, clock=lambda: now)
    for _ in range(20):
        rates.take("ada")
    with pytest.raises(RateError) as refused:
        rates.take("ada")
    assert refused.value.wait == pytest.approx(0.1)
    rates.take("eve")
    now = 0.1
    rates.take("ada")
    with pytest.raises(RateError):
        rates.take("ada")
    now = 1000.0
    for _ in range(20):
        rates.take("ada")
    with pytest.raises(RateError):
        rates.take("ada")


async def test_a_worker_with_enough_to_do_says_so_and_goes_on(serve: Serve) -> None:
    api = await serve(CLEW_CONCURRENCY="1")
    hold = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"title": '
        await hold.wait()
        yield b'"x"}'

    kind = {"content-type": "application/json"}
    slowly = asyncio.create_task(api.ada.post(THREADS, content=slow(), headers=kind))
    try:
        await wait_until(lambda: api.app.state.limits.working == 1)
        assert problem(await api.eve.get(THREADS)) == "busy"
        assert (await api.nobody.get("/healthz")).status_code == 200
    finally:
        hold.set()
    assert (await slowly).status_code == 201
    assert (await api.eve.get(THREADS)).status_code == 200


async def test_a_body_that_comes_to_a_halt_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.service.limiting.BODY_S", 0.1)
    api = await serve()
    port = int(api.base.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST {THREADS} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {sign('ada')}\r\ncontent-length: 99\r\n\r\n{{"
    writer.write(head.encode())
    async with asyncio.timeout(10):
        assert b" 408 " in await reader.readline()
    writer.close()
