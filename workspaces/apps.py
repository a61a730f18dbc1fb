"""What runs: one container per workspace with an MCP server inside, and managed services with ports.

Owns Workspace, Template, Service, Port and VolumeSnapshot; none of them exists yet.
"""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "workspaces"
