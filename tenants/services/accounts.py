"""Accounts: a person's username, address and password, known platform-wide."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower

from gateway.errors import Conflict, Invalid
from gateway.validation import validated
from tenants.models import Membership, Tenant, User


def new(username: str, email: str, name: str, password: str | None) -> User:
    """An account that is valid, not yet saved. Raises Invalid by field."""
    user = User(username=username, email=email, name=name)
    validated(user, exclude=("password",))
    if password is not None:
        check_password_rules(password, user)
    user.set_password(password)
    return user


def check_password_rules(password: str, user: User) -> None:
    """Raises Invalid by the password rules."""
    try:
        validate_password(password, user)
    except ValidationError as e:
        raise Invalid(f"password: {e.messages[0]}", errors={"password": e.messages}) from None


def check_email(tenant: Tenant, user: User) -> None:
    """Raises Conflict where another member of the tenant has the account's e-mail address."""
    if user.email:
        same = Membership.objects.filter(tenant=tenant, user__email__iexact=user.email)
        if same.exclude(user=user.pk).exists():
            raise Conflict(
                f"A member has the address {user.email}.", errors={"email": ["Taken in this tenant."]}
            )


def save(user: User) -> None:
    """Raises Conflict where another account has the username or the external id."""
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as e:
        if "nexusgate" in str(e):
            raise Conflict("Another account has that id.", errors={"nexusgate_user_id": ["Taken."]}) from None
        raise Conflict(f"The username {user.username} is taken.", errors={"username": ["Taken."]}) from None


def called(identifier: str) -> QuerySet[User]:
    """The accounts with that username or e-mail address, in any case of letters. Evaluate within platform_scope."""
    wanted = Lower(Value(identifier))
    rows = User.objects.alias(lower_name=Lower("username"), lower_email=Lower("email"))
    return rows.filter(Q(lower_name=wanted) | Q(lower_email=wanted)).order_by("pk")
