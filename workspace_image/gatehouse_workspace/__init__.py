"""The server inside a workspace: MCP tools for git, files and GitLab, confined to the workspace's volume."""

__version__ = "0.1.0"
