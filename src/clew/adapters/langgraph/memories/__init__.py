"""LangGraph's store on clew: one room for each thing that it takes. Exported by `clew.adapters.langgraph`."""

from __future__ import annotations

from .store import ClewStore

__all__ = ["ClewStore"]
