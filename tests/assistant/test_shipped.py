"""What is shipped with the assistant: its example runs, and a missing extra is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/chatkit_assistant.py"
BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
from clew.errors import MissingExtraError
try:
    import clew.assistant.agent
except MissingExtraError as error:
    print(error.extra)
import clew.assistant.search, clew.assistant.profiles, clew.assistant.rule
"""
PLAIN = """
import sys
import clew.assistant.search
print(clew.assistant.search.DocsSearch().find("tombstone")[0].passage.page)
roots = {name.partition(".")[0] for name in sys.modules}
print(*sorted(roots & {"chatkit", "openai", "agent_framework", "pydantic", "redis"}))
"""


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with nothing of a model in the environment."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
    # ChatKit warns of its own classes when it is imported.
    command = [sys.executable, "-W", "error", "-W", "ignore:Direct usage of named widget:DeprecationWarning", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=50, check=False)


def test_the_example_answers_with_the_local_model(tmp_path: Path) -> None:
    done = run(str(EXAMPLE), "What", "is", "a", "tombstone?", folder=tmp_path)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[:3] == ["search_animation:start", "search_animation:stop", "From **Glossary: Tombstone**:"]
    assert (tmp_path / "assistant.db").exists()


@pytest.mark.parametrize(("module", "extra"), [("chatkit", "chatkit"), ("openai", "chat")])
def test_a_missing_extra_is_named_and_the_search_needs_none(module: str, extra: str, tmp_path: Path) -> None:
    done = run("-c", BLOCKED.format(blocked=module), folder=tmp_path)
    assert (done.stdout, done.stderr) == (f"{extra}\n", "")


def test_the_search_needs_the_standard_library_alone(tmp_path: Path) -> None:
    done = run("-c", PLAIN, folder=tmp_path)
    assert (done.stdout, done.stderr) == ("glossary.md\n\n", "")
