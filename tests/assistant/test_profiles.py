"""The profiles that the client tool shows: data for a page, that runs nothing there."""

from __future__ import annotations

import json
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from clew.assistant.profiles import PROFILES, AgentProfile, introduce, tool_arguments
from clew.errors import InvalidError


def test_the_arguments_are_json_with_what_a_page_shows() -> None:
    told = json.loads(json.dumps(tool_arguments(PROFILES)))
    assert set(told) == {"profiles"}
    assert [each["name"] for each in told["profiles"]] == [each.name for each in PROFILES]
    for each in told["profiles"]:
        assert set(each) == {"id", "name", "role", "good_at", "colour", "initials", "avatar"}
        assert each["role"]
        assert each["good_at"]


@pytest.mark.parametrize("name", ["Ariadne", "Page Finder", "<b> & \"'"])
def test_an_avatar_is_a_picture_of_the_initials_and_nothing_else(name: str) -> None:
    profile = AgentProfile("x", name, "Role", ("it",), "#123456")
    head, _, picture = profile.avatar.partition(",")
    assert head == "data:image/svg+xml"
    root = ElementTree.fromstring(unquote(picture))
    assert [each.tag.rpartition("}")[2] for each in root.iter()] == ["svg", "circle", "text"]
    assert root[1].text == profile.initials


def test_a_colour_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidError, match="colour"):
        AgentProfile("x", "X", "Role", (), '#123456"/><script/>')


def test_the_introduction_names_everybody() -> None:
    text = introduce(PROFILES)
    assert all(f"**{each.name}**" in text for each in PROFILES)
