"""What an answer has said so far and ChatKit has not stored yet, read from its frames: what to keep when it breaks off."""

from __future__ import annotations

from typing import Any

from chatkit.types import AssistantMessageItem
from pydantic import ValidationError

from .frames import Frame


class Drafts:
    """The assistant's messages that have begun and are not done, in order."""

    def __init__(self) -> None:
        self._open: dict[str, dict[str, Any]] = {}
        self.has_error = False
        """Whether the answer told the person of an error."""

    def see(self, frame: Frame) -> None:
        """Take note of a frame that was sent."""
        match frame.get("type"):
            case "thread.item.added" if frame["item"].get("type") == "assistant_message":
                self._open[frame["item"]["id"]] = {**frame["item"], "content": [*frame["item"].get("content", [])]}
            case "thread.item.updated" if frame["item_id"] in self._open:
                _apply(self._open[frame["item_id"]]["content"], frame["update"])
            case "thread.item.done" | "thread.item.replaced":
                self._open.pop(frame["item"]["id"], None)
            case "thread.item.removed":
                self._open.pop(frame["item_id"], None)
            case "error":
                self.has_error = True

    def messages(self) -> list[AssistantMessageItem]:
        """Return the messages that have a text by now."""
        found = []
        for draft in self._open.values():
            if any(part.get("text", "").strip() for part in draft["content"]):
                try:
                    found.append(AssistantMessageItem.model_validate(draft))
                except ValidationError:
                    # Another SDK's: what is sure is its text.
                    texts = [{"type": "output_text", "text": part.get("text", "")} for part in draft["content"]]
                    found.append(AssistantMessageItem.model_validate({**draft, "content": texts}))
        return found


def _apply(content: list[dict[str, Any]], update: dict[str, Any]) -> None:
    kind = str(update.get("type", ""))
    if not kind.startswith("assistant_message.content_part."):
        return
    index = update["content_index"]
    while len(content) <= index:
        content.append({"type": "output_text", "text": "", "annotations": []})
    match kind.rpartition(".")[2]:
        case "added" | "done":
            content[index] = update["content"]
        case "text_delta":
            content[index] = {**content[index], "text": content[index].get("text", "") + update["delta"]}
        case "annotation_added":
            content[index] = {**content[index], "annotations": [*content[index].get("annotations", []), update["annotation"]]}
