"""Many clients that leave in mid-answer, on a store with real latency; and several workers on Redis, one of which is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest

from tests.support import wait_until

from .conftest import Start
from .latency import Slow
from .running import JSON, Service, answers_of, says
from .scripted import words

CLIENTS = 200
COUNT = 25
LATENCY_S = 0.01


@pytest.fixture
async def slow(url_of: Callable[..., str]) -> AsyncIterator[Slow]:
    """A Redis server with 10 ms on every round trip, not yet listening."""
    proxy = Slow(url_of("redis-8.2"), LATENCY_S)
    yield proxy
    await proxy.aclose()


@pytest.fixture
async def slow_url(slow: Slow) -> str:
    """Its URL."""
    return await slow.start()


async def leave_in_mid_answer(service: Service, number: int, dice: random.Random) -> str:
    """Ask for an answer, read some of it, and break the connection; return the thread's id."""
    body = {"type": "threads.create", "params": {"input": says(f"words {COUNT} 0.04")}}
    lines = dice.randrange(0, 12)
    async with (
        httpx2.AsyncClient(base_url=service.base, timeout=60) as http,
        http.stream("POST", "/chatkit", json=body) as response,
    ):
        assert response.status_code == 200
        thread: str = response.headers["clew-thread"]
        async for line in response.aiter_lines():
            lines -= line.startswith("data: ")
            if lines <= 0:
                break
    return thread


def is_settled(items: list[JSON], standing: JSON) -> bool:
    """Tell whether the thread has its full answer, or one that is marked; nothing of it may be pending."""
    assert not [item for item in items if item.get("status") == "pending"]
    full = answers_of(items) == [words(COUNT)]
    return full or (standing["run"] is None and standing["marks"].get(items[-1]["id"]) in ("interrupted", "stopped", "failed"))


@pytest.mark.timeout(300)
async def test_each_of_two_hundred_threads_has_its_full_answer_though_all_clients_left(
    start_service: Start, slow_url: str
) -> None:
    service = await start_service(slow_url)
    dice = random.Random(200)
    threads = await asyncio.gather(*(leave_in_mid_answer(service, number, dice) for number in range(CLIENTS)))
    assert len(set(threads)) == CLIENTS

    some = asyncio.Semaphore(20)

    async def check(thread: str) -> None:
        async def has_ended() -> bool:
            # The run ends just after its answer is kept.
            return (await service.standing(thread))["run"] is None

        async with some:
            await wait_until(has_ended, timeout=60)
            assert answers_of(await service.items(thread)) == [words(COUNT)]
            assert (await service.standing(thread))["marks"] == {}

    await asyncio.gather(*map(check, threads))


