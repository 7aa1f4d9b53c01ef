"""APWA as an MCP server: tools over the HTTP interface, for agents that want work done."""
