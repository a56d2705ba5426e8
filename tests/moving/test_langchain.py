"""`--layout langchain`: what RedisChatMessageHistory of langchain-redis has written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from redis import Redis

import clew
from clew import Ref
from clew.adapters.langchain import ClewChatMessageHistory
from clew.moving import Report, move
from servers import Server

from ..conftest import Pool


@contextmanager
def history_of(session: str, client: Redis) -> Iterator[object]:
    """Open the package's history. It warns that it is deprecated."""
    from langchain_redis import RedisChatMessageHistory

    with pytest.warns(Warning, match="deprecated"):
        yield RedisChatMessageHistory(session, redis_client=client)


async def test_messages_come_in_order_also_those_that_the_package_never_reads_back(store: clew.Store, pool: Pool) -> None:
    server = pool.get("redis-stack")
    assert isinstance(server, Server)

    async def bring() -> Report:
        return await move("langchain", server.url, store, "ada", lambda done, total: None)

    said = [
        SystemMessage("Be brief."),
        HumanMessage([{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]),
        AIMessage("I look.", additional_kwargs={"refusal": None}),
        ToolMessage("4 degrees", tool_call_id="c1", status="error"),
    ]
    broken = {"session_id": "a:b", "timestamp": 1.0, "message_id": "b", "type": "odd", "data": 7}
    with Redis.from_url(server.url) as client:
        try:
            with history_of("a:b", client) as history:
                history.add_messages(said)  # type: ignore[attr-defined]
            client.json().set("chat:a:b:broken", "$", broken)
            client.json().set("chat:nobody", "$", {"timestamp": 1.0})
            client.set("chat:string", "x")
            report = await bring()
            assert (report.threads, report.items, report.left) == (1, 4, 3)
            assert {each.where for each in report.details} == {"chat:a:b:broken", "chat:nobody", "chat:string"}
            found = await ClewChatMessageHistory("a:b", store, owner="ada").aget_messages()
            assert [(type(message), message.content) for message in found] == [
                (type(message), message.content) for message in said
            ]
            assert isinstance(found[3], ToolMessage)
            assert (found[3].tool_call_id, found[3].status) == ("c1", "error")
            items = list(await store.items.page(Ref("ada", "a:b")))
            assert [item.author for item in items] == ["system", "user", "assistant", "tool"]
            assert [len(item.id) for item in items] == [26] * 4
            again = await bring()
            assert (again.items, again.there) == (0, 4)
        finally:
            client.flushall()
