"""The options of a store's URL that are a wrapper's own: taken out, before the backend reads the rest."""

from __future__ import annotations

from collections.abc import Container

from ..errors import InvalidError


def split_options(url: str, names: Container[str]) -> tuple[str, dict[str, str]]:
    """Return the URL without the options of these names, and their texts as they stand there, percent-encoded.

    Raises:
        InvalidError: one is said twice.
    """
    head, _, tail = url.partition("?")
    query, hash_, fragment = tail.partition("#")
    found: dict[str, str] = {}
    others: list[str] = []
    for part in query.split("&") if query else []:
        name, _, text = part.partition("=")
        if name not in names:
            others.append(part)
        elif name in found:
            raise InvalidError(f"the option {name} stands twice in the store's URL: leave one out")
        else:
            found[name] = text
    if not found:
        return url, found
    return head + ("?" + "&".join(others) if others else "") + hash_ + fragment, found
