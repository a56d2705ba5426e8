"""One local user, without a login: only where somebody said so, and only on this machine."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import httpx2
import pytest

from clew.errors import DeniedError, InvalidError
from clew.service.door import Gate
from clew.service.keys import create_key
from clew.service.serving import serve as serve_page
from clew.settings import Settings

from .conftest import THREADS, Serve, make_thread
from .signing import bearer, sign

NOBODY = {"CLEW_JWT_SECRET": "", "CLEW_JWT_ISSUER": ""}


async def test_where_somebody_said_so_there_is_one_user_of_this_machine(serve: Serve) -> None:
    api = await serve(**NOBODY, CLEW_AUTH="none")
    mine = await make_thread(api.nobody)
    # A token changes nothing: nobody is told apart.
    assert (await api.nobody.get(f"{THREADS}/{mine}", headers=bearer(sign("eve")))).status_code == 200
    for headers in ({"host": "clew.example"}, {"host": "192.0.2.1"}):
        assert (await api.nobody.get(THREADS, headers=headers)).status_code == 403
    reply = await api.nobody.post(THREADS, json={}, headers={"origin": "http://evil.example"})
    assert reply.status_code == 403
    # A page of another site may send a form without asking; it may not send JSON.
    assert (await api.nobody.post(THREADS, content=b"{}", headers={"content-type": "text/plain"})).status_code == 415


async def test_with_tokens_the_service_answers_to_any_name(serve: Serve) -> None:
    api = await serve()
    assert (await api.ada.get(THREADS, headers={"host": "clew.example"})).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "clew.example"])
def test_without_a_login_nothing_is_served_to_other_machines(host: str) -> None:
    settings = Settings.from_env({"CLEW_URL": "memory://", "CLEW_AUTH": "none"}, None)
    with pytest.raises(DeniedError, match="login"):
        serve_page(settings, host, 0, tell=print)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "clew.example"])
def test_nothing_is_served_to_other_machines_where_nobody_said_who_may_come_in(host: str) -> None:
    with pytest.raises(InvalidError, match="CLEW_AUTH"):
        serve_page(Settings.from_env({"CLEW_URL": "memory://"}, None), host, 0, tell=print)


def test_an_application_is_not_served_where_nobody_said_who_may_come_in() -> None:
    with pytest.raises(InvalidError, match="CLEW_AUTH"):
        Gate(Settings.from_env({"CLEW_URL": "memory://"}, None), lambda: pytest.fail("it needs no store"))


def test_a_setting_that_cannot_be_used_is_told_in_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        with pytest.raises(InvalidError, match="unknown option 'timeot'"):
            serve_page(Settings.from_env({"CLEW_URL": "redis://localhost:1?timeot=1"}, None), "127.0.0.1", 0, tell=print)
    finally:
        gc.unfreeze()
    assert "Traceback" not in capfd.readouterr().err


async def test_a_first_run_is_for_one_user_of_this_machine(tmp_path: Path) -> None:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("CLEW_", "REDIS_", "OPENAI_", "AOAI_"))}
    url = f"sqlite:///{tmp_path}/clew.db"
    words = [str(Path(sys.executable).parent / "clew"), "serve", "--port", "0", "--url", url, "--owner", "ada"]
    started = await asyncio.create_subprocess_exec(*words, stdout=PIPE, stderr=STDOUT, env=kept, cwd=tmp_path)
    assert started.stdout is not None
    try:
        said = await asyncio.wait_for(started.stdout.readuntil(b"ends it)"), 50)
        address = re.search(rb"http://[0-9.:]+", said)
        assert b"whoever is at this machine is ada" in said
        assert address is not None
        async with httpx2.AsyncClient(base_url=address[0].decode(), timeout=50) as http:
            assert (await http.get(THREADS)).status_code == 200
            assert "<title>" in (await http.get("/")).text
    finally:
        started.terminate()
        await started.communicate()


async def test_with_keys_alone_no_token_comes_in(serve: Serve) -> None:
    api = await serve(**NOBODY, CLEW_AUTH="token")
    _, key = await create_key(api.app.state.room.store, "bot", "ada")
    assert (await api.ada.get(THREADS)).status_code == 401
    assert (await api.nobody.get(THREADS, headers=bearer(key))).status_code == 200
