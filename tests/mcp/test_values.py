"""Values over MCP: what goes in comes out, each owner has their own, answers are bounded, and a failure is told as one."""

from __future__ import annotations

import base64
import json

import pytest
from mcp import MCPError

from clew.kv import KeyValue

from .conftest import Failed, Start, call

AWKWARD = ["a b", "a:b/c", "{tag}", "new\nline", "naïve-é", "*", "[ab]?", "\\", "'\"", "x" * 3000]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_names_of_clew_and_of_coaia_are_the_same_values(as_owner: Start, mode: str) -> None:
    async with as_owner("ada", mode=mode) as client:
        await call(client, "stash_value", key="plan", value="to Paris")
        assert await call(client, "coaia_fetch", key="plan") == {"success": True, "bytes": 8, "value": "to Paris"}
        await call(client, "coaia_tash", key="plan", data={"to": "Rome"})
        assert (await call(client, "fetch_value", key="plan"))["value"] == '{"to":"Rome"}'
        assert (await call(client, "coaia_list", pattern="p*"))["keys"] == ["plan"]
        assert (await call(client, "coaia_drop", key="plan"))["dropped"] is True
        assert (await call(client, "drop_value", key="plan"))["dropped"] is False
        with pytest.raises(Failed) as failed:
            await call(client, "coaia_fetch", key="plan")
        told = json.loads(str(failed.value))
        assert told["success"] is False
        assert "plan" in told["error"]


async def test_every_key_and_every_size_comes_back_as_it_was(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        for key in AWKWARD:
            await call(client, "stash_value", key=key, value=key)
        for key in AWKWARD:
            assert (await call(client, "fetch_value", key=key))["value"] == key
        found: list[str] = []
        cursor = None
        while True:
            page = await call(client, "list_values", limit=3, cursor=cursor)
            found += page["keys"]
            cursor = page["cursor"]
            assert page["has_more"] is (cursor is not None)
            if cursor is None:
                break
        assert sorted(set(found)) == sorted(AWKWARD)
        assert (await call(client, "list_values", pattern="nothing*"))["keys"] == []
        assert (await call(client, "list_values", pattern="\\*"))["keys"] == ["*"]
        for key in AWKWARD:
            await call(client, "drop_value", key=key)
        await call(client, "stash_value", key="empty", value="")
        assert await call(client, "fetch_value", key="empty") == {"success": True, "bytes": 0, "value": ""}
        await call(client, "drop_value", key="empty")


async def test_a_long_value_comes_in_parts(as_owner: Start) -> None:
    text = "äbc" * 1_000_000
    async with as_owner("ada") as client:
        await call(client, "stash_value", key="long", value=text, ttl=60)
        parts, offset = [], 0
        while True:
            part = await call(client, "fetch_value", key="long", offset=offset, limit=2_000_000)
            parts.append(part["value"])
            if not part.get("has_more"):
                break
            offset = part["next_offset"]
        assert "".join(parts) == text
        first = await call(client, "coaia_fetch", key="long")
        assert (len(first["value"]), first["has_more"], first["bytes"]) == (50_000, True, 4_000_000)
        assert 0 < first["ttl"] <= 60
        with pytest.raises(Failed, match="at most 8,388,608"):
            await call(client, "stash_value", key="long", value="x" * (8 * 1024 * 1024 + 1))


async def test_bytes_that_are_no_text_come_as_base64(as_owner: Start, url: str) -> None:
    async with KeyValue(url) as client:
        await client.set("picture", b"\xff\x00\xfe", ex=60)
    async with as_owner("ada", bare=True) as client_:
        found = await call(client_, "fetch_value", key="picture")
    assert base64.b64decode(found["value_base64"]) == b"\xff\x00\xfe"


WRONG: list[tuple[dict[str, object], str]] = [
    ({"key": 3, "value": "a"}, "str"),
    ({"key": "a"}, "value"),
    ({"key": "a", "value": "b", "data": "c"}, "once"),
    ({"key": "", "value": "a"}, "length"),
    ({"key": "x" * 5000, "value": "a"}, "length"),
    ({"key": "a", "value": "b", "ttl": "soon"}, "ttl"),
    ({"key": "a", "value": "b", "ttl": 0}, "time to live"),
    ({"key": "a", "value": "b", "ttl": -5}, "time to live"),
    ({"key": "a", "value": "b", "ttl": 1e30}, "time to live"),
    ({"key": "a", "value": "b", "wish": 1}, "wish"),
]


async def test_a_wrong_argument_is_told_and_nothing_is_stored(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        for arguments, word in WRONG:
            with pytest.raises(Failed, match=word):
                await call(client, "coaia_tash", **arguments)
        assert (await call(client, "coaia_list"))["keys"] == []
        with pytest.raises(MCPError, match="no tool of this name"):
            await client.call_tool("coaia_stash", {})


async def test_one_owner_never_reaches_anothers_values(as_owner: Start) -> None:
    # Joined without care, the second owner's key "b:plan" would be the first one's "plan".
    async with as_owner("ada:b") as ada, as_owner("ada") as eve:
        await call(ada, "stash_value", key="plan", value="mine", ttl=60)
        for key in ("plan", "b:plan", "%3Ab:plan", "../ada:b:plan"):
            with pytest.raises(Failed):
                await call(eve, "fetch_value", key=key)
        assert (await call(eve, "list_values", pattern="*"))["keys"] == []
        assert (await call(eve, "drop_value", key="b:plan"))["dropped"] is False
        assert (await call(ada, "fetch_value", key="plan"))["value"] == "mine"


async def test_bare_keys_are_those_of_other_programs_and_hide_clews_own(as_owner: Start, url: str) -> None:
    async with as_owner("ada") as ada, as_owner("local", bare=True) as local, KeyValue(url) as other:
        await other.set("from-outside", b"as coaia tash writes it", ex=60)
        assert (await call(local, "coaia_fetch", key="from-outside"))["value"] == "as coaia tash writes it"
        await call(local, "coaia_tash", key="from-clew", value="plain", ttl=60)
        assert await other.get("from-clew", raw=True) == b"plain"
        await call(ada, "stash_value", key="secret", value="hers", ttl=60)
        assert sorted((await call(local, "coaia_list"))["keys"]) == ["from-clew", "from-outside"]
        namespace = url.partition("namespace=")[2] or "clew"
        for tool in ("coaia_fetch", "coaia_drop"):
            with pytest.raises(Failed, match="clew's own"):
                await call(local, tool, key=f"{namespace}:values:ada:secret")
        for key in ("from-outside", "from-clew"):
            assert (await call(local, "coaia_drop", key=key))["dropped"] is True
