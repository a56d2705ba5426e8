"""What URLs and variables say of encryption and compression: where it goes, what is refused, and that no key is ever shown."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

import clew
from clew.backend import Collecting, Describing, Values
from clew.backends.sqlite import SqliteBackend
from clew.cli.doctor import examine
from clew.errors import InvalidError, UnsupportedError
from clew.nearest import Nearest
from clew.schemes import open_backend
from clew.settings import Settings, mask_url
from clew.splicing import Splicing
from clew.store.checks import need_collecting

from .support import key

NEW, OLD = key("new"), key("old")
SECRET = quote(NEW, safe="")


def url_from(**environ: str) -> str:
    """Return the URL of an environment."""
    return Settings.from_env({"CLEW_URL": "memory://", **environ}, None).url


async def test_variables_become_options_that_are_never_shown(tmp_path: Path) -> None:
    url = url_from(CLEW_ENCRYPTION_KEYS=f"{NEW},{OLD}", CLEW_COMPRESS="100")
    assert NEW.partition(":")[2] not in mask_url(url)
    assert mask_url(url) == "memory://?encryption_secret=***&compress=100"
    file = tmp_path / "keys"
    file.write_text(f"# the newest first\n{NEW}\n{OLD} # of last year\n")
    for chosen in (url, url_from(CLEW_ENCRYPTION_KEYS_FILE=str(file), CLEW_COMPRESS="100")):
        backend = await open_backend(chosen)
        assert isinstance(backend, Describing)
        facts = await backend.describe()
        assert facts["encryption"] == "AES-256-GCM, writes with the key new; reads old too"
        assert facts["compression"] == "zstd, from 100 bytes on"
        await backend.aclose()


def test_a_url_that_says_it_goes_first() -> None:
    said = "memory://?encryption_file=/keys&x=1"
    assert Settings.from_env({"CLEW_ENCRYPTION_KEYS": NEW, "CLEW_COMPRESS": "yes"}, None, url=said).url == f"{said}&compress=yes"
    assert (
        Settings.from_env({"CLEW_ENCRYPTION_KEYS": NEW}, None).with_coding("memory://") == f"memory://?encryption_secret={SECRET}"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("encryption_secret=nothing", "has no id"),
        ("encryption_secret=a:ab%3D", "no base64|instead of 32"),
        (f"encryption_secret=a:{base64.b64encode(b'16 bytes, no mor').decode()}", "16 bytes instead of 32"),
        (f"encryption_secret={SECRET},{SECRET}", "same id"),
        (f"encryption_secret=a/b{SECRET[3:]}", "the id of an encryption key"),
        ("encryption_secret=%23nothing", "no encryption key"),
        (f"encryption_secret={SECRET}&encryption_secret={SECRET}", "twice"),
        (f"encryption_secret={SECRET}&encryption_file=/x", "in a file"),
        (f"encryption_secret={SECRET}&encryption_plain=maybe", "take or refuse"),
        (f"encryption_secret={SECRET}&encryption_values=maybe", "no or yes"),
        ("encryption_values=yes", "has no keys"),
        ("compress=0", "a number of bytes"),
        ("compress=all", "a number of bytes"),
        ("compress=99999999", "a number of bytes"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_no_key_is_told(options: str, said: str) -> None:
    with pytest.raises(InvalidError, match=said) as caught:
        await open_backend(f"memory://?{options}")
    assert NEW.partition(":")[2] not in str(caught.value)
    assert "no mor" not in str(caught.value)


def test_keys_given_twice_are_refused() -> None:
    with pytest.raises(InvalidError, match="in a file"):
        url_from(CLEW_ENCRYPTION_KEYS=NEW, CLEW_ENCRYPTION_KEYS_FILE="/keys")


async def test_a_wrapper_has_the_powers_of_what_it_wraps() -> None:
    plain = await open_backend("memory://")
    verbs = {name for name in dir(plain) if not name.startswith("_")} - {"open"}
    assert isinstance(plain, SqliteBackend)
    squeezed = await open_backend("memory://?compress=yes")
    sealed = await open_backend(f"memory://?encryption_secret={SECRET}")
    hidden = await open_backend(f"memory://?encryption_secret={SECRET}&encryption_values=yes")
    assert verbs <= set(dir(squeezed))
    assert verbs <= set(dir(sealed))
    assert not isinstance(sealed, Nearest)
    assert isinstance(hidden, Values)
    assert not isinstance(hidden, Collecting | Splicing)
    with pytest.raises(UnsupportedError, match="CLEW_ENCRYPTION_VALUES"):
        need_collecting(hidden)
    for backend in (plain, squeezed, sealed, hidden):
        await backend.aclose()


async def test_doctor_tells_what_is_on_and_which_keys_are_seen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/clew.db"
    for keys in (None, OLD, f"{NEW},{OLD}"):
        async with clew.connect(url if keys is None else f"{url}?encryption_secret={quote(keys, safe='')}") as store:
            thread = await store.threads.create("ada")
            await store.items.append(thread, clew.NewItem.json("hello"))

    async def sample(more: str) -> tuple[bool | None, str]:
        checks = {check.name: check async for check in examine(url + more, "ada")}
        return checks["sample"].ok, checks["sample"].detail

    both = quote(f"{NEW},{OLD}", safe="")
    counts = "2 key new, 2 key old, 2 plain"
    assert await sample(f"?encryption_secret={both}") == (
        None,
        f"{counts}: not all of it has the newest key, new; keep the older keys",
    )
    for more, said in (("", "CLEW_ENCRYPTION_KEYS"), (f"?encryption_secret={SECRET}", "the key 'old', which is not there")):
        ok, detail = await sample(more)
        assert (ok, detail[: len(counts)]) == (False, counts)
        assert said in detail
