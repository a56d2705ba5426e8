"""What only a folder can be asked: kills, other processes, full disks, permissions, and what stands in it."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clew import ConflictError, FullError, InvalidError, NotFoundError, UnavailableError
from clew.files import Files, connect_files
from clew.files.folder import Folder
from clew.files.locking import hold
from tests.support import wait_until

from .writer import SIZE

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


def run_writer(root: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.files.writer", str(root), *arguments]
    return subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True)


def unfinished(root: Path) -> list[str]:
    return os.listdir(root / ".clew" / "unfinished")


def remount(disk: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=True)


async def read(files: Files, *key: str) -> bytes:
    async with await files.get(key) as reading:
        return await reading.read()


# -- kills and other processes ------------------------------------------------------------------------------------------


async def test_a_killed_writer_leaves_a_whole_version_and_nothing_else(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("a",), b"\0" * SIZE)
        for round in range(6):
            writer = run_writer(root, "a", "100000")
            assert writer.stdout is not None
            acknowledged = 0
            for _ in range(round + 1):
                acknowledged = int(await asyncio.to_thread(writer.stdout.readline))
            # In the middle of the next version: its draft is there.
            await wait_until(lambda: unfinished(root))
            writer.send_signal(signal.SIGKILL)
            rest = (await asyncio.to_thread(writer.communicate))[0].split()
            acknowledged = int(rest[-1]) if rest else acknowledged
            data = await read(files, "a")
            assert len(data) == SIZE
            assert data[0] in (acknowledged % 256, (acknowledged + 1) % 256)
            assert data == data[:1] * SIZE
    assert len(unfinished(root)) >= 1
    async with connect_files(root.as_uri()) as files:
        assert unfinished(root) == []
        assert [info.key for info in await files.list()] == [("a",)]


async def test_opening_the_folder_leaves_a_living_writers_draft_alone(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        begun, go = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * 2_000_000
            begun.set()
            await go.wait()
            yield b"y"

        writing = asyncio.create_task(files.put(("a",), slow()))
        await begun.wait()
        for _ in range(3):
            await (await connect_files(root.as_uri())).aclose()
        assert len(unfinished(root)) == 1
        go.set()
        assert (await writing).size == 2_000_001
        assert unfinished(root) == []


async def test_the_folder_can_be_opened_while_others_write_and_give_up(root: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError("the client is gone")

    async with connect_files(root.as_uri()) as files:

        async def write() -> None:
            for _ in range(60):
                with pytest.raises(ConnectionResetError):
                    await files.put(("a",), broken())

        writers = [asyncio.create_task(write()) for _ in range(4)]
        while not all(writer.done() for writer in writers):
            await (await connect_files(root.as_uri())).aclose()
        await asyncio.gather(*writers)
        assert unfinished(root) == []


async def test_compare_and_set_holds_among_processes(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("n",), b"0")
        writers = [run_writer(root, "n", "40", "add") for _ in range(3)]
        for writer in writers:
            await asyncio.to_thread(writer.communicate)
        assert [writer.returncode for writer in writers] == [0] * 3
        assert await read(files, "n") == b"120"


async def test_files_come_and_go_in_one_folder_without_losing_it(root: Path) -> None:
    """The folder of the last file is removed: a writer that just made sure of it must not fail."""
    async with connect_files(root.as_uri()) as one, connect_files(root.as_uri()) as two:

        async def churn(files: Files, name: str) -> None:
            for _ in range(60):
                await files.put(("a", "b", name), b"x")
                assert await files.delete(("a", "b", name))

        await asyncio.gather(*(churn(files, f"{n}") for n, files in enumerate([one, two] * 4)))
        assert os.listdir(root) == [".clew"]


async def test_a_lock_that_another_process_never_lets_go_of_is_waited_for_only_so_long(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clew.files.locking.PATIENCE_S", 0.2)
    async with connect_files(root.as_uri()) as files:
        await files.put(("a",), b"x")
        with hold(str(root / ".clew" / "lock")):
            for call in (files.put(("a",), b"y"), files.delete(("a",)), connect_files(root.as_uri()).__aenter__()):
                with pytest.raises(UnavailableError, match="lock"):
                    await call
            assert await read(files, "a") == b"x"
        await files.put(("a",), b"y")


async def test_what_was_acknowledged_is_on_the_disk(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(descriptor: int) -> None:
        done.append(f"sync {os.path.relpath(os.readlink(f'/proc/self/fd/{descriptor}'), root)}")
        fsync(descriptor)

    def note_replace(source: str, target: str) -> None:
        done.append(f"name {os.path.relpath(target, root)}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    async with connect_files(root.as_uri()) as files:
        await files.put(("a", "b", "c"), b"x")
        assert done[0].startswith("sync .clew/unfinished/")
        # The file's own name, and those of the folders that were made for it.
        assert done[1:] == ["name a/b/c", "sync a/b", "sync a", "sync ."]
        done.clear()
        await files.put(("a", "b", "c"), b"y")
        assert done[1:] == ["name a/b/c", "sync a/b"]
        done.clear()
        await files.delete(("a", "b", "c"))
        assert done == ["sync ."]


async def test_many_uploads_of_which_half_are_cancelled_leave_whole_files_and_nothing_open(root: Path) -> None:
    chance = random.Random(7)

    async def chunks(n: int) -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(chance.random() / 20)
            yield bytes([n]) * 400_000

    async with connect_files(root.as_uri()) as files:
        await files.put(("warm",), b"")
        before = len(os.listdir("/proc/self/fd"))
        tasks = [asyncio.create_task(files.put(("a", str(n)), chunks(n))) for n in range(100)]
        for task in tasks[::2]:
            await asyncio.sleep(chance.random() / 200)
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(not isinstance(each, BaseException) for each in results[1::2])
        found = [info.key[1] for info in await files.list(("a",), limit=1000)]
        assert {str(n) for n in range(1, 100, 2)} <= set(found)
        for n in found:
            assert await read(files, "a", n) == bytes([int(n)]) * 1_600_000
        assert unfinished(root) == []
        assert len(os.listdir("/proc/self/fd")) == before


async def test_readings_that_are_cancelled_while_they_are_opened_leave_nothing_open(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("a",), b"x")
        before = len(os.listdir("/proc/self/fd"))
        for n in range(60):
            task = asyncio.create_task(files.get(("a",)))
            await asyncio.sleep(0.0001 * (n % 4))
            task.cancel()
            (opened,) = await asyncio.gather(task, return_exceptions=True)
            if not isinstance(opened, BaseException):
                await opened.aclose()
        assert len(os.listdir("/proc/self/fd")) == before


async def test_two_versions_of_one_size_and_one_moment_have_two_etags(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    async with connect_files(root.as_uri()) as files:
        assert len({(await files.put(("a",), b"%03d" % n)).etag for n in range(100)}) == 100


async def test_of_a_write_and_a_delete_with_one_etag_one_wins(root: Path) -> None:
    async with connect_files(root.as_uri()) as files, connect_files(root.as_uri()) as others:
        for _ in range(20):
            etag = (await files.put(("a",), b"before")).etag
            written, deleted = await asyncio.gather(
                files.put(("a",), b"after", if_match=etag), others.delete(("a",), if_match=etag), return_exceptions=True
            )
            assert isinstance(written, ConflictError) == (deleted is True)
            assert [info.size for info in await files.list()] == ([] if deleted is True else [5])


# -- what cannot be written ---------------------------------------------------------------------------------------------


async def test_a_full_disk_refuses_keeps_what_was_there_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    async with connect_files((small_disk / "files").as_uri()) as files:
        await files.put(("a",), b"before")
        await files.put(("large",), b"x" * 2_500_000)
        for name in ("a", "b"):
            with pytest.raises(FullError, match="room"):
                await files.put((name,), b"y" * 3_000_000)
        assert await read(files, "a") == b"before"
        assert unfinished(small_disk / "files") == []
        await files.delete(("large",))
        assert (await files.put(("a",), b"y" * 3_000_000)).size == 3_000_000


async def test_a_disk_that_is_read_only_refuses_writes_and_gives_what_it_has(small_disk: Path) -> None:
    async with connect_files((small_disk / "files").as_uri()) as files:
        await files.put(("a",), b"x")
        remount(small_disk, "ro")
        with pytest.raises(FullError):
            await files.put(("a",), b"y")
        with pytest.raises(FullError):
            await files.delete(("a",))
        assert await read(files, "a") == b"x"
        remount(small_disk, "rw")


UNPRIVILEGED = """
import asyncio, concurrent.futures.thread, os, sys
from clew.files import connect_files

