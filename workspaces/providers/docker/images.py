"""Images: whether they are there, and where that is allowed, fetching them."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from docker.errors import APIError, ImageNotFound, NotFound

from workspaces.providers.base import Refused, Spec, Unavailable

from .engine import failure, said

_TAGGED = re.compile(r"(.+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]*)|@(sha256:[0-9a-f]{64}))?")


def inspect(api: Any, name: str) -> dict[str, Any]:
    """Raises Refused where it is not there, APIError."""
    try:
        found: dict[str, Any] = api.inspect_image(name)
    except (ImageNotFound, NotFound) as e:
        if name == settings.WORKSPACE_IMAGE:
            raise Refused(f"The image {name} is not there: `make workspace-image` builds it.") from e
        raise Refused(f"The image {name} is not on the container engine.") from e
    return found


def ensure(api: Any, spec: Spec) -> dict[str, Any]:
    """The image of a specification, pulled where it is missing and that is allowed. Raises Refused, Unavailable."""
    name = spec.image or settings.WORKSPACE_IMAGE
    try:
        return inspect(api, name)
    except Refused:
        if settings.DOCKER_PULL != "missing" or name == settings.WORKSPACE_IMAGE:
            raise
    _pull(api, name)
    return inspect(api, name)


def _pull(api: Any, name: str) -> None:
    found = _TAGGED.fullmatch(name)
    assert found
    try:
        for line in api.pull(found[1], tag=found[2] or found[3] or "latest", stream=True, decode=True):
            if problem := line.get("error"):
                raise _why(name, str(problem))
    except APIError as e:
        raise (failure(e) if e.status_code == 403 else _why(name, said(e))) from e


def _why(name: str, words: str) -> Refused | Unavailable:
    low = words.lower()
    if any(
        one in low
        for one in (
            "not found",
            "does not exist",
            "denied",
            "unauthorized",
            "invalid reference",
            "manifest unknown",
        )
    ):
        return Refused(f"The image {name} cannot be pulled: {words[:200]}")
    return Unavailable(f"The image {name} could not be pulled: {words[:200]}")
