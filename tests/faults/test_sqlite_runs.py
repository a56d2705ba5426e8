"""Runs in a SQLite file under faults: producers killed and taken over, zombies, readers of several processes that come and go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from clew.backend import Backend

from .run_processes import kill_and_read
from .run_traffic import RunningBackend, Traffic


@pytest.mark.timeout(300)
async def test_readers_of_three_stores_see_what_the_log_holds(
    tmp_path: Path, open_store: Callable[[str], Awaitable[Backend]]
) -> None:
    url = f"sqlite:///{tmp_path}/clew.db"
    writer, *readers = [cast(RunningBackend, await open_store(url)) for _ in range(4)]
    traffic = Traffic(writer, [writer, *readers], runs=20, events=120, watchers=10)

    async def trouble(_: Traffic) -> None:
        """There is no server to break: the takeovers, the zombies and the restless readers are the trouble."""

    await traffic.go(trouble)
    await traffic.verify()
    assert traffic.deliveries >= 20_000
    assert traffic.takeovers > 10
    assert traffic.refused > 10


@pytest.mark.timeout(300)
async def test_killed_producers_and_restless_readers_of_several_processes(tmp_path: Path) -> None:
    await kill_and_read(f"sqlite:///{tmp_path}/clew.db")
