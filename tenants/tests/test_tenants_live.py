"""What changes about a tenant, through the edge of the running platform: refused and routed within moments."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from botocore.exceptions import ClientError

from tenants.services import deletion, domains, settings
from tests import factories
from tests.instance import until
from tests.stack import Account, Stack

WITHIN = 2.0


def _s3(account: Account) -> str:
    """What listing the bucket's objects comes to: an empty text, or S3's code."""
    try:
        account.s3().list_objects_v2(Bucket="docs")
    except ClientError as e:
        return str(e.response["Error"]["Code"])
    return ""


def _login_at(stack: Stack, host: str) -> Callable[[], int]:
    def ask() -> int:
        with httpx.Client(base_url=stack.url, trust_env=False) as client:
            return client.get("/app/login", headers={"Host": host}).status_code

    return ask


def test_only_verified_names_lead_to_the_platform(stack: Stack) -> None:
    account = stack.account()
    host = f"{account.slug}.example.org"
    at = _login_at(stack, host)
    with stack.database():
        domain = domains.add_domain(account.who.tenant, host, actor=account.who)
    assert at() == 421
    with stack.database():
        domains.vouch(domain, actor=factories.staff())
    until(lambda: at() == 200, WITHIN, "a verified name is served")
    with stack.database():
        deletion.delete_tenant(account.who.tenant, actor=factories.staff())
    until(lambda: at() == 421, WITHIN, "a deleted tenant's name is not")
    with stack.database():
        deletion.restore_tenant(account.who.tenant, actor=factories.staff())
    until(lambda: at() == 200, WITHIN, "a restored tenant's name is again")


def test_s3_of_a_deleted_tenant_and_of_one_without_the_feature(stack: Stack) -> None:
    account = stack.account()
    account.bucket("docs")
    tenant = account.who.tenant
    assert not _s3(account)
    with stack.database():
        settings.change(tenant, {"disabled_features": ["storage"]}, actor=factories.staff())
    until(lambda: _s3(account) == "AccessDenied", WITHIN, "storage is switched off")
    with stack.database():
        settings.change(tenant, {"disabled_features": []}, actor=factories.staff())
    until(lambda: not _s3(account), WITHIN, "storage is back")
    with stack.database():
        deletion.delete_tenant(tenant, actor=factories.staff())
    until(lambda: _s3(account) == "InvalidAccessKeyId", WITHIN, "the tenant is deleted")
    with stack.database():
        deletion.restore_tenant(tenant, actor=factories.staff())
    until(lambda: not _s3(account), WITHIN, "the tenant is restored")
