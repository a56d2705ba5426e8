"""An item of each type the SDK has, and the JSON of some that it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    CustomSummary,
    CustomTask,
    EndOfTurnItem,
    GeneratedImage,
    GeneratedImageItem,
    HiddenContextItem,
    InferenceOptions,
    SDKHiddenContextItem,
    StructuredInputAnswer,
    StructuredInputFreeform,
    StructuredInputItem,
    TaskItem,
    ThreadItem,
    ToolChoice,
    URLSource,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
    WidgetItem,
    Workflow,
    WorkflowItem,
)
from chatkit.widgets import Card, Text

NAIVE = datetime(2026, 3, 4, 5, 6, 7, 891011)
AWARE = datetime(2026, 3, 4, 5, 6, 7, 891011, tzinfo=UTC)


def every_item(thread_id: str) -> list[ThreadItem]:
    """Return one item of each type, in a fixed order, with distinct ids."""
    at: dict[str, Any] = {"thread_id": thread_id, "created_at": NAIVE}
    return [
        UserMessageItem(
            id="msg_u",
            content=[UserMessageTextContent(text="Grüße 🎈"), UserMessageTagContent(id="t", text="tag", data={"a": [1, None]})],
            quoted_text="quoted",
            inference_options=InferenceOptions(tool_choice=ToolChoice(id="x"), model="m"),
            **at,
        ),
        AssistantMessageItem(
            id="msg_a",
            content=[
                AssistantMessageContent(text="hi", annotations=[Annotation(source=URLSource(title="t", url="https://e.org"))])
            ],
            thread_id=thread_id,
            created_at=AWARE,
        ),
        ClientToolCallItem(id="tc_p", call_id="call_1", name="pick", arguments={"deep": {"er": [1.5, True, None]}}, **at),
        ClientToolCallItem(id="tc_c", call_id="call_2", name="pick", arguments={}, status="completed", output=None, **at),
        WidgetItem(id="wid", widget=Card(children=[Text(value="hello")]), copy_text="c", **at),
        GeneratedImageItem(id="img", image=GeneratedImage(id="i", url="data:,x"), **at),
        StructuredInputItem(
            id="si",
            status="answered",
            inputs=[StructuredInputFreeform(id="q1", question="why?", answer=StructuredInputAnswer(values=["because"]))],
            **at,
        ),
        WorkflowItem(
            id="wf", workflow=Workflow(type="reasoning", tasks=[CustomTask(title="t")], summary=CustomSummary(title="s")), **at
        ),
        TaskItem(id="tsk", task=CustomTask(title="t", content="c"), **at),
        HiddenContextItem(id="hid", content={"any": None}, **at),
        SDKHiddenContextItem(id="shcx", content="cancelled", **at),
        EndOfTurnItem(id="eot", **at),
    ]


def newer_item(thread_id: str, id: str = "new_1") -> dict[str, Any]:
    """Return the JSON of an item of a type that this SDK does not know."""
    return {"id": id, "thread_id": thread_id, "created_at": NAIVE.isoformat(), "type": "hologram", "beam": {"colour": "green"}}


def newer_call(thread_id: str, id: str = "tc_new") -> dict[str, Any]:
    """Return the JSON of a pending tool call with fields that this SDK does not know, at two depths."""
    return {
        "id": id,
        "thread_id": thread_id,
        "created_at": NAIVE.isoformat(),
        "type": "client_tool_call",
        "status": "pending",
        "call_id": "call_new",
        "name": "pick",
        "arguments": {"p": 1},
        "output": None,
        "deadline": "2027-01-01",
        "origin": {"agent": "x", "hops": [1, 2]},
    }
