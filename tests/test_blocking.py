"""The bridge for synchronous frameworks."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import clew
from clew.blocking import Bridge, Connection

from .support import wait_until


async def _answer(value: int) -> int:
    await asyncio.sleep(0)
    return value


def _bridges() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "clew-bridge"]


def test_calls_from_many_threads_meet_in_one_event_loop() -> None:
    bridge = Bridge()
    before = len(_bridges())
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda n: bridge.run(_answer(n)), range(50))) == list(range(50))
    assert len(_bridges()) == before + 1
    bridge.close()
    assert len(_bridges()) == before


async def test_a_call_from_a_thread_whose_event_loop_runs_comes_back() -> None:
    bridge = Bridge()
    assert bridge.run(_answer(3)) == 3
    bridge.close()


def test_a_call_from_its_own_event_loop_is_refused_instead_of_waiting_for_ever() -> None:
    bridge = Bridge()

    async def call_again() -> int:
        return bridge.run(_answer(3))

    with pytest.raises(RuntimeError, match="await the asynchronous method"):
        bridge.run(call_again())
    bridge.close()


async def test_a_call_that_is_under_way_when_it_closes_and_any_later_one_are_told_so() -> None:
    bridge = Bridge()
    started = threading.Event()

    async def wait() -> None:
        started.set()
        await asyncio.get_running_loop().create_future()

    calling = asyncio.create_task(asyncio.to_thread(lambda: bridge.run(wait())))
    await wait_until(started.is_set)
    bridge.close()
    bridge.close()
    with pytest.raises(clew.ClosedError, match="under way"):
        await calling
    with pytest.raises(clew.ClosedError, match="make another"):
        bridge.run(_answer(1))


def test_its_thread_ends_when_nobody_has_it_any_more() -> None:
    before = len(_bridges())
    bridge = Bridge()
    bridge.run(_answer(1))
    del bridge
    gc.collect()
    assert len(_bridges()) == before


async def test_callers_of_one_store_share_its_bridge_which_ends_with_it() -> None:
    before = len(_bridges())
    store = await clew.connect("memory://")
    ref = clew.Ref("ada", "t")
    first, second = Connection(store), Connection(store)
    first.run(store.threads.create("ada", id="t"))
    assert second.run(store.threads.get(ref)).id == "t"
    assert len(_bridges()) == before + 1
    first.close()
    with pytest.raises(clew.ClosedError, match="make another"):
        await first.get()
    assert await second.get() is store
    assert second.run(store.threads.get(ref)).id == "t"
    await store.aclose()
    del store, first, second
    gc.collect()
    assert len(_bridges()) == before


async def test_a_store_that_a_url_names_is_opened_once_by_many_callers_and_closed_with_its_connection(tmp_path: Path) -> None:
    connection = Connection(f"sqlite:///{tmp_path}/clew.db")
    here = await asyncio.gather(*(connection.get() for _ in range(5)), *(asyncio.to_thread(_get, connection) for _ in range(5)))
    assert len(set(here)) == 1
    await connection.aclose()
    await connection.aclose()
    with pytest.raises(clew.ClosedError):
        await here[0].threads.list("ada")
    with pytest.raises(clew.ClosedError):
        _get(connection)


def _get(connection: Connection) -> clew.Store:
    return connection.run(connection.get())


AT_THE_END = """
import asyncio, sys
from clew.blocking import Connection
connections = [Connection(url) for url in sys.argv[1:]]
async def count(connection):
    return len((await (await connection.get()).threads.list("ada")).data)
print(connections[0].run(count(connections[0])), asyncio.run(count(connections[1])))
"""


def test_a_process_that_ends_closes_what_nobody_closed_and_says_nothing(tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in "ab"]
    command = [sys.executable, "-W", "error", "-c", AT_THE_END, *urls]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0 0\n", "")
