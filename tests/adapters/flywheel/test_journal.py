"""`on_outage=journal`: what is saved or added while Redis is away is told as pending, and is there once and in order after."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from clew.adapters.flywheel import Outcome, RedisSessionManager, UniversalSession
from clew.errors import FullError
from clew.records import Append
from clew.wrappers.journal import find_journals
from clew.wrappers.journal.records import decode_write
from servers import Server

from ...support import wait_until, with_options
from .conftest import make_session

Open = Callable[..., RedisSessionManager]


@pytest.fixture
async def open_at(tmp_path: Path) -> AsyncIterator[Open]:
    """`open_at(url, **options)`: a manager with a journal in the test's folder, closed after the test."""
    async with AsyncExitStack() as stack:

        def make(url: str, **options: Any) -> RedisSessionManager:  # passed through
            journal = with_options(url, timeout=0.3, on_outage="journal", journal=str(tmp_path / "journal"))
            made = RedisSessionManager(url=journal, **options)
            stack.push_async_callback(made.close)
            return made

        yield make


def turn(number: int) -> dict[str, Any]:
    """Return an entry that is told from others."""
    return {"role": "user", "content": f"turn {number}"}


def said(session: UniversalSession | None) -> list[object]:
    """Return what the history holds, but for its first entry."""
    assert session is not None
    return [entry["content"] for entry in session.history[1:]]


def turns(*numbers: int) -> list[object]:
    """Return what those entries hold."""
    return [turn(number)["content"] for number in numbers]


async def written(*managers: RedisSessionManager) -> None:
    """Wait until nothing waits."""
    await wait_until(lambda: not any(manager.waiting for manager in managers))


async def test_what_is_written_while_redis_is_away_is_pending_and_there_once_and_in_order_after(
    own_server: Callable[..., Server], open_at: Open
) -> None:
    server = own_server("redis-8.2", durable=True)
    manager, other = open_at(server.url), RedisSessionManager(url=server.url)
    kept = make_session("kept")
    assert await manager.save_session(kept)
    assert await manager.append_history(kept, turn(0))
    server.kill()
    kept.history.append(turn(1))
    kept.total_queries += 1
    made = make_session("made")
    outcomes = [await manager.save_session(kept), await manager.append_history(kept, turn(2))]
    outcomes += [await manager.append_history("kept", turn(3)), await manager.append_history(made, turn(0))]
    kept.total_queries += 1
    outcomes += [await manager.save_session(kept), await manager.append_history(made, turn(1))]
    # Neither saved nor lost: it is told so, and is not true, as what is saved is.
    assert {(bool(outcome), outcome.status, outcome.pending) for outcome in outcomes} == {(False, "pending", True)}
    assert manager.waiting == 6
    for answer in (
        await manager.fetch_session("kept"),
        await manager.fetch_session("never"),
        await manager.delete_session("kept"),
    ):
        assert (bool(answer), answer.status) == (False, "unavailable")
    assert (await manager.append_history("kept", "no object")).status == "refused"  # type: ignore[arg-type]
    server.restart()
    await written(manager)
    loaded = (await other.fetch_session("kept")).value
    assert said(loaded) == turns(0, 1, 2, 3)
    assert loaded is not None
    assert loaded.total_queries == 2
    assert said((await manager.fetch_session("made")).value) == turns(0, 1)
    # The sessions in hand go on, and so does another worker's.
    loaded.total_queries += 1
    assert await other.save_session(loaded)
    kept.total_queries += 1
    assert await manager.append_history(kept, turn(4))
    assert await manager.append_history(kept, turn(5))
    assert await manager.save_session(kept)
    assert await manager.append_history(made, turn(2))
    found = await manager.load_session("kept")
    assert said(found) == turns(0, 1, 2, 3, 4, 5)
    assert found is not None
    assert found.total_queries == 4
    assert said(await other.load_session("made")) == turns(0, 1, 2)
    await other.close()


async def test_a_manager_that_starts_while_redis_is_away_accepts_and_takes_up_what_another_left(
    own_server: Callable[..., Server], open_at: Open, tmp_path: Path
) -> None:
    server = own_server("valkey-9.1", durable=True)
    server.kill()
    first = open_at(server.url)
    session = make_session()
    assert (await first.save_session(session)).pending
    assert (await first.append_history("s1", turn(0))).pending
    await first.close()
    second = open_at(server.url)
    assert (await second.append_history("s1", turn(1))).pending
    assert (await second.append_history("nobody", turn(0))).pending
    assert second.waiting == 4
    server.restart()
    await written(second)
    assert said(await second.load_session("s1")) == turns(0, 1)
    # It was accepted before anybody could know: it is kept aside, where people see it.
    (journal,) = find_journals(tmp_path / "journal")
    assert [(line.partition.name, line.reason.partition(":")[0]) for line in journal.aside] == [("nobody", "NotFoundError")]


async def test_what_is_sent_again_is_known_and_what_others_did_meanwhile_stays(tmp_path: Path, open_at: Open) -> None:
    manager, other = open_at(f"sqlite:///{tmp_path}/s.db"), RedisSessionManager(url=f"sqlite:///{tmp_path}/s.db")
    session = make_session(total_queries=1)
    assert await manager.save_session(session)
    theirs = await other.load_session("s1")
    assert theirs is not None
    waiting = manager._waiting
    assert waiting is not None
    drainer = waiting._drainer
    assert drainer is not None
    drainer._task.cancel()  # type: ignore[union-attr]  # it was started
    commits: list[tuple[Any, Append, str]] = []

    async def accept(outcome: Outcome, number: int) -> None:
        assert outcome.pending
        partition, queue = next(iter(drainer.queues.items()))
        assert len(queue) == number
        body = await waiting._book.do(  # type: ignore[union-attr]
            lambda db: db.execute("SELECT body FROM entry WHERE seq = ?", (queue[-1],)).fetchone()[0]
        )
        (change,) = decode_write(body).changes
        assert isinstance(change, Append)
        commits.append((partition, change, f"clew-journal/{waiting._book.id}/{queue[-1]}-{queue[-1]}"))  # type: ignore[union-attr]

    # As when the store is away: what waits for a session is what it queues behind.
    await waiting.append("s1", b'{"role":"user","content":"turn 0"}')
    session.history.append(turn(1))
    session.total_queries += 1
    await accept(await manager.save_session(session), 2)
    session.total_queries += 1
    await accept(await manager.save_session(session), 3)
    await accept(await manager.append_history(session, turn(2)), 4)
    theirs.context["theirs"] = True
    theirs.history.append(turn(9))
    theirs.total_queries += 1
    assert await other.save_session(theirs)
    for place, change, token in commits:
        # The answer was lost, and it is sent again.
        for _ in range(2):
            await waiting.commit(place, [change], once=token)
    found = await other.load_session("s1")
    assert said(found) == turns(9, 1, 2)
    assert found is not None
    assert (found.total_queries, found.context["theirs"]) == (4, True)
    await other.close()


async def test_a_full_journal_is_refused(tmp_path: Path, own_server: Callable[..., Server]) -> None:
    server = own_server("redis-8.2")
    server.kill()
    url = with_options(server.url, timeout=0.3, on_outage="journal", journal=str(tmp_path), journal_bytes=262_144)
    async with RedisSessionManager(url=url) as manager:
        session = make_session(context={"much": "x" * 100_000})
        outcomes = [await manager.save_session(make_session(f"s{n}", context=session.context)) for n in range(4)]
        assert {outcome.status for outcome in outcomes} == {"pending", "refused"}
        assert isinstance(outcomes[-1].error, FullError)
