"""Backends around backends. A wrapper has the powers of what it wraps, and is judged by the same suite."""

from __future__ import annotations

from ..backend import Backend
from .coded import Coded
from .coding import Chain, Coding
from .looking import Sample, look
from .options import Options, take_options

__all__ = ["Coded", "Options", "Sample", "look", "make_coding", "take_options", "wrap"]


def wrap(backend: Backend, options: Options, coding: Coding) -> Backend:
    """Return a backend around an open one, whose bytes go through the coding as the options say."""
    return Coded(backend, coding, values=options.values, hides_vectors=options.keys is not None)


def make_coding(options: Options) -> Coding:
    """Return what the options ask for: compression, encryption, or both, in this order.

    Raises:
        InvalidError: the keys cannot be used.
        MissingExtraError: the library for it is not installed.
    """
    codings: list[Coding] = []
    if options.above is not None:
        # Here and not above: only who compresses needs the library, and so with encryption.
        from .squeezing import Squeezing

        codings.append(Squeezing(options.above))
    if options.keys is not None:
        from .keyring import Keyring
        from .sealing import Sealing

        codings.append(Sealing(Keyring.parse(options.keys), takes_plain=options.takes_plain))
    return codings[0] if len(codings) == 1 else Chain(*codings)
