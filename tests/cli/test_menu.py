"""`clew chat` on a terminal: the menu, a kill, two terminals in one thread."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .conftest import Clew
from .terminal import Terminal

pytestmark = pytest.mark.timeout(180)

Start = Callable[..., Terminal]


def answered(chat: Terminal, text: str, answers: int) -> str:
    """Say something, and return the screen when it was answered and the next message is asked for."""
    prompts = chat.text().count("you>")
    chat.write(f"{text}\r")
    chat.expect("assistant>", times=answers)
    return chat.expect("you>", times=prompts + 1)


def test_the_menu_from_a_first_message_to_the_exit(terminal: Start, clew: Clew) -> None:
    chat = terminal("chat")
    screen = chat.expect("choose:")
    assert "embedded SQLite file" in screen
    assert "(local, llama.cpp)" in screen
    assert "Everything that is said here is kept" in screen
    chat.write("3\r")
    chat.expect("No thread is saved yet")
    chat.write("1\r")
    chat.expect("you>")
    answered(chat, "My name is Ada.", 1)
    chat.write("\r")
    chat.expect("choose:", times=3)
    chat.write("2\r")
    chat.expect("the newest 2 items")
    chat.expect("user> My name is Ada.")
    chat.write("4\r")
    chat.expect("A fresh thread")
    chat.write("9\r")
    chat.expect("not on the menu")
    chat.write("3\r")
    chat.expect("which one (1 to 1")
    chat.write("1\r")
    chat.expect("— My name is Ada. —")
    chat.expect("user> My name is Ada.", times=2)
    chat.write("0\r")
    chat.expect("Goodbye")
    assert chat.wait() == 0
    assert b"Traceback" not in chat.raw
    assert len(json.loads(clew("threads", "--json").stdout)["threads"]) == 1


def test_what_was_answered_survives_a_kill(terminal: Start, clew: Clew) -> None:
    chat = terminal("chat")
    chat.expect("choose:")
    chat.write("1\r")
    chat.expect("you>")
    answered(chat, "My name is Ada.", 1)
    chat.write("What is")
    chat.kill()
    again = terminal("chat")
    again.expect("Your earlier threads are kept")
    again.expect("choose:")
    again.write("3\r")
    again.expect("which one")
    again.write("1\r")
    again.expect("assistant>")
    again.write("1\r")
    again.expect("you>")
    screen = answered(again, "What is my name?", 2)
    assert "Ada" in screen.rpartition("What is my name?")[2]


def test_two_terminals_in_one_thread_see_each_other(terminal: Start, clew: Clew) -> None:
    thread = json.loads(clew("chat", "-m", "My name is Ada.", "--json").stdout)["thread"]
    left, right = terminal("chat", "--thread", thread), terminal("chat", "--thread", thread)
    for chat in (left, right):
        chat.expect("choose:")
        chat.write("1\r")
        chat.expect("you>")
    answered(left, "I live in Oslo.", 2)
    screen = answered(right, "Where do I live?", 3)
    assert "user> I live in Oslo." in screen
    assert "Oslo" in screen.rpartition("Where do I live?")[2]
    left.write("\r")
    left.expect("choose:", times=2)
    left.write("1\r")
    assert "user> Where do I live?" in left.expect("you>", times=3)
    shown = json.loads(clew("show", thread, "--json").stdout)
    assert [item["author"] for item in shown["items"]] == ["user", "assistant"] * 3


@pytest.mark.parametrize(("keys", "code"), [("\x03", 130), ("\x04", 0)])
def test_ctrl_c_and_ctrl_d_leave_without_a_traceback(terminal: Start, keys: str, code: int) -> None:
    chat = terminal("chat")
    chat.expect("choose:")
    chat.write("1\r")
    chat.expect("you>")
    chat.write(keys)
    chat.expect("choose:", times=2)
    chat.write(keys)
    assert chat.wait() == code
    assert b"Traceback" not in chat.raw


def test_stored_escape_sequences_do_not_reach_the_terminal(terminal: Start, clew: Clew) -> None:
    lines = [
        {"clew_export": 1},
        {"thread": "t", "title": "\x1b]0;owned\x07"},
        {"item": "i", "text": json.dumps({"role": "user", "content": "\x1b[31mred\x9b2J"})},
        {"end": {}},
    ]
    done = clew("import", given="\n".join(json.dumps(line) for line in lines))
    assert done.returncode == 0, done.stderr
    for words in (("threads",), ("show", "t"), ("show", "t", "--json")):
        shown = terminal(*words)
        assert shown.wait() == 0
        assert b"\x1b]0;" not in shown.raw
        assert b"\x1b[31mred" not in shown.raw
        assert "\x9b".encode() not in shown.raw
    assert "red" in shown.text()


def test_ctrl_c_stops_an_answer_and_nothing_of_that_turn_is_stored(terminal: Start, clew: Clew) -> None:
    chat = terminal("chat")
    chat.expect("choose:")
    chat.write("1\r")
    chat.expect("you>")
    chat.write("Tell me a very long story about the sea.\r")
    chat.expect("assistant> ")
    chat.write("\x03")
    chat.expect("nothing of this turn was stored")
    chat.expect("you>", times=2)
    answered(chat, "What is the capital of France?", 2)
    chat.write("\x04")
    chat.expect("choose:", times=2)
    chat.write("0\r")
    assert chat.wait() == 0
    assert b"Traceback" not in chat.raw
    (thread,) = json.loads(clew("threads", "--json").stdout)["threads"]
    assert len(json.loads(clew("show", thread["thread"], "--json").stdout)["items"]) == 2


def test_a_bar_shows_on_a_terminal_only(terminal: Start, clew: Clew) -> None:
    lines = ['{"clew_export": 1}', '{"thread": "t"}', '{"item": "i", "text": "x"}', '{"end": {}}']
    assert clew("import", given="\n".join(lines)).stderr == "imported 1 threads, 1 items\n"
    shown = terminal("copy", "sqlite:///store.db", "sqlite:///other.db")
    assert shown.wait() == 0
    assert b"copying" in shown.raw
    assert "copied 1 threads, 1 items" in shown.text()
