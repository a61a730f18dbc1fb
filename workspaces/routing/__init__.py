"""Deciders of what is reached through the edge: workspaces, ports of services, introspection by workspaces."""
