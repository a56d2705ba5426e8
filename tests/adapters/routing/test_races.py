"""Several instances that meet one conversation at once: exactly one session, whoever is first, whatever is asked meanwhile."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import clew
from clew.adapters.routing import Compacted, ConversationStore
from clew.adapters.routing.store import MAKING_S

from .conftest import CountedSessions, Open

PROCESSES, MESSAGES = 4, 250
TOP = Path(__file__).resolve().parents[3]


async def _race(url: str, folder: str) -> tuple[set[str], int]:
    """Let the processes go at the same moment; return the sessions they saw, and how many say that they made one."""
    command = [sys.executable, "-m", "tests.adapters.routing.racer", url, str(MESSAGES), folder]
    pipe = asyncio.subprocess.PIPE
    racers = [await asyncio.create_subprocess_exec(*command, cwd=TOP, stdin=pipe, stdout=pipe) for _ in range(PROCESSES)]
    try:
        for racer in racers:
            assert racer.stdout is not None
            assert await racer.stdout.readline() == b"ready\n"
        said = await asyncio.gather(*(racer.communicate(b"go\n") for racer in racers))
    finally:
        for racer in racers:
            if racer.returncode is None:
                racer.kill()
                await racer.wait()
    lines = [line.split() for out, _ in said for line in out.decode().splitlines()]
    assert len(lines) == PROCESSES * MESSAGES
    return {session for session, _ in lines}, sum(int(created) for _, created in lines)


@pytest.mark.parametrize("url", ["sqlite", "redis-8.2", "valkey-9.1"], indirect=True)
async def test_a_thousand_first_messages_from_four_processes_make_one_session(url: str) -> None:
    sessions, made = await _race(url, "-")
    assert (len(sessions), made) == (1, 1)
    async with ConversationStore({"url": url}) as routing:
        assert {await routing.get("telegram:123")} == sessions
        assert await routing.conversations(*sessions) == ["telegram:123"]


@pytest.mark.parametrize("url", ["sqlite", "valkey-9.1"], indirect=True)
async def test_they_make_one_session_also_where_making_it_takes_time(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir()
    sessions, made = await _race(url, str(folder))
    assert (len(sessions), made) == (1, 1)
    assert {each.name for each in folder.iterdir()} == sessions


async def test_many_that_find_the_session_gone_replace_it_once(url: str, instance: Open, sessions: CountedSessions) -> None:
    first, second = instance(url, sessions=sessions), instance(url, sessions=sessions)
    await asyncio.gather(first.init(), second.init())
    await first.set("c", "dead")
    found = await asyncio.gather(*(each.get_or_create_session("c") for each in [first, second] * 20))
    assert len(set(found)) == 1
    assert list(sessions.alive) == sessions.made == [found[0]]


async def test_one_that_fails_to_make_a_session_leaves_it_to_the_next(
    url: str, instance: Open, sessions: CountedSessions
) -> None:
    class Failing(CountedSessions):
        async def create(self, conversation_id: str, *, summary: str | None = None, previous: str | None = None) -> str:
            """Fail."""
            raise OSError("no room for a session")

    first, second = instance(url, sessions=Failing()), instance(url, sessions=sessions)
    await asyncio.gather(first.init(), second.init())
    with pytest.raises(OSError, match="no room"):
        await first.get_or_create_session("c")
    assert await first.get("c") is None
    async with asyncio.timeout(MAKING_S / 3):
        assert [await second.get_or_create_session("c")] == sessions.made


async def test_a_conversation_that_is_set_while_a_session_is_made_keeps_what_was_set(
    url: str, instance: Open, sessions: CountedSessions
) -> None:
    class Slow(CountedSessions):
        async def create(self, conversation_id: str, *, summary: str | None = None, previous: str | None = None) -> str:
            """Be overtaken."""
            sessions.alive["theirs"] = None
            await second.set(conversation_id, "theirs")
            return await super().create(conversation_id)

    slow = Slow()
    first, second = instance(url, sessions=slow), instance(url, sessions=sessions)
    await asyncio.gather(first.init(), second.init())
    assert await first.get_or_create_session("c") == "theirs"
    assert slow.discarded == slow.made != []
    assert await second.get_or_create_session("c") == "theirs"


# -- compact --------------------------------------------------------------------------------------------------------------


async def test_a_compacted_conversation_moves_on_and_the_old_session_stays(
    url: str, instance: Open, sessions: CountedSessions
) -> None:
    routing = instance(url, sessions=sessions)
    await routing.init()
    old = await routing.get_or_create_session("c")

    async def summarize(session_id: str) -> str:
        return f"what was said in {session_id}"

    moved = await routing.compact("c", summarize)
    assert moved is not None
    assert moved == Compacted(old, moved.session_id)
    assert await routing.get_or_create_session("c") == moved.session_id != old
    assert sessions.alive == {old: None, moved.session_id: f"what was said in {old}"}
    assert (await routing.conversations(old), await routing.conversations(moved.session_id)) == ([], ["c"])
    assert await routing.compact("nobody's", "x") is None


async def test_of_many_that_compact_at_once_one_does(url: str, instance: Open, sessions: CountedSessions) -> None:
    first, second = instance(url, sessions=sessions), instance(url, sessions=sessions)
    await asyncio.gather(first.init(), second.init())
    old = await first.get_or_create_session("c")
    barrier = asyncio.Barrier(10)

    async def summarize(session_id: str) -> str:
        await barrier.wait()
        return "in short"

    done = await asyncio.gather(*(each.compact("c", summarize) for each in [first, second] * 5), return_exceptions=True)
    (moved,) = [each for each in done if isinstance(each, Compacted)]
    conflicts = [each for each in done if isinstance(each, clew.ConflictError)]
    assert len(conflicts) == 9
    assert {each.actual for each in conflicts} == {moved.session_id}
    assert await second.get("c") == moved.session_id
    assert set(sessions.alive) == {old, moved.session_id}


async def test_a_conversation_that_is_cleared_meanwhile_is_not_brought_back(
    url: str, instance: Open, sessions: CountedSessions
) -> None:
    routing = instance(url, sessions=sessions)
    await routing.init()
    old = await routing.get_or_create_session("c")

    async def summarize(session_id: str) -> str:
        assert await routing.clear("c")
        return "in short"

    with pytest.raises(clew.NotFoundError):
        await routing.compact("c", summarize)
    assert await routing.get("c") is None
    assert list(sessions.alive) == [old]


async def test_a_summary_that_fails_or_is_empty_moves_nothing(url: str, instance: Open, sessions: CountedSessions) -> None:
    async def fail(session_id: str) -> str:
        raise OSError("the model is away")

    routing = instance(url, sessions=sessions)
    await routing.init()
    old = await routing.get_or_create_session("c")
    with pytest.raises(OSError, match="the model"):
        await routing.compact("c", fail)
    with pytest.raises(clew.InvalidError, match="summary"):
        await routing.compact("c", " ")
    assert (await routing.get("c"), list(sessions.alive)) == (old, [old])
    bare = instance(url)
    await bare.init()
    with pytest.raises(clew.InvalidError, match="sessions="):
        await bare.compact("c", "in short")
