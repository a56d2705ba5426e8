"""A line over standard input that is no message: who waits for an answer gets one, and the next message is read."""

from __future__ import annotations

import io
import json

import anyio
import pytest
from mcp import types
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from clew.mcp.lines import AnsweringStream

CALL = '{"jsonrpc": "2.0", "id": %s, "method": "tools/call", "params": {"name": "stash_value", "arguments": {"value": %s}}}'


@pytest.mark.parametrize(
    ("line", "id"),
    [
        (CALL % (7, r'"cut in half: \ud83d"'), 7),
        (CALL % ('"seven"', "9" * 5_000), "seven"),
        ('{"jsonrpc": "2.0", "id": 8, "params": 5}', 8),
        ('{"jsonrpc": "2.0", "method": "notifications/x", "params": "\\ud83d"}', None),
        (CALL % ("true", r'"\ud83d"'), None),
        ("[" * 100_000, None),
        ("no JSON", None),
        ("", None),
    ],
)
async def test_a_line_that_cannot_be_read_is_answered_by_its_id(line: str, id: int | str | None) -> None:
    sent, out = f"{line}\n{CALL % (9, 1)}\n", io.StringIO()
    async with (
        stdio_server(anyio.wrap_file(io.StringIO(sent)), anyio.wrap_file(out)) as (reading, writing),
        AnsweringStream(reading, writing) as stream,
        writing,
    ):
        found = [item async for item in stream]
    message = found[-1]
    assert isinstance(message, SessionMessage)
    assert isinstance(message.message, types.JSONRPCRequest)
    assert message.message.id == 9
    answers = [json.loads(each) for each in out.getvalue().splitlines()]
    assert [each["id"] for each in answers] == ([] if id is None else [id])
    assert all("cannot be read" in each["error"]["message"] for each in answers)
