"""A service with a journal: appends and new threads are accepted while Redis is away, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from servers import Server

from ...support import find_program, wait_until, with_options
from .conftest import SESSIONS, THREADS, Serve, make_thread, problem


@pytest.mark.timeout(120)
async def test_what_can_be_accepted_while_redis_is_away_is_there_after(serve: Serve, tmp_path: Path) -> None:
    with Server(find_program("valkey-9.1"), durable=True) as server:
        url = with_options(server.url, timeout=0.5)
        api = await serve(url, CLEW_ON_OUTAGE="journal", CLEW_JOURNAL=str(tmp_path / "journal"))
        here = f"{THREADS}/{await make_thread(api.ada, items=[{'data': 1}])}"
        server.kill()
        # A read finds out that it is away; then the service lets in what may be accepted all the same.
        assert problem(await api.ada.get(here)) == "unavailable"
        reply = await api.ada.post(f"{here}/items", json={"items": [{"data": 2}]})
        assert (reply.status_code, reply.json()["pending"], reply.json()["positions"]) == (202, True, [])
        assert "etag" not in reply.headers
        made = await api.ada.post(SESSIONS, json={"initial_message": "accepted"}, headers={"idempotency-key": "k"})
        assert (made.status_code, made.json()["pending"]) == (202, True)
        session = made.headers["location"]
        said = await api.ada.post(f"{session}/messages", json={"role": "user", "content": "more"})
        assert said.status_code == 202
        assert problem(await api.ada.get(f"{session}/messages")) == "unavailable"
        assert problem(await api.ada.patch(session, json={"name": "x"})) == "unavailable"
        ready = await api.nobody.get("/readyz")
        assert (ready.status_code, ready.json()["journal"]) == (503, {"depth": 3, "aside": 0})
        server.restart()

        async def is_back() -> bool:
            found: object = (await api.nobody.get("/readyz")).json()
            return found == {
                "ready": True,
                "checks": {"worker": "ok", "store": "ok", "files": "ok"},
                "journal": {"depth": 0, "aside": 0},
            }

        await wait_until(is_back, 30)
        await wait_until(lambda: _is_read(api.ada, here), 30)
        assert [each["data"] for each in (await api.ada.get(f"{here}/items")).json()["data"]] == [1, 2]
        messages = (await api.ada.get(f"{session}/messages")).json()["data"]
        assert [each["content"] for each in messages] == ["accepted", "more"]
        again = await api.ada.post(SESSIONS, json={"initial_message": "accepted"}, headers={"idempotency-key": "k"})
        assert (again.status_code, again.headers["location"]) == (201, session)
        assert (await api.ada.post(f"{here}/items", json={"items": [{"data": 3}]})).status_code == 201


async def _is_read(client: object, path: str) -> bool:
    return (await client.get(path)).status_code == 200  # type: ignore[attr-defined, no-any-return]  # an httpx client
