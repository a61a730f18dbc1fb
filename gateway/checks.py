"""System checks: each wrong setting or unprotected table has an id."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from gateway.db.operations import TenantPolicy

log = logging.getLogger(__name__)
_PLACEHOLDER = re.compile(
    r"change.?(me|this|it)|placeholder|example|your.?secret|default|insecure|password|0123456789"
)


def _weak(value: str) -> bool:
    """Too short, too plain, or what instructions have in the place of a secret."""
    return len(value) < 32 or len(set(value)) < 8 or _PLACEHOLDER.search(value.lower()) is not None


@checks.register(checks.Tags.security)
def strong_secrets(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Outside development the platform does not start on weak or missing secrets."""
    if settings.DEVELOPMENT:
        return []
    found: list[checks.CheckMessage] = []
    if settings.GATEHOUSE_ENV != "production":
        hint = "GATEHOUSE_ENV is `development` or `production`."
        found.append(
            checks.Error(
                f"GATEHOUSE_ENV={settings.GATEHOUSE_ENV!r} is unknown.", hint=hint, id="gateway.E001"
            )
        )
    if _weak(settings.SECRET_KEY):
        found.append(
            checks.Error(
                "SECRET_KEY is missing or weak.", hint="At least 32 random characters.", id="gateway.E002"
            )
        )
    if settings.JWT_ALGORITHM.startswith("HS") and _weak(settings.JWT_SECRET_KEY):
        found.append(
            checks.Error("JWT_SECRET_KEY is weak.", hint="At least 32 random characters.", id="gateway.E003")
        )
    if any(map(_weak, settings.JWT_PREVIOUS_SECRET_KEYS)):
        found.append(checks.Error("One of JWT_PREVIOUS_SECRET_KEYS is weak.", id="gateway.E003"))
    if not settings.ENCRYPTION_KEYS and _weak(settings.TENANT_SECRET_PASSPHRASE):
        hint = "id:base64 of 32 random bytes; TENANT_SECRET_PASSPHRASE alone must have 32 characters."
        found.append(checks.Error("GATEHOUSE_ENCRYPTION_KEYS is not set.", hint=hint, id="gateway.E004"))
    if settings.METRICS_TOKEN and _weak(settings.METRICS_TOKEN):
        found.append(
            checks.Error("METRICS_TOKEN is weak.", hint="At least 32 random characters.", id="gateway.E012")
        )
    if settings.INTROSPECT_SECRET and _weak(settings.INTROSPECT_SECRET):
        found.append(
            checks.Error(
                "INTROSPECT_SECRET is weak.", hint="At least 32 random characters.", id="gateway.E005"
            )
        )
    signs = settings.JWT_SECRET_KEY if settings.JWT_ALGORITHM.startswith("HS") else ""
    given = [secret for secret in (settings.SECRET_KEY, settings.INTROSPECT_SECRET, signs) if secret]
    if len(set(given)) < len(given):
        hint = (
            "Give SECRET_KEY, JWT_SECRET_KEY and INTROSPECT_SECRET a value each: `make secrets` makes them."
        )
        found.append(checks.Error("One secret serves two purposes.", hint=hint, id="gateway.E009"))
    found += _nexusgate()
    if settings.DEBUG:
        found.append(checks.Error("DEBUG is on outside development.", id="gateway.E006"))
    return found


@checks.register(checks.Tags.security, deploy=True)
def reached_over_https(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """What production may do, but hardly means to."""
    if settings.DEVELOPMENT or settings.PUBLIC_HOST in ("localhost", "127.0.0.1", "::1"):
        return []
    if not settings.PUBLIC_BASE_URL.startswith("https://"):
        hint = "Passwords and keys cross the network in clear: PUBLIC_BASE_URL=https://…"
        return [checks.Warning("PUBLIC_BASE_URL is not https.", hint=hint, id="gateway.W001")]
    if not settings.ENFORCE_HTTPS:
        hint = "Cookies go over plain HTTP as well: leave ENFORCE_HTTPS to its default."
        return [checks.Warning("HTTPS is not enforced.", hint=hint, id="gateway.W002")]
    return []


def _nexusgate() -> list[checks.CheckMessage]:
    """What the external issuer's tokens need to be told apart and verified."""
    if not settings.NEXUSGATE_INTEGRATION_ENABLED:
        return []
    secret, url = settings.NEXUSGATE_JWT_SECRET, settings.NEXUSGATE_JWKS_URL
    wrong = [
        (not settings.NEXUSGATE_ISSUER or not settings.NEXUSGATE_AUDIENCE, "needs an issuer and an audience"),
        (settings.NEXUSGATE_ISSUER == settings.JWT_ISSUER, "has the platform's own issuer"),
        (bool(secret) == bool(url), "needs either a JWKS URL or a secret"),
        (bool(url) and not url.startswith("https://"), "has a JWKS URL that is not https"),
        (bool(secret) and _weak(secret), "has a weak secret"),
    ]
    return [checks.Error(f"NEXUSGATE {text}.", id="gateway.E008") for is_so, text in wrong if is_so]


def refuse_weak_settings() -> None:
    """What every serving process calls as it starts. Raises ImproperlyConfigured outside development."""
    for doubt in reached_over_https(None):
        log.warning("%s %s %s", doubt.id, doubt.msg, doubt.hint)
    found = strong_secrets(None)
    if found:
        told = "; ".join(f"{message.id} {message.msg} {message.hint or ''}".strip() for message in found)
        raise ImproperlyConfigured(f"The platform does not start like this: {told}")


def tenant_models() -> list[Any]:
    """Every model whose rows belong to a tenant."""
    return [m for m in apps.get_models() if any(f.name == "tenant" for f in m._meta.concrete_fields)]


@checks.register(checks.Tags.models)
def policies_declared(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every tenant-scoped model has its row policy in a migration."""
    declared = {
        (label, operation.model)
        for (label, _), migration in MigrationLoader(None).disk_migrations.items()
        for operation in migration.operations
        if isinstance(operation, TenantPolicy)
    }
    hint = "Add gateway.db.operations.TenantPolicy to a migration."
    return [
        checks.Error(f"{model._meta.label} has no row policy.", hint=hint, id="gateway.E010")
        for model in tenant_models()
        if (model._meta.app_label, model._meta.model_name) not in declared
    ]


@checks.register(checks.Tags.database, deploy=True)
def policies_in_force(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[checks.CheckMessage]:
    """The database has row security on, and forced, for every tenant-scoped table."""
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity"
    with connection.cursor() as cursor:
        cursor.execute(query)
        protected = {name for (name,) in cursor.fetchall()}
    return [
        checks.Error(
            f"Row security is off for {model._meta.db_table}.", hint="Run migrate.", id="gateway.E011"
        )
        for model in tenant_models()
        if model._meta.db_table not in protected
    ]
