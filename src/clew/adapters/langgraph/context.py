"""What each verb of a saver works with, and how a configuration of LangGraph's is read."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from langchain_core.runnables import RunnableConfig

from ...errors import InvalidError
from ...model import Ref
from ...store import Store
from .drafting import Plain
from .memory import Known, Memory


class Context(NamedTuple):
    """A saver's settings.

    Attributes:
        store: an open store.
        owner: whose the threads are.
        ttl: seconds until a thread vanishes, None for never.
        sliding: whether each write starts the time anew.
        plain: the serializer, and how lists are compared.
        memory: what is known of threads.
    """

    store: Store
    owner: str
    ttl: float | None
    sliding: bool
    plain: Plain
    memory: Memory


class Address(NamedTuple):
    """What a configuration names.

    Attributes:
        thread: the thread, for the store.
        branch: the branch, "" for the root graph; None where the configuration names none.
        id: the checkpoint's id; None for the latest, or for a first one.
    """

    thread: Ref
    branch: str | None
    id: str | None


def address_of(owner: str, config: RunnableConfig) -> Address:
    """Return what a configuration names; InvalidError where that is no thread."""
    configurable = config.get("configurable") or {}
    thread = configurable.get("thread_id")
    if thread is None:
        raise InvalidError(_NO_THREAD)
    return Address(Ref(owner, str(thread)), configurable.get("checkpoint_ns"), configurable.get("checkpoint_id") or None)


def locate(context: Context, config: RunnableConfig) -> tuple[Known, str | None, str | None]:
    """Return what is known of the thread that a configuration names, its branch and its checkpoint's id, as `address_of` does.

    It is done for every put and get.
    """
    try:
        configurable = config["configurable"]
        thread = configurable["thread_id"]
    except KeyError:
        thread = None
    if thread is None:
        raise InvalidError(_NO_THREAD)
    known = context.memory.find(context.owner, thread if type(thread) is str else str(thread))
    return known, configurable.get("checkpoint_ns"), configurable.get("checkpoint_id") or None


def config_of(thread: str, branch: str, id: str, more: dict[str, Any] | None = None) -> RunnableConfig:
    """Return the configuration that names a checkpoint."""
    named = {"thread_id": thread, "checkpoint_ns": branch, "checkpoint_id": id}
    return {"configurable": named if more is None else {**more, **named}}


_NO_THREAD: Final = 'the configuration names no thread: pass {"configurable": {"thread_id": "..."}}'
