"""Which literal keys are an owner's: those that clew's own adapters, tools and service make, with the owner's name in them.

A literal key has no owner of its own. What a program keeps under prefixes of its choice is known to that program only.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final, NamedTuple
from urllib.parse import quote

CHAT_PREFIX: Final = "codecoder:"
"""What the keys of channels' conversations begin with where nothing else is said."""
_MOST_OWNER: Final = 300


class Owned(NamedTuple):
    """Keys that begin with a prefix; with `member`, only those members of the sets there that begin with it."""

    prefix: str
    member: bytes | None = None


def owned_keys(owner: str, *, namespace: str = "clew", chat_prefix: str = CHAT_PREFIX) -> list[Owned]:
    """Return where an owner's literal keys are.

    Args:
        owner: whose.
        namespace: the first part of clew's own keys.
        chat_prefix: as CLEW_CHAT_PREFIX.
    """
    part = quote(owner, safe="")
    channels = chat_prefix.removesuffix("conv:")
    shelf = part if len(part) <= _MOST_OWNER else f"%~{blake2b(owner.encode(), digest_size=16).hexdigest()}"
    return [
        # The cache of LangGraph's nodes, fastmcp's key-value store, ChatKit's attachments.
        Owned(f"clew:cache:{part}:"),
        Owned(f"clew:kv:{part}:"),
        Owned(f"clew:chatkit:attachment:{part}:"),
        # The tools of the MCP server: values, and the sessions and results of workflows.
        Owned(f"{namespace}:values:{shelf}:"),
        # Channels: routes, claims on them and on repeated requests, and which conversations lead to a session.
        Owned(f"{channels}conv:{part}/"),
        Owned(f"{channels}making:{part}/"),
        Owned(f"{channels}once:{part}/"),
        Owned(f"{channels}session:", f"{part}/".encode()),
    ]
