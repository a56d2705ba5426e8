"""clew as an MCP server, driven by the official client."""
