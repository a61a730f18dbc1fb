"""What runs, in the admin: to be looked at, and steered through the verbs."""

from . import parts, services, templates, workspaces

__all__ = ["parts", "services", "templates", "workspaces"]
