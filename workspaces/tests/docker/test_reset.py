"""A home that goes leaves nothing on the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.supervisor import engine as engines
from workspaces.providers.base import Spec
from workspaces.providers.docker import DockerProvider

from .conftest import Broker


def test_what_a_home_has_on_the_engine_goes_with_it(
    provider: DockerProvider, broker: Broker, engine: Any, spec: Callable[..., Spec]
) -> None:
    provider.ensure(spec(), running=True)
    provider.ensure(spec(), running=False)
    identity = (broker.home / "platform-id").read_text()
    assert engines.clear(broker.home) == ""
    assert broker.labelled(engine) == {"containers": [], "volumes": []}
    assert engine.networks(names=[broker.network]) == []
    assert engines.clear(broker.home) == ""
    (broker.home / "platform-id").write_text(identity)  # others in this module's home go on
