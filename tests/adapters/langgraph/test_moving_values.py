"""Values of any class come out of a move byte for byte as they went in, without being understood; only messages are looked at."""

from __future__ import annotations

import decimal
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import ormsgpack
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.types import Interrupt, Send
from pydantic import BaseModel

from clew.adapters.langgraph.moving.envelopes import revive_json
from clew.adapters.langgraph.moving.values import BY_NAME, KeepingSerializer, Kept, pack
from clew.adapters.langgraph.moving.versions import renumber

theirs = JsonPlusSerializer()
ours = KeepingSerializer()


@dataclass(frozen=True)
class Mine:
    """A class of a program."""

    a: int


class Model(BaseModel):
    """Another."""

    b: list[int]


VALUES: list[Any] = [
    None,
    b"\x00",
    bytearray(b"\xff"),
    {"a": [1, 2.5, float("inf"), None, True, "ü"], 3: "a key that is a number"},
    [datetime(2026, 1, 2, tzinfo=UTC), timedelta(seconds=1), uuid.UUID(int=1), decimal.Decimal("1.10")],
    ({1, 2}, frozenset("a"), deque([1]), Path("/a/b")),
    [Mine(1), {"deep": [Model(b=[1, 2])]}],
    Interrupt({"question": Mine(2)}, id="i"),
    [Send("node", {"arg": Mine(3)})],
    np.arange(6, dtype="<f4").reshape(2, 3),
    _DeltaSnapshot([HumanMessage("a", id="1"), "plain"]),
    _DeltaSnapshot([Mine(4)]),
    [HumanMessage("a", id="1"), AIMessage("b", id="2", tool_calls=[{"name": "t", "args": {"x": 1}, "id": "c"}])],
    [ToolMessage("r", tool_call_id="c", artifact={"when": datetime(2026, 1, 2, tzinfo=UTC), "set": {1}})],
    [ToolMessage("r", tool_call_id="c", artifact=np.arange(2))],
]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_out_as_it_went_in(value: Any) -> None:
    typed = theirs.dumps_typed(value)
    assert ours.dumps_typed(ours.loads_typed(typed)) == typed


def test_messages_are_messages_unless_they_hold_what_is_not_known() -> None:
    plain, dated, odd = (ours.loads_typed(theirs.dumps_typed(value)) for value in VALUES[-3:])
    assert plain == VALUES[-3]
    assert dated == VALUES[-2]
    assert [type(one) for one in odd] == [Kept]


def test_a_class_that_is_nowhere_is_neither_looked_for_nor_lost() -> None:
    data = pack({"state": Kept(BY_NAME, pack(("no.such.module", "Class", {"a": 1})))})
    kept = ours.loads_typed(("msgpack", data))["state"]
    assert isinstance(kept, Kept)
    assert ormsgpack.unpackb(kept.data) == ["no.such.module", "Class", {"a": 1}]
    assert ours.dumps_typed({"state": kept}) == ("msgpack", data)


def test_json_of_the_redis_saver_becomes_what_it_was() -> None:
    module = [*Mine.__module__.split("."), "Mine"]
    stored = {
        "bytes": {"__bytes__": "AP8="},
        "mine": {"lc": 2, "type": "constructor", "id": module, "kwargs": {"a": 1}},
        "set": {"lc": 2, "type": "constructor", "id": ["builtins", "set"], "args": [[1, 2]]},
        "send": {"__send__": True, "node": "n", "arg": {"x": {"__bytes__": "AA=="}}},
        "interrupt": {"__interrupt__": True, "value": "why", "id": "i"},
        "delta": {"__delta_snapshot__": True, "value": ["a"]},
        "unknown": {"lc": 1, "type": "constructor", "id": ["langchain", "no", "such"], "kwargs": {}},
        "both": {"lc": 2, "type": "constructor", "id": ["a", "b"], "args": [1], "kwargs": {"x": 1}},
    }
    revived = theirs.loads_typed(ours.dumps_typed(revive_json(stored)))
    assert revived == {
        "bytes": b"\x00\xff",
        "mine": Mine(1),
        "set": {1, 2},
        "send": Send("n", {"x": b"\x00"}),
        "interrupt": Interrupt("why", id="i"),
        "delta": _DeltaSnapshot(["a"]),
        "unknown": stored["unknown"],
        "both": stored["both"],
    }


def test_versions_of_other_savers_keep_their_order_and_are_told_apart() -> None:
    before = {
        "channel_versions": {"a": f"{3:032}.0.25", "b": f"{3:032}.0.75", "c": f"{10:032}.1e-05", "d": 2.5},
        "versions_seen": {"n": {"a": f"{2:032}.0.25", "b": f"{3:032}.0.75"}, "m": {}},
    }
    after = renumber(before)
    versions = after["channel_versions"]
    assert versions["b"] == after["versions_seen"]["n"]["b"]
    assert after["versions_seen"]["n"]["a"] < versions["a"] < versions["c"]
    assert versions["d"] < versions["a"] != versions["b"]
    assert all(isinstance(version, int) for version in versions.values())
    assert renumber({"channel_versions": {"a": 7}, "versions_seen": {}})["channel_versions"] == {"a": 7}
    odd = {"channel_versions": {"a": "of my own"}, "versions_seen": {}}
    assert renumber(odd) == odd
