"""Redis away: every answer says so, nothing is made up, and all goes on when it is there again."""

from __future__ import annotations

import asyncio

import pytest

import servers
from clew.service import room
from servers import Server

from ...support import find_program, wait_until, with_options
from .conftest import SESSIONS, THREADS, Serve, make_thread, problem
from .test_chat import say


@pytest.mark.timeout(120)
async def test_while_redis_is_away_the_truth_is_told_and_then_all_goes_on(serve: Serve) -> None:
    with Server(find_program("valkey-9.1"), durable=True) as server:
        api = await serve(with_options(server.url, timeout=2))
        mine = await make_thread(api.ada, items=[{"id": "a", "data": 1}])
        here = f"{THREADS}/{mine}"
        session = (await api.ada.post(SESSIONS, json={"initial_message": "kept"})).headers["location"]
        server.kill()
        asks = [("GET", THREADS, None), ("GET", here, None), ("GET", f"{here}/items", None), ("GET", f"{here}/runs", None),
                ("DELETE", here, None), ("POST", THREADS, {}), ("POST", f"{here}/items", {"items": [{"data": 2}]}),
                ("GET", SESSIONS, None), ("POST", SESSIONS, {"initial_message": "x"}), ("GET", session, None),
                ("PATCH", session, {"name": "x"}), ("DELETE", session, None), ("GET", f"{session}/messages", None),
                ("POST", f"{session}/messages", {"role": "user", "content": "x"}), ("GET", f"{session}/messages/a", None),
                ("DELETE", f"{session}/messages/a", None), ("POST", f"{SESSIONS}/no/messages", {"role": "a", "content": "x"}),
                ("GET", f"{SESSIONS}?volume=system", None)]  # fmt: skip
        replies = await asyncio.gather(*(api.ada.request(method, path, json=body) for method, path, body in asks))
        for (method, path, _), reply in zip(asks, replies, strict=True):
            assert (method, path, problem(reply)) == (method, path, "unavailable")
            assert str(server.port) not in reply.text
        # A token needs no store: who has none is told so, and not that the store is away.
        assert (await api.nobody.get(THREADS)).status_code == 401
        assert (await api.nobody.get("/healthz")).status_code == 200
        ready = await api.nobody.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        server.restart()

        async def is_back() -> bool:
            return (await api.ada.get(here)).status_code == 200

        await wait_until(is_back, 30)
        assert [each["data"] for each in (await api.ada.get(f"{here}/items")).json()["data"]] == [1]
        assert (await api.ada.post(f"{here}/items", json={"items": [{"data": 2}]})).status_code == 201
        # What was refused is not there.
        assert {f"{SESSIONS}/{each['id']}" for each in (await api.ada.get(SESSIONS)).json()["data"]} == {
            f"{SESSIONS}/{mine}",
            session,
        }
        assert [each["content"] for each in (await api.ada.get(f"{session}/messages")).json()["data"]] == ["kept"]


@pytest.mark.parametrize("away", ["store", "files"])
async def test_a_worker_that_starts_without_one_of_them_says_which(
    serve: Serve, away: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    nowhere = {
        "store": {"url": "redis://127.0.0.1:1/0?timeout=0.3"},
        "files": {"CLEW_FILES_URL": "s3://bucket?endpoint=http://127.0.0.1:1&timeout=0.3"},
    }
    api = await serve(**nowhere[away])
    caplog.clear()
    for _ in range(2):
        ready = await api.nobody.get("/readyz")
    # Anybody may ask, so where the part is stands in the log alone, once for as long as nothing changes.
    assert "127.0.0.1" not in ready.text
    assert "bucket" not in ready.text
    place = {"store": "127.0.0.1:1", "files": "bucket"}[away]
    assert [place in each.getMessage() for each in caplog.records if "cannot be used" in each.getMessage()] == [True]
    checks = ready.json()["checks"]
    assert {"store": "cannot be reached", "files": "did not answer"}[away] in checks.pop(away)
    # The other one is there, and is used.
    assert checks == {"worker": "ok", "files" if away == "store" else "store": "ok"}
    asks = {"store": SESSIONS, "files": "/api/files/user"}
    assert problem(await api.ada.get(asks.pop(away))) == "unavailable"
    for path in asks.values():
        assert (await api.ada.get(path)).status_code == 200


async def test_without_its_bucket_at_the_start_a_worker_keeps_what_is_said_and_the_files_come_later(
    serve: Serve, object_server: servers.ObjectServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "RETRY_S", 0.1)
    object_server.pause()
    try:
        api = await serve("memory://", CLEW_FILES_URL=object_server.url(bucket, timeout=0.5))
        kept = await say(api.ada, "words 2 0")
        assert kept["persisted"]
        here = f"{THREADS}/{kept['session_id']}"
        assert (await api.ada.get(here)).status_code == 200
        mine = await make_thread(api.ada)
        assert (await api.ada.delete(f"{THREADS}/{mine}")).status_code == 204
        announced = {"name": "a.txt", "mime_type": "text/plain", "size": 1}
        made = await api.ada.post("/chatkit", json={"type": "attachments.create", "params": announced})
        assert made.status_code == 200
        upload = made.json()["upload_descriptor"]["url"]
        reply = await api.ada.put(upload, content=b"x", headers={"content-type": "text/plain"})
        assert (reply.status_code, reply.json()["type"]) == (503, "/problems/unavailable")
        assert problem(await api.ada.put("/api/files/user/a", content=b"x")) == "unavailable"
    finally:
        object_server.resume()

    async def is_there() -> bool:
        return (await api.nobody.get("/readyz")).status_code == 200

    await wait_until(is_there, 30)
    assert (await api.ada.put("/api/files/user/a", content=b"x")).status_code == 200
    assert (await api.ada.put(upload, content=b"x", headers={"content-type": "text/plain"})).status_code == 200
