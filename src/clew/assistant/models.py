"""Which model answers: an OpenAI-compatible one, one on Azure, or the local one. Read from the environment and `.env`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..errors import InvalidError, MissingExtraError
from ..settings import mask_url

if TYPE_CHECKING:
    from openai import AsyncOpenAI

INSTRUCTIONS: Final = "You are a helpful assistant. Answer briefly."
LOCAL_INSTRUCTIONS: Final = (
    "You are a helpful assistant. The user tells you facts about themselves. When asked, repeat the facts the user told you."
)
"""A model this small needs to be told that the facts are the user's; of many wordings this one made it answer best."""
LOCAL_ROOM: Final = 1_500
"""What is sent to the local model at most, in `conversation`'s cautious measure of tokens; more makes it slow, and no better."""
LOCAL_ANSWER: Final = 200
DEFAULT_OPENAI: Final = "gpt-4o-mini"
NO_MODEL: Final = "no model is set up (OPENAI_API_KEY, OPENAI_BASE_URL, or AOAI_ENDPOINT and AOAI_DEPLOYMENT), and the local one"


@dataclass(frozen=True, slots=True)
class Model:
    """A model to talk to.

    Attributes:
        label: its name, for people.
        name: its name, for the API.
        client: an Agent Framework chat client; `api` is the one of OpenAI's that it works with.
        options: what to send with each request.
        instructions: the system prompt.
        room: how much to send at most, so that it fits the model, in tokens (`room.measure`); None for all of the history.
        calls_tools: whether it can be trusted to call tools.
        is_running: whether it can still answer. A model that runs elsewhere is not asked.
    """

    label: str
    name: str
    client: Any
    options: Mapping[str, Any]
    instructions: str = INSTRUCTIONS
    room: int | None = None
    calls_tools: bool = True
    is_running: Callable[[], bool] = lambda: True

    @property
    def api(self) -> AsyncOpenAI:
        """OpenAI's own client, with the address and the access of this model."""
        api: AsyncOpenAI = self.client.client
        return api


def names_a_model(env: Mapping[str, str]) -> bool:
    """Tell whether the environment names a model elsewhere, and so not the local one."""
    named = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AOAI_ENDPOINT", "AOAI_DEPLOYMENT")
    return env.get("CLEW_MODEL") != "local" and any(name in env for name in named)


def trusts_tools(env: Mapping[str, str]) -> bool:
    """Tell whether the model that the environment names may be trusted to call tools.

    Raises:
        InvalidError: `CLEW_MODEL_TOOLS` is neither yes nor no.
    """
    said = env.get("CLEW_MODEL_TOOLS", "yes")
    if said not in ("yes", "no"):
        raise InvalidError(f"CLEW_MODEL_TOOLS must be yes or no, not {said!r}")
    return names_a_model(env) and said == "yes"


def read_environment() -> dict[str, str]:
    """Return the variables of `.env` and of the process, which win; empty ones count as not set."""
    from dotenv import dotenv_values

    found = {name: text for name, text in dotenv_values(".env").items() if text} if os.path.isfile(".env") else {}
    return found | {name: text for name, text in os.environ.items() if text}


async def open_model(stack: AsyncExitStack) -> Model:
    """Return the model that the environment names; what it opens is closed by the stack.

    Raises:
        InvalidError: the settings are half there.
        MissingExtraError: there are none, and the local model is not installed.
        UnavailableError: the local model did not start.
    """
    env = read_environment()
    client_type = _client_type()
    if names_a_model(env):
        named = _openai if "OPENAI_API_KEY" in env or "OPENAI_BASE_URL" in env else _azure
        model = named(client_type, env)
        stack.push_async_callback(model.api.close)
        return model
    from .local_model import NAME, LocalModel, is_installed

    if not is_installed():
        raise MissingExtraError(NO_MODEL, "local-model")
    local = await LocalModel.start()
    stack.push_async_callback(local.aclose)
    client = client_type(NAME, api_key="none", base_url=local.url)
    stack.push_async_callback(client.client.close)
    # Short and always the same: a small model rambles, and a script wants one answer.
    return Model(
        f"{NAME} (local, llama.cpp)",
        NAME,
        client,
        {"temperature": 0.0, "max_tokens": LOCAL_ANSWER},
        LOCAL_INSTRUCTIONS,
        LOCAL_ROOM,
        calls_tools=False,
        is_running=local.is_running,
    )


def _openai(client_type: Any, env: Mapping[str, str]) -> Model:
    names = ("OPENAI_CHAT_COMPLETION_MODEL", "OPENAI_CHAT_MODEL", "OPENAI_MODEL")
    name = next((env[each] for each in names if each in env), DEFAULT_OPENAI)
    base_url = env.get("OPENAI_BASE_URL")
    client = client_type(name, api_key=env.get("OPENAI_API_KEY", "none"), base_url=base_url)
    place = mask_url(base_url) if base_url else "OpenAI"
    options = {"store": False} if base_url is None else {}
    return Model(f"{name} ({place})", name, client, options, calls_tools=trusts_tools(env))


def _azure(client_type: Any, env: Mapping[str, str]) -> Model:
    endpoint, deployment = env.get("AOAI_ENDPOINT"), env.get("AOAI_DEPLOYMENT")
    if not endpoint or not deployment:
        raise InvalidError("Azure needs both AOAI_ENDPOINT and AOAI_DEPLOYMENT: set the one that is missing")
    key = env.get("AOAI_API_KEY") or env.get("AZURE_OPENAI_API_KEY")
    version = env.get("AZURE_OPENAI_API_VERSION")
    access = {"api_key": key} if key is not None else {"credential": _azure_identity()}
    client = client_type(deployment, azure_endpoint=endpoint, api_version=version, **access)
    return Model(f"{deployment} (Azure, {mask_url(endpoint)})", deployment, client, {}, calls_tools=trusts_tools(env))


def _azure_identity() -> Any:
    try:
        identity = import_module("azure.identity")
    except ImportError as error:
        raise InvalidError("Azure needs a key (AOAI_API_KEY or AZURE_OPENAI_API_KEY), or the package azure-identity") from error
    return identity.DefaultAzureCredential()


def _client_type() -> Any:
    try:
        from agent_framework.openai import OpenAIChatCompletionClient
    except ImportError as error:
        raise MissingExtraError("clew chat", "chat") from error
    return OpenAIChatCompletionClient
