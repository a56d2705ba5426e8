"""Volumes: every caller against every volume by every address of a session; what is not theirs looks like what is nowhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest

from clew import Ref, Store
from clew.errors import InvalidError, NotFoundError
from clew.service import keys
from clew.service.identity import ForbiddenError, Identity
from clew.service.volumes import volume_of

from .conftest import JSON, SESSIONS, THREADS, Api, problem
from .signing import sign

TEAMS = {"ada": ["red"], "bob": ["red", "blue"], "eve": ["green"], "zoe": []}
VOLUMES = [("user", "ada"), ("user", "bob"), ("team", "red"), ("team", "blue"), ("system", "system")]
"""Each volume, and who is asked for it: a user, or a team."""
MESSAGE = {"role": "user", "content": "mine now"}
ASKS: list[tuple[str, str, JSON]] = [
    ("GET", "", None), ("GET", "/messages", None), ("GET", "/messages/m", None), ("POST", "/messages", MESSAGE),
    ("POST", "/messages", [MESSAGE]), ("PATCH", "", {"name": "renamed"}), ("PUT", "", {"metadata": {"a": 1}}),
    ("DELETE", "/messages/m", None), ("DELETE", "", None),
]  # fmt: skip
"""Every address of one session by every method, in an order in which all of them can be done."""


def standing(caller: str, kind: str, holder: str) -> str:
    """Return what a caller may do with a volume, as the documentation has it: `write`, `read` or `nothing`."""
    if kind == "system":
        return "write" if caller == "machine" else "read"
    if kind == "user":
        return "write" if caller == holder else "nothing"
    return "write" if holder in TEAMS.get(caller, ()) else "nothing"


@pytest.fixture
async def callers(api: Api) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """A client for each user, and one with a key of the system."""
    store: Store = api.app.state.room.store
    made, key = await keys.create_key(store, "publisher", "ops", system=True)
    async with AsyncExitStack() as stack:
        tokens = {name: sign(name, teams=teams) for name, teams in TEAMS.items()} | {"machine": key}
        yield {name: await stack.enter_async_context(api.client(token)) for name, token in tokens.items()}
    await keys.revoke_key(store, made.id)


def where(kind: str, holder: str) -> dict[str, str]:
    """Return the fields that name a volume."""
    return {"volume": kind, **({"team": holder} if kind == "team" else {})}


async def make(callers: dict[str, httpx2.AsyncClient], kind: str, holder: str) -> str:
    """Make a session in a volume, by who may; return its address."""
    writer = next(name for name in callers if standing(name, kind, holder) == "write")
    body = {"name": "secret", **where(kind, holder), "initial_message": {"role": "user", "content": "secret", "id": "m"}}
    reply = await callers[writer].post(SESSIONS, json=body)
    assert reply.status_code == 201, reply.text
    place: str = reply.headers["location"]
    return place


async def test_no_cell_of_the_matrix_leaks(api: Api, callers: dict[str, httpx2.AsyncClient]) -> None:
    for kind, holder in VOLUMES:
        await look_at(callers, kind, holder)


async def look_at(callers: dict[str, httpx2.AsyncClient], kind: str, holder: str) -> None:
    """Let every caller try everything with a session in one volume."""
    writer = next(name for name in callers if standing(name, kind, holder) == "write")
    shared = await make(callers, kind, holder)
    nowhere = re.sub("[0-9a-f]{32}$", "0" * 32, shared)
    before = ((await callers[writer].get(shared)).content, (await callers[writer].get(f"{shared}/messages")).content)
    for caller, client in callers.items():
        may = standing(caller, kind, holder)
        here = await make(callers, kind, holder) if may == "write" else shared
        for method, path, body in ASKS:
            cell = (caller, method, path)
            reply = await client.request(method, here + path, json=body)
            if may == "write" or (may == "read" and method == "GET"):
                assert (*cell, reply.status_code) == (*cell, {"POST": 201, "DELETE": 204}.get(method, 200)), reply.text
            elif may == "read":
                assert (*cell, problem(reply), reply.status_code) == (*cell, "forbidden", 403)
            else:
                missing = await client.request(method, nowhere + path, json=body)
                assert (*cell, problem(reply), reply.status_code) == (*cell, "missing", 404)
                # It cannot be told from what is nowhere.
                assert reply.text.replace(shared.rpartition("/")[2], "") == missing.text.replace(nowhere.rpartition("/")[2], "")
        # The API of threads is the user's own volume and no other.
        through = await client.get(f"{THREADS}/{shared.rpartition('/')[2]}")
        assert (caller, through.status_code) == (caller, 200 if (kind, caller) == ("user", holder) else 404)
        listed = await client.get(SESSIONS, params=where(kind, holder))
        if kind == "user":
            assert all((each["volume"], each["team"]) == ("user", None) for each in listed.json()["data"])
            assert (shared.rpartition("/")[2] in listed.text) == (may == "write")
        elif may == "nothing":
            assert (caller, problem(listed), listed.status_code) == (caller, "missing", 404)
        else:
            assert [(each["volume"], each["team"]) for each in listed.json()["data"]] == [(kind, where(kind, holder).get("team"))]
        made = await client.post(SESSIONS, json={"name": "new", **where(kind, holder)})
        allowed = "write" if kind == "user" else may
        assert (caller, made.status_code) == (caller, {"write": 201, "read": 403, "nothing": 404}[allowed])
        if made.status_code == 201:
            assert (await client.delete(made.headers["location"])).status_code == 204
    after = ((await callers[writer].get(shared)).content, (await callers[writer].get(f"{shared}/messages")).content)
    assert after == before
    assert (await callers[writer].delete(shared)).status_code == 204
    for caller, client in callers.items():
        # That it was there is nobody else's to see either.
        seen = 404 if standing(caller, kind, holder) == "nothing" else 410
        assert (caller, (await client.get(shared)).status_code) == (caller, seen)


async def test_nobody_comes_in_without_a_token(lone: Api) -> None:
    here = f"{SESSIONS}/sys_{'0' * 32}"
    for method, place, body in [("GET", SESSIONS, None), ("POST", SESSIONS, {}), *((m, here + path, b) for m, path, b in ASKS)]:
        reply = await lone.nobody.request(method, place, json=body)
        assert (method, place, problem(reply), reply.status_code) == (method, place, "unauthorized", 401)


async def test_who_leaves_a_team_leaves_its_sessions(api: Api) -> None:
    async with api.client(sign("bob", teams=["red"])) as before, api.client(sign("bob", teams=["blue"])) as after:
        made = await before.post(SESSIONS, json={"name": "Plan", "volume": "team"})
        assert (made.json()["team"], re.sub("[0-9a-f]{32}$", "", made.json()["id"])[:4]) == ("red", "tms_")
        assert (await before.get(made.headers["location"])).status_code == 200
        assert (await after.get(made.headers["location"])).status_code == 404
        assert (await after.get(SESSIONS, params={"volume": "team"})).json()["data"] == []


async def test_ids_that_look_like_a_teams_open_nothing_but_ones_own(lone: Api) -> None:
    async with lone.client(sign("ada", teams=["red"])) as red:
        place = (await red.post(SESSIONS, json={"name": "of the team", "volume": "team"})).headers["location"]
    # Eve gives a thread of her own the id of the team's session.
    id = place.rpartition("/")[2]
    assert (await lone.eve.post(THREADS, json={"id": id, "title": "of Eve"})).status_code == 201
    assert (await lone.eve.get(place)).json()["name"] == "of Eve"
    async with lone.client(sign("eve", teams=["red"])) as eve:
        assert (await eve.get(place)).json()["name"] == "of the team"
    for id in ("..", "clew:system", "sys_", "tms__", "SYS_" + "0" * 32, "%2e%2e", "a b", "\u00e9"):
        assert (id, (await lone.eve.get(f"{SESSIONS}/{id}")).status_code) == (id, 404)


@pytest.mark.parametrize(
    ("teams", "kind", "team", "expected"),
    [
        ((), "user", None, "ada"),
        (("red",), "team", None, "clew:team:red"),
        (("blue", "red"), "team", "red", "clew:team:red"),
        (("blue", "red"), "team", None, InvalidError),
        ((), "team", None, InvalidError),
        (("red",), "team", "blue", NotFoundError),
        (("red",), "team", "", NotFoundError),
        ((), "system", None, "clew:system"),
        (("red",), "user", "red", InvalidError),
        (("red",), "system", "red", InvalidError),
        ((), "all", None, InvalidError),
    ],
)
def test_a_volume_has_one_owner(teams: tuple[str, ...], kind: str, team: str | None, expected: str | type[Exception]) -> None:
    identity = Identity("ada", teams)
    if isinstance(expected, str):
        assert volume_of(identity, kind, team).owner == expected
    else:
        with pytest.raises(expected):
            volume_of(identity, kind, team)


def test_the_files_of_a_volume_stand_apart_and_only_the_systems_are_read_only() -> None:
    ada, publisher = Identity("ada", ("ada", "system")), Identity("ops", may_write_system=True)
    volumes = [volume_of(ada), volume_of(ada, "team", "ada"), volume_of(ada, "team", "system"), volume_of(ada, "system")]
    assert [each.key("skills", "a.md")[:3] for each in volumes] == [
        ("volumes", "user", "ada"), ("volumes", "team", "ada"), ("volumes", "team", "system"), ("volumes", "system", "system"),
    ]  # fmt: skip
    assert [each.may_write for each in volumes] == [True, True, True, False]
    assert volume_of(publisher, "system").check_write().may_write
    with pytest.raises(ForbiddenError):
        volumes[3].check_write()


async def test_a_key_of_the_system_is_made_by_saying_so(memory: Store) -> None:
    for system in (False, True):
        made, key = await keys.create_key(memory, "publisher", "ops", system=system)
        assert (made.is_system, (await keys.Keys(lambda: memory).identify(key)).may_write_system) == (system, system)
    await memory.threads.update(Ref(keys.OWNER, made.id), metadata={"system": "yes"})
    with pytest.raises(Exception, match="system must be true or false"):
        await keys.Keys(lambda: memory).identify(key)
