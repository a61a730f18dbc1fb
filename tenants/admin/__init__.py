"""Tenants, people, credentials and the audit log in the admin, which imports this package to find them."""

from . import audit, credentials, invitations, people, roles, sign_ins, tenants

__all__ = ["audit", "credentials", "invitations", "people", "roles", "sign_ins", "tenants"]
