"""A writer is killed among 100 concurrent appends, 20 times: every acknowledged item is there once, in order.

So is one that puts checkpoints: no step is there by half.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from clew.backends.sqlite import SqliteBackend, open_backend
from clew.checkpointing import CheckpointPage
from clew.checkpoints import Checkpoint
from clew.records import Entry, Partition

from .sqlite_checkpointer import CHAIN, KEPT

WRITER = Path(__file__).with_name("sqlite_writer.py")
CHECKPOINTER = Path(__file__).with_name("sqlite_checkpointer.py")
THREAD = Partition("owner", "thread")
ROUNDS = 20


def write_and_be_killed(program: Path, url: str, turn: int, after: int) -> list[list[str]]:
    """Start a writer, kill it once it has acknowledged `after` commits, and return the words of each that it acknowledged."""
    writer = subprocess.Popen([sys.executable, str(program), url, str(turn)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    with writer, writer.stdout as pipe:
        lines = [pipe.readline() for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        lines += pipe.readlines()
    assert writer.returncode == -signal.SIGKILL
    # The last line may have been cut off by the kill: then its caller was told nothing.
    return [line.decode().split() for line in lines if line.endswith(b"\n")]


async def read_all(store: SqliteBackend) -> list[Entry]:
    found: list[Entry] = []
    while True:
        page = await store.read(THREAD, "items", after=found[-1].position if found else None, limit=1000)
        found += page.entries
        if not page.has_more:
            return found


@pytest.mark.timeout(180)
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/clew.db"
    acknowledged: list[tuple[str, int]] = []
    for turn in range(ROUNDS):
        done = write_and_be_killed(WRITER, url, turn, random.randint(1, 500))
        acknowledged += [(id, int(position)) for id, position in done]

    store = await open_backend(url)
    entries = await read_all(store)
    revision = await store.revision(THREAD)
    lines = await store.list("owner")
    await store.aclose()

    positions = {entry.id: entry.position for entry in entries}
    lost = [id for id, position in acknowledged if positions.get(id) != position]
    assert lost == []
    assert len(positions) == len(entries) == revision, "an item is there twice, or a commit is half there"
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.data for entry in entries] == [entry.id.encode() * 30 for entry in entries]
    for turn in range(ROUNDS):
        for task in range(100):
            turns = [int(id.rpartition("-")[2]) for id in positions if id.startswith(f"{turn}-{task}-")]
            assert turns == list(range(len(turns))), "a task's items are out of order"
    assert [line.name for line in lines] == ["thread"]

    db = sqlite3.connect(tmp_path / "clew.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    print(f"{ROUNDS} kills: {len(acknowledged):,} acknowledged, {len(entries):,} stored, 0 lost, 0 doubled, 0 out of order")


def read_value(page: CheckpointPage, checkpoint: Checkpoint) -> list[bytes]:
    """Return the data of every item that a checkpoint refers to."""
    value: list[bytes] = []
    name: str | None = checkpoint.uses[0]
    while name is not None:
        part = page.parts[name]
        value = [page.entries[first + n].data for first, count in part.spans for n in range(count)] + value
        name = part.after
    return value


async def test_no_step_of_a_killed_program_is_there_by_half(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/clew.db"
    # The last step of each thread that a round acknowledged.
    last = [dict(write_and_be_killed(CHECKPOINTER, url, turn, random.randint(20, 600))) for turn in range(4)]

    store = await open_backend(url)
    pages = {}
    for thread in range(20):
        place = Partition("owner", f"thread-{thread}")
        page = pages[thread] = await store.list_checkpoints(place, limit=1000)
        newest = await store.read(place, "items", newest_first=True, limit=2)
        if page.checkpoints:
            assert [entry.id for entry in newest.entries] == [f"{page.checkpoints[0].id}-{k}" for k in (1, 0)]
    await store.aclose()

    for thread, page in pages.items():
        for turn in range(4):
            steps = [int(each.id[4:]) for each in page.checkpoints if int(each.id[:3]) == turn]
            end = steps[0] + 1 if steps else 0
            assert steps[::-1] == list(range(max(end - KEPT, 0), end)), "a step dropped too much or too little"
            told = last[turn].get(str(thread))
            assert told is None or int(told[4:]) < end, "an acknowledged step is lost"
        for each in page.checkpoints:
            turn, n = int(each.id[:3]), int(each.id[4:])
            items = [f"{turn:03}-{m:06}-{k}".encode() * 20 for m in range(n - n % CHAIN, n + 1) for k in range(2)]
            assert read_value(page, each) == items, "a checkpoint is there without what it refers to"
            assert [each.head, *(write.data for write in each.writes)] == [each.id.encode()] * 3

    db = sqlite3.connect(tmp_path / "clew.db")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    tables = ("checkpoint", "task_write", "part")
    counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
    db.close()
    checkpoints = sum(len(page.checkpoints) for page in pages.values())
    assert counts == [checkpoints, 2 * checkpoints, sum(len(page.parts) for page in pages.values())]
