"""`/mcp` of a service in a process of its own, driven by the official client: killed, started again, and gone on with."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from ..service.running import Service
from .conftest import call, said


@pytest.mark.timeout(120)
async def test_clients_of_both_eras_go_on_after_the_service_was_killed_and_started_again(tmp_path: Path) -> None:
    service = Service(f"sqlite:///{tmp_path}/clew.db", tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(service.close)
        await stack.enter_async_context(service.http)
        await service.start()
        clients = [
            await stack.enter_async_context(Client(streamable_http_client(f"{service.base}/mcp"), mode=mode))
            for mode in ("auto", "legacy")
        ]
        assert [client.session.protocol_version for client in clients] == ["2026-07-28", "2025-11-25"]
        id = (await call(clients[0], "create_conversation", messages=said("user", "before")))["conversation"]["id"]
        for client in clients:
            await call(client, "save_workflow_session", session="s1", history=[{"before": True}])
        service.kill()
        await service.start()
        for client in clients:
            await call(client, "append_to_conversation", conversation=id, messages=said("user", "after"))
            await call(client, "append_to_workflow_session", session="s1", entries=[{"before": False}])
        for client in clients:
            found = await call(client, "read_conversation", conversation=id)
            assert [message["text"] for message in found["messages"]] == ["before", "after", "after"]
            session = await call(client, "resume_workflow_session", session="s1")
            assert [entry["before"] for entry in session["history"]] == [True, True, False, False]
