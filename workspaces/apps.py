"""What runs: workspaces, each with an MCP server inside, and managed services with ports."""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    name = "workspaces"

    def ready(self) -> None:
        from tenants import purge_steps

        purge_steps.register("instances", "workspaces.services.purge.purge_tenant", order=5)
