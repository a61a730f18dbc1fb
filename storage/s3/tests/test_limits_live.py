"""Limits that are lowered below what is used, in our own store and on a backend."""

from __future__ import annotations

import pytest
from django.db import transaction

from gateway.db.scope import tenant_scope
from storage.models import Bucket
from storage.services import bucket_settings
from tenants.services import quotas
from tests import factories
from tests.stack import Account, Stack

from .accessors import outcome


@pytest.mark.parametrize("where", ["local", "moto"])
def test_a_limit_below_what_is_used_lets_nothing_more_in(
    stack: Stack, where: str, request: pytest.FixtureRequest
) -> None:
    account = stack.account()
    bucket = account.bucket("limited", backend=None if where == "local" else request.getfixturevalue(where))
    s3 = account.s3()
    for key in ("a", "b"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x" * 1000)
    _limit(stack, account, bucket_bytes=500)
    _no_more_than(account, bucket, 900)
    _limit(stack, account, tenant_bytes=500)
    _no_more_than(account, bucket, 800)
    assert outcome(s3.delete_object, Bucket=bucket, Key="a") == "ok"
    assert outcome(s3.put_object, Bucket=bucket, Key="a", Body=b"x") == "QuotaExceeded"


def _no_more_than(account: Account, bucket: str, size: int) -> None:
    put = account.s3().put_object
    assert outcome(put, Bucket=bucket, Key="a", Body=b"x" * size) == "ok"
    assert outcome(put, Bucket=bucket, Key="a", Body=b"y" * size) == "ok"
    assert outcome(put, Bucket=bucket, Key="empty", Body=b"") == "ok"
    assert outcome(put, Bucket=bucket, Key="a", Body=b"x" * (size + 1)) == "QuotaExceeded"
    copy = {"Bucket": bucket, "Key": "c", "CopySource": f"{bucket}/a"}
    assert outcome(account.s3().copy_object, **copy) == "QuotaExceeded"


def _limit(
    stack: Stack, account: Account, *, bucket_bytes: int | None = None, tenant_bytes: int | None = None
) -> None:
    tenant = account.who.tenant
    with stack.database(), tenant_scope(tenant.pk), transaction.atomic():
        row = Bucket.objects.get(tenant=tenant)
        bucket_settings.set_quota(row, quota_bytes=bucket_bytes, quota_objects=None, actor=account.who)
        quotas.set_limits(tenant, {"storage_bytes": tenant_bytes}, actor=factories.staff())