# All is imported while there is the right to.
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)

async def tell(what, call):
    try:
        print(what, await call)
    except Exception as e:
        print(what, type(e).__name__, type(e).__module__)

async def main():
    await tell("open", connect_files(sys.argv[1]).__aenter__())

asyncio.run(main())
"""


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_folder_that_may_not_be_used_is_denied(mode: int) -> None:
    # Not in pytest's folder, whose parents the other user may not even pass.
    with tempfile.TemporaryDirectory() as closed:
        os.chmod(closed, mode)
        command = [sys.executable, "-c", UNPRIVILEGED, Path(closed, "files").as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        os.chmod(closed, 0o700)
    assert done.stdout.split() == ["open", "DeniedError", "clew.errors"], done.stderr


async def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "none" / "files", tmp_path / "file", tmp_path / "file" / "files"):
        with pytest.raises(InvalidError, match="folder"):
            await connect_files(place.as_uri())


async def test_a_folder_that_is_taken_away_is_unavailable_and_works_again_when_it_is_back(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("a",), b"x")
        root.rename(root.with_name("away"))
        # What cannot be looked for is not said to be gone. A share that is not mounted leaves its empty folder behind.
        for is_mount in (False, True):
            if is_mount:
                root.mkdir()
            asks = (files.get(("a",)), files.head(("a",)), files.list(), files.delete(("a",)), files.put(("a",), b"y"))
            for ask in asks:
                with pytest.raises(UnavailableError):
                    await ask
        root.rmdir()
        root.with_name("away").rename(root)
        assert await read(files, "a") == b"x"
        assert [info.key for info in await files.list()] == [("a",)]
        with pytest.raises(NotFoundError):
            await files.head(("b",))


async def test_a_name_that_is_a_file_and_a_folder_at_once_is_refused(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("a", "b"), b"x")
        with pytest.raises(ConflictError, match="at once"):
            await files.put(("a",), b"x")
        with pytest.raises(ConflictError, match="at once"):
            await files.put(("a", "b", "c"), b"x")
        with pytest.raises(ConflictError, match="at once"):
            await files.put(("a", "b", "c", "d"), b"x")
        assert [info.key for info in await files.list()] == [("a", "b")]
        assert unfinished(root) == []


# -- what stands in it --------------------------------------------------------------------------------------------------


async def test_the_layout_is_plain_and_for_its_user_alone(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("volumes", "user", "ada", "skills", "search.md"), b"# Search")
        placed = root / "volumes" / "user" / "ada" / "skills" / "search.md"
        assert placed.read_bytes() == b"# Search"
        assert {path.stat().st_mode & 0o077 for path in (root, placed, placed.parent, root / ".clew")} == {0}


async def test_a_file_that_a_person_puts_there_is_found_and_one_of_a_strange_name_is_left_out(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("skills", "a.md"), b"a")
        (root / "skills" / "b.md").write_bytes(b"by hand")
        for name in ("my notes.md", ".hidden", "%2e%2e", "caf\u00e9.md"):
            (root / "skills" / name).write_bytes(b"")
        (root / "skills" / "link.md").symlink_to("/etc/passwd")
        (root / "skills" / "folder").symlink_to("/etc")
        os.mkfifo(root / "skills" / "pipe.md")
        assert [info.key for info in await files.list()] == [("skills", "a.md"), ("skills", "b.md")]
        assert await read(files, "skills", "b.md") == b"by hand"
        edited = await files.head(("skills", "b.md"))
        (root / "skills" / "b.md").write_bytes(b"by hand, again")
        with pytest.raises(ConflictError):
            await files.put(("skills", "b.md"), b"x", if_match=edited.etag)
        for name in ("link.md", "pipe.md"):
            with pytest.raises(NotFoundError):
                await files.head(("skills", name))
            with pytest.raises(NotFoundError):
                await files.get(("skills", name))


async def test_a_reading_that_is_not_read_lets_go_of_its_file(root: Path) -> None:
    async with connect_files(root.as_uri()) as files:
        await files.put(("a",), b"x" * 1_000_000)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            reading = await files.get(("a",))
            await reading.aclose()
            async with await files.get(("a",)) as reading:
                async for _chunk in reading:
                    break
            with pytest.raises(InvalidError):
                await files.get(("a",), start=2_000_000)
        assert len(os.listdir("/proc/self/fd")) == before


async def test_where_capitals_are_no_names_of_their_own_keys_still_are(root: Path) -> None:
    await (await connect_files(root.as_uri())).aclose()
    files = Folder(root, folded=True)
    keys = [("Ada", "CON"), ("ada", "con"), ("ADA", "Con"), ("ada", "Z\u00c9")]
    for n, key in enumerate(keys):
        await files.put(key, b"%d" % n)
    names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and ".clew" not in path.parts]
    assert len({name.lower() for name in names}) == len(keys)
    assert sorted([info.key for info in await files.list()]) == sorted(keys)
    for n, key in enumerate(keys):
        assert await read(files, *key) == b"%d" % n
    assert [info.key for info in await files.list(("Ada",))] == [("Ada", "CON")]
    first = await files.list(limit=2)
    rest = await files.list(limit=2, cursor=first.cursor)
    assert sorted([info.key for info in (*first, *rest)]) == sorted(keys)
