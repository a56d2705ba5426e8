"""Two programs in one thread: each writes, each sees what the other wrote. Here both are tasks, on one SQLite file."""

import asyncio

import clew

URL = "sqlite:///conversations.db"
ROOM = clew.Ref("team", "standup")


async def talk(name: str, words: list[str]) -> list[str]:
    """Join the room, say something, and listen until everything has been said."""
    async with clew.connect(URL) as store:
        for text in words:
            # Whoever comes first makes the thread, in the same commit.
            await store.items.append(ROOM, clew.NewItem.json({"text": text}, author=name), create=True)
        heard = []
        async for item in store.items.follow(ROOM):
            heard.append(f"{item.author}: {item.json()['text']}")
            if len(heard) == 4:
                break
        return heard


async def main() -> None:
    ada, bob = await asyncio.gather(talk("ada", ["Good morning", "It is done"]), talk("bob", ["Hello", "Well done"]))
    print("heard by both:", len(ada), "the same:", ada == bob)


asyncio.run(main())
