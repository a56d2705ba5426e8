"""Answers outlive their requests: who leaves, who comes back, who stops, and what a process that ends leaves behind."""

from __future__ import annotations

import asyncio

import pytest

from tests.support import wait_until

from .conftest import Start
from .running import JSON, Service, answers_of, says
from .scripted import words


async def test_an_answer_goes_on_after_its_reader_left(service: Service) -> None:
    thread, _ = await service.begin("words 20 0.02")

    async def is_whole() -> bool:
        return answers_of(await service.items(thread)) == [words(20)]

    await wait_until(is_whole)
    assert (await service.standing(thread))["marks"] == {}


async def test_a_stock_client_reads_bare_frames_to_the_end(service: Service) -> None:
    reply = await service.ask("threads.create", input=says("search 0.01; words 5 0.01"))
    assert reply.headers["content-type"].startswith("text/event-stream")
    frames = [line for line in reply.text.split("\n\n") if line and not line.startswith(":")]
    assert all(frame.startswith("data: {") for frame in frames)
    assert reply.text.count("search_animation:start") == reply.text.count("search_animation:stop") == 1
    assert words(5) in frames[-2] or words(5) in frames[-1]


async def test_a_reader_comes_back_with_its_last_id_and_misses_nothing(service: Service) -> None:
    thread, run = await service.begin("words 30 0.02")
    seen: list[str] = []
    said = ""
    last: str | None = None
    while not seen or seen[-1] != "done":
        async with service.events(thread, run, last) as events:
            count = 0
            async for event in events:
                last = event["id"]
                seen.append(event["event"])
                update = event["data"].get("update", {})
                said += update.get("delta", "")
                count += 1
                if count == 5:
                    break
    assert said == words(30)
    assert seen.count("start") == seen.count("done") == 1


async def test_a_second_turn_is_refused_while_one_is_made(service: Service) -> None:
    thread, run = await service.begin("words 200 0.02")
    refused = await service.ask("threads.add_user_message", thread_id=thread, input=says("words 1 0"))
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert (error["type"], error["run"]) == ("BusyError", run)
    assert "still being made" in error["message"]


async def test_a_stop_keeps_what_was_said_and_frees_the_thread(service: Service) -> None:
    thread, run = await service.begin("words 500 0.02")

    async with service.events(thread, run) as events:
        async for event in events:
            if "word5" in str(event["data"]):
                assert (await service.http.post(f"/api/v1/threads/{thread}/runs/{run}/stop")).status_code == 202
            last = event
    assert last["event"] == "cancelled"
    items = await service.items(thread)
    said = answers_of(items)[0]
    assert words(500).startswith(said)
    assert "word5" in said
    assert (await service.standing(thread))["marks"] == {items[-1]["id"]: "stopped"}
    await service.begin("words 1 0", thread)


async def test_an_answer_whose_process_is_killed_is_kept_and_marked(own_service: Service) -> None:
    service = own_service
    thread, run = await service.begin("words 500 0.02")
    async with service.events(thread, run) as events:
        async for event in events:
            if "word9" in str(event["data"]):
                break
    service.kill()
    await service.start()
    async with service.events(thread, run) as events:
        kinds = [event["event"] async for event in events]
    assert kinds[-1] == "interrupted"
    items = await service.items(thread)
    said = answers_of(items)
    assert len(said) == 1
    assert "word9" in said[0]
    assert (await service.standing(thread))["marks"] == {items[-1]["id"]: "interrupted"}
    # Reading it again, or going on, adds nothing.
    await service.begin("words 1 0", thread)
    assert answers_of(await service.items(thread))[0] == said[0]


async def test_a_process_that_is_told_to_end_lets_short_answers_end(own_service: Service) -> None:
    service = own_service
    thread, _ = await service.begin("words 20 0.02")
    await service.terminate()
    await service.start()
    assert answers_of(await service.items(thread)) == [words(20)]
    assert (await service.standing(thread))["marks"] == {}


async def test_a_process_that_is_told_to_end_keeps_and_marks_long_answers(start_service: Start) -> None:
    service = await start_service(SCRIPTED_GRACE="0.2")
    thread, run = await service.begin("words 5000 0.02")
    async with service.events(thread, run) as events:
        async for event in events:
            if "word9" in str(event["data"]):
                break
    await service.terminate()
    await service.start()
    items = await service.items(thread)
    assert "word9" in answers_of(items)[0]
    assert (await service.standing(thread))["marks"] == {items[-1]["id"]: "interrupted"}
    page = (await service.http.get(f"/api/v1/threads/{thread}/runs/active")).json()
    assert page["run"] is None