@pytest.mark.timeout(300)
async def test_each_of_two_hundred_threads_has_a_full_or_marked_answer_though_the_process_was_killed(
    start_service: Start, slow_url: str
) -> None:
    service = await start_service(slow_url)
    dice = random.Random(201)
    asking = [asyncio.create_task(leave_in_mid_answer(service, number, dice)) for number in range(CLIENTS)]
    threads = await first_of(asking, CLIENTS // 2)
    service.kill()
    await asyncio.gather(*asking, return_exceptions=True)
    await service.start()
    listed = await service.ask("threads.list", limit=CLIENTS, order="desc", after=None)
    found = {thread["id"] for thread in listed.json()["data"]}
    assert set(threads) <= found
    kept = {"full": 0, "marked": 0}
    some = asyncio.Semaphore(20)

    async def check(thread: str) -> None:
        async def settled() -> bool:
            return is_settled(await service.items(thread), await service.standing(thread))

        async with some:
            await wait_until(settled, timeout=30)
            kept["full" if answers_of(await service.items(thread)) == [words(COUNT)] else "marked"] += 1

    await asyncio.gather(*map(check, threads))
    assert kept["marked"] > 0


@pytest.mark.timeout(180)
async def test_a_store_that_goes_away_and_returns_is_told_of_in_plain_words_and_ends_no_answer(
    start_service: Start, slow: Slow
) -> None:
    service = await start_service(await slow.start(), SCRIPTED_LEASE="60")
    count = 40
    thread, run = await service.begin(f"words {count} 0.4")
    await slow.aclose()

    async def is_told() -> bool:
        ready = await service.http.get("/readyz")
        return ready.status_code == 503 and ready.json()["checks"]["store"] != "ok"

    await wait_until(is_told, timeout=30)
    assert (await service.http.get("/healthz")).status_code == 200
    await slow.start()

    async def is_whole() -> bool:
        return answers_of(await service.items(thread)) == [words(count)]

    await wait_until(is_whole, timeout=60)
    async with service.events(thread, run) as events:
        kinds = [event["event"] async for event in events]
    assert kinds[-1] == "done"
    assert (await service.standing(thread))["marks"] == {}
    await slow.aclose()
    refused = await service.ask("threads.list", limit=10, order="desc", after=None)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert "cannot be reached" in refused.json()["error"]["message"]


async def first_of(tasks: list[asyncio.Task[str]], count: int) -> list[str]:
    """Return the results of the first `count` tasks that end."""
    waiting = set(tasks)
    found: list[str] = []
    while len(found) < count:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        found += [task.result() for task in done]
    return found


@pytest.mark.timeout(180)
async def test_any_worker_goes_on_with_an_answer_and_tells_of_a_dead_one(
    start_service: Start, url_of: Callable[..., str]
) -> None:
    service = await start_service(url_of("redis-8.2"), workers=3)
    victim, *others = workers_of(service)
    dying = [await begin_without(service, others) for _ in range(4)]
    living = [await begin_without(service, [victim]) for _ in range(5)]
    begun = dying + living
    os.kill(victim, signal.SIGKILL)

    async def end_of(thread: str, run: str) -> tuple[str, str]:
        """Read an answer to its end, from any worker, coming back with the last id as a page does."""
        said, last = "", None
        while True:
            try:
                async with service.events(thread, run, last) as events:
                    async for event in events:
                        last = event["id"] or last
                        said += event["data"].get("update", {}).get("delta", "")
                        if event["event"] in ("done", "interrupted", "error", "cancelled"):
                            return event["event"], said
            except httpx2.TransportError:
                await asyncio.sleep(0.1)

    ends = await asyncio.gather(*(end_of(thread, run) for thread, run in begun))
    assert [kind for kind, _ in ends] == ["interrupted"] * len(dying) + ["done"] * len(living)
    for (thread, _), (kind, said) in zip(begun, ends, strict=True):
        items = await service.items(thread)
        assert answers_of(items) == ([said] if said else [])
        marks = (await service.standing(thread))["marks"]
        if kind == "done":
            assert (said, marks) == (words(400), {})
        else:
            assert marks == {items[-1]["id"]: "interrupted"}


async def begin_without(service: Service, stopped: list[int]) -> tuple[str, str]:
    """Begin an answer while some of the workers are stopped, so that another one takes it."""
    while True:
        # For a moment only, so that no lease of theirs runs out.
        for worker in stopped:
            os.kill(worker, signal.SIGSTOP)
        try:
            await wait_until(lambda: all(_state(worker) == "T" for worker in stopped))
            async with asyncio.timeout(2), service.alone() as http:
                if (await http.get("/readyz")).status_code == 200:
                    return await service.begin("words 400 0.03")
        except TimeoutError:
            # None of the others has started yet.
            pass
        finally:
            for worker in stopped:
                os.kill(worker, signal.SIGCONT)
        await asyncio.sleep(0.1)


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def workers_of(service: Service) -> list[int]:
    """Return the ids of the processes that serve."""
    assert service.process is not None
    mother = service.process.pid
    found = Path(f"/proc/{mother}/task/{mother}/children").read_text().split()
    return [int(each) for each in found if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()]
