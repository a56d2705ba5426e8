"""`/mcp` of the service, driven by the official client: each user has their own, in both eras, and a restart is no matter."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from mcp import Client, MCPDeprecationWarning, MCPError, types
from mcp.client.streamable_http import streamable_http_client

from servers import Server

from ...mcp.conftest import Failed, call, said
from ...support import find_program, wait_until, with_options
from .conftest import Api, Serve
from .signing import sign

MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


@contextlib.asynccontextmanager
async def as_user(api: Api, user: str, *, mode: str = "auto") -> AsyncIterator[Client]:
    """Yield a client of a user's."""
    async with (
        api.client(sign(user)) as http,
        Client(streamable_http_client(f"{api.base}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@MODES
async def test_each_user_has_their_own(api: Api, mode: str) -> None:
    async with as_user(api, "ada", mode=mode) as ada, as_user(api, "eve", mode=mode) as eve:
        await call(ada, "coaia_tash", key="plan", value="to Paris", ttl=60)
        await call(eve, "coaia_tash", key="plan", value="to Rome", ttl=60)
        assert (await call(ada, "fetch_value", key="plan"))["value"] == "to Paris"
        assert (await call(eve, "fetch_value", key="plan"))["value"] == "to Rome"
        made = (await call(ada, "create_conversation", messages=said("user", "swordfish")))["conversation"]
        # The same thread is in the HTTP API, for the same user.
        assert (await api.ada.get(f"/api/v1/threads/{made['id']}")).status_code == 200
        for tool, arguments in (("read_conversation", {"conversation": made["id"]}), ("resume_conversation", {})):
            with pytest.raises(Failed):
                await call(eve, tool, **arguments)
        with pytest.raises(MCPError):
            await eve.read_resource(made["uri"])
        assert (await call(eve, "search_conversations", query="swordfish"))["hits"] == []


async def test_news_go_only_to_whose_conversation_it_is(lone: Api) -> None:
    async with as_user(lone, "ada") as ada, as_user(lone, "eve") as eve:
        # Both have a conversation with this id.
        for client in (ada, eve):
            uri = (await call(client, "create_conversation", id="same"))["conversation"]["uri"]
        async with ada.listen(resource_subscriptions=[uri]) as hers, eve.listen(resource_subscriptions=[uri]) as his:
            await call(ada, "append_to_conversation", conversation="same", messages=said("user", "secret"))
            async with asyncio.timeout(10):
                assert (await anext(hers)).uri == uri  # type: ignore[union-attr]  # nothing else was asked for
            # What comes to his own is the first he hears.
            waiting = asyncio.ensure_future(anext(his))
            await call(ada, "append_to_conversation", conversation="same", messages=said("user", "more"))
            await anext(hers)
            assert not waiting.done()
            await call(eve, "append_to_conversation", conversation="same", messages=said("user", "his own"))
            async with asyncio.timeout(10):
                await waiting


async def test_nobody_gets_in_without_a_token(lone: Api) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    for method in ("GET", "POST", "DELETE"):
        assert (await lone.nobody.request(method, "/mcp", json=message)).status_code == 401
    assert (await lone.ada.get("/mcp")).status_code == 405


@MODES
async def test_a_client_goes_on_whichever_worker_each_request_comes_to(
    serve: Serve, url_of: Callable[..., str], mode: str
) -> None:
    url = url_of("redis-8.2")
    first, second = await serve(url), await serve(url)
    # Its next request goes to another worker, which has never seen it.
    workers = iter([first.base, second.base] * 100)

    async def send(request: httpx2.Request) -> None:
        request.url = request.url.copy_with(port=httpx2.URL(next(workers)).port)

    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {sign('ada')}"}, event_hooks={"request": [send]}) as http,
        Client(streamable_http_client(f"{first.base}/mcp", http_client=http), mode=mode) as client,
    ):
        id = (await call(client, "create_conversation"))["conversation"]["id"]
        for number in range(6):
            await call(client, "append_to_conversation", conversation=id, messages=said("user", str(number)))
        found = await call(client, "read_conversation", conversation=id)
        assert [message["text"] for message in found["messages"]] == list("012345")


async def test_an_older_client_is_told_of_news_by_any_worker(serve: Serve, url_of: Callable[..., str]) -> None:
    url = url_of("redis-8.2")
    first, second = await serve(url), await serve(url)
    news: list[str] = []

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            news.append(str(message.params.uri))

    async with (
        first.client(sign("ada")) as http,
        Client(streamable_http_client(f"{first.base}/mcp", http_client=http), mode="legacy", message_handler=hear) as client,
        as_user(second, "ada") as other,
    ):
        assert client.server_capabilities.resources is not None
        assert client.server_capabilities.resources.subscribe
        made = [(await call(client, "create_conversation", id=id))["conversation"] for id in ("one", "two")]
        for each in made:
            with pytest.warns(MCPDeprecationWarning):
                await client.subscribe_resource(each["uri"])
        with pytest.raises(MCPError, match="no thread"), pytest.warns(MCPDeprecationWarning):
            await client.subscribe_resource("clew://threads/none")
        await call(other, "append_to_conversation", conversation="one", messages=said("user", "news"))
        await wait_until(lambda: news == [made[0]["uri"]])
        with pytest.warns(MCPDeprecationWarning):
            await client.unsubscribe_resource(made[0]["uri"])

        async def only_the_second_is_heard() -> bool:
            news.clear()
            for each in made:
                await call(other, "append_to_conversation", conversation=each["id"], messages=said("user", "more"))
            await wait_until(lambda: made[1]["uri"] in news)
            return made[0]["uri"] not in news

        await wait_until(only_the_second_is_heard)


async def test_a_stream_that_is_opened_again_elsewhere_knows_what_it_is_for(serve: Serve, url_of: Callable[..., str]) -> None:
    url = url_of("redis-8.2")
    first, second = await serve(url), await serve(url)
    session = {"mcp-session-id": "s1", "accept": "application/json, text/event-stream"}
    async with as_user(first, "ada") as client, as_user(first, "eve") as eve:
        uri = (await call(client, "create_conversation", id="same"))["conversation"]["uri"]
        await call(eve, "create_conversation", id="same")
        for api in (first.ada, first.eve):
            body = {"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": uri}}
            reply = await api.post("/mcp", json=body, headers=session)
            assert "result" in reply.json()
        # Without a session there is nothing to subscribe in.
        reply = await first.ada.post("/mcp", json=body, headers={"accept": session["accept"]})
        assert "Mcp-Session-Id" in reply.json()["error"]["message"]
        await call(client, "append_to_conversation", conversation="same", messages=said("user", "news"))
        async with second.ada.stream("GET", "/mcp", headers=session) as stream, asyncio.timeout(20):
            lines = stream.aiter_lines()
            assert [line async for line in _first(lines)] == [uri]
        # Whoever knows another's session hears nothing of it.
        async with second.eve.stream("GET", "/mcp", headers=session) as stream, asyncio.timeout(20):
            lines = stream.aiter_lines()
            await call(eve, "append_to_conversation", conversation="same", messages=said("user", "his own"))
            assert [line async for line in _first(lines)] == [uri]
        assert (await first.ada.delete("/mcp", headers=session)).status_code == 204
        assert (await first.ada.get("/mcp")).status_code == 405


async def _first(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["params"]["uri"]
            return


@pytest.mark.timeout(120)
async def test_while_redis_is_away_a_call_says_so_and_names_no_place(serve: Serve) -> None:
    with Server(find_program("valkey-9.1"), durable=True) as server:
        api = await serve(with_options(server.url, timeout=1))
        async with as_user(api, "ada") as client:
            await call(client, "stash_value", key="plan", value="kept")
            server.kill()
            with pytest.raises(Failed, match="Call again") as failed:
                await call(client, "fetch_value", key="plan")
            assert str(server.port) not in str(failed.value)
            server.restart()

            async def is_back() -> bool:
                try:
                    return bool((await call(client, "fetch_value", key="plan"))["value"] == "kept")
                except Failed:
                    return False

            await wait_until(is_back, 30)
