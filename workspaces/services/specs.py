"""What a provider is told of an instance: the row, its secrets in clear, and what the platform says by itself."""

from __future__ import annotations

from django.conf import settings

from workspaces.models import Instance, Service, Workspace
from workspaces.providers.base import WORKSPACE_VOLUME, Limits, Spec, Volume

from . import instances

# Secrets that the server in the workspace takes under the platform's own names; the user's programs do not see them.
_GIT = {"GIT_USERNAME": "GATEHOUSE_GIT_USERNAME", "GIT_PASSWORD": "GATEHOUSE_GIT_PASSWORD"}


def of(instance: Instance) -> Spec:
    """The instance's specification as of now. Raises crypto.CannotOpen."""
    if isinstance(instance, Workspace):
        return _workspace(instance)
    assert isinstance(instance, Service)
    return _service(instance)


def _workspace(workspace: Workspace) -> Spec:
    environment = dict(workspace.environment)
    for name, value in instances.open_secrets(workspace).items():
        environment[_GIT.get(name, name)] = value
    environment["GATEHOUSE_WORKSPACE"] = workspace.name
    if workspace.git_url:
        environment["GATEHOUSE_GIT_URL"] = workspace.git_url
    if workspace.git_branch:
        environment["GATEHOUSE_GIT_BRANCH"] = workspace.git_branch
    if workspace.ports:
        environment["GATEHOUSE_PORTS"] = " ".join(map(str, sorted(workspace.ports.values())))
    if workspace.run_command:
        environment["GATEHOUSE_RUN_COMMAND"] = "1"
    return Spec(
        key=workspace.key,
        kind="workspace",
        tenant=workspace.tenant.slug,
        name=workspace.name,
        offset=workspace.offset,
        limits=_limits(workspace),
        image=workspace.image or settings.WORKSPACE_IMAGE,
        environment=environment,
        volumes=(WORKSPACE_VOLUME,),
        ports=tuple(sorted(workspace.ports.values())),
        restart_number=workspace.restart_number,
    )


def _service(service: Service) -> Spec:
    return Spec(
        key=service.key,
        kind="service",
        tenant=service.tenant.slug,
        name=service.name,
        offset=service.offset,
        limits=_limits(service),
        image=service.image,
        command=tuple(service.command),
        environment={**service.environment, **instances.open_secrets(service)},
        volumes=tuple(Volume(name, path) for name, path in sorted(service.volumes.items())),
        restart_number=service.restart_number,
    )


def _limits(instance: Instance) -> Limits:
    return Limits(instance.memory_bytes, instance.cpu_millis, instance.pids)
