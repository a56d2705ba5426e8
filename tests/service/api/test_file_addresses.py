"""What an address of a file may hold: whatever it does, it leads to a file of this caller's volume, or to none."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote_to_bytes

import msgspec
import pytest

from clew.service.files_api import OPERATIONS

from .conftest import Api, problem
from .filing import BLUE, FILES, USER, listed, put, quoted, send_raw
from .test_openapi import check

NAMES = (
    "a b", "a/b", "../eve/secret", "..\\eve", "a\\b", "a\0b", "C:\\x", "con.txt", "~", "...", ".hidden", "end.", "%2e%2e", "100%",
    "a?b#c", "a\r\nb", "日本.md", "\U0001f600", "a;b", "'\"<>&", " ", "sha256:x", "x" * 200, "\u202egnp.exe", ".clew",
)  # fmt: skip


async def test_a_name_may_hold_any_character_and_is_only_a_name(foldered: Api, tmp_path: Path) -> None:
    await put(foldered.eve, f"{USER}/secret", b"of eve")
    for name in NAMES:
        here = f"{USER}/deep/{quoted(name)}"
        await put(foldered.ada, here, name.encode())
        reply = await foldered.ada.get(here)
        assert (reply.content, reply.headers["content-disposition"].isascii()) == (name.encode(), True)
    page = (await foldered.ada.get(USER, params={"limit": "100"})).json()["data"]
    assert sorted(entry["name"] for entry in page) == sorted(NAMES)
    for entry in page:
        # What a list says is the address of the file, and no other one.
        assert unquote_to_bytes(entry["path"]).decode() == f"deep/{entry['name']}"
        assert (await foldered.ada.get(f"{USER}/{entry['path']}")).text == entry["name"]
    assert await listed(foldered.eve) == ["secret"]
    below = tmp_path / "files/volumes/user/ada/deep"
    assert len([path for path in below.rglob("*") if path.is_file()]) == len(NAMES)
    assert {path.name for path in tmp_path.iterdir()} == {"files"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_an_address_that_is_none_leads_nowhere(foldered: Api, method: str) -> None:
    await put(foldered.eve, f"{USER}/secret", b"of eve")
    await put(foldered.ada, f"{USER}/a", b"of ada")
    wrong = (
        "../eve/secret", "..%2feve/secret/../x", "%2e%2e/eve/secret", "%2E%2E/eve", "a/../../eve/secret", "./a", "%2e/a", "a/.",
        "a/..", "", "/", "a/", "/a", "a//b", "a///b", "%ff", "a%", "a%2", "%zz", "%c0%ae%c0%ae/eve", "%ed%a0%80", "x" * 201,
        quoted("日" * 30), "/".join("x" * 14), "/".join(["x" * 150] * 6),
    )  # fmt: skip
    for path in wrong:
        status, body = await send_raw(foldered, method, f"{USER}/{path}", body=b"x" * (method == "PUT"))
        assert (path, status) == (path, 400)
        assert method == "HEAD" or msgspec.json.decode(body)["type"] == "/problems/invalid"
        assert b"of eve" not in body
    elsewhere = (
        f"{FILES}/..%2fuser/a", f"{FILES}%2fuser/a", f"{FILES}/user%2fa", "/api/../api/files/user/a", f"{FILES}/team%2fblue/a",
        f"{FILES}/users/a", f"{FILES}/team", f"{FILES}/TEAM/blue/a", f"/static/..{USER}/a", f"{FILES}/team/red/a",
    )  # fmt: skip
    for path in elsewhere:
        status, body = await send_raw(foldered, method, path, body=b"x" * (method == "PUT"))
        assert (path, status in (404, 405)) == (path, True), status
        assert b"of " not in body
    assert await listed(foldered.ada) == ["a"]
    assert (await foldered.ada.get(f"{USER}/a")).text == "of ada"


async def test_a_slash_in_the_name_of_a_team_is_one_too(foldered: Api) -> None:
    status, _ = await send_raw(foldered, "PUT", f"{BLUE}/a", body=b"x")
    assert status == 200
    for path in (f"{FILES}/team/blue%2fa", f"{FILES}/team/blue%2fa/b", f"{FILES}/team/%2e%2e%2fblue/a"):
        for method in ("GET", "PUT", "DELETE"):
            assert (path, (await send_raw(foldered, method, path))[0]) == (path, 404)


async def test_two_ways_to_write_one_letter_are_two_names(foldered: Api) -> None:
    composed, apart = (quoted(unicodedata.normalize(form, "é.md")) for form in ("NFC", "NFD"))
    first = await put(foldered.ada, f"{USER}/{composed}", b"one")
    await put(foldered.ada, f"{USER}/{apart}", b"two", if_none_match="*")
    assert (await foldered.ada.get(f"{USER}/{composed}")).headers["etag"] == first
    await put(foldered.ada, f"{USER}/A", b"three")
    assert (await foldered.ada.get(f"{USER}/a")).status_code == 404


async def test_where_a_folder_would_be_a_file_too_it_is_said(foldered: Api) -> None:
    await put(foldered.ada, f"{USER}/a/b")
    for path in ("a", "a/b/c"):
        reply = await foldered.ada.put(f"{USER}/{path}", content=b"x")
        assert (path, reply.status_code, problem(reply)) == (path, 409, "conflict")
    assert await listed(foldered.ada) == ["a/b"]


TYPES = {
    "a.md": ("text/markdown; charset=utf-8", "inline"),
    "a.TXT": ("text/plain; charset=utf-8", "inline"),
    "a.json": ("application/json", "inline"),
    "a.png": ("image/png", "inline"),
    "a.html": ("application/octet-stream", "attachment"),
    "a.svg": ("application/octet-stream", "attachment"),
    "a.js": ("application/octet-stream", "attachment"),
    "a.md.xhtml": ("application/octet-stream", "attachment"),
    "a.pdf": ("application/pdf", "attachment"),
    "md": ("application/octet-stream", "attachment"),
}


async def test_nothing_that_a_browser_could_run_is_shown_by_one(foldered: Api) -> None:
    page = b"<script>alert(1)</script>"
    for name, (type, shown) in TYPES.items():
        put = await foldered.ada.put(f"{USER}/{name}", content=page, headers={"content-type": "text/html"})
        assert (name, put.json()["type"]) == (name, type)
        reply = await foldered.ada.get(f"{USER}/{name}")
        assert (name, reply.headers["content-type"], reply.content) == (name, type, page)
        assert (name, reply.headers["content-disposition"].split(";")[0]) == (name, shown)
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert reply.headers["cache-control"] == "private, no-cache"


def test_the_table_of_addresses_in_the_docs_is_what_is_served() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/files.md").read_text()
    shown = re.findall(r"^\| `([A-Z]+) (/api/files/\S+)` \|.*\| (\d+) \|$", text, re.MULTILINE)
    shown += [
        (method, path.replace("/user", volume), status)
        for method, path, status in shown
        for volume in ("/team/{team}", "/system")
    ]
    assert sorted(shown) == sorted((each.method, each.path, str(each.status)) for each in OPERATIONS)


async def test_what_is_answered_is_of_the_shape_that_the_document_gives(foldered: Api) -> None:
    document = (await foldered.nobody.get("/openapi.json")).json()
    here = USER + "/{path}"
    await put(foldered.ada, f"{USER}/a.md", b"0123456789")
    asks: list[tuple[str, str, str, dict[str, str]]] = [
        ("get", USER, USER, {}), ("put", here, f"{USER}/b", {}), ("get", here, f"{USER}/a.md", {}),
        ("head", here, f"{USER}/a.md", {}), ("get", here, f"{USER}/a.md", {"range": "bytes=0-1"}),
        ("get", here, f"{USER}/a.md", {"if-none-match": "*"}), ("get", here, f"{USER}/a.md", {"range": "bytes=99-"}),
        ("put", here, f"{USER}/b", {"if-none-match": "*"}), ("put", here, f"{USER}/b", {"content-encoding": "gzip"}),
        ("delete", here, f"{USER}/b", {}), ("delete", here, f"{USER}/b", {}),
    ]  # fmt: skip
    seen = set()
    for method, path, address, headers in asks:
        reply = await foldered.ada.request(method.upper(), address, headers=headers)
        seen.add(reply.status_code)
        answer = document["paths"][path][method]["responses"][str(reply.status_code)]
        kind = reply.headers.get("content-type")
        if kind in ("application/json", "application/problem+json"):
            check(document, answer["content"][kind]["schema"], reply.json())
    assert seen == {200, 204, 206, 304, 404, 412, 415, 416}
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