async def test_a_reader_is_sent_away_at_once_when_the_process_ends(start_service: Start) -> None:
    service = await start_service(SCRIPTED_GRACE="5")
    thread, run = await service.begin("words 60 0.05")

    async def read() -> list[str]:
        async with service.events(thread, run) as events:
            return [event["event"] async for event in events]

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.3)
    ending = asyncio.create_task(service.terminate())
    async with asyncio.timeout(2):
        assert "done" not in await reading
    await ending
    await service.start()
    assert answers_of(await service.items(thread)) == [words(60)]


async def test_an_answer_that_fails_says_so_and_is_marked_failed_where_it_had_begun(service: Service) -> None:
    reply = await service.ask("threads.create", input=says("words 3 0.01; fail"))
    assert '"type":"error"' in reply.text
    thread = reply.headers["clew-thread"]
    assert answers_of(await service.items(thread)) == [words(3)]
    async with service.events(thread, reply.headers["clew-run"]) as events:
        assert [event["event"] async for event in events][-1] == "error"


async def test_a_pending_tool_call_goes_when_the_person_goes_on_without_it(service: Service) -> None:
    reply = await service.ask("threads.create", input=says("profiles"))
    thread = reply.headers["clew-thread"]
    assert (await service.items(thread))[-1]["status"] == "pending"
    await service.ask("threads.add_user_message", thread_id=thread, input=says("words 1 0"))
    assert [item["type"] for item in await service.items(thread)] == ["user_message", "user_message", "assistant_message"]


async def test_a_tool_calls_output_goes_on_with_the_answer(service: Service) -> None:
    thread = (await service.ask("threads.create", input=says("profiles"))).headers["clew-thread"]
    reply = await service.ask("threads.add_client_tool_output", thread_id=thread, result={"displayed": True})
    assert reply.status_code == 200
    items = await service.items(thread)
    assert (items[1]["status"], answers_of(items)) == ("completed", [words(3)])
    late = await service.ask("threads.add_client_tool_output", thread_id=thread, result={"displayed": True})
    assert late.status_code == 400


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"no json", 400),
        (b'{"type":"threads.nothing","params":{}}', 400),
        (b'{"type":"threads.get_by_id","params":{"thread_id":"thr_nobody"}}', 404),
        (b'{"type":"threads.retry_after_item","params":{"thread_id":"thr_nobody","item_id":"msg_1"}}', 404),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_plain_words(service: Service, body: bytes, status: int) -> None:
    reply = await service.http.post("/chatkit", content=body)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


async def test_a_message_with_an_unknown_file_makes_no_thread(service: Service) -> None:
    async def threads() -> JSON:
        return (await service.ask("threads.list", limit=1, order="desc", after=None)).json()["data"]

    before = await threads()
    reply = await service.ask("threads.create", input=says("hello", ["atc_nobody"]))
    assert reply.status_code == 404
    assert await threads() == before


async def test_other_pages_and_other_names_may_not_come_in(service: Service) -> None:
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        reply = await service.http.post("/chatkit", content=b"{}", headers=headers)
        assert reply.status_code == 403


async def test_a_file_is_sent_attached_and_read_again(service: Service) -> None:
    made = (await service.ask("attachments.create", name="a note.txt", size=5, mime_type="text/plain")).json()
    place = made["upload_descriptor"]
    sent = await service.http.request(place["method"], place["url"], headers=place["headers"], content=b"hello")
    assert sent.status_code == 200, sent.text
    reply = await service.ask("threads.create", input=says("words 1 0", [made["id"]]))
    assert reply.status_code == 200
    read = await service.http.get(f"/api/v1/attachments/{made['id']}")
    assert (read.content, read.headers["content-disposition"][:10]) == (b"hello", "attachment")
    too_long = await service.ask("attachments.create", name="b.txt", size=10**12, mime_type="text/plain")
    assert too_long.status_code == 413
    assert (await service.http.get("/api/v1/attachments/atc_nobody")).status_code == 404
