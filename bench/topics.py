"""What a benchmark is made of: topics, each with the names of its rows and a function that measures those that are wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from .report import Row


@dataclass(frozen=True, slots=True)
class Plan:
    """How to measure.

    Attributes:
        rounds: how many, at least 5.
        only: a row, or the rows below a name; None for all.
    """

    rounds: int
    only: str | None = None

    def wants(self, name: str) -> bool:
        """Tell whether a row, or some row below it, is to be measured."""
        return self.only is None or f"{self.only}/".startswith(f"{name}/") or f"{name}/".startswith(f"{self.only}/")


@dataclass(frozen=True, slots=True)
class Topic:
    """Some rows that are measured with the same means.

    Attributes:
        names: the names its rows have, or start with.
        run: measures those that the plan wants, and cleans up.
    """

    names: tuple[str, ...]
    run: Callable[[Plan], Awaitable[Sequence[Row]]]
