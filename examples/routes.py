"""Lead the conversations of a chat channel to sessions: of many instances that meet a new one, exactly one makes its session."""

import asyncio

import clew


async def main() -> None:
    async with clew.connect("memory://") as store:
        routes = store.routes(prefix="bot:conv:")

        # Ten instances get the first message of a conversation at the same moment.
        found = await asyncio.gather(*(routes.resolve("telegram:123") for _ in range(10)))
        print("sessions:", len({route.session_id for route in found}), "made by:", sum(route.created for route in found))

        # The conversation goes on in a new session, unless somebody else has moved it meanwhile.
        old = found[0].session_id
        await routes.rebind("telegram:123", expect=old, to="session-2")
        try:
            await routes.rebind("telegram:123", expect=old, to="session-3")
        except clew.ConflictError as error:
            print("it leads to", error.actual)

        print("deleted:", await routes.delete("telegram:123"), await routes.delete("telegram:123"))


asyncio.run(main())
