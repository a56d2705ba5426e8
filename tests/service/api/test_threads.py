"""Threads over HTTP, on SQLite and on Redis: what is mine, what is not, and what changed meanwhile."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

import clew
from clew.service import threads_api
from clew.service.room import Room
from clew.settings import Settings
from clew.testing import Recorder

from ...support import wait_until
from .conftest import JSON, SESSIONS, THREADS, Api, make_thread, problem
from .signing import bearer, sign


async def test_a_thread_is_made_read_changed_and_deleted(api: Api) -> None:
    made = await api.ada.post(THREADS, json={"title": "Trip", "metadata": {"a": 1, "b": [1.5, None]}})
    thread = made.json()
    place = made.headers["location"]
    assert (made.status_code, place, made.headers["etag"]) == (201, f"{THREADS}/{thread['id']}", '"1"')
    read = await api.ada.get(place)
    assert read.json() == thread
    changed = (await api.ada.patch(place, json={"title": None, "metadata": {"a": None, "c": "new"}})).json()
    assert (changed["title"], changed["metadata"]) == (None, {"b": [1.5, None], "c": "new"})
    assert (await api.ada.delete(place)).status_code == 204
    for reply in (await api.ada.get(place), await api.ada.delete(place), await api.ada.patch(place, json={"title": "x"})):
        assert (problem(reply), reply.status_code) == ("gone", 410)
    reply = await api.ada.post(THREADS, json={"id": thread["id"]})
    assert problem(reply) == "gone"


async def test_the_same_id_is_two_threads_for_two_users(api: Api) -> None:
    for client, title in ((api.ada, "of Ada"), (api.eve, "of Eve")):
        await make_thread(client, id="telegram:123", title=title, items=[{"data": title}])
    assert (await api.ada.get(f"{THREADS}/telegram:123")).json()["title"] == "of Ada"
    assert (await api.eve.delete(f"{THREADS}/telegram:123")).status_code == 204
    page = (await api.ada.get(f"{THREADS}/telegram:123/items")).json()
    assert [item["data"] for item in page["data"]] == ["of Ada"]


async def test_what_is_someone_elses_is_not_there_by_any_method(api: Api) -> None:
    mine = await make_thread(api.ada, id="secret-plan", items=[{"id": "first", "data": 1}])
    run = await start_run(api, mine)
    before = (await api.ada.get(f"{THREADS}/{mine}")).json()
    here, item = f"{THREADS}/{mine}", {"data": "of Eve"}
    asks: list[tuple[str, str, JSON]] = [
        ("GET", here, None),
        ("PATCH", here, {"title": "of Eve"}),
        ("DELETE", here, None),
        ("GET", f"{here}/items", None),
        ("POST", f"{here}/items", {"items": [item]}),
        ("GET", f"{here}/items/first", None),
        ("PUT", f"{here}/items/first", item),
        ("DELETE", f"{here}/items/first", None),
        ("GET", f"{here}/runs", None),
        ("GET", f"{here}/runs/active", None),
        ("GET", f"{here}/runs/{run}", None),
        ("POST", f"{here}/runs/{run}/cancel", None),
        ("POST", f"{here}/runs/{run}/stop", None),
        ("GET", f"{here}/runs/{run}/events", None),
    ]
    for method, path, body in asks:
        theirs = await api.eve.request(method, path, json=body)
        missing = await api.eve.request(method, path.replace("secret-plan", "nobodys"), json=body)
        assert (method, path, theirs.status_code) == (method, path, 404)
        # It cannot be told from what is nowhere.
        assert theirs.text.replace("secret-plan", "nobodys") == missing.text
    assert (await api.eve.get(THREADS)).json()["data"] == []
    assert (await api.ada.get(f"{THREADS}/{mine}")).json() == before
    assert (await api.ada.get(f"{here}/runs/{run}")).json()["stop_asked"] is False


async def test_runs_are_listed_read_and_asked_to_stop(api: Api) -> None:
    mine = await make_thread(api.ada)
    assert (await api.ada.get(f"{THREADS}/{mine}/runs")).json() == {"data": [], "has_more": False, "cursor": None}
    run = await start_run(api, mine)
    page = (await api.ada.get(f"{THREADS}/{mine}/runs?open=true")).json()
    assert [(each["id"], each["state"]) for each in page["data"]] == [(run, "open")]
    told = await api.ada.post(f"{THREADS}/{mine}/runs/{run}/cancel")
    assert (told.status_code, told.json()["stop_asked"]) == (202, True)
    assert (await api.ada.get(f"{THREADS}/{mine}/runs/{run}")).json()["stop_asked"] is True
    assert problem(await api.ada.get(f"{THREADS}/{mine}/runs/nobodys")) == "missing"
    assert problem(await api.ada.get(f"{THREADS}/nobodys/runs")) == "missing"
    assert problem(await api.ada.get(f"{THREADS}/{mine}/runs?cursor=x")) == "invalid"


async def start_run(api: Api, thread: str) -> str:
    """Start a run whose producer then says nothing, and return its id."""
    from clew import Ref

    producer = await api.app.state.room.store.runs.start(Ref("ada", thread), lease=60)
    await producer.aclose()
    id: str = producer.id
    return id


async def test_every_thread_is_in_exactly_one_page_in_either_order(api: Api) -> None:
    made = [await make_thread(api.ada, title=str(number)) for number in range(7)]
    await api.ada.patch(f"{THREADS}/{made[0]}", json={"metadata": {"touched": True}})
    for order, expected in (("created", made[::-1]), ("updated", [made[0], *made[:0:-1]])):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            given = {"limit": "3", "order": order, **({} if cursor is None else {"cursor": cursor})}
            page = (await api.ada.get(THREADS, params=given)).json()
            seen += [each["id"] for each in page["data"]]
            cursor = page["cursor"]
            assert page["has_more"] == (cursor is not None)
            if cursor is None:
                break
        assert seen == expected


async def test_if_match_makes_a_change_only_where_nothing_changed(api: Api) -> None:
    mine = await make_thread(api.ada)
    here = f"{THREADS}/{mine}"
    etag = (await api.ada.get(here)).headers["etag"]
    tries = [api.ada.patch(here, json={"metadata": {"winner": n}}, headers={"if-match": etag}) for n in range(8)]
    replies = await asyncio.gather(*tries)
    assert sorted(reply.status_code for reply in replies) == [200] + [412] * 7
    winner = next(reply for reply in replies if reply.status_code == 200)
    now = await api.ada.get(here)
    assert now.json()["metadata"] == winner.json()["metadata"]
    assert now.headers["etag"] == winner.headers["etag"] != etag
    assert (await api.ada.get(here, headers={"if-none-match": now.headers["etag"]})).status_code == 304
    assert (await api.ada.get(here, headers={"if-none-match": etag})).status_code == 200
    for bad in ('"x"', 'W/"1"', '"1", "2"', "1"):
        assert (await api.ada.patch(here, json={"title": "x"}, headers={"if-match": bad})).status_code in (400, 412)
    for old in (etag, '"0"', '"99"', 'W/"1"'):
        assert problem(await api.ada.delete(here, headers={"if-match": old})) == "precondition"
    assert (await api.ada.get(here)).json() == now.json()
    ends = await asyncio.gather(*(api.ada.delete(here, headers={"if-match": now.headers["etag"]}) for _ in range(4)))
    assert sorted(reply.status_code for reply in ends) == [204, 410, 410, 410]


async def test_writers_of_different_fields_do_not_undo_each_other(api: Api) -> None:
    mine = await make_thread(api.ada)
    await asyncio.gather(*(api.ada.patch(f"{THREADS}/{mine}", json={"metadata": {f"f{n}": n}}) for n in range(10)))
    assert (await api.ada.get(f"{THREADS}/{mine}")).json()["metadata"] == {f"f{n}": n for n in range(10)}


async def test_a_key_makes_one_thread_however_often_it_is_sent(api: Api) -> None:
    body = {"title": "Trip", "items": [{"data": "hi"}, {"data": "there"}]}
    replies = await asyncio.gather(
        *(api.ada.post(THREADS, json=body, headers={"idempotency-key": "k-1"}) for _ in range(8)),
        return_exceptions=False,
    )
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in replies) == 1
    assert len((await api.ada.get(THREADS)).json()["data"]) == 1
    id = replies[0].json()["id"]
    assert len((await api.ada.get(f"{THREADS}/{id}/items")).json()["data"]) == 2
    # The same key for something else is told, and nothing is made or changed.
    other = await api.ada.post(THREADS, json={"title": "Another"}, headers={"idempotency-key": "k-1"})
    assert (problem(other), other.status_code) == ("key-reused", 422)
    assert (await api.ada.get(f"{THREADS}/{id}")).json() == replies[0].json()
    # Another user's same key is another thread.
    theirs = await api.eve.post(THREADS, json=body, headers={"idempotency-key": "k-1"})
    assert (theirs.status_code, theirs.json()["id"] != id) == (201, True)


async def test_a_thread_with_a_time_to_live_says_when_it_ends(api: Api) -> None:
    body = {"title": "Trip", "metadata": {"a": 1, "b": None}, "ttl": 3600, "sliding": False, "items": [{"data": "hi"}]}
    for _ in range(2):
        made = await api.ada.post(THREADS, json=body, headers={"idempotency-key": "k"})
        found = (await api.ada.get(made.headers["location"])).json()
        assert found["expires_at"]
        assert made.json() == found
    session = await api.ada.post(SESSIONS, json={"name": "Trip", "ttl": 3600})
    assert (await api.ada.get(session.headers["location"])).json() == session.json()


@pytest.mark.parametrize("ttl", [None, 3600])
async def test_a_thread_is_made_with_its_items_and_its_time_to_live_in_one_trip(
    memory: clew.Store, monkeypatch: pytest.MonkeyPatch, ttl: float | None
) -> None:
    room = Room(Settings.from_env({"CLEW_URL": "memory://"}, None), None, lease=1, beat=1)
    recorder = Recorder(memory.backend)  # type: ignore[arg-type] # memory has every power
    monkeypatch.setattr(room, "_store", clew.Store(recorder))
    made, _ = await threads_api.make(
        room, clew.Ref("ada", "t"), [clew.NewItem(b"1")], once=None, title="Trip", metadata={"a": 1}, ttl=ttl
    )
    assert recorder.verbs == ["commit"]
    assert made == await memory.threads.get(made)


async def test_an_id_that_is_there_is_a_conflict(api: Api) -> None:
    await make_thread(api.ada, id="one")
    reply = await api.ada.post(THREADS, json={"id": "one"})
    assert (problem(reply), reply.status_code) == ("conflict", 409)


BODIES = (
    b"", b"{", b"[]", b"null", b'"x"', b'{"titel": "x"}', b'{"title": ""}', b'{"title": 1}', b'{"metadata": []}',
    b'{"metadata": {"": 1}}', b'{"id": "a/b"}', b'{"id": ".."}', b'{"title": "\xff"}', b'{"title": "\\ud800"}',
    b'{"ttl": -1}', b'{"metadata": {"x": 1e999}}', b'{"items": [{}]}', b'{"items": [{"data": 1, "data_base64": "AA=="}]}',
    b'{"items": [{"data_base64": "?"}]}', b'{"items": [{"data": ' + b"[" * 500 + b"]" * 500 + b"}]}",
    b'{"metadata": {"x": ' + b"[" * 5000 + b"]" * 5000 + b"}}", b'{"id": "' + b"x" * 513 + b'"}', b"\x00",
)  # fmt: skip
QUERIES = ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "cursor=x", "order=up", "owner=ada", "%ff=1")


async def test_a_body_or_query_that_is_wrong_is_refused_and_makes_nothing(lone: Api) -> None:
    for body in BODIES:
        reply = await lone.ada.post(THREADS, content=body, headers={"content-type": "application/json"})
        assert (body[:40], problem(reply), reply.status_code) == (body[:40], "invalid", 400)
    for query in QUERIES:
        reply = await lone.ada.get(f"{THREADS}?{query}")
        assert (query, problem(reply), reply.status_code) == (query, "invalid", 400)
    assert (await lone.ada.get(THREADS)).json()["data"] == []


async def test_other_addresses_methods_and_kinds_of_body_are_refused_as_problems(lone: Api) -> None:
    mine = await make_thread(lone.ada)
    reply = await lone.ada.put(THREADS, json={})
    assert (problem(reply), reply.status_code, "POST" in reply.headers["allow"]) == ("method", 405, True)
    assert problem(await lone.ada.get("/api/v1/nothing")) == "missing"
    assert problem(await lone.ada.get(f"{THREADS}/{mine}/")) == "missing"
    reply = await lone.ada.post(THREADS, content=b"title=x", headers={"content-type": "application/x-www-form-urlencoded"})
    assert (problem(reply), reply.status_code) == ("media-type", 415)


async def test_a_user_of_any_name_has_threads_of_their_own(lone: Api) -> None:
    for name in ("ada:x", "ada/x", "{ada}", "ada%2fx", "Ada", "日本"):
        async with lone.client() as client:
            client.headers.update(bearer(sign(name)))
            assert (await client.get(THREADS)).json()["data"] == []
            await make_thread(client, id="same")
            assert [each["id"] for each in (await client.get(THREADS)).json()["data"]] == ["same"]


async def test_an_id_of_any_characters_has_an_address_and_can_be_talked_in(lone: Api) -> None:
    for id in ("\u65e5\u672c \U0001f600", "a?b#c%41&d", "x\r\ny: z", "..."):
        made = await lone.ada.post(THREADS, json={"id": id})
        assert (made.status_code, (await lone.ada.get(made.headers["location"])).json()["id"]) == (201, id)
        message = {"content": [{"type": "input_text", "text": "words 1 0"}], "attachments": [], "inference_options": {}}
        asked = {"type": "threads.add_user_message", "params": {"thread_id": id, "input": message}}
        reply = await lone.ada.post("/chatkit", json=asked)
        assert (reply.status_code, f"{THREADS}/{reply.headers['clew-thread']}") == (200, made.headers["location"]), reply.text


@pytest.mark.parametrize("address", [THREADS, SESSIONS])
async def test_with_a_thread_go_the_files_of_its_messages(api: Api, address: str) -> None:
    async def ask(kind: str, **params: JSON) -> httpx2.Response:
        return await api.ada.post("/chatkit", json={"type": kind, "params": params})

    made = (await ask("attachments.create", name="a.txt", size=5, mime_type="text/plain")).json()
    place = made["upload_descriptor"]
    assert (await api.ada.request(place["method"], place["url"], headers=place["headers"], content=b"hello")).status_code == 200
    content = [{"type": "input_text", "text": "words 1 0"}]
    said: JSON = {"content": content, "attachments": [made["id"]], "quoted_text": None, "inference_options": {}}
    thread = (await ask("threads.create", input=said)).headers["clew-thread"]
    file, here = f"/api/v1/attachments/{made['id']}", f"{address}/{thread}"
    await wait_until(lambda: api.app.state.room.server.busy == 0)
    assert (await api.ada.get(file)).content == b"hello"
    assert (await api.ada.delete(here, headers={"if-match": '"1"'})).status_code == 412
    assert (await api.ada.get(file)).status_code == 200
    etag = (await api.ada.get(here)).headers["etag"]
    assert (await api.ada.delete(here, headers={"if-match": etag})).status_code == 204
    assert (await api.ada.get(file)).status_code == 404
    assert (await api.app.state.room.files.list(("attachments",))).data == []
    assert (await api.ada.get(here)).status_code == 410
