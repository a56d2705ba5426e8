"""Export, import and copy: byte for byte, in order, once, also when they were killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clew import Item, NewItem, Ref, connect

from ..support import wait_until
from .conftest import OWNER, Clew, told

HARD = [
    b'{"a": 1.0, "b":"\\u00e9"}',
    b" not json \r\n\x00",
    "snowman ☃ \u2028".encode(),
    bytes(range(256)),
    b"",
    b'{"line":"one\\ntwo"}',
]


async def fill(url: str, thread: str = "hard", extra: int = 0) -> None:
    """Make a thread of items that are hard to carry, with a hole among them."""
    async with connect(url) as store:
        made = await store.threads.create(OWNER, id=thread, title="Tïtle\n", metadata={"b": [1, {"c": None}], "a": "x"})
        items = [
            NewItem(data, id=f"i{n}", kind="k", codec="c/1", author="é", parent="i0", status="s", links=("l", "m"), created_ms=n)
            for n, data in enumerate(HARD)
        ]
        await store.items.append(made, [*items, *(NewItem(b"%d" % n, id=f"x{n}") for n in range(extra))])
        await store.items.append(made, NewItem(b"gone", id="gone"))
        await store.items.remove(made, "gone")
        await store.items.append(made, NewItem(b"last", id="last", created_ms=7))


async def read(url: str, thread: str = "hard", owner: str = OWNER) -> list[Item]:
    """Return all items of a thread, without their positions."""
    import msgspec

    found: list[Item] = []
    async with connect(url) as store:
        while True:
            page = await store.items.page(Ref(owner, thread), after=found[-1].id if found else None, limit=1000)
            found += page
            if not page.has_more:
                return [msgspec.structs.replace(item, position=0) for item in found]


async def test_an_export_carries_every_byte_to_another_owner_and_back(clew: Clew, url: str, tmp_path: Path) -> None:
    await fill(url)
    done = clew("export", "all.jsonl", "--json")
    assert (done.returncode, told(done)) == (0, {"threads": 1, "items": 7})
    assert clew("export").stdout == (tmp_path / "all.jsonl").read_text()
    done = clew("import", "all.jsonl", "--owner", "grace", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"threads": 1, "items": 7}
    assert await read(url, owner="grace") == await read(url)
    async with connect(url) as store:
        before, after = await store.threads.get(Ref(OWNER, "hard")), await store.threads.get(Ref("grace", "hard"))
    assert (after.title, after.metadata) == (before.title, before.metadata)
    assert clew("export", "--owner", "grace").stdout == clew("export").stdout


async def test_an_import_and_a_copy_run_twice_double_nothing(clew: Clew, url: str, tmp_path: Path) -> None:
    await fill(url)
    exported = clew("export").stdout
    target = f"sqlite:///{tmp_path / 'target.db'}"
    for _ in range(2):
        assert clew("import", "--url", target, given=exported).returncode == 0
        assert clew("copy", url, target, "--json").returncode == 0
    assert await read(target) == await read(url)


async def test_a_copy_goes_to_redis_and_back(clew: Clew, url: str, tmp_path: Path, url_of: Callable[..., str]) -> None:
    await fill(url)
    redis, back = url_of("valkey-9.1"), f"sqlite:///{tmp_path / 'back.db'}"
    assert clew("copy", url, redis).returncode == 0
    assert clew("copy", redis, back, "--thread", "hard").returncode == 0
    assert await read(back) == await read(url)


def start_import(target: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start an import that reads a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "clew.cli", "import", "--url", target],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
async def test_an_interrupted_import_goes_on_when_it_is_run_again(
    clew: Clew, url: str, environment: dict[str, str], tmp_path: Path, end: signal.Signals
) -> None:
    await fill(url, extra=3_000)
    lines = clew("export").stdout.splitlines(keepends=True)
    target = f"sqlite:///{tmp_path / 'target.db'}"

    async def has_begun() -> bool:
        if not os.path.exists(tmp_path / "target.db"):
            return False
        async with connect(target) as store:
            page = await store.items.page(Ref(OWNER, "hard"), limit=1, missing_ok=True)
        return len(page) > 0

    with start_import(target, environment) as process:
        try:
            assert process.stdin is not None
            # The half of it, and then nothing, so that it waits in the middle.
            process.stdin.write("".join(lines[: len(lines) // 2]))
            process.stdin.flush()
            await wait_until(has_begun, timeout=30)
            process.send_signal(end)
            process.stdin.close()
            process.stdin = None
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == (-signal.SIGKILL if end is signal.SIGKILL else 130)
    assert "Traceback" not in errors
    half = await read(target)
    assert half == (await read(url))[: len(half)]
    assert 0 < len(half) < len(lines) - 3
    assert clew("import", "--url", target, given="".join(lines)).returncode == 0
    assert await read(target) == await read(url)


async def test_a_bad_line_is_named_and_nothing_after_it_is_imported(clew: Clew, url: str) -> None:
    await fill(url)
    lines = clew("export").stdout.splitlines()
    for bad in ('{"item": ', "[]", "{}", '{"item": "b"}', '{"item": "b", "base64": "*"}', '{"item": 5, "text": ""}', "\udcff"):
        spoilt = "\n".join([*lines[:4], bad, *lines[4:]]).encode(errors="surrogateescape")
        owner = f"owner{abs(hash(bad))}"
        done = clew("import", "--owner", owner, "--json", given=spoilt.decode(errors="replace"))
        assert done.returncode == 7, (bad, done.stderr)
        assert told(done)["error"] == "UnreadableError"
        assert "line 5" in told(done)["message"]
        assert [item.id for item in await read(url, owner=owner)] == ["i0", "i1"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", 7, "cut off"),
        ('{"clew_export": 1}\n{"thread": "t"}\n', 7, "cut off"),
        ('{"clew_export": 2}\n', 6, "upgrade clew"),
        ('{"thread": "t"}\n', 7, "before the head"),
        ('{"clew_export": 1}\n{"item": "i", "text": ""}\n', 7, "before any thread"),
    ],
)
def test_what_is_no_whole_export_is_refused(clew: Clew, text: str, code: int, words: str) -> None:
    done = clew("import", given=text)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_is_not_there_is_refused(clew: Clew) -> None:
    assert clew("import", "nowhere.jsonl").returncode == 2
    assert clew("export", "no/such/folder.jsonl").returncode == 2


async def test_notes_and_the_order_of_making_are_carried_too(clew: Clew, url: str, tmp_path: Path) -> None:
    async with connect(url) as store:
        for name in "abc":
            await store.threads.create(OWNER, id=name, notes={"kit/field": {"x": name}})
        await store.items.append(Ref(OWNER, "a"), NewItem(b"the newest write"))
    assert clew("export", "all.jsonl").returncode == 0
    assert clew("import", "all.jsonl", "--owner", "bob").returncode == 0
    async with connect(url) as store:
        made = await store.threads.made("bob", newest_first=False)
        assert [(thread.id, dict(thread.notes)) for thread in made] == [(name, {"kit/field": {"x": name}}) for name in "abc"]
