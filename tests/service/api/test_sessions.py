"""Sessions over HTTP, on SQLite and on Redis: made, paged, renamed, deleted; messages as they were sent, none lost or made up."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path

import pytest

from clew import NewItem, Ref, Store
from clew.errors import InvalidError
from clew.limits import MAX_CHANGES
from clew.service.application import OPERATIONS
from clew.service.session_wire import read_messages

from .conftest import JSON, SESSIONS, THREADS, Api, make_thread, problem
from .signing import sign
from .test_openapi import check

DOCS = Path(__file__).resolve().parents[3] / "docs/sessions.md"


async def make_session(client: JSON, **body: JSON) -> str:
    """Make a session, and return its address."""
    reply = await client.post(SESSIONS, json=body)
    assert reply.status_code == 201, reply.text
    place: str = reply.headers["location"]
    return place


def test_the_table_of_addresses_in_the_docs_is_what_is_served() -> None:
    shown = re.findall(r"^\| `([A-Z]+) (\S+)` \|.*\| (\d+) \|$", DOCS.read_text(), re.MULTILINE)
    of_sessions = [each for each in OPERATIONS if each.path.startswith(SESSIONS)]
    assert sorted(shown) == sorted((each.method, each.path, str(each.status)) for each in of_sessions)


async def test_a_session_is_made_read_renamed_and_deleted(api: Api) -> None:
    made = await api.ada.post(SESSIONS, json={"name": "Trip", "volume": "user", "metadata": {"a": 1, "b": 2}})
    session, here = made.json(), made.headers["location"]
    assert (made.status_code, here, made.headers["etag"]) == (201, f"{SESSIONS}/{session['id']}", '"1"')
    assert re.fullmatch("ses_[0-9a-f]{32}", session["id"])
    shown = {"name": "Trip", "volume": "user", "team": None, "metadata": {"a": 1, "b": 2}, "expires_at": None}
    assert {name: session[name] for name in shown} == shown
    assert (await api.ada.get(here)).json() == session
    assert (await api.ada.get(here, headers={"if-none-match": '"1"'})).status_code == 304
    renamed = await api.ada.patch(here, json={"name": "Journey", "metadata": {"a": None}}, headers={"if-match": '"1"'})
    assert (renamed.json()["name"], renamed.json()["metadata"]) == ("Journey", {"b": 2})
    assert problem(await api.ada.patch(here, json={"name": "x"}, headers={"if-match": '"1"'})) == "precondition"
    assert (await api.ada.put(here, json={"name": "Way"})).json()["name"] == "Way"
    assert (await api.ada.get(SESSIONS)).json()["data"] == [(await api.ada.get(here)).json()]
    assert (await api.ada.delete(here)).status_code == 204
    message = {"role": "user", "content": "too late"}
    late = [("GET", here, None), ("DELETE", here, None), ("PATCH", here, {"name": "x"}), ("GET", f"{here}/messages", None),
            ("POST", f"{here}/messages", message), ("GET", f"{here}/messages/a", None)]  # fmt: skip
    for method, path, body in late:
        reply = await api.ada.request(method, path, json=body)
        assert (method, path, problem(reply), reply.status_code) == (method, path, "gone", 410)
    assert (await api.ada.get(SESSIONS)).json() == {"data": [], "has_more": False, "cursor": None}


async def test_a_message_to_a_session_that_is_not_there_makes_none(api: Api) -> None:
    message = {"role": "user", "content": "anybody here?"}
    for id in ("ses_" + "0" * 32, "sys_" + "0" * 32, f"tms_{'0' * 16}_{'0' * 32}", "anything"):
        async with api.client(sign("ops", teams=["red"])) as client:
            reply = await client.post(f"{SESSIONS}/{id}/messages", json=message)
            assert (id, problem(reply)) == (id, "forbidden" if id.startswith("sys_") else "missing")
            for volume in ("user", "team", "system"):
                assert (await client.get(SESSIONS, params={"volume": volume})).json()["data"] == []
            assert problem(await client.get(f"{SESSIONS}/{id}/messages")) == "missing"


async def test_what_is_not_there_is_called_a_session_or_a_message(api: Api) -> None:
    here = await make_session(api.ada)
    nowhere, message = f"{SESSIONS}/ses_nobody", {"role": "user", "content": "x"}
    for reply in (
        await api.ada.get(nowhere),
        await api.ada.patch(nowhere, json={"name": "x"}),
        await api.ada.delete(nowhere),
        await api.ada.get(f"{nowhere}/messages"),
        await api.ada.post(f"{nowhere}/messages", json=message),
        await api.ada.get(f"{nowhere}/messages/m"),
        await api.ada.delete(f"{nowhere}/messages/m"),
    ):
        assert (problem(reply), reply.json()["detail"]) == ("missing", "there is no session 'ses_nobody' for this caller")
    for reply in (await api.ada.get(f"{here}/messages/m"), await api.ada.delete(f"{here}/messages/m")):
        assert (problem(reply), reply.json()["detail"]) == (
            "missing",
            f"the session '{here.rpartition('/')[2]}' has no message 'm'",
        )


async def test_a_message_cannot_say_what_clew_says_of_an_item(api: Api) -> None:
    here = f"{await make_session(api.ada)}/messages"
    sent = b'{"role":"user","content":"x","unreadable":"damaged","kind":"tool_call","codec":"x/1","mood":"good"}'
    made = await api.ada.post(here, content=sent, headers={"content-type": "application/json"})
    assert made.status_code == 201
    (got,) = (await api.ada.get(here)).json()["data"]
    assert sorted(got) == ["content", "id", "mood", "role", "timestamp"]
    store: Store = api.app.state.room.store
    (kept,) = await store.items.page(Ref("ada", here.split("/")[3]))
    assert kept.data == sent


async def test_messages_come_back_with_every_field_as_they_were_sent(api: Api) -> None:
    first = {
        "role": "user",
        "content": "Where shall we go? \u00e9\U0001f600",
        "timestamp": "2026-11-21T08:00:00.000Z",
        "mood": {"good": True},
    }
    here = await make_session(api.ada, name="Trip", initial_message=first)
    exact = (
        b'{"role":"agent","content":[{"type":"text","n":1e5}],"timestamp":1763712000123,"cost":1.50,"big":123456789012345678901}'
    )
    one = await api.ada.post(f"{here}/messages", content=exact, headers={"content-type": "application/json"})
    assert (one.status_code, one.json()["positions"], one.headers["etag"]) == (201, [2], '"2"')
    assert exact.removeprefix(b"{") in (await api.ada.get(f"{here}/messages")).content
    many = await api.ada.post(
        f"{here}/messages", json=[{"role": "user", "content": "And then?", "id": "m-1"}, {"role": "tool", "content": {"x": [1]}}]
    )
    assert (many.json()["ids"][0], many.json()["positions"]) == ("m-1", [3, 4])
    page = (await api.ada.get(f"{here}/messages")).json()
    got = page["data"]
    assert [each["role"] for each in got] == ["user", "agent", "user", "tool"]
    assert {name: got[0][name] for name in first} == first
    assert (got[2]["id"], got[2]["content"], got[3]["content"]) == ("m-1", "And then?", {"x": [1]})
    assert datetime.fromisoformat(got[2]["timestamp"]).tzinfo is not None
    store: Store = api.app.state.room.store
    kept = await store.items.page(Ref("ada", here.rpartition("/")[2]))
    assert [each.author for each in kept] == ["user", "agent", "user", "tool"]
    assert [each.created_ms for each in kept][:2] == [1795248000000, 1763712000123]
    again = await api.ada.post(f"{here}/messages", json={"role": "user", "content": "another", "id": "m-1"})
    assert (again.json()["duplicates"], len((await api.ada.get(f"{here}/messages")).json()["data"])) == (["m-1"], 4)


async def test_a_text_is_enough_for_a_first_message(lone: Api) -> None:
    for given, expected in (("Hello", ["Hello"]), (None, []), ('\u00e9 " \\', ['\u00e9 " \\'])):
        here = await make_session(lone.ada, initial_message=given, ttl=3600)
        got = (await lone.ada.get(f"{here}/messages")).json()["data"]
        assert [(each["role"], each["content"]) for each in got] == [("user", text) for text in expected]
        assert (await lone.ada.get(here)).json()["expires_at"] is not None


async def test_every_message_is_in_exactly_one_page_also_where_one_is_removed(api: Api) -> None:
    here = f"{await make_session(api.ada)}/messages"
    await api.ada.post(here, json=[{"role": "user", "content": str(number)} for number in range(9)])
    first = (await api.ada.get(here, params={"limit": "4"})).json()
    etag = (await api.ada.get(f"{here}/{first['cursor']}")).headers["etag"]
    assert (await api.ada.get(f"{here}/{first['cursor']}", headers={"if-none-match": etag})).status_code == 304
    assert (await api.ada.delete(f"{here}/{first['cursor']}")).status_code == 204
    assert problem(await api.ada.get(f"{here}/{first['cursor']}")) == "missing"
    second = (await api.ada.get(here, params={"limit": "9", "after": first["cursor"]})).json()
    assert [each["content"] for each in first["data"] + second["data"]] == list("012345678")
    assert (second["has_more"], second["cursor"]) == (False, None)
    newest = (await api.ada.get(here, params={"limit": "3", "order": "desc"})).json()
    older = (await api.ada.get(here, params={"limit": "9", "order": "desc", "before": newest["cursor"]})).json()
    assert [each["content"] for each in newest["data"] + older["data"]] == list("87654210")
    assert problem(await api.ada.get(here, params={"after": "nobody"})) == "unknown-cursor"


async def test_sessions_are_listed_page_by_page_in_either_order(api: Api) -> None:
    made = [await make_session(api.ada, name=str(number)) for number in range(5)]
    await api.ada.post(f"{made[0]}/messages", json={"role": "user", "content": "the newest write"})
    for order, expected in (("updated", "04321"), ("created", "43210")):
        first = (await api.ada.get(SESSIONS, params={"limit": "3", "order": order})).json()
        rest = (await api.ada.get(SESSIONS, params={"limit": "3", "order": order, "cursor": first["cursor"]})).json()
        assert "".join(each["name"] for each in first["data"] + rest["data"]) == expected
        assert (first["has_more"], rest["has_more"], rest["cursor"]) == (True, False, None)


async def test_what_is_sent_again_with_its_key_is_done_once_and_only_for_who_sent_it(api: Api) -> None:
    key = {"idempotency-key": "k-1"}
    body = {"name": "Plan", "volume": "team", "initial_message": "hi"}
    async with api.client(sign("ada", teams=["red"])) as ada, api.client(sign("bob", teams=["red"])) as bob:
        replies = await asyncio.gather(*(client.post(SESSIONS, json=body, headers=key) for client in (ada, bob) * 3))
        ids = [reply.json()["id"] for reply in replies]
        # Two members of one team chose the same key: each has made a session of their own.
        assert (set(ids[::2]), set(ids[1::2]), len({*ids})) == ({ids[0]}, {ids[1]}, 2)
        assert sum("idempotency-replayed" in reply.headers for reply in replies) == 4
        here = f"{SESSIONS}/{ids[0]}/messages"
        said = [
            client.post(here, json={"role": "user", "content": name}, headers=key)
            for client, name in ((ada, "ada"), (bob, "bob")) * 3
        ]
        assert sorted(reply.json()["replayed"] for reply in await asyncio.gather(*said)) == [False] * 2 + [True] * 4
        contents = [each["content"] for each in (await ada.get(here)).json()["data"]]
        assert (contents[0], sorted(contents[1:])) == ("hi", ["ada", "bob"])


async def test_what_other_apis_wrote_is_shown_as_messages_and_never_fails_a_page(api: Api) -> None:
    store: Store = api.app.state.room.store
    mine = await make_thread(api.ada, id="telegram:123", title="A chat", items=[{"data": {"role": "user", "content": "plain"}}])
    chatkit = b'{"id":"x","type":"assistant_message","content":[{"type":"output_text","text":"from ChatKit"}]}'
    framework = b'{"type":"message","role":"assistant","contents":[{"type":"text","text":"from the framework"}]}'
    await store.items.append(
        Ref("ada", mine),
        [
            NewItem(chatkit, codec="openai.chatkit/1", author="assistant"),
            NewItem(framework, codec="agent-framework/1", author="Helper"),
            NewItem(b'{"name":"search","arguments":"{}"}', kind="tool_call", codec="x/1"),
            NewItem(b"\xff\x00", codec="bytes/1"),
            NewItem(b'"\\ud800"'),
            NewItem(b"[" * 100_000),
            NewItem(b'{"role":7,"content":"odd"}'),
            NewItem(b'{"role":"user","content":"odd","timestamp":{"a":1}}'),
            NewItem(b""),
        ],
    )
    reply = await api.ada.get(f"{SESSIONS}/{mine}/messages")
    assert reply.status_code == 200, reply.text
    got = reply.json()["data"]
    assert [(each["role"], each["content"]) for each in got] == [
        ("user", "plain"),
        ("assistant", "from ChatKit"),
        ("assistant", "from the framework"),
        ("tool_call", '{"name": "search", "arguments": "{}"}'),
        ("message", "[2 bytes of bytes/1]"),
        ("message", "\ufffd"),
        ("message", "[100,000 bytes of json]"),
        ("message", "odd"),
        ("user", "odd"),
        ("message", "[0 bytes of json]"),
    ]
    assert [each.get("kind") for each in got[:4]] == [None, "message", "message", "tool_call"]
    assert (await api.ada.get(f"{SESSIONS}/{mine}/messages/{got[5]['id']}")).json() == got[5]
    listed = (await api.ada.get(SESSIONS)).json()["data"]
    assert [(each["id"], each["name"], each["volume"]) for each in listed] == [(mine, "A chat", "user")]
    document = (await api.nobody.get("/openapi.json")).json()
    answers = document["paths"]["/api/sessions/{session}/messages"]["get"]["responses"]
    check(document, answers["200"]["content"]["application/json"]["schema"], reply.json())
    # And the other way round: a session is a thread of the user's.
    here = await make_session(api.ada, name="Trip")
    assert (await api.ada.get(f"{THREADS}/{here.rpartition('/')[2]}")).json()["title"] == "Trip"


@pytest.mark.parametrize(
    "more",
    [
        '"content":null', '"content":7', '"role":""', '"role":1', '"timestamp":"yesterday"', '"timestamp":-1', '"timestamp":true',
        '"timestamp":"0001-01-01T00:00:00Z"', '"id":""', '"id":7', '"content":"\\ud800"', '"more":1e400', '"more":"\udcff"',
        '"content":' + "[" * 200 + "]" * 200, '"more":' + "[" * 100_000, '"more"', "]",
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(more: str) -> None:
    body = ('{"role":"user","content":"x",' + more + "}").encode(errors="surrogateescape")
    for each in (body, b"[" + body + b"]"):
        with pytest.raises(InvalidError):
            read_messages(each)


def test_more_messages_than_one_commit_holds_are_refused() -> None:
    message = b'{"role":"user","content":"x"}'
    assert len(read_messages(b" [" + b",".join([message] * MAX_CHANGES) + b"]\n")) == MAX_CHANGES
    with pytest.raises(InvalidError, match="at once"):
        read_messages(b"[" + b",".join([message] * (MAX_CHANGES + 1)) + b"]")


async def test_a_body_that_is_wrong_writes_nothing(lone: Api) -> None:
    here = await make_session(lone.ada)
    said, good = f"{here}/messages", '{"role":"user","content":"x"}'
    asks = [("POST", said, ""), ("POST", said, "null"), ("POST", said, "[]"), ("POST", said, '"text"'), ("POST", said, "{}"),
            ("POST", said, f'[{good},{{"role":"user"}}]'), ("POST", said, good.replace("}", ',"id":"a/b"}')),
            ("POST", SESSIONS, '{"volume":"other"}'), ("POST", SESSIONS, '{"volume":"team"}'),
            ("POST", SESSIONS, '{"team":"red"}'), ("POST", SESSIONS, '{"initial_message":7}'),
            ("POST", SESSIONS, '{"titel":"x"}'), ("POST", SESSIONS, '{"ttl":0}'),
            ("PATCH", here, "{}"), ("PATCH", here, '{"name":""}'), ("PUT", here, '{"volume":"team"}'),
            ("GET", f"{SESSIONS}?volume=all", ""), ("GET", f"{SESSIONS}?volume=team", ""), ("GET", f"{SESSIONS}?team=red", ""),
            ("GET", f"{SESSIONS}?limit=0", ""), ("GET", f"{SESSIONS}?cursor=x", "")]  # fmt: skip
    for method, path, body in asks:
        reply = await lone.ada.request(method, path, content=body, headers={"content-type": "application/json"})
        assert (method, path, body, reply.status_code) == (method, path, body, 400), reply.text
    assert [each["id"] for each in (await lone.ada.get(SESSIONS)).json()["data"]] == [here.rpartition("/")[2]]
    assert (await lone.ada.get(said)).json()["data"] == []


async def test_who_sends_what_is_none_is_told_what_is_wrong_with_it(lone: Api) -> None:
    here = (await lone.ada.post(SESSIONS, json={})).headers["location"]
    json_type = {"content-type": "application/json"}
    for method, path, body, told in [
        ("POST", "/messages", b"", "the body is empty"),
        ("POST", "/messages", b'[{"role": "user", "content": "a"}, {"role": "user"}]', "number 2 of the list is no message"),
        ("POST", "/messages", b'{"content": "a"}', "missing required field `role`"),
        ("PATCH", "", b"", "the body is empty"),
        ("PATCH", "", b"{}", "give a name or metadata"),
    ]:
        reply = await lone.ada.request(method, here + path, content=body, headers=json_type)
        assert (problem(reply), told in reply.json()["detail"]) == ("invalid", True), reply.text
    assert (await lone.ada.get(f"{here}/messages")).json()["data"] == []
