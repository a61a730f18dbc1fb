"""Whether the platform can work: each component asked, with a time limit (docs/operations.md)."""

from .looking import STATUSES, Component, Health, look
from .probes import COMPONENT_STATUSES, beat
from .views import health

__all__ = ["COMPONENT_STATUSES", "STATUSES", "Component", "Health", "beat", "health", "look"]
