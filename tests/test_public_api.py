"""The public names are a promise: a change here is a change for users, and belongs in the changelog."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import clew
import clew.errors
import clew.store
import clew.testing

PUBLIC = [
    "AlreadyExistsError",
    "Appended",
    "ClewError",
    "ClosedError",
    "ConflictError",
    "DeniedError",
    "EventId",
    "FencedError",
    "FullError",
    "GoneError",
    "InvalidError",
    "Item",
    "MissingExtraError",
    "NewItem",
    "NotFoundError",
    "NotReplicatedError",
    "Once",
    "Page",
    "Producer",
    "Ref",
    "Resolved",
    "Retention",
    "ReusedTokenError",
    "Run",
    "RunEvent",
    "Store",
    "Thread",
    "ThreadKey",
    "UnavailableError",
    "UnknownCursorError",
    "UnreadableError",
    "UnsupportedError",
    "Value",
    "__version__",
    "connect",
    "safe_cut",
]
VERBS = {
    clew.Store: ["aclose", "forget", "ping", "reach", "routes", "values"],
    clew.store.Threads: ["create", "delete", "expire", "get", "list", "made", "put", "update"],
    clew.store.Items: [
        "append",
        "follow",
        "fork",
        "get",
        "page",
        "put",
        "remove",
        "replace",
        "set_status",
        "tail",
        "trim",
        "truncate",
    ],
    clew.store.Routes: ["conversations", "delete", "exists", "get", "rebind", "resolve", "set"],
    clew.store.Runs: [
        "active",
        "cancel",
        "events",
        "follow",
        "get",
        "interrupt",
        "list",
        "start",
        "take_over",
    ],
    clew.Producer: [
        "aclose",
        "append",
        "cancelled",
        "extend",
        "fail",
        "finish",
        "interrupted",
        "wait_stop",
    ],
    clew.store.Values: ["create", "delete", "get", "get_data", "list", "put", "put_data", "splice"],
}
BROUGHT = """
import sys
before = set(sys.modules)
import clew
brought = {name.partition(".")[0] for name in set(sys.modules) - before}
# msgspec itself uses typing_extensions where another package has brought it.
print(*sorted(brought - set(sys.stdlib_module_names) - {"typing_extensions"}))
print(*sorted(name for name in set(sys.modules) - before if name.startswith(("clew.backends.", "sqlite3", "importlib.metadata"))))
"""


def test_the_public_names_are_these() -> None:
    assert clew.__all__ == PUBLIC
    assert all(hasattr(clew, name) for name in PUBLIC)


def test_every_error_is_public() -> None:
    errors = {name for name, kind in vars(clew.errors).items() if inspect.isclass(kind) and issubclass(kind, clew.ClewError)}
    assert errors <= set(PUBLIC)


@pytest.mark.parametrize("kind", VERBS, ids=lambda kind: kind.__name__)
def test_the_verbs_are_these_and_each_is_explained(kind: type) -> None:
    verbs = sorted(name for name, verb in vars(kind).items() if callable(verb) and not name.startswith("_"))
    assert verbs == VERBS[kind]
    assert all(inspect.getdoc(getattr(kind, name)) for name in verbs)


def test_the_version_is_the_packages() -> None:
    assert clew.__version__ == importlib.metadata.version("clew")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        clew.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_importing_clew_brings_the_standard_library_and_msgspec_and_no_backend() -> None:
    done = subprocess.run([sys.executable, "-c", BROUGHT], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "clew msgspec\n\n"
