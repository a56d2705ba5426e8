"""Conversations over MCP: kept, paged, searched, forked, resumed; every answer bounded."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from mcp import Client, MCPError

import clew
from clew import NewItem, Ref
from clew.mcp import Opening, prompts
from clew.mcp.desk import Desk, Shelf, Shelves

from .conftest import Failed, Start, call, said


async def test_a_conversation_is_made_continued_and_read_in_pages(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        made = await call(client, "create_conversation", title="Plans", messages=said("user", "0"), metadata={"trip": 1})
        id = made["conversation"]["id"]
        texts = [str(number) for number in range(1, 46)]
        await call(client, "append_to_conversation", conversation=id, messages=said("assistant", *texts))
        found: list[str] = []
        after = None
        while True:
            page = await call(client, "read_conversation", conversation=id, after=after, limit=17)
            found += [message["text"] for message in page["messages"]]
            after = page["cursor"]
            if not page["has_more"]:
                break
        assert found == ["0", *texts]
        newest = await call(client, "read_conversation", conversation=id, limit=2, newest_first=True)
        assert [message["text"] for message in newest["messages"]] == ["45", "44"]
        resumed = await call(client, "resume_conversation", limit=3)
        assert [message["text"] for message in resumed["messages"]] == ["43", "44", "45"]
        assert resumed["conversation"]["metadata"] == {"trip": 1}
        older = await call(client, "read_conversation", conversation=id, before=resumed["before"], limit=1, newest_first=True)
        assert older["messages"][0]["text"] == "42"


async def test_a_call_that_is_sent_twice_writes_once(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        id = (await call(client, "create_conversation", id="mine"))["conversation"]["id"]
        for replayed in (False, True):
            done = await call(client, "append_to_conversation", conversation=id, messages=said("user", "a"), once="w")
            assert done["replayed"] is replayed
        # Not taken for the first one, or what is said now would be lost without a word.
        with pytest.raises(Failed, match="another call"):
            await call(client, "append_to_conversation", conversation=id, messages=said("user", "c"), once="w")
        message = {"role": "user", "content": "b", "id": "b"}
        await call(client, "append_to_conversation", conversation=id, messages=[message])
        done = await call(client, "append_to_conversation", conversation=id, messages=[message])
        assert done["duplicates"] == ["b"]
        assert len((await call(client, "read_conversation", conversation=id))["messages"]) == 2
        with pytest.raises(Failed, match="already"):
            await call(client, "create_conversation", id="mine")


async def test_a_fork_leaves_the_other_as_it_is(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        made = await call(client, "create_conversation", title="Plans", messages=said("user", "a", "b", "c"))
        id, at = made["conversation"]["id"], made["message_ids"][1]
        copy = (await call(client, "fork_conversation", conversation=id, at=at, title="Other plans"))["conversation"]
        assert (copy["title"], copy["forked_from"]) == ("Other plans", id)
        await call(client, "append_to_conversation", conversation=copy["id"], messages=said("user", "d"))
        for each, texts in ((id, ["a", "b", "c"]), (copy["id"], ["a", "b", "d"])):
            page = await call(client, "read_conversation", conversation=each)
            assert [message["text"] for message in page["messages"]] == texts
        assert len((await call(client, "list_conversations"))["conversations"]) == 2


async def test_long_messages_are_cut_in_a_page_and_come_in_parts(as_owner: Start) -> None:
    long = "äb" * 30_000
    async with as_owner("ada") as client:
        made = await call(client, "create_conversation", messages=said("user", *[long] * 8))
        id = made["conversation"]["id"]
        page = await call(client, "read_conversation", conversation=id)
        assert [(len(message["text"]), message["cut"]) for message in page["messages"]] == [(8_000, True)] * 5
        assert page["has_more"] is True
        rest = await call(client, "read_conversation", conversation=id, after=page["cursor"])
        assert (len(rest["messages"]), rest["has_more"]) == (3, False)
        first = made["message_ids"][0]
        parts, offset = [], 0
        while True:
            part = await call(client, "read_message", conversation=id, message=first, offset=offset)
            assert part["characters"] == len(long)
            parts.append(part["text"])
            if not part.get("has_more"):
                break
            offset = part["next_offset"]
        assert "".join(parts) == long


async def test_a_list_shows_the_metadata_that_fits(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        for _ in range(13):
            await call(client, "create_conversation", metadata={"about": "x" * 3_900})
        plain = (await call(client, "create_conversation"))["conversation"]["id"]
        found = (await call(client, "list_conversations"))["conversations"]
        assert (len(found), found[0]["id"]) == (14, plain)
        assert [each.get("metadata_left_out", False) for each in found] == [False] * 11 + [True] * 3
        alone = (await call(client, "resume_conversation", conversation=found[-1]["id"]))["conversation"]
        assert alone["metadata"] == {"about": "x" * 3_900}


async def test_what_another_framework_wrote_is_readable(as_owner: Start, opening: Opening, url: str) -> None:
    store = await opening.store()
    thread = await store.threads.create("ada")
    part = {"type": "output_text", "text": "from ChatKit"}
    await store.items.append(
        thread,
        [
            NewItem.json({"type": "assistant_message", "content": [part]}, codec="chatkit/1", author="assistant"),
            NewItem(b"\xff\xfe", kind="event", codec="bytes/1"),
            NewItem(rb'{"role": "user", "content": "cut in half: \ud83d"}', author="user"),
        ],
    )
    async with as_owner("ada") as client:
        page = await call(client, "read_conversation", conversation=thread.id)
        assert [message["text"] for message in page["messages"]] == [
            "from ChatKit",
            "[2 bytes of bytes/1]",
            "cut in half: \ufffd",
        ]
        raw = await call(client, "read_message", conversation=thread.id, message=page["messages"][1]["id"], raw=True)
        assert raw["text"] == "\\xff\\xfe"
        shown = (await client.get_prompt("resume_conversation", {"conversation": thread.id})).messages[0].content
        assert "half: \ufffd" in str(shown)
        context = b'{"id": "s", "backend": "custom", "status": "idle", "context": {"a": "\\ud83d"}}'
        await store.values(f"{Shelves.of(url).prefix('ada')}agentic_flywheel:session:").put_data("s", context, ttl=60)
        with pytest.raises(Failed, match="is kept as it is"):
            await call(client, "resume_workflow_session", session="s")


async def test_search_finds_every_hit_once_however_small_the_pages_are(as_owner: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clew.mcp.searching.MOST_ITEMS", 7)
    monkeypatch.setattr("clew.mcp.searching.STEP", 3)
    async with as_owner("ada") as client:
        for number in range(5):
            words = [f"{number}-{each} {'The WHALE is white' if each % 4 == 0 else 'a ship'}" for each in range(9)]
            title = "The white whale" if number == 2 else "Ships"
            await call(client, "create_conversation", title=title, messages=said("user", *words))
        texts, cursor, calls = [], None, 0
        while True:
            found = await call(client, "search_conversations", query="white whale", limit=2, cursor=cursor)
            assert len(found["hits"]) <= 3
            assert found["searched"] <= 7
            texts += [hit["text"] for hit in found["hits"]]
            cursor, calls = found["cursor"], calls + 1
            if not found["has_more"]:
                break
        expected = [f"{number}-{each} The WHALE is white" for number in range(5) for each in (0, 4, 8)]
        assert sorted(texts) == sorted([*expected, "The white whale"])
        assert calls > 5
        assert (await call(client, "search_conversations", query="unicorn"))["hits"] == []
        # What is compared is longer than the text: each of these letters is two in it.
        await call(client, "create_conversation", messages=said("user", "ß" * 1_000 + " a narwhal"))
        assert (await call(client, "search_conversations", query="NARWHAL"))["hits"][0]["text"].endswith("ß a narwhal")
        with pytest.raises(Failed, match="cursor"):
            await call(client, "search_conversations", query="whale", cursor="bm9uZQ==")


async def test_anothers_conversation_is_not_there(as_owner: Start) -> None:
    async with as_owner("ada") as ada, as_owner("eve") as eve:
        made = await call(ada, "create_conversation", title="Secret", messages=said("user", "the password is swordfish"))
        id, uri = made["conversation"]["id"], made["conversation"]["uri"]
        assert (await call(eve, "list_conversations"))["conversations"] == []
        assert (await call(eve, "search_conversations", query="swordfish"))["hits"] == []
        found = await call(ada, "search_conversations", query="swordfish", limit=1)
        for tool, arguments in (
            ("read_conversation", {}),
            ("read_message", {"message": made["message_ids"][0]}),
            ("append_to_conversation", {"messages": said("user", "me too")}),
            ("fork_conversation", {}),
            ("resume_conversation", {}),
            ("search_conversations", {"query": "swordfish", "cursor": found["cursor"]}),
        ):
            with pytest.raises(Failed) as failed:
                await call(eve, tool, conversation=id, **arguments)
            assert "swordfish" not in str(failed.value)
        with pytest.raises(Failed, match="no conversation yet"):
            await call(eve, "resume_conversation")
        with pytest.raises(MCPError):
            await eve.read_resource(uri)
        assert (await eve.list_resources()).resources == []
        async with eve.listen(resource_subscriptions=[uri]) as stream:
            assert not stream.honored.resource_subscriptions


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_conversations_are_resources_and_prompts(as_owner: Start, mode: str) -> None:
    async with as_owner("ada", mode=mode) as client:
        made = await call(client, "create_conversation", id="a/b ü", title="Plans", messages=said("user", "to Paris"))
        uri = made["conversation"]["uri"]
        assert [(each.uri, each.title) for each in (await client.list_resources()).resources] == [(uri, "Plans")]
        assert (await client.list_resource_templates()).resource_templates[0].uri_template == "clew://threads/{id}"
        assert "to Paris" in (await client.read_resource(uri)).contents[0].model_dump()["text"]
        for wrong in ("clew://threads/none", "clew://threads/a/b", "clew://values/a", "file:///etc/passwd", "clew://threads/"):
            with pytest.raises(MCPError):
                await client.read_resource(wrong)
        assert [each.name for each in (await client.list_prompts()).prompts] == ["resume_conversation", "resume_yesterday"]
        for arguments in (None, {"conversation": "a/b ü"}):
            assert "to Paris" in await prompted(client, "resume_conversation", arguments)
        with pytest.raises(MCPError, match="before today"):
            await client.get_prompt("resume_yesterday")
        with pytest.raises(MCPError, match="no thread"):
            await client.get_prompt("resume_conversation", {"conversation": "none"})


async def prompted(client: Client, name: str, arguments: dict[str, str] | None) -> str:
    """Return the text of a prompt."""
    text: str = (await client.get_prompt(name, arguments)).messages[0].content.model_dump()["text"]
    return text


async def test_yesterdays_conversation_is_the_newest_from_before_today() -> None:
    async with clew.connect("memory://") as store:
        await store.items.append(Ref("ada", "of-that-day"), NewItem.json({"content": "hello"}), create=True)
        desk = Desk("ada", store, Shelf(store, Shelves(), "ada"))
        now = datetime.now().astimezone()
        found = await prompts.before_today(desk, now + timedelta(days=1))
        assert found.id == "of-that-day"
        with pytest.raises(clew.NotFoundError):
            await prompts.before_today(desk, now.replace(hour=0, minute=0, second=0, microsecond=0))


async def test_a_client_is_told_when_something_is_appended(as_owner: Start) -> None:
    async with as_owner("ada") as client:
        made = [(await call(client, "create_conversation"))["conversation"] for _ in range(2)]
        async with client.listen(resource_subscriptions=[each["uri"] for each in made]) as stream:
            for each in made:
                await call(client, "append_to_conversation", conversation=each["id"], messages=said("user", "news"))
                assert (await anext(stream)).uri == each["uri"]  # type: ignore[union-attr]  # nothing else was asked for
