"""Give each tool call to one worker, keep calls and results together in a trim, and try another way in a fork."""

import asyncio

import clew


async def work(store: clew.Store, thread: clew.Thread, name: str) -> str | None:
    """Take the call if nobody else has; return the worker who did it."""
    try:
        await store.items.set_status(thread, "call-1", "running", expect="pending")
    except clew.ConflictError:
        return None
    result = clew.NewItem.json({"celsius": 4}, kind="tool_result", links=["call-1"])
    await store.items.append(thread, result)
    await store.items.set_status(thread, "call-1", "completed", expect="running")
    return name


async def main() -> None:
    async with clew.connect("memory://") as store:
        thread = await store.threads.create("ada")
        await store.items.append(
            thread,
            [
                clew.NewItem.json({"text": "Is it cold in Oslo?"}, id="question", author="user"),
                clew.NewItem.json({"name": "weather"}, id="call-1", kind="tool_call", status="pending", links=["call-1"]),
            ],
        )

        workers = await asyncio.gather(*(work(store, thread, f"worker-{n}") for n in range(5)))
        print("done by", len([name for name in workers if name]), "of", len(workers))

        branch = await store.items.fork(thread, at="question", title="Without the tool")
        print("fork:", [item.kind for item in await store.items.page(branch)])

        # One item is asked for; the result brings its call along.
        await store.items.trim(thread, keep=1)
        print("kept:", [(item.kind, item.status) for item in await store.items.page(thread)])


asyncio.run(main())
