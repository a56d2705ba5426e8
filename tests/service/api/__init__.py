"""The HTTP API and its door, over real sockets, on SQLite and on Redis."""
