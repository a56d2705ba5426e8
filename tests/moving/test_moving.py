"""A move as a whole: interrupted and run again, with keys that come and go meanwhile, over many threads, and by the command."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from redis import Redis

import clew
from clew import Ref
from clew.cli.app import app
from clew.cli.running import start as run
from clew.errors import InvalidError, UnavailableError
from clew.moving import LAYOUTS, move
from clew.moving.mover import FROM, OPEN

from .conftest import Bring


def put(foreign: Redis, session: str, count: int, *, first: int = 0) -> None:
    """Write a session as openai-agents does."""
    pipe = foreign.pipeline()
    for n in range(first, first + count):
        pipe.rpush(f"agents:session:{session}:messages", json.dumps({"role": "user", "content": f"message {n}"}))
    pipe.execute()


async def contents(store: clew.Store, session: str) -> list[str]:
    """Return what the first thousand items of a session say."""
    return [item.json()["content"] for item in await store.items.page(Ref("ada", session), limit=1000)]


async def test_a_move_that_is_interrupted_goes_on_and_doubles_nothing(
    foreign: Redis, foreign_url: str, store: clew.Store, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(OPEN + 3):
        put(foreign, f"s{n:03}", 3)
    put(foreign, "long", 300)
    append, calls = store.items.append, []

    async def append_until(*given: object, **named: object) -> object:
        calls.append(given)
        if len(calls) == 20:
            raise UnavailableError("gone away")
        return await append(*given, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(store.items, "append", append_until)
        with pytest.raises(UnavailableError):
            await bring("openai-agents")
    report = await bring("openai-agents")
    assert report.items + report.there == 3 * (OPEN + 3) + 300
    assert report.there >= 19 * 3
    assert await contents(store, "long") == [f"message {n}" for n in range(300)]
    for n in range(OPEN + 3):
        assert await contents(store, f"s{n:03}") == ["message 0", "message 1", "message 2"]
    assert (await bring("openai-agents")).items == 0


async def test_what_comes_and_goes_during_a_move_harms_nothing_and_comes_with_the_next(
    foreign: Redis, foreign_url: str, store: clew.Store, bring: Bring
) -> None:
    for n in range(2 * OPEN):
        put(foreign, f"s{n:03}", 2)

    def step(done: int, total: int) -> None:
        assert total == 2 * OPEN
        if done == OPEN:
            put(foreign, "new", 2)
            put(foreign, "s000", 1, first=2)
            put(foreign, f"s{2 * OPEN - 1:03}", 1, first=2)
            foreign.delete(f"agents:session:s{2 * OPEN - 2:03}:messages")

    report = await move("openai-agents", foreign_url, store, "ada", step)
    assert (report.threads, report.items, report.left) == (2 * OPEN - 1, 2 * (2 * OPEN - 1) + 1, 0)
    report = await bring("openai-agents")
    assert (report.items, report.left) == (3, 0)
    assert await contents(store, "s000") == ["message 0", "message 1", "message 2"]


async def test_a_long_list_is_read_in_bounded_memory(foreign: Redis, bring: Bring) -> None:
    foreign.rpush("agents:session:s:messages", *[json.dumps({"role": "user", "content": "x" * 20_000})] * 600)
    tracemalloc.start()
    try:
        report = await bring("openai-agents", dry=True)
        assert report.items == 600
        # It has 12 MB.
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
    finally:
        tracemalloc.stop()


def command(
    words: list[str], url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], owner: str = ""
) -> tuple[int, str, str]:
    """Run the command in this process; return its exit code and what it says."""
    monkeypatch.setenv("CLEW_URL", url)
    monkeypatch.setenv("CLEW_OWNER", owner)
    code = run(app, ["import", *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_tells_people_and_programs_what_was_moved_and_left(
    foreign: Redis,
    foreign_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('clew') / 'clew.db'}"
    put(foreign, "s", 2)
    foreign.rpush("agents:session:s:messages", "{")
    words = ["--layout", "openai-agents", foreign_url]
    code, out, err = command([*words, "--dry-run"], url, monkeypatch, capsys)
    assert (code, out) == (7, "")
    assert "left: item agents:session:s:messages, element 2: it cannot be read (DecodeError)" in err
    assert "would move 1 threads, 2 items; 1 things cannot be moved; nothing was written" in err
    code, out, err = command([*words, "--json"], url, monkeypatch, capsys, "ada")
    assert (code, err) == (7, "")
    broken = {"kind": "item", "thread": "s", "where": "agents:session:s:messages, element 2"}
    assert json.loads(out) == {
        "layout": "openai-agents",
        "source": foreign_url,
        "owner": "ada",
        "threads": 1,
        "items": 2,
        "values": 0,
        "routes": 0,
        "there": 0,
        "others": 0,
        "left": 1,
        "details": [broken | {"reason": "it cannot be read (DecodeError)"}],
    }
    code, out, err = command(words, url, monkeypatch, capsys, "ada")
    assert "moved 1 threads; 2 were there; 1 things were left" in err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--layout", "nothing", "redis://localhost"], "there is no layout 'nothing': use one of langgraph-redis"),
        (["--layout", "lab11", "sqlite:///x.db"], "this layout is read from a Redis"),
        (["--layout", "lab11", "redis://localhost", "--write-prefix", "x"], "--write-prefix belongs to"),
        (["--dry-run", "x.jsonl"], "belong to --layout"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    words: list[str], what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = command(words, "memory://", monkeypatch, capsys)
    assert code == 2
    assert what in " ".join(err.split())


async def test_every_layout_reads_an_empty_database_and_refuses_another_name(
    foreign: Redis, foreign_url: str, store: clew.Store, bring: Bring
) -> None:
    for layout in LAYOUTS:
        if layout != "langchain":
            report = await bring(layout)
            assert (report.threads, report.items, report.values, report.routes, report.left) == (0, 0, 0, 0, 0)
    with pytest.raises(InvalidError, match="use one of llmos"):
        await bring("langgraph")
    put(foreign, "s", 1)
    await bring("openai-agents")
    assert (await store.threads.get(Ref("ada", "s"))).notes[FROM] == "agents:session:s:messages"
