"""Items over HTTP, on SQLite and on Redis: kept byte for byte, once each, in order, page after page."""

from __future__ import annotations

import asyncio

from .conftest import THREADS, Api, make_thread, problem

JSON_TYPE = {"content-type": "application/json"}


async def test_payloads_come_back_byte_for_byte(api: Api) -> None:
    payloads = [b'{"b": 1.50,  "a":"\\u00e9\xc3\xa9"}', b"null", b"0", b'"\xf0\x9f\x98\x80"', b"[1e5, 123456789012345678901]"]
    items = b",".join(b'{"data": ' + payload + b"}" for payload in payloads)
    mine = await make_thread(api.ada)
    reply = await api.ada.post(f"{THREADS}/{mine}/items", content=b'{"items": [' + items + b"]}", headers=JSON_TYPE)
    assert reply.status_code == 201, reply.text
    for id, payload in zip(reply.json()["ids"], payloads, strict=True):
        assert b'"data":' + payload + b"}" in (await api.ada.get(f"{THREADS}/{mine}/items/{id}")).content
    made = (await api.ada.post(f"{THREADS}/{mine}/items", json={"items": [{"data_base64": "AP8="}]})).json()
    assert (await api.ada.get(f"{THREADS}/{mine}/items/{made['ids'][0]}")).json()["data_base64"] == "AP8="


async def test_every_item_is_in_exactly_one_page_also_where_one_is_removed(api: Api) -> None:
    mine = await make_thread(api.ada, items=[{"id": f"i{n}", "data": n} for n in range(9)])
    here = f"{THREADS}/{mine}/items"
    first = (await api.ada.get(here, params={"limit": "4"})).json()
    assert (await api.ada.delete(f"{here}/{first['cursor']}")).status_code == 204
    second = (await api.ada.get(here, params={"limit": "4", "after": first["cursor"]})).json()
    third = (await api.ada.get(here, params={"limit": "4", "after": second["cursor"]})).json()
    assert [each["data"] for each in first["data"] + second["data"] + third["data"]] == list(range(9))
    assert (third["has_more"], third["cursor"]) == (False, None)
    newest = (await api.ada.get(here, params={"limit": "3", "order": "desc"})).json()
    older = (await api.ada.get(here, params={"limit": "3", "order": "desc", "before": newest["cursor"]})).json()
    assert [each["data"] for each in newest["data"] + older["data"]] == [8, 7, 6, 5, 4, 2]
    between = (await api.ada.get(here, params={"after": "i1", "before": "i5"})).json()
    assert [each["data"] for each in between["data"]] == [2, 4]
    assert problem(await api.ada.get(here, params={"after": "nobody"})) == "unknown-cursor"
    assert problem(await api.ada.get(f"{THREADS}/nobody/items")) == "missing"


async def test_an_append_with_a_key_is_done_once_however_often_it_is_sent(api: Api) -> None:
    mine = await make_thread(api.ada)
    here, key = f"{THREADS}/{mine}/items", {"idempotency-key": "k-1"}
    replies = await asyncio.gather(*(api.ada.post(here, json={"items": [{"data": "hi"}]}, headers=key) for _ in range(8)))
    assert {(reply.status_code, tuple(reply.json()["ids"])) for reply in replies} == {(201, tuple(replies[0].json()["ids"]))}
    assert sum(reply.json()["replayed"] for reply in replies) == 7
    assert len((await api.ada.get(here)).json()["data"]) == 1
    other = await api.ada.post(here, json={"items": [{"data": "something else"}]}, headers=key)
    assert (problem(other), other.status_code) == ("key-reused", 422)
    assert len((await api.ada.get(here)).json()["data"]) == 1
    for bad in ("", "two words", "x" * 256):
        assert problem(await api.ada.post(here, json={"items": [{"data": 1}]}, headers={"idempotency-key": bad})) == "invalid"


async def test_an_item_that_is_there_is_kept_and_named(api: Api) -> None:
    mine = await make_thread(api.ada, items=[{"id": "a", "data": "first"}])
    body = {"items": [{"id": "a", "data": "second"}, {"id": "b", "data": "new"}]}
    reply = (await api.ada.post(f"{THREADS}/{mine}/items", json=body)).json()
    assert (reply["duplicates"], reply["positions"]) == (["a"], [1, 2])
    assert (await api.ada.get(f"{THREADS}/{mine}/items/a")).json()["data"] == "first"


async def test_an_append_with_a_revision_is_done_only_at_it(api: Api) -> None:
    mine = await make_thread(api.ada)
    here = f"{THREADS}/{mine}/items"
    tries = [api.ada.post(here, json={"items": [{"data": n}]}, headers={"if-match": '"1"'}) for n in range(6)]
    replies = await asyncio.gather(*tries)
    assert sorted(reply.status_code for reply in replies) == [201] + [412] * 5
    assert len((await api.ada.get(here)).json()["data"]) == 1


async def test_an_item_is_replaced_only_where_it_is_as_it_was_read(api: Api) -> None:
    mine = await make_thread(api.ada, items=[{"id": "a", "data": 0, "author": "user", "status": "pending"}])
    here = f"{THREADS}/{mine}/items/a"
    etag = (await api.ada.get(here)).headers["etag"]
    replies = await asyncio.gather(*(api.ada.put(here, json={"data": n}, headers={"if-match": etag}) for n in range(1, 7)))
    assert sorted(reply.status_code for reply in replies) == [200] + [412] * 5
    now = await api.ada.get(here)
    assert now.json() == next(reply for reply in replies if reply.status_code == 200).json()
    assert (now.json()["author"], now.json()["status"], now.json()["position"]) == ("user", "pending", 1)
    assert (await api.ada.get(here, headers={"if-none-match": now.headers["etag"]})).status_code == 304
    changed = (await api.ada.put(here, json={"data": 9, "status": None, "kind": "event"})).json()
    assert (changed["data"], changed["status"], changed["kind"], changed["author"]) == (9, None, "event", "user")
    assert problem(await api.ada.put(f"{THREADS}/{mine}/items/b", json={"data": 1})) == "missing"
    assert problem(await api.ada.put(here, json={"status": "x"})) == "invalid"
    assert problem(await api.ada.delete(here, headers={"if-match": etag})) == "precondition"
    last = (await api.ada.get(here)).headers["etag"]
    ends = await asyncio.gather(*(api.ada.delete(here, headers={"if-match": last}) for _ in range(4)))
    assert sorted(reply.status_code for reply in ends) == [204, 404, 404, 404]
    assert problem(await api.ada.delete(here)) == "missing"
