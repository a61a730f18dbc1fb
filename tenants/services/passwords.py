"""Setting a person's password for them."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from gateway.db.scope import platform_scope
from gateway.errors import Invalid
from realtime import services as realtime
from tenants.models import User
from tenants.principal import Principal

from . import audit


def set_password(user: User, text: str, *, actor: Principal) -> None:
    """Platform staff give an account another password; its sessions and tokens end with the old one.

    Raises Forbidden, Invalid by the password rules.
    """
    actor.require("platform.tenants")
    try:
        validate_password(text, user)
    except ValidationError as e:
        raise Invalid(f"password: {e.messages[0]}", errors={"password": e.messages}) from None
    with platform_scope("accounts are known platform-wide"), transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        user.set_password(text)
        user.save(update_fields=["password"])
        audit.record(actor, "tenants.user.set_password", target=user.username)
        realtime.publish(
            actor.tenant.pk,
            "tenants.user.updated",
            subject=user.username,
            data={"password": "changed"},
            actor=actor,
        )
