"""The client's life: where its URL comes from, what it says when it cannot connect, and how it goes on afterwards."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import clew
from clew.kv import KeyValue, get_redis
from servers import Server, find
from servers.ports import reserve

from ..support import wait_until, with_options
from ..test_imports import blocking


async def test_the_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("REDIS_URL", "CLEW_URL"):
        monkeypatch.setenv(name, f"sqlite:///{tmp_path}/{name}.db")
        async with get_redis() as redis:
            await redis.set("k", name)
        assert (tmp_path / f"{name}.db").exists()
    async with get_redis() as redis:
        assert await redis.get("k") == "CLEW_URL"


async def test_the_url_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"REDIS_URL=sqlite:///{tmp_path}/from-file.db\n")
    async with get_redis() as redis:
        await redis.set("k", 1)
    assert (tmp_path / "from-file.db").exists()


async def test_without_any_setting_it_is_the_embedded_file(tmp_path: Path) -> None:
    async with get_redis() as redis:
        await redis.set("k", 1)
    assert (tmp_path / "data/clew/clew.db").exists()


async def test_one_program_has_one_client_for_a_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kv.db"
    first = get_redis(url)
    assert get_redis(url) is first
    assert get_redis("memory://") is not first
    await asyncio.gather(*(first.sadd("s", f"{n}") for n in range(20)))
    await first.close()
    await first.close()
    with pytest.raises(clew.ClosedError, match="get_redis"):
        await first.smembers("s")
    async with get_redis(url) as second:
        assert second is not first
        assert len(await second.smembers("s")) == 20
    await get_redis("memory://").close()


async def test_a_refused_connection_says_what_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    port = reserve()
    monkeypatch.setenv("REDIS_URL", f"redis://ada:secret@127.0.0.1:{port.number}/0?timeout=0.2")
    async with get_redis() as redis:
        with pytest.raises(clew.UnavailableError, match="Connection refused") as caught:
            await redis.get("k")
    port.release()
    said = str(caught.value)
    assert "REDIS_URL" in said
    assert f"127.0.0.1:{port.number}" in said
    assert "secret" not in said


@pytest.mark.parametrize("login", ["", ":wrong@", "ada:wrong@"])
async def test_a_missing_or_wrong_password_says_how_to_write_it(login: str) -> None:
    with Server(find("redis-8.2"), password="right") as server:
        async with KeyValue(f"redis://{login}{server.address}/0") as redis:
            with pytest.raises(clew.DeniedError, match="NOAUTH Authentication required") as caught:
                await redis.get("k")
            assert "redis://[username]:[password]@[host]:[port]" in str(caught.value)
            assert "wrong" not in str(caught.value).replace("WRONGPASS", "").replace("a wrong password", "")
        async with KeyValue(server.url) as redis:
            assert await redis.ping()


def test_a_package_that_is_not_installed_is_named() -> None:
    code = """
import asyncio
from clew.kv import get_redis
from clew.errors import MissingExtraError
async def main():
    async with get_redis("redis://localhost:1/0") as redis:
        try:
            await redis.get("k")
        except MissingExtraError as error:
            print(error)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", blocking("redis", code)], capture_output=True, text=True, timeout=50, check=True
    )
    assert done.stdout.startswith("redis-py not installed")
    assert "pip install 'clew[redis]'" in done.stdout


@pytest.mark.parametrize("kind", ["redis-8.2", "valkey-9.1"])
async def test_a_server_that_stops_and_starts_is_found_again_by_the_same_client(kind: str) -> None:
    with Server(find(kind), durable=True) as server:
        async with KeyValue(with_options(server.url, timeout=0.3)) as redis:
            await redis.rpush("l", "1")
            await redis.set("k", {"a": 1})
            server.kill()
            for asked in (
                redis.get("k"),
                redis.set("k", 2),
                redis.lrange("l"),
                redis.rpush("l", "2"),
                redis.ping(),
                redis.delete("k"),
            ):
                with pytest.raises(clew.UnavailableError):
                    await asked
            server.restart()

            async def answers() -> bool:
                try:
                    return await redis.ping()
                except clew.UnavailableError:
                    return False

            await wait_until(answers)
            assert await redis.get("k") == {"a": 1}
            assert await redis.lrange("l") == ["1"]
            assert await redis.rpush("l", "2") == 2


def test_one_client_serves_one_event_loop_after_another(tmp_path: Path) -> None:
    with Server(find("valkey-9.1")) as server:
        for url in (server.url, f"sqlite:///{tmp_path}/kv.db"):
            client = KeyValue(url)
            assert asyncio.run(client.set("k", 1))
            assert asyncio.run(client.get("k")) == 1
            asyncio.run(client.close())
