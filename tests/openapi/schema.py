"""The OpenAPI document as property-based calls of every operation are made of it."""

from __future__ import annotations

import json
import os
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck
from schemathesis.config import SchemathesisConfig

from gateway.api.document import document
from gateway.wsgi import application

# The same examples each time, so that who changed nothing here breaks nothing here; any other finds new ones.
_SEED = int(os.environ.get("SCHEMATHESIS_SEED", "1"))

settings = hypothesis.settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def _schema(*phases: str) -> Any:
    told = json.loads(document())
    # The tests bring their own credential; generated ones would only be refused.
    del told["components"]["securitySchemes"]
    for methods in told["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    found = schemathesis.openapi.from_dict(told, config=SchemathesisConfig(seed=_SEED))
    found.config.phases.update(phases=list(phases))
    found.app = application
    return found


# With a case for each limit of each field, thousands in all; and with generated ones alone.
schema = _schema("examples", "coverage", "fuzzing")
generated = _schema("examples", "fuzzing")
