"""The real `clew mcp`, started and driven by the official client: in both eras, killed, started again, and without its store."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from mcp import Client, MCPDeprecationWarning, MCPError, types

from clew import Store
from clew.cli.app import app
from clew.cli.running import start as run_command
from clew.kv import KeyValue
from clew.mcp import Opening, Shelves, make_server
from servers import Server

from ..support import find_program, wait_until, with_options
from .conftest import Failed, Start, call, said, server_of


@pytest.mark.parametrize(("mode", "kind"), [("auto", "sqlite"), ("legacy", "redis-8.2")])
async def test_a_client_keeps_values_and_conversations(
    start: Start, request: pytest.FixtureRequest, tmp_path: Path, mode: str, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/clew.db" if kind == "sqlite" else request.getfixturevalue("url_of")(kind)
    news: list[str] = []

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            news.append(str(message.params.uri))

    async with start(url, "--owner", "ada", mode=mode, on_message=hear) as client:
        assert client.session.protocol_version == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]
        await call(client, "coaia_tash", key="plan", value="to Paris", ttl=60)
        assert (await call(client, "fetch_value", key="plan"))["value"] == "to Paris"
        made = (await call(client, "create_conversation", title="Plans", messages=said("user", "My name is Ada.")))[
            "conversation"
        ]
        append = {"conversation": made["id"], "messages": said("assistant", "Hello Ada.")}
        if mode == "legacy":
            with pytest.warns(MCPDeprecationWarning):
                await client.subscribe_resource(made["uri"])
            with pytest.raises(MCPError, match="no thread"), pytest.warns(MCPDeprecationWarning):
                await client.subscribe_resource("clew://threads/none")
            await call(client, "append_to_conversation", **append)
            await wait_until(lambda: news == [made["uri"]])
            with pytest.warns(MCPDeprecationWarning):
                await client.unsubscribe_resource(made["uri"])
        else:
            async with client.listen(resource_subscriptions=[made["uri"], "clew://threads/none"]) as stream:
                assert stream.honored.resource_subscriptions == [made["uri"]]
                await call(client, "append_to_conversation", **append)
                assert (await anext(stream)).uri == made["uri"]  # type: ignore[union-attr]  # nothing else was asked for
        found = await call(client, "search_conversations", query="hello ada")
        assert [hit["text"] for hit in found["hits"]] == ["Hello Ada."]
        with pytest.raises(Failed, match="str"):
            await call(client, "read_conversation", conversation=[1])
    assert (tmp_path / "mcp.log").read_text() == ""


async def test_a_server_that_is_killed_and_started_again_has_everything(start: Start, url_of: Callable[..., str]) -> None:
    url = url_of("redis-8.2")
    async with start(url, "--owner", "ada") as first:
        made = await call(first, "create_conversation", messages=said("user", "before"))
        id = made["conversation"]["id"]
        await call(first, "stash_value", key="plan", value="kept", ttl=60)
        os.kill(server_of(first), signal.SIGKILL)
        with pytest.raises(MCPError):
            await call(first, "resume_conversation")
    async with start(url, "--owner", "ada") as again, Opening(url) as opening:
        await call(again, "append_to_conversation", conversation=id, messages=said("user", "after"))
        resumed = await call(again, "resume_conversation")
        assert [message["text"] for message in resumed["messages"]] == ["before", "after"]
        assert (await call(again, "fetch_value", key="plan"))["value"] == "kept"
        # Another server on the same Redis, in this process: what one writes the other reads, for the same owner.
        shelves = Shelves.of(url)
        async with (
            Client(make_server(opening.store, lambda context: "ada", shelves=shelves)) as hers,
            Client(make_server(opening.store, lambda context: "eve", shelves=shelves)) as his,
        ):
            await call(hers, "append_to_conversation", conversation=id, messages=said("user", "from the other"))
            newest = await call(again, "read_conversation", conversation=id, limit=1, newest_first=True)
            assert newest["messages"][0]["text"] == "from the other"
            for tool, arguments in (("fetch_value", {"key": "plan"}), ("read_conversation", {"conversation": id})):
                with pytest.raises(Failed):
                    await call(his, tool, **arguments)


@pytest.mark.timeout(120)
async def test_while_redis_is_away_every_call_says_so_and_then_all_goes_on(start: Start) -> None:
    with Server(find_program("valkey-9.1"), durable=True) as server:
        server.kill()
        # Without a named owner the keys are bare: those that the coaia command line has.
        async with KeyValue(server.url) as other, start(with_options(server.url, timeout=0.5)) as client:
            with pytest.raises(Failed, match=r"[Cc]all again in a moment"):
                await call(client, "stash_value", key="plan", value="lost")
            server.restart()
            await wait_until(lambda: _works(client), 30)
            await other.set("from-coaia", b"plain")
            assert (await call(client, "coaia_fetch", key="from-coaia"))["value"] == "plain"
            await call(client, "coaia_tash", key="from-clew", value="plain too")
            assert await other.get("from-clew", raw=True) == b"plain too"
            made = (await call(client, "create_conversation"))["conversation"]
            async with client.listen(resource_subscriptions=[made["uri"]]) as stream:
                server.kill()
                calls: list[tuple[str, dict[str, object]]] = [
                    ("coaia_fetch", {"key": "plan"}),
                    ("stash_value", {"key": "plan", "value": "lost"}),
                    ("list_conversations", {}),
                    ("resume_workflow_session", {"session": "s1"}),
                    ("save_workflow_session", {"session": "s1"}),
                    ("list_workflow_sessions", {}),
                ]
                told = await asyncio.gather(*(client.call_tool(tool, arguments) for tool, arguments in calls))
                for (tool, _), result in zip(calls, told, strict=True):
                    assert result.is_error
                    assert "Call again" in str(result.content)
                    # Done twice, this one may have more than done once.
                    assert ("see first" in str(result.content)) is (tool == "save_workflow_session")
                server.restart()
                await wait_until(lambda: _works(client), 30)
                assert (await call(client, "list_conversations"))["conversations"][0]["id"] == made["id"]
                await call(client, "append_to_conversation", conversation=made["id"], messages=said("user", "news"))
                async with asyncio.timeout(30):
                    assert (await anext(stream)).uri == made["uri"]  # type: ignore[union-attr]  # nothing else was asked for


async def _works(client: object) -> bool:
    try:
        await call(client, "stash_value", key="probe", value="x", ttl=60)  # type: ignore[arg-type]  # a client
    except Failed:
        return False
    return True


def test_a_setting_that_cannot_be_used_is_told_before_anything_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (("--owner", ""), ("--tools", "values,everything")):
        assert run_command(app, ["mcp", option, value, "--url", "memory://"]) == 2
        told = capsys.readouterr()
        assert (told.out, option.removeprefix("--") in told.err) == ("", True)


async def test_only_the_tools_that_are_asked_for_are_there() -> None:
    async def no_store() -> Store:
        raise AssertionError("nothing is asked of it")

    async with Client(make_server(no_store, lambda context: "ada", groups=["values"])) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == [
            "stash_value",
            "fetch_value",
            "list_values",
            "drop_value",
        ]
        with pytest.raises(MCPError, match="no tool"):
            await client.call_tool("coaia_fetch", {"key": "a"})
