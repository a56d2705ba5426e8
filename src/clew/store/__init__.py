"""The domain verbs, written once above the waist: threads, items, routes, values, runs, checkpoints.

Nothing here knows an engine.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any

from ..backend import Backend, Pinging
from ..errors import ClosedError, InvalidError
from ..records import Partition
from ..schemes import observed_url, open_backend
from ..settings import Settings
from .checkpoints import Checkpoints
from .forgetting import Forgotten, Told, forget
from .gate import Gate
from .items import Items
from .owned_keys import Owned, owned_keys
from .reaching import Reaching
from .routes import Routes
from .runs import Producer, Runs
from .threads import Threads
from .trimming import safe_cut
from .values import Values

__all__ = [
    "Checkpoints",
    "Connecting",
    "Forgotten",
    "Gate",
    "Items",
    "Owned",
    "Producer",
    "Routes",
    "Runs",
    "Store",
    "Threads",
    "Values",
    "connect",
    "owned_keys",
    "safe_cut",
]


class Store:
    """The verbs for threads, items, runs, routes and values, on one backend. Made by `connect`; safe to share by all tasks.

    Attributes:
        threads: the verbs for whole threads.
        items: the verbs for what is in them.
        runs: the verbs for answers that are being made in them.
        checkpoints: the verbs for states of programs that are kept with them.
        backend: what speaks to the database.
    """

    def __init__(self, backend: Backend) -> None:
        """Stand on an open backend, which `aclose` closes."""
        self.backend = backend
        self.threads = Threads(backend)
        self.items = Items(backend)
        self.runs = Runs(backend)
        self.checkpoints = Checkpoints(backend)

    def routes(self, prefix: str, *, index: str | None = None, ttl: float | None = None) -> Routes:
        """Return the verbs for the routes under a literal prefix, as `bot:conv:`, which is not empty.

        Args:
            index: another prefix, as `bot:session:`, under which it is kept which conversations lead to a session.
            ttl: seconds without a look at a route after which it vanishes; None for what each call says.
        """
        return Routes(self.backend, prefix, index=index, ttl=ttl)

    def values(self, prefix: str = "") -> Values:
        """Return the verbs for the values under a literal prefix."""
        return Values(self.backend, prefix)

    async def forget(
        self,
        owner: str,
        *,
        keys: Sequence[Owned] | None = None,
        dry: bool = False,
        scrub: bool = True,
        told: Told | None = None,
    ) -> Forgotten:
        """Erase an owner: every partition of theirs with all that belongs to it, tombstones too, and their literal keys.

        Then it looks whether anything is left, and goes again where somebody wrote meanwhile. Nothing stays that would refuse a
        late write: a write to a thread that has to be there is not found, one that makes a thread makes it. End the owner's
        writers first. Files, and API keys that speak for the owner, are not in here: `clew forget` takes those too.

        Args:
            keys: where their literal keys are; what `owned_keys` says for None. Give more where a program keeps some of its own.
            dry: only count.
            scrub: overwrite what erased data left in the store's own files, where that can be done from here. On SQLite that is a
                VACUUM, for which writers wait, and which needs as much room again as the file has.
            told: called after each step with what it found.

        Raises:
            UnsupportedError: the store cannot erase owners.
            FullError: there was no room to scrub; what was erased stays erased.
        """
        return await forget(self.backend, owner, keys=keys, dry=dry, scrub=scrub, told=told)

    async def ping(self) -> None:
        """Return when the store has answered; raise UnavailableError where it does not within its time-out."""
        if isinstance(self.backend, Pinging):
            await self.backend.ping()
        else:
            await self.backend.revision(Partition("clew", "ping"))

    @property
    def place(self) -> str:
        """Where it is, for logs and errors: its URL without credentials and options, where the backend knows it."""
        return getattr(self.backend, "place", "the given store")

    @property
    def fails_in_part(self) -> bool:
        """Whether a call can find the store away while others go on, as on a cluster: `reach` tells whether all of it is."""
        return isinstance(self.backend, Reaching) and self.backend.fails_in_part

    async def reach(self) -> None:
        """Return when some part of the store has answered; raise UnavailableError where none does within its time-out."""
        if isinstance(self.backend, Reaching):
            await self.backend.reach()
        else:
            await self.ping()

    async def aclose(self) -> None:
        """Finish what was sent and close the backend. Later calls raise ClosedError; a second close does nothing."""
        await self.backend.aclose()

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


class Connecting:
    """A store on its way: `async with` it, or `await` it and close the store yourself. Nothing is opened before."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._store: Store | None = None

    def __await__(self) -> Generator[Any, None, Store]:
        return self._open().__await__()

    async def __aenter__(self) -> Store:
        if self._store is not None:
            raise InvalidError("this connection is in use: call clew.connect again for another one")
        self._store = await self._open()
        return self._store

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        store, self._store = self._store, None
        if store is None:
            raise ClosedError("this connection is closed already")
        await store.aclose()

    async def _open(self) -> Store:
        url = self._url
        if url is None:
            settings = Settings.from_env()
            settings.make_folder()
            url = observed_url(settings.url, metrics=settings.metrics != "off", tracing=settings.tracing)
        return Store(await open_backend(url))


def connect(url: str | None = None) -> Connecting:
    """Open the store that a URL names, and prove that it answers: `async with connect(url) as store:`, or `await connect(url)`.

    Args:
        url: `sqlite:///file.db`, `redis://host:6379/0`, `memory://` or another that `clew.schemes.SCHEMES` lists; None for the
            one that the environment names (`clew.settings`), or else an embedded file in the user's data folder.

    Raises:
        InvalidError: an unknown scheme, a bad option or setting.
        MissingExtraError: the scheme needs an extra that is not installed.
        UnavailableError, DeniedError, UnsupportedError: the store does not answer, or cannot be used.
    """
    if url is not None and not isinstance(url, str):
        raise InvalidError(f"a store's URL must be a string, not {type(url).__name__}")
    return Connecting(url)
