"""A writer is killed among 100 concurrent appends, 20 times: every acknowledged item is there once, in order."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from clew.backends.sqlite import SqliteBackend, open_backend
from clew.records import Entry, Partition

WRITER = Path(__file__).with_name("sqlite_writer.py")
THREAD = Partition("owner", "thread")
ROUNDS = 20


def write_and_be_killed(url: str, turn: int, after: int) -> list[tuple[str, int]]:
    """Start a writer, kill it once it has acknowledged `after` appends, and return all that it acknowledged."""
    writer = subprocess.Popen([sys.executable, str(WRITER), url, str(turn)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    with writer, writer.stdout as pipe:
        lines = [pipe.readline() for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        lines += pipe.readlines()
    assert writer.returncode == -signal.SIGKILL
    # The last line may have been cut off by the kill: then its caller was told nothing.
    whole = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return [(id, int(position)) for id, position in whole]


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
        acknowledged += write_and_be_killed(url, turn, random.randint(1, 500))

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
