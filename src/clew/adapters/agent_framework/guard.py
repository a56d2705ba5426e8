"""Whether a model's service keeps the conversation itself, so that history sent along would reach the model twice."""

from __future__ import annotations

from agent_framework import SessionContext, SupportsAgentRun


def is_kept_by_service(agent: SupportsAgentRun, context: SessionContext) -> bool:
    """Return whether this run goes on with a conversation of the service's own.

    A client that stores by default, but has no conversation to go on with yet, must be given the history: nobody else has it.
    """
    if context.service_session_id:
        return True
    if getattr(agent, "require_per_service_call_history_persistence", False):
        # Round each model call the framework itself decides who loads, and asks only where we are to.
        return False
    defaults = getattr(agent, "default_options", None) or {}
    return bool(context.options.get("conversation_id") or defaults.get("conversation_id"))
