"""A whole conversation on every kind of server: alone, with TLS, in a cluster, behind Sentinel."""

from __future__ import annotations

import pytest
from chatkit.store import NotFoundError

import clew
from clew.adapters.chatkit import ChatKitStore

from .driver import ADA, BOB, Context, Server, answer, ask, ids_of, play, says, start, tool_call


async def test_a_conversation_lives_on_every_kind_of_server(redis_url: str) -> None:
    async with clew.connect(redis_url) as store:
        kit: ChatKitStore[Context] = ChatKitStore(store)
        server = Server(kit)
        made = [await start(server, ADA, str(n)) for n in range(4)]
        await play(server, "threads.add_user_message", ADA, thread_id=made[0], input=says("more"))
        await ask(server, "threads.update", ADA, thread_id=made[0], title="First")
        await kit.add_thread_item(made[0], tool_call(made[0]), ADA)
        await play(server, "threads.add_client_tool_output", ADA, thread_id=made[0], result=[1])
        ids = await ids_of(kit, made[0], ADA)
        assert len(ids) == 6
        page = await kit.load_thread_items(made[0], ids[1], 2, "asc", ADA)
        assert ([item.id for item in page.data], page.after) == (ids[2:4], ids[3])
        await kit.delete_thread_item(made[0], ids[3], ADA)
        page = await kit.load_thread_items(made[0], ids[3], 9, "desc", ADA)
        assert [item.id for item in page.data] == ids[2::-1]
        await kit.add_thread_item(made[0], answer(made[0], "again", id=ids[0]), ADA)
        assert (await ids_of(kit, made[0], ADA))[0] == ids[0]
        listed = await kit.load_threads(2, None, "desc", ADA)
        assert ([thread.id for thread in listed.data], listed.has_more) == (made[:1:-1], True)
        await kit.delete_thread(made[2], ADA)
        rest = await kit.load_threads(9, listed.after, "desc", ADA)
        assert [(thread.id, thread.title) for thread in rest.data] == [(made[1], None), (made[0], "First")]
        assert [thread.id for thread in (await kit.load_threads(9, None, "asc", ADA)).data] == [made[0], made[1], made[3]]
        with pytest.raises(NotFoundError):
            await kit.load_thread(made[0], BOB)
        for thread_id in made:
            await kit.delete_thread(thread_id, ADA)
        assert (await kit.load_threads(9, None, "asc", ADA)).data == []
