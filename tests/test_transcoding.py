"""What people and programs without the framework read of items that LangGraph's and LangChain's serializer wrote."""

from __future__ import annotations

import base64
import datetime
import decimal
import enum
import json
import pathlib
import uuid
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Send
from msgspec.msgpack import Ext
from pydantic import SecretStr

import clew
from clew import Item
from clew.cli.screen import item_json
from clew.codec import make_entry
from clew.mcp.views import message_of
from clew.service.wire import item_view
from clew.texts import item_text
from clew.transcoding import plain_value

SERDE = JsonPlusSerializer()


def item_of(value: object, serde: Any = SERDE) -> Item:
    kind, data = serde.dumps_typed(value)
    return make_entry("an item", data, codec=f"langgraph/{kind}")


def item_with(data: bytes) -> Item:
    return make_entry("an item", data, codec="langgraph/msgpack")


CALL = {"name": "weather", "args": {"city": "Zürich"}, "id": "call_1"}
BAD_CALL = {"name": "weather", "args": '{"city": ', "id": "call_2", "error": "cut off"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (HumanMessage("Will it rain?"), "Will it rain?"),
        (SystemMessage("Be brief."), "Be brief."),
        (AIMessage("No.", id="a1", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}), "No."),
        (AIMessageChunk(content="No."), "No."),
        (ChatMessage(content="Indeed.", role="critic"), "Indeed."),
        (FunctionMessage(content="12 °C", name="weather"), "12 °C"),
        (ToolMessage("12 °C", tool_call_id="call_1", artifact={"raw": b"\xff", "at": datetime.datetime(2026, 1, 2)}), "← 12 °C"),
        (AIMessage("", tool_calls=[CALL]), '→ weather({"city": "Zürich"})'),
        (AIMessage("Let me look.", tool_calls=[CALL, CALL | {"args": {}}]),
         'Let me look.\n→ weather({"city": "Zürich"})\n→ weather({})'),
        (AIMessage("", invalid_tool_calls=[BAD_CALL]), '→ weather({"city": )'),
        (HumanMessage([{"type": "text", "text": "What is this?"}, IMAGE]), "What is this?\n[image]"),
        (HumanMessage([IMAGE]), "[image]"),
        (HumanMessage(["a", {"type": "text", "text": "b"}]), "a\nb"),
    ],
)  # fmt: skip
def test_a_message_reads_as_it_was_said(message: BaseMessage, text: str) -> None:
    assert item_text(item_of(message)) == text
    assert message_of(item_of(message)).text == text


def test_tool_calls_of_the_chat_completions_are_shown_too() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Zürich"}'}}
    for content, text in ((None, ""), ("", ""), ("Let me look.", "Let me look.\n")):
        data = json.dumps({"role": "assistant", "content": content, "tool_calls": [call]}).encode()
        assert item_text(make_entry("an item", data)) == f'{text}→ weather({{"city": "Zürich"}})'


def test_a_message_is_json_for_programs_on_every_way_out_with_its_bytes_beside_it() -> None:
    item = item_of(AIMessage("No.", id="a1", tool_calls=[CALL], name="ada"))
    over_http = json.loads(msgspec.json.encode(item_view(item)))
    assert over_http["data"] == item_json(item)["data"] == plain_value(item)
    assert over_http["data"] | {"type": "ai", "content": "No.", "id": "a1", "name": "ada"} == over_http["data"]
    assert over_http["data"]["tool_calls"] == [{**CALL, "type": "tool_call"}]
    assert base64.b64decode(over_http["data_base64"]) == base64.b64decode(item_json(item)["data_base64"]) == item.data


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    y: object


ID = uuid.UUID("3264c811-4ea7-40c4-994f-1469e1455d92")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC), "2026-01-02T03:04:00+00:00"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (ID, str(ID)),
        (decimal.Decimal("1.50"), "1.50"),
        (pathlib.Path("/a/b"), "/a/b"),
        ({1}, [1]),
        (Colour.RED, "red"),
        (Point(1, Point(2, b"\xff")), {"x": 1, "y": {"x": 2, "y": {"base64": "/w=="}}}),
        (Send("node", {"a": 1}), {"node": "node", "arg": {"a": 1}}),
        (SecretStr("hush"), "**********"),
        ([float("nan"), float("-inf"), 1.5, 2**64 - 1], ["nan", "-inf", 1.5, 2**64 - 1]),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "null": "b", "[1, 2]": "c"}),
        ({1: "a", "1": "b"}, [[1, "a"], ["1", "b"]]),
        (numpy.array([1, 2], dtype="<u1"), {"dtype": "|u1", "shape": [2], "base64": "AQI="}),
    ],
)
def test_objects_are_shown_as_what_they_are_made_of(value: object, plain: object) -> None:
    assert plain_value(item_of([value])) == [plain]
    json.loads(msgspec.json.encode(plain_value(item_of([value]))))


def test_a_class_that_cannot_be_imported_and_code_that_is_named_are_only_data() -> None:
    made = msgspec.msgpack.encode(["os", "system", "exit 1"])
    named = msgspec.msgpack.encode(["no.such.module", "Gone", {"content": "Hello"}, "model_validate_json"])
    assert plain_value(item_with(msgspec.msgpack.encode(Ext(0, made)))) == "exit 1"
    assert item_text(item_with(msgspec.msgpack.encode(Ext(5, named)))) == "Hello"


def test_what_is_encrypted_stays_so_and_says_it() -> None:
    item = item_of(HumanMessage("a secret"), EncryptedSerializer.from_pycryptodome_aes(key=b"k" * 16))
    assert item.codec == "langgraph/msgpack+aes"
    assert item_text(item) == f"[{len(item.data):,} bytes, encrypted]"
    assert base64.b64decode(item_json(item)["data_base64"]) == item.data
    assert "data" not in item_json(item)
    view = json.loads(msgspec.json.encode(item_view(item)))
    assert "data" not in view
    assert base64.b64decode(view["data_base64"]) == item.data
    with pytest.raises(clew.UnreadableError, match="is encrypted"):
        plain_value(item)


def nested(levels: int) -> bytes:
    data = b"\xc0"
    for _ in range(levels):
        data = msgspec.msgpack.encode(Ext(7, data))
    return data


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\xde\xff\xff", b"\x91" * 100_000 + b"\xc0", b"\x81\x80\xc0", b"\xa1\xff", b"\xc7\x01\x05\xc1", b"\xc0\xc0",
     b'{"role": "user"}', nested(3_000), b"\x91" * 500 + b"\xc0", SERDE.dumps_typed(HumanMessage("Hello"))[1][:-1]],
    ids=lambda data: data[:8].hex(),
)  # fmt: skip
def test_broken_bytes_and_deep_nesting_are_shown_as_far_as_they_can_be(data: bytes) -> None:
    item = item_with(data)
    assert item_text(item)
    view = json.loads(msgspec.json.encode(item_view(item)))
    assert base64.b64decode(view["data_base64"]) == base64.b64decode(item_json(item)["data_base64"]) == data


@given(
    st.binary(max_size=60)
    | st.builds(lambda code, data: msgspec.msgpack.encode(Ext(code, data)), st.integers(-1, 9), st.binary())
)
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_a_page_fail(data: bytes) -> None:
    item = item_with(data)
    item_text(item).encode()
    msgspec.json.encode(item_view(item))
    json.dumps(item_json(item))
