"""What an answer says, heard in the process that makes it: also what the store is too far away to keep."""

from __future__ import annotations

import asyncio

from ...adapters.chatkit.failures import AWAY
from ...adapters.chatkit.frames import Frame

FAILED = "The answer ended with an error."


class Listener:
    """Hears an answer, and the further ones that belong to the same message.

    Attributes:
        ended: set when there is no more to hear.
        error: the last error that the answer told of, None for none.
        is_away: whether that was the store.
        is_waiting: whether the answer ended with a client tool call, and goes on when that has its output.
    """

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.error: str | None = None
        self.is_away = False
        self.is_waiting = False
        self._texts: dict[str, list[str]] = {}
        self._whole: set[str] = set()

    def go_on(self) -> None:
        """Another answer follows."""
        self.ended.clear()
        self.is_waiting = False

    def hear(self, frame: Frame | None) -> None:
        """Take a frame; None for the end."""
        if frame is None:
            self.ended.set()
            return
        match frame.get("type"):
            case "thread.item.added" | "thread.item.done" | "thread.item.replaced":
                self._take_item(frame["item"], is_done=frame["type"] != "thread.item.added")
            case "thread.item.updated":
                self._take_update(frame["item_id"], frame["update"])
            case "thread.item.removed":
                self._texts.pop(frame["item_id"], None)
            case "error":
                self.error = frame.get("message") or FAILED
                self.is_away = self.is_away or frame.get("message") == AWAY

    @property
    def reply(self) -> str:
        """What was said."""
        texts = ("".join(parts).strip() for parts in self._texts.values())
        return "\n\n".join(text for text in texts if text)

    @property
    def is_whole(self) -> bool:
        """Whether something was said, and each message to its end."""
        return bool(self.reply) and self._texts.keys() <= self._whole

    def _take_item(self, item: Frame, *, is_done: bool) -> None:
        if item.get("type") == "client_tool_call" and is_done:
            self.is_waiting = item.get("status") == "pending"
        if item.get("type") != "assistant_message":
            return
        self._texts[item["id"]] = [part.get("text", "") for part in item.get("content", ())]
        if is_done:
            self._whole.add(item["id"])

    def _take_update(self, id: str, update: Frame) -> None:
        parts = self._texts.get(id)
        kind = str(update.get("type", ""))
        if parts is None or not kind.startswith("assistant_message.content_part."):
            return
        index = update["content_index"]
        parts += [""] * (index + 1 - len(parts))
        match kind.rpartition(".")[2]:
            case "added" | "done" as verb:
                parts[index] = update["content"].get("text", "")
                if verb == "done":
                    self._whole.add(id)
            case "text_delta":
                parts[index] += update["delta"]
