"""The processes of a benchmark: they answer, tell when they end, and are never left behind; and what drives the savers."""

from __future__ import annotations

import os
import sys

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from bench.programs import start_program
from bench.savers.driver import Driver
from tests.support import wait_until

ECHO = "import json, sys\nfor line in sys.stdin: print(json.dumps(line.split()), flush=True)"


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_program_answers_each_line_and_ends_with_the_block() -> None:
    async with start_program(sys.executable, "-c", ECHO) as program:
        assert await program.ask("one", 2) == ["one", "2"]
        await program.send("a")
        await program.send("b")
        assert [await program.receive(), await program.receive()] == [["a"], ["b"]]
    assert not is_there(program.pid)


async def test_the_end_of_a_program_is_an_error_that_says_so() -> None:
    async with start_program(sys.executable, "-c", "raise SystemExit(7)") as program:
        await wait_until(lambda: program.has_ended)
        with pytest.raises(RuntimeError, match="ended with 7"):
            await program.ask("anything")


async def test_an_error_in_the_block_ends_a_program_that_would_not_end() -> None:
    with pytest.raises(ZeroDivisionError):
        async with start_program(sys.executable, "-c", "import time; time.sleep(60)") as program:
            raise ZeroDivisionError
    assert not is_there(program.pid)


async def test_a_saver_is_driven_as_a_graph_drives_it() -> None:
    saver = InMemorySaver()
    driver = Driver(saver)
    assert await driver.do("fill a 6") == 6
    found = await saver.aget_tuple({"configurable": {"thread_id": "a", "checkpoint_ns": ""}})
    assert found is not None
    kinds = [message.type for message in found.checkpoint["channel_values"]["messages"]]
    assert kinds == ["human", "ai", "tool", "ai", "human", "ai"]
    assert found.metadata["step"] == 4
    assert found.parent_config is not None
    sizes = [len(saver.serde.dumps_typed(message)[1]) for message in found.checkpoint["channel_values"]["messages"]]
    assert 500 < sum(sizes) / len(sizes) < 900


async def test_the_history_of_a_delta_channel_has_every_step() -> None:
    driver = Driver(InMemorySaver())
    assert await driver.do("delta d 5") == 5
    writes, seconds = await driver.order_history("d", "1")
    assert writes == 5
    assert seconds > 0
