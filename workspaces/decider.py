"""What the decision process decides about what runs."""

from gateway.decision.registry import registry
from workspaces.routing.introspection import IntrospectionDecider
from workspaces.routing.services import ServicePortDecider
from workspaces.routing.workspaces import WorkspaceDecider
from workspaces.snapshot import SERVICE_PORTS, WORKSPACES

registry.register(ServicePortDecider(), parts=[SERVICE_PORTS])
registry.register(IntrospectionDecider(), parts=[WORKSPACES])
registry.register(WorkspaceDecider(), parts=[WORKSPACES])
