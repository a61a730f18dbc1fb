"""Tenants, the people in them, what they may do, and what they did."""

from .audit import AuditEntry
from .credentials import ApiKey, SigningKey
from .mail import Mail
from .people import Invitation, Membership, Role, User
from .tenants import (
    HOSTNAME,
    PLATFORM_SLUG,
    SLUG,
    SLUG_FORM,
    Domain,
    Quota,
    Tenant,
    TenantOwnQuerySet,
    TenantSettings,
)

__all__ = [
    "HOSTNAME",
    "PLATFORM_SLUG",
    "SLUG",
    "SLUG_FORM",
    "ApiKey",
    "AuditEntry",
    "Domain",
    "Invitation",
    "Mail",
    "Membership",
    "Quota",
    "Role",
    "SigningKey",
    "Tenant",
    "TenantOwnQuerySet",
    "TenantSettings",
    "User",
]
