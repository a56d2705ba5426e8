"""The real `coaiapy-mcp` and `coaia` beside clew: what one stashes the other fetches, and no failure is a success."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client

from clew import InvalidError, UnavailableError, UnsupportedError
from clew.adapters.coaia import PINS, CoaiaServer, connect_coaia
from clew.adapters.flywheel import RedisSessionManager, UniversalSession
from clew.kv import KeyValue
from clew.mcp import Opening, Shelves, make_server
from servers import Server

from ..support import find_program, wait_until
from ..test_imports import find_uv
from .conftest import call


@pytest.fixture(scope="module")
def coaia() -> Iterator[Path]:
    """The folder of its programs, in an environment of their own: it needs an old redis-py, and an old `mcp`."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([find_uv(), "venv", "--quiet", "--python", sys.executable, folder], check=True, timeout=60)
        subprocess.run([find_uv(), "pip", "install", "--quiet", "--python", folder, *PINS], check=True, timeout=110, cwd=folder)
        yield Path(folder) / "bin"


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    """A server whose database 0 nobody else uses: the command line knows no other."""
    with Server(find_program("valkey-9.1"), durable=True) as server:
        yield server


@pytest.mark.timeout(180)
async def test_what_the_command_line_stashes_clew_fetches_and_the_other_way_round(
    coaia: Path, redis: Server, tmp_path: Path
) -> None:
    async def run(*words: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "REDIS_URL": redis.url}
        command = [str(coaia / "coaia"), *words]
        return await asyncio.to_thread(subprocess.run, command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=50)

    async with (
        Opening(redis.url) as opening,
        Client(make_server(opening.store, lambda context: "local", shelves=Shelves(bare=True))) as client,
    ):
        await run("tash", "plan", "to Paris")
        assert (await call(client, "coaia_fetch", key="plan"))["value"] == "to Paris"
        await call(client, "coaia_tash", key="answer", value="by train")
        assert "by train" in (await run("fetch", "answer")).stdout
        assert sorted((await call(client, "coaia_list"))["keys"]) == ["answer", "plan"]
        for key in ("answer", "plan"):
            await call(client, "coaia_drop", key=key)


@pytest.mark.timeout(180)
async def test_values_and_sessions_go_through_the_real_server_also_after_redis_was_away(
    coaia: Path, redis: Server, tmp_path: Path
) -> None:
    command = [str(coaia / "coaiapy-mcp")]
    async with (
        connect_coaia(command, url=redis.url, env={"HOME": str(tmp_path)}, cwd=tmp_path) as store,
        KeyValue(redis.url) as other,
    ):
        values = store.values()
        await values.put_data("naïve key", "bytes é".encode())
        assert await other.get("naïve key", raw=True) == "bytes é".encode()
        assert await values.get_data("naïve key") == "bytes é".encode()
        assert await values.get_data("nothing") is None
        for refused in (
            values.list(),
            values.delete("naïve key"),
            values.put_data("a", b"b", ttl=60),
            values.put_data("a", b"b", when=None),
            store.threads.list("ada"),
            store.threads.create("ada"),
        ):
            with pytest.raises(UnsupportedError):
                await refused
        with pytest.raises(InvalidError, match="text only"):
            await values.put_data("a", b"\xff")

        manager = RedisSessionManager(store=store, ttl_seconds=None)
        session = UniversalSession("s1", "flowise", "f1", context={"a": 1}, history=[{"role": "user"}])
        assert await manager.save_session(session, overwrite=True)
        assert await other.get("agentic_flywheel:session:s1", raw=True) is not None
        assert await manager.load_session("s1") == session
        assert (await manager.save_session(UniversalSession("s2", "flowise", None))).status == "refused"
        assert (await manager.delete_session("s1")).status == "refused"
        assert (await manager.list_sessions()).status == "refused"
        await other.delete("naïve key", "agentic_flywheel:session:s1")

        # It looks for Redis only when it starts, so it is started again.
        redis.kill()
        with pytest.raises(UnavailableError):
            await values.put_data("a", b"lost")
        redis.restart()

        async def is_back() -> bool:
            try:
                await values.put_data("a", b"kept")
            except UnavailableError:
                return False
            return True

        await wait_until(is_back, 60)
        assert await values.get_data("a") == b"kept"
        await other.delete("a")


async def test_a_program_that_is_not_there_is_told() -> None:
    coaia_server = CoaiaServer(["no-such-program"])
    with pytest.raises(UnavailableError, match=r"coaiapy-mcp==0\.4\.3"):
        await coaia_server.fetch("a")
    await coaia_server.aclose()
