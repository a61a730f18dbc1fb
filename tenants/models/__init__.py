"""Tenants, the people in them, what they may do, and what they did."""

from .audit import AuditEntry, AuditSeal, UnsealedEntry
from .credentials import ApiKey, SigningKey
from .mail import Mail
from .people import Invitation, Membership, Role, User
from .second_factors import RecoveryCode, SecondFactor
from .sign_ins import SignIn
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
    "AuditSeal",
    "Domain",
    "Invitation",
    "Mail",
    "Membership",
    "Quota",
    "RecoveryCode",
    "Role",
    "SecondFactor",
    "SignIn",
    "SigningKey",
    "Tenant",
    "TenantOwnQuerySet",
    "TenantSettings",
    "UnsealedEntry",
    "User",
]
