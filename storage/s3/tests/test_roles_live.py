"""S3 keys of members with custom roles, at the real decision process: what the role holds now counts, soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.db.scope import platform_scope, tenant_scope
from storage.models import AccessKey
from storage.services import access_keys
from tenants.models import Role
from tenants.services import roles, users
from tests.stack import Account, Stack

MOST_SECONDS = 30.0


@pytest.fixture
def admin(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    made.s3().put_object(Bucket="docs", Key="a", Body=b"content")
    return made


@pytest.fixture
def parent(stack: Stack, admin: Account) -> Role:
    """A role that reads; `heir` extends it."""
    with stack.database():
        reads = ["storage.access_key.write", "storage.bucket.read", "storage.object.read"]
        made = roles.create_role(admin.who.tenant, "Reader", permissions=reads, actor=admin.who)
        roles.create_role(admin.who.tenant, "Heir", permissions=[], extends="reader", actor=admin.who)
    return made


def may(call: Callable[..., Any], **parameters: Any) -> bool:
    try:
        call(Bucket="docs", Key="a", **parameters)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 403:
            raise
        return False
    return True


def becomes(wanted: bool, call: Callable[..., Any], **parameters: Any) -> bool:
    """Whether it does in time."""
    end = time.monotonic() + MOST_SECONDS
    while time.monotonic() < end:
        if may(call, **parameters) == wanted:
            return True
    return False


def test_a_key_holds_what_the_role_and_those_it_extends_hold_now(
    stack: Stack, admin: Account, parent: Role
) -> None:
    s3 = stack.account("heir", tenant=admin.who.tenant).s3()
    assert becomes(True, s3.get_object)
    assert not may(s3.put_object, Body=b"x") and not may(s3.delete_object)
    with stack.database():
        writes = [*parent.permissions, "storage.object.write"]
        roles.update_role(parent, permissions=writes, actor=admin.who)
    assert becomes(True, s3.put_object, Body=b"x")
    with stack.database():
        roles.update_role(parent, permissions=["storage.object.write"], actor=admin.who)
    assert becomes(False, s3.get_object)
    assert may(s3.put_object, Body=b"y")


def test_a_deactivated_members_keys_end_and_come_back_but_for_those_revoked(
    stack: Stack, admin: Account, parent: Role
) -> None:
    member = stack.account("heir", tenant=admin.who.tenant)
    with stack.database():
        kept = stack.key_of(member.who)
    assert becomes(True, member.s3().get_object) and becomes(True, kept.s3().get_object)
    with stack.database(), tenant_scope(admin.who.tenant.pk):
        membership = users.get_membership(member.who.user.public_id, actor=admin.who)  # type: ignore[union-attr]
        users.deactivate_user(membership, actor=admin.who)
    assert becomes(False, member.s3().get_object) and becomes(False, kept.s3().get_object)
    with stack.database(), tenant_scope(admin.who.tenant.pk):
        revoked = AccessKey.objects.get(access_key_id=member.key_id)
        access_keys.revoke_access_key(revoked, actor=admin.who)
        users.reactivate_user(membership, actor=admin.who)
    assert becomes(True, kept.s3().get_object)
    assert becomes(False, member.s3().get_object)  # their rows may be read before the key's are


def test_whoever_is_removed_reads_nothing(stack: Stack, admin: Account, parent: Role) -> None:
    member = stack.account("heir", tenant=admin.who.tenant)
    assert becomes(True, member.s3().get_object)
    with stack.database(), platform_scope("test"):
        membership = users.get_membership(member.who.user.public_id, actor=admin.who)  # type: ignore[union-attr]
        users.remove_member(membership, actor=admin.who)
    assert becomes(False, member.s3().get_object)
