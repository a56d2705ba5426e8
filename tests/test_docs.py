"""The documentation is true: every Python example runs, and every command shown exists with its options."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import clew
from clew.cli.app import app

TOP = Path(__file__).resolve().parent.parent
DECISIONS = TOP / "docs/decisions"
"""They tell what was decided on a day, and are not kept up."""
PAGES = [
    *(TOP / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(page for page in sorted((TOP / "docs").rglob("*.md")) if DECISIONS not in page.parents),
]
COMMANDS = ("pip install uv && uv run clew chat", "pip install uv && uv run pytest")


def fenced(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """Yield each fenced block of this language: the line it starts at, and its text."""
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        yield text[: match.start(1)].count("\n"), match[1]


def name_of(path: Path) -> str:
    """Return a page's name for the report."""
    return path.relative_to(TOP).as_posix()


# -- Python -------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """What the examples of a page may use without having made it: `clew`, an open `store`, a chat `client`, an empty folder."""
    from agent_framework.openai import OpenAIChatCompletionClient

    monkeypatch.chdir(tmp_path)
    client = OpenAIChatCompletionClient(model="any", api_key="none", base_url="http://localhost:1/v1")
    async with clew.connect("memory://") as store:
        yield {"__name__": "example", "clew": clew, "store": store, "client": client}


@pytest.mark.parametrize("page", [page for page in PAGES if any(fenced(page, "python"))], ids=name_of)
async def test_the_examples_of_a_page_run_from_top_to_bottom(page: Path, given: dict[str, Any]) -> None:
    for line, block in fenced(page, "python"):
        if "asyncio.run(" in block:
            run_program(block, Path.cwd())
            continue
        # Blank lines before it, so that a failure points at the line of the page.
        code = compile("\n" * line + block, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, given)
        if inspect.isawaitable(result):
            await result


def run_program(text: str, folder: Path) -> None:
    """Run a whole program in an empty folder; whatever it warns of is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text], cwd=folder, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_readme_shows_the_quickstart_to_the_letter() -> None:
    first = next(block for _, block in fenced(TOP / "README.md", "python"))
    assert first == (TOP / "examples/quickstart.py").read_text()


# -- commands -----------------------------------------------------------------------------------------------------------


def test_the_readme_opens_with_its_two_commands() -> None:
    head = (TOP / "README.md").read_text().splitlines()[:10]
    assert [line for line in head if line.startswith("pip ")] == list(COMMANDS)


def shown_commands() -> list[tuple[str, str]]:
    """Return every `clew ...` that a page shows, in a console block or in a sentence, with the page's name."""
    found = []
    for page in PAGES:
        lines = [line for _, block in fenced(page, "console") for line in block.splitlines()]
        lines += re.findall(r"`((?:uv run )?clew [a-z][^`]*)`", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.S | re.M))
        found += [(name_of(page), line.removeprefix("$ ")) for line in lines if line.strip() and not line.startswith("#")]
    return sorted(set(found))


def commands() -> dict[str, Any]:  # typer's commands, which it has no public type for
    """Return clew's commands by name."""
    found: dict[str, Any] = vars(get_command(app))["commands"]
    return found


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_command_that_is_shown_exists_with_its_options(page: str, line: str) -> None:
    check_command(line)


@pytest.mark.parametrize("name", commands())
def test_the_examples_in_a_commands_help_are_right(name: str) -> None:
    examples = re.split(r"\s{2,}", commands()[name].epilog.removeprefix("Examples:").strip())
    for example in examples:
        if not example.startswith("("):
            check_command(example)


def test_every_command_is_shown_somewhere() -> None:
    shown = {word for _, line in shown_commands() for word in re.findall(r"\bclew ([a-z]+)", line)}
    assert set(commands()) <= shown


def check_command(line: str) -> None:
    """Fail unless the line names one of clew's commands, with options and arguments that it takes."""
    parts = [part.strip() for part in re.split(r"\s[|>&#]", line)]
    words = shlex.split(next(part for part in parts if part.startswith(("clew ", "uv run clew "))).removeprefix("uv run "))
    assert words[1] in commands(), f"there is no command {words[1]}"
    command, words = commands()[words[1]], words[2:]
    if hasattr(command, "commands") and words:
        assert words[0] in command.commands, f"there is no command {command.name} {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    parameters = command.params
    flags = {name: each.is_flag for each in parameters if each.param_type_name == "option" for name in each.opts} | {
        "--help": True
    }
    rest, given = iter(words), 0
    for word in rest:
        if not word.startswith("-") or word == "-":
            given += 1
            continue
        assert word in flags, f"clew {command.name} has no option {word}"
        assert flags[word] or next(rest, None), f"{word} needs a value"
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    # In a sentence a command may stand without what it needs; in full, or not at all.
    assert given == 0 or sum(each.required for each in arguments) <= given <= len(arguments), f"{line} has {given} arguments"
