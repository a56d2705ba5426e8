"""The newest 200 items, decoded, against a bare LRANGE of the same payloads."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final, cast

from clew import Ref

from ..measure import interleave
from ..report import Row, judge_cost
from ..topics import Plan, Topic
from .place import OWNER, PAYLOAD, fill, open_place

COUNT: Final = 200


async def run(plan: Plan) -> list[Row]:
    """Measure `tail-200`."""
    async with open_place() as place:
        await fill(place.store, "tail", 1_000)
        thread = Ref(OWNER, "tail")
        await place.client.rpush("floor", *([PAYLOAD] * 1_000))
        tail, lrange = place.store.items.tail, place.client.lrange

        async def subject(count: int) -> None:
            for _ in range(count):
                payloads = [item.data for item in await tail(thread, COUNT)]
                assert len(payloads) == COUNT

        async def floor(count: int) -> None:
            for _ in range(count):
                payloads = await cast(Awaitable[list[bytes]], lrange("floor", -COUNT, -1))
                assert len(payloads) == COUNT

        times = await interleave("tail-200", {"subject": subject, "floor": floor}, rounds=plan.rounds, count=200)
    return [
        judge_cost(
            "tail-200", times["subject"], times["floor"], note="floor: await client.lrange(key, -200, -1) of the payloads alone"
        )
    ]


TOPIC: Final = Topic(("tail-200",), run)
