"""Tenants, people, credentials and the audit log in the admin, which imports this package to find them."""

from . import audit, credentials, people, sign_ins, tenants

__all__ = ["audit", "credentials", "people", "sign_ins", "tenants"]
