"""The chat message history: what is added comes back whole, once, in order, for its owner alone."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables.history import RunnableWithMessageHistory
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import clew
from clew import NewItem, Ref, Store
from clew.adapters.langchain import ClewChatMessageHistory
from clew.ids import new_id
from clew.texts import item_text

from ...support import wait_until


@pytest.fixture(params=["sqlite", "valkey-9.1"])
def url(request: pytest.FixtureRequest, url_of: Callable[..., str]) -> str:
    """A URL that is this test's own, on each engine in turn."""
    return url_of(request.param)


@pytest.fixture
def history(store: Store) -> ClewChatMessageHistory:
    """A session of the test's own."""
    return ClewChatMessageHistory(f"session {new_id()}", store, owner="ada")


CALL = {"name": "weather", "args": {"city": "Zürich", "days": [1, 2]}, "id": "call_1", "type": "tool_call"}
WHOLE: list[BaseMessage] = [
    SystemMessage("Be brief.", id="s1"),
    HumanMessage("Will it rain?", id="h1", name="Ada", additional_kwargs={"mood": "curious"}),
    HumanMessage("Will it rain?"),
    HumanMessage(
        [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            "and this?",
        ],
        id="h2",
    ),
    AIMessage(
        "",
        id="a1",
        name="bob",
        tool_calls=[CALL],
        invalid_tool_calls=[
            {"name": "weather", "args": '{"city": ', "id": "call_2", "error": "cut off", "type": "invalid_tool_call"}
        ],
        usage_metadata={
            "input_tokens": 5,
            "output_tokens": 2,
            "total_tokens": 7,
            "input_token_details": {"cache_read": 3},
        },
        response_metadata={"finish_reason": "tool_calls", "at": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)},
    ),
    ToolMessage(
        [{"type": "text", "text": "12 °C"}],
        tool_call_id="call_1",
        id="t1",
        name="weather",
        status="error",
        artifact={"raw": b"\xff\x00", "rows": [[1, 2.5]], "seen": {1, 2}, 7: None},
    ),
    AIMessageChunk(
        content="No", id="c1", tool_call_chunks=[{"name": "f", "args": "{", "id": "x", "index": 0, "type": "tool_call_chunk"}]
    ),
    FunctionMessage(content="12", name="weather"),
    ChatMessage(content="Indeed.", role="critic", id="c2"),
    AIMessage("\x00 no text is special: \U0001f9f6 e\u0301", id="x:{y}*"),
    AIMessage("an id that no store takes", id="i" * 2_000),
]  # fmt: skip


async def test_every_field_of_every_message_comes_back(history: ClewChatMessageHistory, store: Store) -> None:
    await history.aadd_messages(WHOLE)
    again = ClewChatMessageHistory(history.session_id, store, owner="ada")
    for found in (await history.aget_messages(), await again.aget_messages(), await asyncio.to_thread(lambda: again.messages)):
        assert [type(message) for message in found] == [type(message) for message in WHOLE]
        assert [message.model_dump() for message in found] == [message.model_dump() for message in WHOLE]


async def test_what_is_added_again_is_not_stored_again(history: ClewChatMessageHistory) -> None:
    named = [message for message in WHOLE if message.id is not None and len(message.id) < 100]
    await history.aadd_messages(named)
    await history.aadd_messages([*named, *named, HumanMessage("more", id="h3")])
    await history.aadd_messages(await history.aget_messages())
    assert [message.id for message in await history.aget_messages()] == [*(message.id for message in named), "h3"]
    await history.aadd_messages([HumanMessage("yes"), HumanMessage("yes")])
    assert [message.content for message in await history.aget_messages()][-2:] == ["yes", "yes"]


async def test_where_one_id_says_two_things_both_are_kept_once(history: ClewChatMessageHistory) -> None:
    said = [AIMessage("one", id="same"), AIMessage("two", id="same"), AIMessage("one", id="same")]
    for _ in range(2):
        await history.aadd_messages(said)
        await history.aadd_messages([AIMessage("three", id="same")])
    assert [message.content for message in await history.aget_messages()] == ["one", "two", "three"]


