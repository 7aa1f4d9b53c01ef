"""Connections to the MCP servers the operator configured; the only import of `mcp` here."""
