import asyncio

import clew


async def main() -> None:
    async with clew.connect("sqlite:///conversations.db") as store:
        thread = await store.threads.create("ada", title="A trip to Oslo")
        await store.items.append(thread, clew.NewItem.json({"role": "user", "text": "Where do I stay?"}))
        page = await store.items.page(thread, limit=20)
        print([item.json() for item in page], page.has_more)
        await store.items.append(thread, clew.NewItem.json({"role": "assistant", "text": "In Grünerløkka."}))
        async for item in store.items.follow(thread, after=page.cursor):
            print(item.position, item.json())
            break


asyncio.run(main())
