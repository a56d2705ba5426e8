"""A workflow session that outlives its process: two workers add to it at once, and a restart finds all of it."""

import asyncio

from clew.adapters.flywheel import BackendType, FlowStatus, RedisExecutionCache, RedisSessionManager, UniversalSession

URL = "sqlite:///workflow.db"  # redis://localhost:6379/0 for several machines


async def main() -> None:
    async with RedisSessionManager(url=URL) as one, RedisSessionManager(url=URL) as other, RedisExecutionCache(url=URL) as cache:
        session = UniversalSession("s1", BackendType.FLOWISE, "flowise-7", context={"topic": "a trip"}, user_id="ada")
        print("saved:", bool(await one.save_session(session)))

        # Both have the session, and neither knows what the other adds.
        theirs = await other.load_session("s1")
        assert theirs is not None
        await other.append_history(theirs, {"role": "user", "content": "Where do I stay?"})
        session.history.append({"role": "assistant", "content": "In Oslo."})
        session.status = FlowStatus.COMPLETED
        outcome = await one.save_session(session)
        print("saved:", bool(outcome), "with what others wrote:", outcome.merged)

        await cache.cache_result("e1", {"output": "In Oslo."}, session_id="s1", flow_id="travel")

    # After a restart.
    async with RedisSessionManager(url=URL) as manager, RedisExecutionCache(url=URL) as cache:
        found = await manager.load_session("s1")
        assert found is not None
        print(found.status, [entry["content"] for entry in found.history], await cache.list_executions("s1"))
        print("missing is not unavailable:", (await manager.fetch_session("s2")).status)


asyncio.run(main())
