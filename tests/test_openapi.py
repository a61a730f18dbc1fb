"""The OpenAPI document is true: property-based calls of every operation, as staff and as nobody."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.management import call_command
from hypothesis import HealthCheck
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from gateway.wsgi import application
from tests import factories
from workspaces.providers import registry
from workspaces.providers.fake import FakeProvider

# The application closes its connections after each request, as it does in a server.
pytestmark = pytest.mark.django_db(transaction=True)

_EXAMPLES = 10
# The same examples each time, so that who changed nothing here breaks nothing here; any other finds new ones.
_SEED = int(os.environ.get("SCHEMATHESIS_SEED", "1"))
_REFUSED_EXAMPLES = 3  # who is nobody gets no further than the door


def _schema() -> Any:
    from drf_spectacular.generators import SchemaGenerator

    document = json.loads(json.dumps(SchemaGenerator().get_schema(request=None, public=True), default=str))
    # The tests bring their own credential; generated ones would only be refused.
    del document["components"]["securitySchemes"]
    for methods in document["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    found = schemathesis.openapi.from_dict(document, config=SchemathesisConfig(seed=_SEED))
    found.app = application
    return found


schema = _schema()


@pytest.fixture
def unlimited(settings) -> None:
    settings.API_RATE_LIMIT = settings.AUTH_RATE_LIMIT = 0


_settings = hypothesis.settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# What is valid by its form may still be refused: an expiry in the past, a name that is taken.
_NOT_ASKED = [checks.positive_data_acceptance]


@pytest.fixture
def somewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider, so that what asks for one is not refused as long as none is there."""
    made = FakeProvider()
    monkeypatch.setattr(registry, "PATHS", {"fake": "unused"})
    monkeypatch.setattr(registry, "MADE", {"fake": made})
    monkeypatch.setattr(registry, "_found", {})
    yield
    made.close()


@pytest.mark.long
@schema.parametrize()
@_settings
def test_as_staff(case: Any, unlimited: None, somewhere: None) -> None:
    """No call makes a 5xx, and every answer is what the document says."""
    case.call_and_validate(
        headers={"Authorization": factories.bearer(factories.staff())}, excluded_checks=_NOT_ASKED
    )


@schema.parametrize()
@hypothesis.settings(_settings, max_examples=_REFUSED_EXAMPLES)
def test_as_nobody(case: Any, unlimited: None) -> None:
    """Without a credential nothing but 401, or what is open to all."""
    answer = case.call()
    assert answer.status_code < 500
    public = case.path.startswith(("/api/v1/auth/", "/api/v1/health", "/api/v1/invitations/accept"))
    assert public or answer.status_code in (401, 405), answer.status_code


def test_the_document_is_made_without_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    call_command(
        "spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", "/dev/null"
    )
