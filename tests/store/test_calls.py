"""How often each verb calls its backend. A call is a round trip, so these numbers are a promise."""

from __future__ import annotations

from datetime import timedelta

import pytest

import clew
from clew.testing import Recorder

NOWHERE = clew.Ref("ada", "nowhere")


@pytest.fixture
async def thread(recorded: clew.Store, recorder: Recorder) -> clew.Thread:
    """A thread of three items; what it took to make it is forgotten."""
    thread = await recorded.threads.create("ada", title="t", metadata={"a": 1})
    await recorded.items.append(thread, [clew.NewItem(b"%d" % n, id=f"i{n}", status="new") for n in (1, 2, 3)])
    recorder.clear()
    return thread


async def test_a_thread_is_created_in_one_call(recorded: clew.Store, recorder: Recorder) -> None:
    await recorded.threads.create("ada", title="t", metadata={"a": 1, "b": 2})
    assert recorder.verbs == ["commit"]


async def test_a_thread_that_expires_is_made_in_one_call(recorded: clew.Store, recorder: Recorder) -> None:
    made = await recorded.threads.create("ada", ttl=3600, sliding=False)
    await recorded.items.append(clew.Ref("ada", "new"), clew.NewItem(b"1"), create=True, expect=0, ttl=3600)
    assert recorder.verbs == ["commit"] * 2
    assert await recorded.threads.get(made) == made
    appended = await recorded.threads.get(clew.Ref("ada", "new"))
    assert appended.expires_at == appended.updated_at + timedelta(hours=1)


async def test_an_append_leaves_the_time_of_a_thread_that_is_there(recorded: clew.Store, thread: clew.Thread) -> None:
    await recorded.items.append(thread, clew.NewItem(b"4"), create=True, ttl=3600)
    assert (await recorded.threads.get(thread)).expires_at is None


async def test_a_thread_is_read_in_one_call(recorded: clew.Store, recorder: Recorder, thread: clew.Thread) -> None:
    await recorded.threads.get(thread)
    assert recorder.verbs == ["fetch"]


async def test_a_list_is_one_call_and_then_all_headers_at_once(recorded: clew.Store, recorder: Recorder) -> None:
    for _ in range(5):
        await recorded.threads.create("ada")
    recorder.clear()
    await recorded.threads.list("ada", limit=4)
    assert recorder.verbs == ["list", *["fetch"] * 4]


async def test_an_update_is_one_commit_and_one_read(recorded: clew.Store, recorder: Recorder, thread: clew.Thread) -> None:
    await recorded.threads.update(thread, title="new", metadata={"a": None, "b": 3})
    assert recorder.verbs == ["commit", "fetch"]


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("items", [clew.NewItem(b"x"), [clew.NewItem(b"x")] * 10], ids=["one", "ten"])
@pytest.mark.parametrize("options", [{}, {"once": "t"}, {"trim_before": 2}, {"once": "t", "trim_before": 2}], ids=str)
async def test_an_append_to_a_thread_that_is_there_is_one_call(
    recorded: clew.Store,
    recorder: Recorder,
    thread: clew.Thread,
    create: bool,
    items: clew.NewItem | list[clew.NewItem],
    options: dict[str, object],
) -> None:
    await recorded.items.append(thread, items, create=create, **options)  # type: ignore[arg-type]  # of several types
    assert recorder.verbs == ["commit"]


async def test_an_append_that_makes_its_thread_is_two_calls(recorded: clew.Store, recorder: Recorder) -> None:
    await recorded.items.append(NOWHERE, clew.NewItem(b"x"), create=True)
    assert recorder.verbs == ["commit", "commit"]


async def test_an_append_that_knows_its_thread_is_new_is_one_call(recorded: clew.Store, recorder: Recorder) -> None:
    await recorded.items.append(NOWHERE, clew.NewItem(b"x"), create=True, expect=0)
    assert recorder.verbs == ["commit"]


async def test_a_page_and_a_tail_and_an_item_are_one_call_each(
    recorded: clew.Store, recorder: Recorder, thread: clew.Thread
) -> None:
    await recorded.items.page(thread)
    await recorded.items.page(thread, after="i1", before=3, newest_first=True)
    await recorded.items.tail(thread)
    await recorded.items.get(thread, "i2")
    assert recorder.verbs == ["read"] * 4


async def test_only_an_empty_page_asks_whether_there_is_a_thread(
    recorded: clew.Store, recorder: Recorder, thread: clew.Thread
) -> None:
    await recorded.items.page(thread, after=3)
    assert recorder.verbs == ["read", "fetch"]


async def test_an_empty_page_is_one_call_for_those_who_do_not_ask(
    recorded: clew.Store, recorder: Recorder, thread: clew.Thread
) -> None:
    await recorded.items.page(thread, after=3, missing_ok=True)
    await recorded.items.page(NOWHERE, missing_ok=True)
    assert recorder.verbs == ["read", "read"]


async def test_a_removal_and_a_truncation_are_a_call_each(recorded: clew.Store, recorder: Recorder, thread: clew.Thread) -> None:
    await recorded.items.remove(thread, "i3")
    await recorded.items.truncate(thread, "i1")
    assert recorder.verbs == ["commit", "commit"]


async def test_a_status_is_one_read_and_one_commit(recorded: clew.Store, recorder: Recorder, thread: clew.Thread) -> None:
    await recorded.items.set_status(thread, "i2", "done", expect="new")
    assert recorder.verbs == ["read", "commit"]


async def test_replacing_an_item_as_it_was_read_is_one_call(
    recorded: clew.Store, recorder: Recorder, thread: clew.Thread
) -> None:
    item = await recorded.items.get(thread, "i2")
    recorder.clear()
    await recorded.items.replace(thread, "i2", b"new", expect=item)
    assert recorder.verbs == ["commit"]


async def test_a_trim_is_a_read_of_each_page_and_one_commit(
    recorded: clew.Store, recorder: Recorder, thread: clew.Thread
) -> None:
    assert await recorded.items.trim(thread, 2) == 1
    assert await recorded.items.trim(thread, 2) == 0
    assert recorder.verbs == ["read", "commit", "read"]


async def test_a_short_fork_is_read_at_once_and_written_in_one_commit(
    recorded: clew.Store, recorder: Recorder, thread: clew.Thread
) -> None:
    await recorded.items.fork(thread, at="i2")
    assert sorted(recorder.verbs[:2]) == ["fetch", "read"]
    assert recorder.verbs[2:] == ["commit", "fetch"]


async def test_a_route_is_resolved_in_one_call(recorded: clew.Store, recorder: Recorder) -> None:
    routes = recorded.routes("r:")
    await routes.resolve("a")
    await routes.resolve("a")
    assert recorder.verbs == ["put_value", "put_value"]


async def test_a_route_that_is_there_costs_a_maker_nothing(recorded: clew.Store, recorder: Recorder) -> None:
    routes = recorded.routes("r:")
    made = []
    for _ in range(3):
        await routes.resolve("a", lambda: made.append("s") or "s")  # type: ignore[func-returns-value]  # None, as meant
    assert made == ["s"]
    assert recorder.verbs == ["get_value", "put_value", "get_value", "get_value"]


async def test_values_are_put_made_and_deleted_in_one_call_each(recorded: clew.Store, recorder: Recorder) -> None:
    values = recorded.values("v:")
    await values.put("a", 1)
    await values.create("a", 1)
    await values.delete("a")
    assert recorder.verbs == ["put_value"] * 3
