"""What a worker writes of its work: a line for each request that tells programs what they need, and nothing that people wrote."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx2
import pytest

from clew.service.logs import Lines, caller_of

from .conftest import JSON, THREADS, Api
from .signing import SECRET, bearer, sign

HIDDEN = "what-ada-wrote"
CALLER = "mrs-lovelace"
"""No part of an id that is made of hexadecimal digits, as `ada` may be."""


def lines_of(caplog: pytest.LogCaptureFixture) -> list[JSON]:
    """Return what was logged of requests, as it is written."""
    return [json.loads(Lines().format(each)) for each in caplog.records if each.name == "clew.access"]


async def test_each_request_has_a_line_that_holds_nothing_of_what_people_wrote(
    lone: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clew")
    token = sign(CALLER)
    async with lone.client(token) as ada:
        made = await ada.post(THREADS, json={"id": HIDDEN, "title": HIDDEN}, headers={"idempotency-key": HIDDEN})
        await ada.get(f"{THREADS}/{HIDDEN}/items?after={HIDDEN}")
        await ada.post(f"{THREADS}/{HIDDEN}/items", content=HIDDEN.encode())
        await ada.get(f"/api/{HIDDEN}")
        await ada.get(f"/api/files/user/{HIDDEN}/{HIDDEN}.md")
    await lone.nobody.get(f"{THREADS}/{HIDDEN}", headers=bearer("x" + token))
    await lone.nobody.get("/healthz")
    one = THREADS + "/{thread}"
    found = lines_of(caplog)
    told = [(line["method"], line["route"], line["status"], line.get("caller")) for line in found]
    caller = caller_of(CALLER)
    assert told == [
        ("POST", THREADS, 201, caller),
        ("GET", one + "/items", 404, caller),
        ("POST", one + "/items", 400, caller),
        ("GET", "-", 404, caller),
        ("GET", "/api/files/user/{path}", 404, caller),
        ("GET", one, 401, None),
    ]
    assert found[0]["request_id"] == made.headers["x-request-id"]
    assert all(line["duration_ms"] >= 0 and line["event"] == "request" and line["level"] == "info" for line in found)
    everything = "".join(Lines().format(each) for each in caplog.records)
    for secret in (HIDDEN, token, SECRET, CALLER):
        assert secret not in everything.replace(caller, "")


async def test_a_request_keeps_its_callers_id_and_has_one_in_any_case(lone: Api) -> None:
    mine = await lone.ada.get(THREADS, headers={"x-request-id": "trace:1.a-B_"})
    assert mine.headers.get_list("x-request-id") == ["trace:1.a-B_"]
    for bad in ("two words", "x" * 129, "", '{"a":1}'):
        reply = await lone.nobody.get(THREADS, headers={"x-request-id": bad})
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])


async def test_a_fault_of_the_service_is_told_without_its_message(lone: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "clew")
    room = lone.app.state.room
    del lone.app.state.room
    try:
        reply = await lone.ada.get(THREADS, headers={"x-request-id": "here"})
    finally:
        lone.app.state.room = room
    assert (reply.status_code, reply.headers["x-request-id"]) == (500, "here")
    assert reply.json()["type"] == "/problems/unexpected"
    assert [(line["status"], line["request_id"]) for line in lines_of(caplog)] == [(500, "here")]
    # The server that runs the service tells where it was.
    (record,) = [each for each in caplog.records if each.exc_info]
    line = json.loads(Lines().format(record))
    assert line["error"] == "AttributeError"
    assert any("threads_api.py" in place for place in line["trace"])
    assert "'room'" not in json.dumps(line)


async def test_clew_serve_writes_json_and_a_flag_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("CLEW_PORT=0\nCLEW_LOG=text\nCLEW_OWNER=eve\nCLEW_HOST=192.0.2.1\n")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("CLEW_", "REDIS_", "OPENAI_", "AOAI_"))}
    env = {**kept, "CLEW_URL": f"sqlite:///{tmp_path}/clew.db", "CLEW_LOG": "json", "CLEW_OWNER": "grace"}
    words = [str(Path(sys.executable).parent / "clew"), "serve", "--host", "127.0.0.1", "--owner", "ada"]
    process = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=PIPE, env=env, cwd=tmp_path)
    assert process.stderr is not None
    lines: list[JSON] = []
    try:
        async with asyncio.timeout(50):
            while not lines or lines[-1].get("event") != "started":
                lines.append(json.loads(await process.stderr.readline()))
        (address,) = [found[0] for line in lines if (found := re.search("http://[0-9.:]+", line["message"]))]
        async with httpx2.AsyncClient(base_url=address, timeout=30) as http:
            assert (await http.get(THREADS)).status_code == 200
    finally:
        process.terminate()
        said, rest = await process.communicate()
    lines += [json.loads(line) for line in rest.splitlines()]
    assert said == b""
    assert "this machine is ada" in lines[0]["message"]
    requests = [line for line in lines if line.get("event") == "request"]
    assert [(line["route"], line["caller"]) for line in requests] == [(THREADS, caller_of("ada"))]
    assert [line["event"] for line in lines[-2:]] == ["stopping", "stopped"]
    assert process.returncode in (0, -15)


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    record = logging.LogRecord("clew", logging.INFO, "x", 1, "a %s", ("b\n\u2028\x00",), None)
    line = Lines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "a b\n\u2028\x00"
