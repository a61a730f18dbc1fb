"""Containers of a Docker engine on this machine, reached through the broker (`workspaces.broker`), which hardens them.

The edge dials the containers' own addresses on one bridge that keeps them apart; no port is published on the host.
"""

from .provider import DockerProvider

__all__ = ["DockerProvider"]
