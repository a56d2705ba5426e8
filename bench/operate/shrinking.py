"""What compression saves of the server's memory: messages of a real model, as a framework stores them."""

from __future__ import annotations

import statistics
from typing import Any, Final

from openai import AsyncOpenAI

import clew
from clew import NewItem
from clew.assistant.local_model import LocalModel, is_installed
from servers import Server, find

from ..core.place import OWNER
from ..measure import tell
from ..report import Row, judge, miss
from ..topics import Plan, Topic

NAME: Final = "compression-memory"
MESSAGES: Final = 10_000
ASKED: Final = 16
"""How many messages the model is asked for; each is stored so often, and compressed by itself each time."""
TOKENS: Final = 300
SUBJECTS: Final = ("a bicycle", "the sea", "bread", "a city library", "a telephone", "winter", "a bridge", "a garden")
QUESTIONS: Final = (
    "Explain to a child how {} works.",
    "Give me five ideas for a short story about {}, as a list.",
    "What should somebody know who wants to look after {}?",
    "Write a friendly letter about {} to a neighbour.",
    "Write a Python function that has to do with {}, and explain it.",
)


async def run(plan: Plan) -> list[Row]:
    """Measure `compression-memory`."""
    if not is_installed():
        return [miss(NAME, "the local model is not installed")]
    answers = await _ask()
    with Server(find("redis-8.2")) as server:
        used = {options: await _measure(server, options, answers) for options in ("", "?compress=yes")}
    size = statistics.median(map(len, answers))
    note = (
        f"bytes of used_memory for one of {MESSAGES:,} messages in 100 threads: {len(answers)} answers of SmolLM2 of {size:,.0f} "
        "bytes in the median, in the JSON of Agent Framework, each stored again and again and compressed by itself"
    )
    return [judge(NAME, used["?compress=yes"] / used[""], used["?compress=yes"], used[""], 1, note=note)]


async def _ask() -> list[bytes]:
    from agent_framework import Message

    prompts = [question.format(subject) for question in QUESTIONS for subject in SUBJECTS][:ASKED]
    answers: list[bytes] = []
    model = await LocalModel.start()
    try:
        async with AsyncOpenAI(base_url=model.url, api_key="none") as client:
            for number, prompt in enumerate(prompts):
                tell(f"{NAME}: answer {number + 1} of {len(prompts)}")
                messages: Any = [{"role": "user", "content": prompt}]
                answer = await client.chat.completions.create(model="local", messages=messages, max_tokens=TOKENS)
                said = Message("assistant", [answer.choices[0].message.content or ""], message_id=answer.id)
                answers.append(said.to_json().encode())
    finally:
        await model.aclose()
    return answers


async def _measure(server: Server, options: str, answers: list[bytes]) -> float:
    server.call("FLUSHALL", "SYNC")
    server.call("SCRIPT", "FLUSH", "SYNC")
    async with clew.connect(server.url + options) as store:
        before = _used(server)
        for n in range(100):
            thread = await store.threads.create(OWNER, id=f"t{n}")
            items = [NewItem(answers[(n + each) % len(answers)]) for each in range(MESSAGES // 100)]
            await store.items.append(thread, items)
        return (_used(server) - before) / MESSAGES


def _used(server: Server) -> int:
    server.call("SCRIPT", "FLUSH", "SYNC")
    return int(server.info("memory")["used_memory"])


TOPIC: Final = Topic((NAME,), run)
