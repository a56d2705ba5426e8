"""API keys: shown once, kept as a hash, taken back; and what a worker does with them while the store is away."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import clew
import servers
from clew import Ref, Store
from clew.errors import InvalidError, UnavailableError, UnreadableError
from clew.service import keys
from clew.service.identity import UnauthorizedError

from ...support import find_program, wait_until, with_options
from .conftest import SESSIONS, THREADS, Api, Serve, make_thread, problem
from .signing import bearer


def run_clew(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the real command."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CLEW_URL": url}
    command = [sys.executable, "-m", "clew.cli", *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.timeout(180)
async def test_a_key_made_by_the_command_speaks_for_its_user_until_it_is_taken_back(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "FRESH_S", 0.0)
    url = f"sqlite:///{tmp_path}/clew.db"
    api = await serve(url)
    made = run_clew(url, "keys", "create", "nightly", "--user", "ada", "--team", "support", "--system")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    mine = await make_thread(api.ada)
    async with api.client(key) as machine:
        assert (await machine.get(f"{THREADS}/{mine}")).status_code == 200
        assert (await machine.post(SESSIONS, json={"volume": "system"})).status_code == 201
        listed = run_clew(url, "keys", "list")
        id = key.split("_")[1]
        assert listed.stdout.split("\t")[:4] == [id, "nightly", "ada", "support"]
        assert key not in listed.stdout
        for wrong in (key + "x", key[:-1]):
            assert (await machine.get(THREADS, headers=bearer(wrong))).status_code == 401
        assert run_clew(url, "keys", "revoke", id).returncode == 0
        assert (await machine.get(THREADS)).status_code == 401
    assert run_clew(url, "keys", "revoke", id).returncode == 3


async def test_what_is_stored_of_a_key_does_not_open_anything(tmp_path: Path) -> None:
    path = tmp_path / "clew.db"
    async with clew.connect(f"sqlite:///{path}") as store:
        made, key = await keys.create_key(store, "bot", "ada", teams=["a"])
        secret = key.split("_", 2)[2]
        stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert made.id.encode() in stored
        assert secret.encode() not in stored
        digest = (await store.threads.get(Ref(keys.OWNER, made.id))).metadata["digest"]
        with pytest.raises(UnauthorizedError):
            await keys.Keys(lambda: store).identify(f"clew_{made.id}_{digest}")


async def test_nobody_reads_the_records_of_keys_over_http(lone: Api) -> None:
    store: Store = lone.app.state.room.store
    made, _ = await keys.create_key(store, "bot", "ada")
    for client in (lone.ada, lone.eve):
        assert made.id not in (await client.get(THREADS)).text
        assert (await client.get(f"{THREADS}/{made.id}")).status_code == 404


async def test_a_key_expires(memory: Store) -> None:
    _, key = await keys.create_key(memory, "bot", "ada", ttl=0.2)
    known = keys.Keys(lambda: memory, clock=lambda: float("inf"))
    assert (await known.identify(key)).user == "ada"

    async def is_out() -> bool:
        try:
            await keys.Keys(lambda: memory).identify(key)
        except UnauthorizedError:
            return True
        return False

    await wait_until(is_out)


async def test_a_key_that_was_just_seen_goes_on_while_the_store_is_away(memory: Store) -> None:
    _, key = await keys.create_key(memory, "bot", "ada", teams=["b", "a"])
    _, other = await keys.create_key(memory, "other", "eve")
    now, away = 0.0, False

    def store() -> Store:
        if away:
            raise UnavailableError("the store is away")
        return memory

    known = keys.Keys(store, clock=lambda: now)
    first = await known.identify(key)
    assert (first.user, first.teams, first.source) == ("ada", ("a", "b"), "key")
    away, now = True, keys.AWAY_S - 1
    assert await known.identify(key) == first
    with pytest.raises(UnavailableError):
        await known.identify(other)
    now = keys.AWAY_S + 1
    with pytest.raises(UnavailableError):
        await known.identify(key)


async def test_a_revoked_key_is_refused_as_soon_as_it_is_asked_for_again(memory: Store) -> None:
    made, key = await keys.create_key(memory, "bot", "ada")
    now = 0.0
    known = keys.Keys(lambda: memory, clock=lambda: now)
    await known.identify(key)
    assert await keys.revoke_key(memory, made.id)
    assert not await keys.revoke_key(memory, made.id)
    now = keys.FRESH_S
    with pytest.raises(UnauthorizedError):
        await known.identify(key)


@pytest.mark.parametrize("token", ["clew_", "clew_x_y", "clew_0123456789abcdef", "clew_0123456789abcdef_", "clew_../../x_y"])
async def test_what_is_no_key_is_refused(memory: Store, token: str) -> None:
    with pytest.raises(UnauthorizedError):
        await keys.Keys(lambda: memory).identify(token)


async def test_a_damaged_record_is_no_wrong_key(memory: Store) -> None:
    made, key = await keys.create_key(memory, "bot", "ada")
    await memory.threads.update(Ref(keys.OWNER, made.id), metadata={"user": 7})
    with pytest.raises(UnreadableError):
        await keys.Keys(lambda: memory).identify(key)


@pytest.mark.parametrize(
    ("user", "more"), [("", {}), ("clew:keys", {}), ("ada", {"teams": ["clew:x"]}), ("ada", {"ttl": -1.0}), ("x" * 300, {})]
)
async def test_a_key_for_nobody_is_not_made(memory: Store, user: str, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        await keys.create_key(memory, "bot", user, **more)
    assert [each async for each in keys.list_keys(memory)] == []


@pytest.mark.timeout(60)
async def test_made_up_keys_use_up_neither_the_worker_nor_the_store(serve: Serve) -> None:
    with servers.Server(find_program("valkey-9.1")) as server:
        api = await serve(with_options(server.url, timeout=10))
        store: Store = api.app.state.room.store
        _, known = await keys.create_key(store, "bot", "ada")
        _, strange = await keys.create_key(store, "bot", "eve")
        assert (await api.nobody.get(THREADS, headers=bearer(known))).status_code == 200
        server.pause()
        made_up = [f"clew_{number:016x}_x" for number in range(2 * keys.MOST_ASKED)]
        # The same key takes one place, however often it is sent.
        asking = [asyncio.create_task(api.nobody.get(THREADS, headers=bearer(each))) for each in made_up[:1] * 8 + made_up]
        await wait_until(lambda: sum(each.done() for each in asking) == keys.MOST_ASKED)
        assert {problem(each.result()) for each in asking if each.done()} == {"busy"}
        assert not any(each.done() for each in asking[:9])
        # Whoever has been seen, or needs no store, comes in.
        assert problem(await api.nobody.get(THREADS, headers=bearer("clew_no"))) == "unauthorized"
        assert (await api.nobody.get("/healthz")).status_code == 200
        assert (await api.nobody.get("/api/files/user", headers=bearer(known))).status_code == 200
        assert problem(await api.nobody.get(THREADS, headers=bearer(strange))) == "busy"
        server.resume()
        replies = await asyncio.gather(*asking)
        assert [each.status_code for each in replies].count(401) == 8 + keys.MOST_ASKED
        assert (await api.nobody.get(THREADS, headers=bearer(strange))).status_code == 200


async def test_all_keys_are_listed_the_newest_first(memory: Store) -> None:
    made = [(await keys.create_key(memory, f"key {number}", "ada"))[0].id for number in range(120)]
    assert [each.id async for each in keys.list_keys(memory)] == made[::-1]


async def test_a_key_and_a_token_are_never_taken_for_each_other(lone: Api) -> None:
    store: Store = lone.app.state.room.store
    _, key = await keys.create_key(store, "bot", "eve")
    mine = await make_thread(lone.ada)
    reply = await lone.nobody.get(f"{THREADS}/{mine}", headers=bearer(key))
    assert reply.status_code == 404
