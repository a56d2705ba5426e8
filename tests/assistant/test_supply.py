"""The shared model: opened once, opened again after its end or a failure, and closed with what it opened."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from clew.assistant.models import Model, trusts_tools
from clew.assistant.supply import ModelSupply
from clew.errors import ClosedError, InvalidError, UnavailableError

VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AOAI_ENDPOINT", "AOAI_DEPLOYMENT", "CLEW_MODEL", "CLEW_MODEL_TOOLS")


class Opening:
    """An opener whose openings can be held back, and fail."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.count = 0
        self.closed = 0
        self.running = True
        self.error: Exception | None = None

    async def __call__(self, stack: AsyncExitStack) -> Model:
        """Open."""
        self.count += 1
        stack.callback(self.close)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Model("m", "m", None, {}, is_running=lambda: self.running)

    def close(self) -> None:
        """Count."""
        self.closed += 1


async def test_all_who_ask_share_one_opening_and_may_leave() -> None:
    opening = Opening()
    supply = ModelSupply(opening, calls_tools=True)
    waiting = [asyncio.create_task(supply.get()) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    opening.gate.set()
    models = await asyncio.gather(*waiting[1:])
    assert waiting[0].cancelled()
    assert {id(model) for model in [*models, await supply.get()]} == {id(models[0])}
    assert opening.count == 1
    await supply.aclose()
    await supply.aclose()
    assert opening.closed == 1
    with pytest.raises(ClosedError):
        await supply.get()


async def test_a_model_that_has_ended_is_opened_again_and_the_old_one_closed() -> None:
    opening = Opening()
    opening.gate.set()
    supply = ModelSupply(opening, calls_tools=True)
    first = await supply.get()
    opening.running = False
    second = await supply.get()
    assert second is not first
    assert (opening.count, opening.closed) == (2, 1)
    await supply.aclose()
    assert opening.closed == 2


async def test_an_opening_that_failed_is_tried_again() -> None:
    opening = Opening()
    opening.gate.set()
    opening.error = UnavailableError("not now")
    supply = ModelSupply(opening, calls_tools=True)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="not now"):
            await supply.get()
    assert opening.closed == 2
    opening.error = None
    assert (await supply.get()).label == "m"
    await supply.aclose()


async def test_closing_ends_an_opening() -> None:
    opening = Opening()
    supply = ModelSupply(opening, calls_tools=True)
    waiting = asyncio.create_task(supply.get())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await supply.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (opening.count, opening.closed) == (1, 1)


async def test_the_local_model_answers_and_is_started_again_after_its_process_was_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    supply = ModelSupply()
    assert supply.calls_tools is False
    try:
        first = await supply.get()
        assert not first.calls_tools
        names = [model.id for model in (await first.api.models.list()).data]
        assert "SmolLM2" in names[0]
        await end_process_of(first)
        second = await supply.get()
        assert second is not first
        assert second.is_running()
    finally:
        await supply.aclose()
    assert not second.is_running()


async def end_process_of(model: Model) -> None:
    """Kill the process of the local model, and wait until it is known."""
    local = getattr(model.is_running, "__self__")  # noqa: B009 - a bound method's, which has no type
    local._process.kill()
    await local._process.wait()


def test_the_environment_says_whether_tools_are_trusted() -> None:
    assert not trusts_tools({})
    assert trusts_tools({"OPENAI_BASE_URL": "http://localhost/v1"})
    assert trusts_tools({"AOAI_ENDPOINT": "https://x.example", "CLEW_MODEL_TOOLS": "yes"})
    assert not trusts_tools({"OPENAI_API_KEY": "k", "CLEW_MODEL_TOOLS": "no"})
    assert not trusts_tools({"OPENAI_API_KEY": "k", "CLEW_MODEL": "local"})
    with pytest.raises(InvalidError, match="yes or no"):
        trusts_tools({"CLEW_MODEL_TOOLS": "maybe"})
