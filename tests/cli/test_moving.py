"""`clew import --layout`: killed in the middle it goes on, and what it says is for people or for programs."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from clew import Ref, Store, connect
from clew.adapters.langgraph import ClewSaver
from clew.adapters.langgraph.moving import move
from clew.cli.app import app
from clew.cli.running import start as run

from ..support import wait_until
from .conftest import OWNER, Clew


async def fill(path: Path, count: int) -> None:
    """Put checkpoints of a growing conversation, each with two writes."""
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        messages = []
        configurable = {"thread_id": "t", "checkpoint_ns": ""}
        for n in range(count):
            messages.append(HumanMessage(f"message {n}", id=f"m{n}"))
            versions: dict[str, str | int | float] = {"messages": f"{n + 1:032}.{n}"}
            values = {"messages": list(messages)}
            id = f"{n:06}"
            checkpoint: Checkpoint = {**empty_checkpoint(), "id": id, "channel_values": values, "channel_versions": versions}
            await saver.aput({"configurable": configurable}, checkpoint, {"source": "loop", "step": n}, versions)
            configurable = {**configurable, "checkpoint_id": f"{n:06}"}
            await saver.aput_writes({"configurable": configurable}, [("a", n), ("b", n)], "task", "~path")


def start(words: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a command, to be killed."""
    command = [sys.executable, "-m", "clew.cli", *words]
    return subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL)


async def count_checkpoints(store: Store) -> int:
    """Return how many have come, of the first thousand."""
    return len((await store.checkpoints.list(Ref(OWNER, "t"), limit=1000, bare=True)).checkpoints)


async def test_an_import_killed_in_the_middle_goes_on_and_doubles_nothing(
    environment: dict[str, str], url: str, tmp_path: Path
) -> None:
    count = 120
    await fill(tmp_path / "langgraph.db", count)
    words = ["import", "--layout", "langgraph-sqlite", "langgraph.db"]
    async with connect(url) as store:

        async def has_enough() -> bool:
            return await count_checkpoints(store) >= 20

        with start(words, environment, tmp_path) as process:
            try:
                await wait_until(has_enough, timeout=30)
            finally:
                process.kill()
        assert process.returncode == -signal.SIGKILL
        moved = await count_checkpoints(store)
        assert 20 <= moved < count
        report = await move("langgraph-sqlite", str(tmp_path / "langgraph.db"), store, OWNER, lambda _: None)
        assert (report.threads, report.there, report.checkpoints, report.left) == (1, moved, count - moved, 0)
        saver = ClewSaver(store, owner=OWNER)
        found = [each async for each in saver.alist({"configurable": {"thread_id": "t"}})]
        assert [each.checkpoint["id"] for each in found] == [f"{n:06}" for n in range(count)][::-1]
        for each in found:
            n = int(each.checkpoint["id"])
            assert len(each.checkpoint["channel_values"]["messages"]) == n + 1
            assert each.pending_writes == [("task", "a", n), ("task", "b", n)]
        assert len(list(await store.items.page(Ref(OWNER, "t"), limit=1000))) == count


def spoil(folder: Path) -> None:
    """Leave three checkpoints, the second of which cannot be read."""
    asyncio.run(fill(folder / "langgraph.db", 3))
    with sqlite3.connect(folder / "langgraph.db") as db:
        db.execute("UPDATE checkpoints SET checkpoint = x'c1' WHERE checkpoint_id = '000001'")
    db.close()


def test_programs_are_told_what_was_left_by_json_and_an_exit_code(clew: Clew, tmp_path: Path) -> None:
    spoil(tmp_path)
    done = clew("import", "--layout", "langgraph-sqlite", "langgraph.db", "--owner", "grace", "--json")
    assert (done.returncode, done.stderr) == (7, "")
    assert json.loads(done.stdout) == {
        "layout": "langgraph-sqlite",
        "source": "langgraph.db",
        "owner": "grace",
        "threads": 1,
        "checkpoints": 2,
        "writes": 4,
        "there": 0,
        "left": 1,
        "details": [
            {
                "kind": "checkpoint",
                "thread": "t",
                "checkpoint_ns": "",
                "checkpoint_id": "000001",
                "where": "langgraph.db, checkpoint 000001",
                "reason": "it cannot be read (ValueError)",
            }
        ],
    }


def test_people_are_told_whose_threads_they_become_and_what_was_left(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(tmp_path)
    for name, value in (environment | {"CLEW_OWNER": ""}).items():
        monkeypatch.setenv(name, value)
    source = str(tmp_path / "langgraph.db")
    words = ["import", "--layout", "langgraph-sqlite", source]
    assert run(app, [*words, "--dry-run"]) == 7
    said = capsys.readouterr()
    assert "would move 1 threads, 2 checkpoints, 4 writes; 1 things cannot be moved; nothing was written" in said.err
    assert run(app, words) == 7
    said = capsys.readouterr()
    assert said.out == ""
    assert "--owner says whose else" in said.err
    assert f"left: checkpoint {source}, checkpoint 000001: it cannot be read" in said.err
    assert "moved 1 threads, 2 checkpoints, 4 writes; 0 were there; 1 things were left" in said.err
    assert run(app, [*words[:2], "letta", source, "--json"]) == 2
    assert "langgraph-plainredis" in capsys.readouterr().err
    assert run(app, ["import", source, "--prefix", "lg"]) == 2
