"""Who works on an answer: the profiles that a page shows when the client tool `display_agent_profiles` is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote

from ..errors import InvalidError

TOOL: Final = "display_agent_profiles"
"""The client tool's name; its one argument is `profiles`."""
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """One agent, as people see it.

    Attributes:
        id: for programs.
        name: for people.
        role: what it does, in a few words.
        good_at: what to ask it for, one thing a line.
        colour: of its avatar: `#` and six lower-case hexadecimal digits.
    """

    id: str
    name: str
    role: str
    good_at: tuple[str, ...]
    colour: str

    def __post_init__(self) -> None:
        """InvalidError: the colour is none."""
        if not _COLOUR.fullmatch(self.colour):
            raise InvalidError(f"the colour of {self.id!r} must be '#' and six lower-case hexadecimal digits")

    @property
    def initials(self) -> str:
        """The first letters of at most two words of its name."""
        return "".join(word[0] for word in self.name.split()[:2]).upper()

    @property
    def avatar(self) -> str:
        """A picture for an `img` element: its initials on its colour, as a data URL of an SVG. It runs no script there."""
        letters = self.initials.replace("&", "&amp;").replace("<", "&lt;")
        picture = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
            f'<circle cx="32" cy="32" r="32" fill="{self.colour}"/>'
            '<text x="32" y="41" font-family="sans-serif" font-size="26" font-weight="600" fill="#ffffff" text-anchor="middle">'
            f"{letters}</text></svg>"
        )
        return f"data:image/svg+xml,{quote(picture)}"


PROFILES: Final = (
    AgentProfile(
        "guide",
        "Ariadne",
        "Guide to clew",
        ("answers questions about clew", "quotes the page that the answer stands on", "remembers what was said in this thread"),
        "#8a3b2a",
    ),
    AgentProfile(
        "librarian",
        "Page Finder",
        "Librarian of the documentation",
        ("finds passages by their words, in a moment", "needs no network and no key", "says so when nothing fits"),
        "#2a5d8a",
    ),
)
"""The agents that there are. The second one is the search; it asks nobody."""


def tool_arguments(profiles: Sequence[AgentProfile]) -> dict[str, Any]:
    """Return the arguments of the client tool call, as JSON: for each profile what it says, with `initials` and `avatar`."""
    return {
        "profiles": [
            {**asdict(each), "good_at": list(each.good_at), "initials": each.initials, "avatar": each.avatar} for each in profiles
        ]
    }


def introduce(profiles: Sequence[AgentProfile]) -> str:
    """Return the profiles as a text, for who cannot see them."""
    lines = [f"- **{each.name}**, {each.role[0].lower()}{each.role[1:]}: {'; '.join(each.good_at)}." for each in profiles]
    return "\n".join(["Here is who works on your answers:", "", *lines])