async def test_a_call_that_was_lost_is_repeated_without_doubling_anything(history: ClewChatMessageHistory, store: Store) -> None:
    messages = [HumanMessage("yes"), HumanMessage("yes"), AIMessage("good", id="a1")]
    append = store.items.append

    async def lost(*args: Any, **kwargs: Any) -> Any:
        await append(*args, **kwargs)
        raise clew.UnavailableError("the answer was lost", lost=True)

    store.items.append = lost  # type: ignore[method-assign]
    with pytest.raises(clew.UnavailableError):
        await history.aadd_messages(messages)
    store.items.append = append  # type: ignore[method-assign]
    await history.aadd_messages(messages)
    assert await history.aget_messages() == messages
    await history.aadd_messages(messages[:1])
    assert len(await history.aget_messages()) == 4


async def test_a_long_history_comes_back_whole_and_in_order(history: ClewChatMessageHistory) -> None:
    messages = [HumanMessage(f"{number}") for number in range(2_500)]
    await history.aadd_messages(messages)
    assert [message.content for message in await history.aget_messages()] == [f"{number}" for number in range(2_500)]


async def test_after_a_clear_the_session_goes_on(history: ClewChatMessageHistory, store: Store) -> None:
    await history.aclear()
    assert await history.aget_messages() == []
    await history.aadd_messages([HumanMessage("one", id="h1")])
    await store.threads.update(Ref("ada", history.session_id), title="Trip")
    await history.aclear()
    assert await history.aget_messages() == []
    await history.aadd_messages([HumanMessage("one", id="h1")])
    assert [message.id for message in await history.aget_messages()] == ["h1"]
    assert (await store.threads.get(Ref("ada", history.session_id))).title == "Trip"
    await store.threads.delete(Ref("ada", history.session_id))
    for call in (history.aget_messages(), history.aadd_messages([HumanMessage("late")]), history.aclear()):
        with pytest.raises(clew.GoneError):
            await call


async def test_owners_with_the_same_session_never_meet(history: ClewChatMessageHistory, store: Store) -> None:
    other = ClewChatMessageHistory(history.session_id, store, owner="bob")
    await history.aadd_messages([HumanMessage("mine")])
    assert await other.aget_messages() == []
    await other.aclear()
    assert len(await history.aget_messages()) == 1


async def test_a_session_vanishes_when_its_time_is_over_and_each_message_starts_it_anew(store: Store) -> None:
    history = ClewChatMessageHistory(f"session {new_id()}", store, owner="ada", ttl=0.4)
    await history.aadd_messages([HumanMessage("one")])
    await history.aadd_messages([HumanMessage("two")])
    thread = await store.threads.get(Ref("ada", history.session_id))
    assert thread.expires_at is not None
    assert 0.3 < (thread.expires_at - thread.updated_at).total_seconds() < 0.5

    async def is_over() -> bool:
        return await history.aget_messages() == []

    await wait_until(is_over)


async def test_what_other_programs_wrote_is_a_message_or_left_out(
    history: ClewChatMessageHistory, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ref = Ref("ada", history.session_id)
    await history.aadd_messages([HumanMessage("mine")])
    plain = [NewItem.json({"role": "assistant", "content": "theirs"}, id="p1"), NewItem.json({"role": "user", "content": ["?"]})]
    await store.items.append(ref, [*plain, NewItem(b"\xff", codec="openai.responses/1"), NewItem(b"[]")])
    with caplog.at_level(logging.WARNING):
        assert await history.aget_messages() == [HumanMessage("mine"), AIMessage("theirs", id="p1")]
    assert "3 items of other programs are left out" in caplog.text
    await store.items.append(ref, NewItem(b"\xc1", id="bad", codec="langgraph/msgpack"))
    with pytest.raises(clew.UnreadableError, match="'bad'"):
        await history.aget_messages()


class Warning_(HumanMessage):
    """A message of a program's own."""

    level: int = 0


async def test_a_class_that_nobody_allowed_is_not_made_and_its_message_comes_back(
    history: ClewChatMessageHistory, store: Store
) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=[Warning_])
    allowed = ClewChatMessageHistory(history.session_id, store, owner="ada", serde=serde)
    await history.aadd_messages([Warning_(content="Rain!", level=3, id="w1")])
    (found,) = await history.aget_messages()
    assert (type(found), found.content, found.model_dump()["level"]) == (HumanMessage, "Rain!", 3)
    assert await allowed.aget_messages() == [Warning_(content="Rain!", level=3, id="w1")]
    await history.aadd_messages(await allowed.aget_messages())
    assert len(await history.aget_messages()) == 1


