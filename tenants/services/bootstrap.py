"""What the first start makes: the platform's tenant and its first administrator."""

from __future__ import annotations

from django.db import transaction

from gateway.db.scope import platform_scope
from tenants.models import PLATFORM_SLUG, Tenant, User

from .tenants import create_tenant
from .users import create_user


def ensure_platform(username: str, password: str) -> bool:
    """Make the tenant `platform` and, while there is no staff at all, the first administrator. May run again.

    Returns whether the administrator was made now. Raises Invalid where the password is too weak.
    """
    with platform_scope("first start: there is no tenant yet"), transaction.atomic():
        tenant = Tenant.objects.filter(slug=PLATFORM_SLUG).first()
        if tenant is None:
            tenant = create_tenant("Platform", PLATFORM_SLUG, actor=None)
        if User.objects.filter(is_staff=True).exists():
            return False
        create_user(tenant, username, password=password, role="owner", actor=None, is_staff=True)
        return True
