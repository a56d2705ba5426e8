"""Frames become events and come out again, and what an answer had said is read from them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clew import EventId, RunEvent
from clew.adapters.chatkit.drafts import Drafts
from clew.adapters.chatkit.frames import Frame, Whole, batch, cut, join
from clew.run_limits import MAX_APPEND_BYTES, MAX_EVENT_BYTES


def delta(text: str, *, item: str = "msg_1", index: int = 0) -> Frame:
    """Return a piece of text."""
    update = {"type": "assistant_message.content_part.text_delta", "content_index": index, "delta": text}
    return {"type": "thread.item.updated", "item_id": item, "update": update}


def begin(item: str = "msg_1") -> Frame:
    """Return the beginning of a message."""
    made = {"id": item, "thread_id": "thr_1", "created_at": "2026-11-21T12:00:00", "type": "assistant_message", "content": []}
    return {"type": "thread.item.added", "item": made}


def dump(frame: Any) -> bytes:
    """Return a frame's JSON."""
    return json.dumps(frame).encode()


def told(frames: list[Frame]) -> list[str]:
    """Return what is left of some messages."""
    drafts = Drafts()
    for frame in frames:
        drafts.see(frame)
    return ["|".join(part.text for part in message.content) for message in drafts.messages()]


pieces = st.tuples(st.sampled_from(["msg_1", "msg_2"]), st.integers(0, 1), st.text(max_size=5))


@given(st.lists(pieces, max_size=30))
def test_joined_frames_say_what_they_said_one_by_one(said: list[tuple[str, int, str]]) -> None:
    frames = [begin(), begin("msg_2"), *(delta(text, item=item, index=index) for item, index, text in said)]
    joined = [json.loads(frame) for frame in join([(dump(frame), frame) for frame in frames])]
    assert told(joined) == told(frames)
    assert len(joined) <= len(frames)


def test_only_neighbouring_pieces_of_one_text_are_joined() -> None:
    frames = [delta("a"), delta("b"), delta("c", index=1), {"type": "progress_update", "text": "x"}, delta("d", index=1)]
    joined = [json.loads(frame) for frame in join([(dump(frame), frame) for frame in frames])]
    assert joined == [delta("ab"), frames[2], frames[3], frames[4]]


def test_a_frame_that_is_too_large_for_one_event_is_whole_again() -> None:
    frame = bytes(range(256)) * (MAX_EVENT_BYTES // 128 + 3)
    events = cut(frame)
    assert [kind for kind, _ in events] == ["part", "part", "frame"]
    whole = Whole()
    found = [whole.take(RunEvent(EventId(1, n), kind, data)) for n, (kind, data) in enumerate(events)]
    assert found == [None, None, frame]


def test_batches_keep_to_what_one_append_takes() -> None:
    events = [("frame", b"x" * MAX_EVENT_BYTES)] * 20 + [("frame", b"")] * 2_500
    batches = list(batch(iter(events)))
    assert [event for made in batches for event in made] == events
    assert all(len(made) <= 1_000 and sum(len(data) for _, data in made) <= MAX_APPEND_BYTES for made in batches)


def test_what_is_done_or_removed_is_no_draft_and_what_has_no_text_is_not_kept() -> None:
    done = {"type": "thread.item.done", "item": {**begin()["item"], "content": [{"type": "output_text", "text": "all"}]}}
    assert told([begin(), delta("al"), done]) == []
    assert told([begin(), delta("al"), {"type": "thread.item.removed", "item_id": "msg_1"}]) == []
    assert told([begin(), delta(" \n")]) == []
    assert told([begin(), delta("al"), begin("msg_2"), delta("so", item="msg_2")]) == ["al", "so"]


def test_the_text_of_a_draft_is_kept_where_its_sources_cannot_be_read() -> None:
    note = {"type": "assistant_message.content_part.annotation_added", "content_index": 0, "annotation_index": 0}
    odd = {"type": "thread.item.updated", "item_id": "msg_1", "update": {**note, "annotation": {"type": "of tomorrow"}}}
    assert told([begin(), delta("said"), odd]) == ["said"]
