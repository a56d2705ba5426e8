"""The append of one event by a producer, against a bare XADD of the same bytes through redis-py's client."""

from __future__ import annotations

from typing import Final

from redis.asyncio.connection import Connection

from clew.runs import Retention

from ..core.place import OWNER, connection_options, open_place
from ..measure import interleave
from ..report import Row, judge_cost
from ..topics import Plan, Topic

NAME: Final = "streams-append"
CALLS: Final = 400
EVENT: Final = (b'{"type":"thread.item.updated","delta":"' + b"twenty tokens of text " * 5)[:126] + b'"}'
"""128 bytes: about twenty tokens in one event, as a producer that coalesces them writes it."""


async def run(plan: Plan) -> list[Row]:
    """Measure `streams-append`."""
    async with open_place() as place:
        thread = await place.store.threads.create(OWNER, id=NAME)
        producer = await place.store.runs.start(thread, retention=Retention(max_events=1_000_000))
        connection = Connection(**connection_options(place.server))
        await connection.connect()  # type: ignore[no-untyped-call]
        append, xadd = producer.append, place.client.xadd

        async def subject(count: int) -> None:
            for _ in range(count):
                await append(EVENT)

        async def floor(count: int) -> None:
            for _ in range(count):
                await xadd("floor", {"e": EVENT})

        async def bare(count: int) -> None:
            for _ in range(count):
                await connection.send_command("XADD", "bare", "*", "e", EVENT)
                await connection.read_response()

        try:
            times = await interleave(NAME, {"subject": subject, "floor": floor, "bare": bare}, rounds=plan.rounds, count=CALLS)
            await producer.finish()
        finally:
            await connection.disconnect()
            await producer.aclose()
    return [
        judge_cost(
            NAME, times["subject"], times["floor"], note="floor: await client.xadd(key, {field: bytes}) of redis.asyncio.Redis"
        ),
        judge_cost(
            f"{NAME}/bare-connection",
            times["subject"],
            times["bare"],
            free=True,
            note="no limit: the floor is a redis-py connection below its client, with neither pool nor time-out",
        ),
    ]


TOPIC: Final = Topic((NAME,), run)
