"""The seams of the MCP SDK on clew."""
