"""How a fault is planted: in a script's text, or in a module's. What no longer finds its place fails, so that none goes stale."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass

Fault = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault, the kind of server it shows on ("memory" for the embedded engine), and the suite that must see it."""

    plant: Fault
    suite: str = "TestBackend"
    kind: str = "valkey-9.1"


def python(module: types.ModuleType, old: str, new: str) -> Fault:
    """Return the fault of a module in which `new` stands for `old`; whoever has imported its functions gets it too."""

    def plant() -> None:
        source = inspect.getsource(module)
        assert old in source, f"{module.__name__} no longer holds {old!r}: mend this mutant"
        changed = dict(vars(module))
        exec(compile(source.replace(old, new), str(module.__file__), "exec"), changed)
        _graft(vars(module), changed)

    return plant


def _graft(sound: dict[str, object] | types.MappingProxyType[str, object], changed: dict[str, object]) -> None:
    for name, value in list(sound.items()):
        other = changed.get(name)
        if isinstance(value, types.FunctionType) and isinstance(other, types.FunctionType):
            value.__code__ = other.__code__
        elif isinstance(value, type) and isinstance(other, type) and value is not other:
            _graft(vars(value), dict(vars(other)))
        elif isinstance(value, str | int) and isinstance(sound, dict):
            sound[name] = other
