"""The session of a conversation that is known: `get_or_create_session` and `routes.resolve`, against a bare GET of redis-py.

The round trips are the server's own count of what it read from its sockets.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from clew.adapters.routing import ConversationStore

from ..chatkit.trips import count_trips
from ..core.place import Place, make_client, open_place
from ..measure import Work, interleave
from ..report import Row, judge, judge_cost
from ..topics import Plan, Topic

NAME: Final = "get-or-create"
TRIPS: Final = f"{NAME}/round-trips"
TIME: Final = f"{NAME}/time"
CALLS: Final = 400
CONVERSATION: Final = "telegram:123456789"
PREFIX: Final = "codecoder:conv:"

Ask = Callable[[], Awaitable[object]]


async def run(plan: Plan) -> list[Row]:
    """Measure `get-or-create`: of a ConversationStore, and below it of the routes."""
    rows: list[Row] = []
    async with (
        open_place() as place,
        ConversationStore(store=place.store) as conversations,
        make_client(place.server) as client,
    ):
        known = await conversations.get_or_create_session(CONVERSATION)
        routes = place.store.routes(PREFIX)

        async def get_or_create() -> None:
            assert await conversations.get_or_create_session(CONVERSATION) == known

        async def resolve() -> None:
            assert (await routes.resolve(CONVERSATION)).session_id == known

        key = PREFIX + CONVERSATION

        async def get() -> None:
            assert await client.get(key) is not None

        for part, ask in (("/sessions", get_or_create), ("/routes", resolve)):
            if plan.wants(TRIPS + part):
                rows.append(await _count(place, TRIPS + part, ask, plan.rounds))
        for part, ask in (("/sessions", get_or_create), ("/routes", resolve)):
            if plan.wants(TIME + part):
                works = {"subject": _repeat(ask), "floor": _repeat(get)}
                times = await interleave(TIME + part, works, rounds=plan.rounds, count=CALLS)
                note = "floor: await client.get(key) of redis.asyncio.Redis"
                rows.append(judge_cost(TIME + part, times["subject"], times["floor"], note=note))
    return rows


async def _count(place: Place, name: str, ask: Ask, rounds: int) -> Row:
    # What a connection does once is no part of a call.
    await ask()
    most = max([await count_trips(place.server, ask) for _ in range(rounds)])
    return judge(name, most, most, 1, rounds, note="reads of the socket for one call, the most of all rounds", unit="trips")


def _repeat(ask: Ask) -> Work:
    async def work(count: int) -> None:
        for _ in range(count):
            await ask()

    return work


TOPIC: Final = Topic((TRIPS, TIME), run)