async def test_with_a_serializer_that_encrypts_only_who_has_the_key_reads(history: ClewChatMessageHistory, store: Store) -> None:
    key, other = (EncryptedSerializer.from_pycryptodome_aes(key=letter * 16) for letter in (b"k", b"o"))
    secret = ClewChatMessageHistory(history.session_id, store, owner="ada", serde=key)
    for _ in range(2):
        await secret.aadd_messages([HumanMessage("a secret", id="h1")])
    assert await secret.aget_messages() == [HumanMessage("a secret", id="h1")]
    (item,) = await store.items.page(Ref("ada", history.session_id))
    assert item_text(item) == f"[{len(item.data):,} bytes, encrypted]"
    for wrong in (history, ClewChatMessageHistory(history.session_id, store, owner="ada", serde=other)):
        with pytest.raises(clew.UnreadableError, match="give the one that wrote it"):
            await wrong.aget_messages()


async def test_what_is_no_message_is_refused_and_nothing_is_stored(history: ClewChatMessageHistory, store: Store) -> None:
    for bad in ("text", {"role": "user"}, HumanMessage("x", additional_kwargs={"f": lambda: None})):
        with pytest.raises(clew.InvalidError):
            await history.aadd_messages([HumanMessage("fine"), bad])  # type: ignore[list-item]
    assert await history.aget_messages() == []
    for session, owner in (("", "ada"), ("s", "")):
        with pytest.raises(clew.InvalidError):
            ClewChatMessageHistory(session, store, owner=owner)


async def test_people_read_a_session_as_any_other_conversation(history: ClewChatMessageHistory, store: Store) -> None:
    await history.aadd_messages([WHOLE[1], WHOLE[4], WHOLE[5]])
    items = list(await store.items.page(Ref("ada", history.session_id)))
    assert [(item.id, item.author, item.kind) for item in items] == [
        ("h1", "user", "message"),
        ("a1", "assistant", "tool_call"),
        ("t1", "tool", "tool_result"),
    ]
    assert items[1].links == items[2].links == ("call_1",)
    assert item_text(items[1]).startswith('→ weather({"city": "Zürich", "days": [1, 2]})')


@pytest.fixture
def quiet() -> Iterator[None]:
    """LangChain says of these classes of its own that LangGraph has better ones."""
    from langchain_core._api import suppress_langchain_deprecation_warning

    with suppress_langchain_deprecation_warning():
        yield


@pytest.mark.usefixtures("quiet")
async def test_a_chain_with_a_history_remembers_in_every_process_and_called_either_way(url: str) -> None:
    session, heard = f"session {new_id()}", list[list[Any]]()

    def answers() -> Iterator[AIMessage]:
        while True:
            yield AIMessage(f"answer {len(heard)}", usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2})

    class Model(GenericFakeChatModel):
        def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Any:  # passed through
            heard.append([message.content for message in messages])
            return super()._generate(messages, *args, **kwargs)

    prompt = ChatPromptTemplate.from_messages([("system", "Be brief."), MessagesPlaceholder("history"), ("human", "{question}")])
    chain = RunnableWithMessageHistory(
        prompt | Model(messages=answers()),
        lambda session_id: ClewChatMessageHistory(session_id, url, owner="ada"),
        input_messages_key="question",
        history_messages_key="history",
    )
    config: Any = {"configurable": {"session_id": session}}
    await chain.ainvoke({"question": "one"}, config)
    await asyncio.to_thread(lambda: chain.invoke({"question": "two"}, config))
    await chain.ainvoke({"question": "three"}, config)
    assert heard == [
        ["Be brief.", "one"],
        ["Be brief.", "one", "answer 1", "two"],
        ["Be brief.", "one", "answer 1", "two", "answer 2", "three"],
    ]
    history = ClewChatMessageHistory(session, url, owner="ada")
    stored = await history.aget_messages()
    assert [message.content for message in stored] == ["one", "answer 1", "two", "answer 2", "three", "answer 3"]
    answer = stored[1]
    assert isinstance(answer, AIMessage)
    assert answer.id is not None
    assert answer.usage_metadata is not None
    await history.aclose()
    with pytest.raises(clew.ClosedError):
        await history.aget_messages()
    async with clew.connect(url) as store:
        assert (await store.threads.list("ada")).data[0].id == session


@pytest.mark.usefixtures("quiet")
def test_a_program_without_an_event_loop_needs_nothing_but_a_url(url: str) -> None:
    history = ClewChatMessageHistory(f"session {new_id()}", url, owner="ada")
    history.add_user_message("Hello")
    ClewChatMessageHistory(history.session_id, url, owner="ada").add_ai_message("Good morning")
    assert str(history) == "Human: Hello\nAI: Good morning"
    history.clear()
    assert history.messages == []
    history.close()
