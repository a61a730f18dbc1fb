"""Fixtures of the S3 front's tests beside the shared stack."""

from collections.abc import Iterator

import pytest

from storage.s3.tests.backends import moto, radosgw, rclone
from storage.s3.tests.unruly import Unruly
from tests.stack import Account, Stack

__all__ = ["moto", "radosgw", "rclone"]


@pytest.fixture(scope="module", params=["moto", "rclone", pytest.param("radosgw", marks=pytest.mark.long)])
def backend(request: pytest.FixtureRequest) -> str:
    """The name of each backend in turn."""
    name: str = request.getfixturevalue(request.param)
    return name


@pytest.fixture(scope="module")
def unruly(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Unruly]:
    """A backend of the module's own that misbehaves on demand."""
    server = Unruly(request.module.__name__.rpartition(".test_")[2].replace("_", "-"))
    stack.remote_backend(server.name, server.start())
    yield server
    server.stop()


@pytest.fixture
def far(unruly: Unruly) -> Iterator[Unruly]:
    """The same, which behaves again after the test."""
    yield unruly
    unruly.mood = "well"


@pytest.fixture(scope="module")
def account(stack: Stack, backend: str) -> Account:
    """With a bucket `docs` on the backend and `local` in our own store. Modules about something else have their own."""
    made = stack.account()
    made.bucket(backend=backend)
    made.bucket("local")
    return made
