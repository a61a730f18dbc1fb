"""What the MCP conformance suite asks of a server, on the workspace's own start-up and transport. Not in the image."""
