"""Files of volumes over HTTP: written, read and listed, whose they are, and preconditions among writers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest

from clew.files import connect_files, volume_key
from clew.service.keys import create_key

from .conftest import Api, problem
from .filing import BLUE, FILES, SYSTEM, USER, listed, put, quoted
from .signing import bearer, sign

# -- the life of a file -------------------------------------------------------------------------------------------------


async def test_a_file_is_written_read_listed_and_deleted(filed: Api) -> None:
    here = f"{USER}/skills/search.md"
    etag = await put(filed.ada, here, b"# Search\n")
    reply = await filed.ada.get(here)
    assert (reply.content, reply.headers["etag"]) == (b"# Search\n", etag)
    assert reply.headers["content-length"] == "9"
    known = await filed.ada.head(here)
    assert (known.content, known.status_code) == (b"", 200)
    same = ("content-length", "content-type", "etag", "last-modified", "content-security-policy", "content-disposition")
    assert [known.headers[name] for name in same] == [reply.headers[name] for name in same]
    assert (await filed.ada.get(here, headers={"if-none-match": etag})).status_code == 304
    assert (await filed.ada.head(here, headers={"if-none-match": f'"other", {etag}'})).status_code == 304
    newer = await put(filed.ada, here, b"# Search well\n")
    assert newer != etag
    reply = await filed.ada.get(here, headers={"if-none-match": etag})
    assert (reply.content, reply.headers["etag"]) == (b"# Search well\n", newer)
    (entry,) = (await filed.ada.get(USER)).json()["data"]
    assert {name: entry[name] for name in ("path", "name", "size", "etag", "type")} == {
        "path": "skills/search.md", "name": "search.md", "size": 14, "etag": newer, "type": "text/markdown; charset=utf-8"
    }  # fmt: skip
    assert entry["modified"].endswith("Z")
    assert (await filed.ada.delete(here)).status_code == 204
    for reply in (await filed.ada.get(here), await filed.ada.delete(here), await filed.ada.get(f"{USER}/skills")):
        assert (reply.status_code, problem(reply)) == (404, "missing")
    assert (await filed.ada.head(here)).status_code == 404
    assert await listed(filed.ada) == []


async def test_a_file_stands_where_other_programs_look_for_it(filed: Api, files_url: str) -> None:
    async with filed.client(sign("ada", teams=["blue"])) as member:
        await put(member, f"{USER}/skills/a.md", b"of the user")
        await put(member, f"{BLUE}/skills/a.md", b"of the team")
    async with connect_files(files_url) as files:
        assert [info.key for info in await files.list()] == [
            ("volumes", "team", "blue", "skills", "a.md"),
            ("volumes", "user", "ada", "skills", "a.md"),
        ]
        await files.put(volume_key("system", "system", "skills", "a.md"), b"of the system")
    assert (await filed.eve.get(f"{SYSTEM}/skills/a.md")).content == b"of the system"


async def test_pages_of_files_follow_each_other_and_stay_below_their_prefix(filed: Api) -> None:
    paths = ["a", "b/c", "b/d/e", "bc", "z%2Fz"]
    for path in paths:
        await put(filed.ada, f"{USER}/{path}")
    await put(filed.eve, f"{USER}/other")
    assert await listed(filed.ada) == paths
    assert await listed(filed.ada, prefix="b") == await listed(filed.ada, prefix="b/") == ["b/c", "b/d/e"]
    assert await listed(filed.ada, prefix="b/d/") == ["b/d/e"]
    assert await listed(filed.ada, prefix="a") == await listed(filed.ada, prefix="nothing") == []
    found: list[str] = []
    query = {"limit": "2"}
    while True:
        page = (await filed.ada.get(USER, params=query)).json()
        found += [entry["path"] for entry in page["data"]]
        assert page["has_more"] == (page["cursor"] is not None)
        if not page["has_more"]:
            break
        query["cursor"] = page["cursor"]
    assert found == paths
    for query in (  # no page of these files gave such a cursor
        {"cursor": "../eve/a"}, {"cursor": ""}, {"cursor": "a//b"}, {"cursor": "a", "prefix": "b"},
        {"prefix": ".."}, {"prefix": "%2e%2e"}, {"prefix": "/b"}, {"prefix": "b//"}, {"prefix": "/"},
        {"limit": "0"}, {"limit": "1001"}, {"owner": "eve"}, {"path": "a"},
    ):  # fmt: skip
        reply = await filed.ada.get(USER, params=query)
        assert (query, reply.status_code, problem(reply)) == (query, 400, "invalid")


@pytest.mark.parametrize("size", [0, 1, 8 * 1024 * 1024 + 1])
async def test_a_file_of_any_size_comes_back_as_it_was_sent(filed: Api, size: int) -> None:
    data = (b"0123456789abcdef" * (size // 16 + 1))[:size]

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, size, 1_000_003):
            yield data[at : at + 1_000_003]

    await put(filed.ada, f"{USER}/a", pieces())
    assert (await filed.ada.get(f"{USER}/a")).content == data
    await put(filed.ada, f"{USER}/a", data)
    assert (await filed.ada.get(f"{USER}/a")).content == data


# -- whose it is --------------------------------------------------------------------------------------------------------

PEOPLE: dict[str, tuple[str, ...]] = {"ada": ("blue",), "eve": ("red",), "bob": ("blue", "red"), "zoe": ()}
METHODS = ("LIST", "GET", "HEAD", "PUT", "DELETE")


def expected(method: str, volume: str, *, teams: tuple[str, ...], is_writer: bool) -> int:
    """Return the status of a method on a file of a volume, from the words of the issue."""
    if volume in ("blue", "red") and volume not in teams:
        return 404
    if volume == "system" and method in ("PUT", "DELETE") and not is_writer:
        return 403
    return 204 if method == "DELETE" else 200


async def test_no_cell_of_the_matrix_of_people_volumes_and_methods_leaks(foldered: Api) -> None:
    store = foldered.app.state.room.store
    _, writer = await create_key(store, "press", "press", system=True)
    _, reader = await create_key(store, "bot", "bot", teams=["red"])
    tokens = {name: sign(name, teams=list(teams)) for name, teams in PEOPLE.items()} | {"press": writer, "bot": reader}
    teams_of = {**PEOPLE, "press": (), "bot": ("red",)}
    addresses = {"user": USER, "blue": BLUE, "red": f"{FILES}/team/red", "system": SYSTEM}
    async with foldered.client() as client:
        for (name, token), (volume, address) in itertools.product(tokens.items(), addresses.items()):
            # Somebody who may has a file there, which says whose it is.
            whose = {"user": name, "blue": "bob", "red": "bob", "system": "press"}[volume]
            text, here = f"of {volume}, by {whose}", f"{address}/f"
            for method in METHODS:
                if method in ("LIST", "DELETE"):
                    seed = await client.put(here, content=text, headers=bearer(tokens[whose]))
                    assert seed.status_code == 200, seed.text
                verb, where = ("GET", address) if method == "LIST" else (method, here)
                body = b"theirs" if method == "PUT" else None
                reply = await client.request(verb, where, content=body, headers=bearer(token))
                told = expected(method, volume, teams=teams_of[name], is_writer=name == "press")
                assert (name, volume, method, reply.status_code) == (name, volume, method, told)
                assert (text in reply.text) == (method == "GET" and told == 200)
                if told >= 400:
                    assert whose not in reply.text
                    assert (await client.get(here, headers=bearer(tokens[whose]))).text == text
    for path in (f"{USER}/f", f"{BLUE}/f", SYSTEM):
        assert (await foldered.nobody.get(path)).status_code == 401
        assert (await foldered.nobody.put(path, content=b"x")).status_code == 401


async def test_users_and_teams_of_any_name_never_meet(foldered: Api) -> None:
    names = ("ada", "Ada", "ada/f", "..", "system", "a%2Ff", "日本", "x" * 250, "e\u0301", "\u00e9")
    async with foldered.client() as client:
        for name in names:
            client.headers.update(bearer(sign(name, teams=[name])))
            # A team of this name is there, and no address leads to it.
            for address in (USER, *([] if name == ".." else [f"{FILES}/team/{quoted(name)}"])):
                assert await listed(client, address) == []
                await put(client, f"{address}/f", name.encode())
                assert (await client.get(f"{address}/f")).text == name


# -- preconditions ------------------------------------------------------------------------------------------------------


async def test_of_two_writers_with_one_etag_one_wins(filed: Api) -> None:
    here = f"{BLUE}/skills/a.md"
    async with filed.client(sign("ada", teams=["blue"])) as ada, filed.client(sign("bob", teams=["blue"])) as bob:
        etag = await put(ada, here, b"start", if_none_match="*")
        for _ in range(3):
            replies = await asyncio.gather(
                *(who.put(here, content=text, headers={"if-match": etag}) for who, text in ((ada, b"by ada"), (bob, b"by bob")))
            )
            assert sorted(reply.status_code for reply in replies) == [200, 412]
            (lost,) = (reply for reply in replies if reply.status_code == 412)
            assert problem(lost) == "precondition"
            won = "by ada" if replies[0].status_code == 200 else "by bob"
            now = await ada.get(here)
            assert now.text == won
            etag = now.headers["etag"]
            # Another content, so that a bucket, whose ETags are of the content, has another one too.
            etag = await put(bob, here, etag.encode(), if_match=etag)


async def test_of_many_who_make_one_file_one_does(filed: Api) -> None:
    replies = await asyncio.gather(
        *(filed.ada.put(f"{USER}/a", content=b"by %d" % n, headers={"if-none-match": "*"}) for n in range(8))
    )
    assert sorted(reply.status_code for reply in replies) == [200] + 7 * [412]
    assert (await filed.ada.get(f"{USER}/a")).content == b"by %d" % [reply.status_code for reply in replies].index(200)


async def test_a_delete_of_another_version_than_is_meant_deletes_nothing(filed: Api) -> None:
    here = f"{USER}/a"
    old = await put(filed.ada, here, b"old")
    new = await put(filed.ada, here, b"new")
    for bad in (old, '"none"', f"W/{new}", '"*"'):
        reply = await filed.ada.delete(here, headers={"if-match": bad})
        assert (bad, reply.status_code, problem(reply)) == (bad, 412, "precondition")
    assert (await filed.ada.get(here)).text == "new"
    assert (await filed.ada.delete(here, headers={"if-match": new})).status_code == 204
    assert (await filed.ada.delete(here, headers={"if-match": new})).status_code == 404
    await put(filed.ada, here)
    assert (await filed.ada.delete(here, headers={"if-match": "*"})).status_code == 204


async def test_a_precondition_that_does_not_hold_writes_and_reads_nothing(filed: Api) -> None:
    here, missing = f"{USER}/a", f"{USER}/b"
    etag = await put(filed.ada, here, b"mine")
    for address, bad in ((here, '"none"'), (here, f"W/{etag}"), (here, '"*"'), (missing, etag), (missing, "*")):
        reply = await filed.ada.put(address, content=b"x", headers={"if-match": bad})
        assert (address, bad, reply.status_code, problem(reply)) == (address, bad, 412, "precondition")
    assert (await filed.ada.put(here, content=b"x", headers={"if-none-match": "*"})).status_code == 412
    for headers in (
        {"if-none-match": etag},
        {"if-match": etag, "if-none-match": "*"},
        {"if-match": "x"},
        {"if-match": '"a", "b"'},
    ):
        reply = await filed.ada.put(here, content=b"x", headers=headers)
        assert (headers, reply.status_code, problem(reply)) == (headers, 400, "invalid")
    assert (await filed.ada.get(here, headers={"if-match": '"none"'})).status_code == 412
    assert (await filed.ada.head(here, headers={"if-match": '"none"'})).status_code == 412
    assert (await filed.ada.get(here, headers={"if-match": etag})).text == "mine"
    assert (await filed.ada.get(here, headers={"if-match": "*"})).text == "mine"
    assert await listed(filed.ada) == ["a"]
    assert await put(filed.ada, here, b"newer", if_match="*") != etag


# -- parts --------------------------------------------------------------------------------------------------------------


async def test_a_part_is_what_was_asked_for_or_all_of_it(filed: Api) -> None:
    here = f"{USER}/a"
    etag = await put(filed.ada, here, b"0123456789")
    parts = {
        "bytes=0-3": "0123",
        "bytes=4-": "456789",
        "bytes=-3": "789",
        "bytes=-99": "0123456789",
        "Bytes = 9-9": "9",
        "bytes=8-99": "89",
    }
    for asked, text in parts.items():
        reply = await filed.ada.get(here, headers={"range": asked, "if-range": etag})
        start = 10 - len(text) if asked != "bytes=0-3" else 0
        told = (asked, 206, text, f"bytes {start}-{start + len(text) - 1}/10", str(len(text)))
        assert (asked, reply.status_code, reply.text, reply.headers["content-range"], reply.headers["content-length"]) == told
    for asked in ("bytes=0-1,4-5", "bytes=5-4", "bytes=-", "bytes=a-b", "lines=0-1", "", "bytes=0-1" * 500):
        reply = await filed.ada.get(here, headers={"range": asked})
        assert (asked, reply.status_code, reply.text) == (asked, 200, "0123456789")
    reply = await filed.ada.get(here, headers={"range": "bytes=0-1", "if-range": '"another"'})
    assert (reply.status_code, reply.text) == (200, "0123456789")
    await put(filed.ada, f"{USER}/empty", b"")
    for address, asked, size in ((here, "bytes=10-", 10), (here, "bytes=-0", 10), (f"{USER}/empty", "bytes=0-", 0)):
        reply = await filed.ada.get(address, headers={"range": asked})
        assert (asked, reply.status_code, problem(reply), reply.headers["content-range"]) == (
            asked,
            416,
            "range",
            f"bytes */{size}",
        )
