"""A worker that drives one LangGraph saver, whichever it is, and times it. Runs in environments without clew."""
