"""Channel versions of other savers as those that clew goes on from: whole numbers, in the same order, as unique as before.

LangGraph compares the versions of a checkpoint with each other, so they must be of one type, whoever writes the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

_BITS: Final = 28
"""Below the counter: what tells apart versions of two branches with the same counter."""
_MASK: Final = (1 << _BITS) - 1


def renumber(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checkpoint with whole numbers as versions; as it is where one is not a number with a counter in front."""
    try:
        versions = {channel: _number(version) for channel, version in (checkpoint.get("channel_versions") or {}).items()}
        seen = {
            node: {channel: _number(version) for channel, version in channels.items()}
            for node, channels in (checkpoint.get("versions_seen") or {}).items()
        }
    except (ValueError, OverflowError):
        return dict(checkpoint)
    return {**checkpoint, "channel_versions": versions, "versions_seen": seen}


def _number(version: str | int | float) -> int:
    if isinstance(version, int):
        return version
    text = str(version)
    digest = blake2b(text.encode(), digest_size=4).digest()
    return int(text.partition(".")[0]) << _BITS | int.from_bytes(digest) & _MASK
