"""Repeat a write whose answer was lost, without doubling it: by the items' ids, or by a token for the whole call."""

import asyncio

import clew


async def main() -> None:
    async with clew.connect("memory://") as store:
        thread = await store.threads.create("ada")

        # An item with an id of your own may be sent as often as you like.
        question = clew.NewItem.json({"text": "Where do I stay?"}, id="question-1")
        await append_until_answered(store, thread, question)
        again = await store.items.append(thread, question)
        print("kept the first:", sorted(again.duplicates))

        # Items without ids go with a token: the store remembers what the first call did.
        answer = [clew.NewItem.json({"text": "In Oslo."}), clew.NewItem.json({"text": "By the sea."})]
        first = await store.items.append(thread, answer, once="turn-1")
        again = await store.items.append(thread, answer, once="turn-1")
        print("the same answer:", again.replayed and again.ids == first.ids)

        print("items:", len(await store.items.page(thread)))


async def append_until_answered(store: clew.Store, thread: clew.Thread, item: clew.NewItem) -> None:
    """Append, and try again while the store is away. Only that is worth another try: any other error stays the same."""
    for attempt in range(5):
        try:
            await store.items.append(thread, item)
            return
        except clew.UnavailableError:
            await asyncio.sleep(2**attempt)
    raise TimeoutError("the store stays away")


asyncio.run(main())
