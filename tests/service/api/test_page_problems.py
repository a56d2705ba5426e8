"""The page's own addresses tell problems as all others do, and beside them a sentence, as ChatKit's clients read it."""

from __future__ import annotations

import pytest

from .conftest import JSON, THREADS, Api, Serve, make_thread, problem

UNKNOWN = {"type": "threads.get_by_id", "params": {"thread_id": "thr_nobody"}}
PROBLEM = "application/problem+json"
ASKS: list[tuple[str, str, JSON, str]] = [
    ("POST", "/chatkit", UNKNOWN, "missing"),
    ("POST", "/chatkit", {"type": "nonsense"}, "invalid"),
    ("GET", "/api/v1/attachments/atc_nobody", None, "missing"),
    ("PUT", "/api/v1/attachments/atc_nobody", None, "missing"),
    ("GET", f"{THREADS}/thr_nobody/runs/active", None, "missing"),
    ("GET", f"{THREADS}/thr_nobody/runs/x/events", None, "missing"),
    ("POST", f"{THREADS}/thr_nobody/runs/x/stop", None, "missing"),
]


async def test_an_error_is_told_to_programs_and_to_people(lone: Api) -> None:
    for method, path, body, name in ASKS:
        for client, expected in ((lone.ada, name), (lone.nobody, "unauthorized")):
            stock = await client.request(method, path, json=body, headers={"accept": "text/event-stream, application/json"})
            assert stock.headers["content-type"] == (PROBLEM if path.startswith(THREADS) else "application/json"), path
            reply = await client.request(method, path, json=body, headers={"accept": f"{PROBLEM}, */*"})
            assert (path, problem(reply)) == (path, expected)
            assert reply.json() == stock.json()
            assert reply.json()["error"]["type"]
            assert reply.json()["error"]["message"]
    # An address of the API has no words for a page.
    assert "error" not in (await lone.ada.get(f"{THREADS}/thr_nobody")).json()


async def test_a_deleted_thread_is_gone_for_the_page_too(lone: Api) -> None:
    mine = await make_thread(lone.ada)
    await lone.ada.delete(f"{THREADS}/{mine}")
    for path in (f"{THREADS}/{mine}/runs/active", f"{THREADS}/{mine}/runs/x/events"):
        reply = await lone.ada.get(path)
        assert (problem(reply), reply.status_code) == ("gone", 410)
        assert "not there (any more)" in reply.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/chatkit", THREADS])
async def test_what_comes_from_elsewhere_is_told_so(serve: Serve, path: str) -> None:
    api = await serve(CLEW_JWT_SECRET="", CLEW_JWT_ISSUER="", CLEW_AUTH="none")
    headers = {"origin": "http://evil.example", "accept": PROBLEM}
    reply = await api.nobody.post(path, json={}, headers=headers)
    assert (problem(reply), reply.status_code) == ("local-only", 403)
    assert ("error" in reply.json()) == (path == "/chatkit")
