"""How often S3 may be asked: by key, or by tenant where it has a rate of its own; refusals as S3 tells them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from botocore.exceptions import ClientError

from gateway.db.scope import platform_scope
from gateway.decision.limits import Limits
from storage.rates import RATES
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.snapshot import AccessKeyInfo
from tenants.models import TenantSettings
from tenants.services import snapshot
from tests.instance import until
from tests.stack import Account, Stack


def set_rate(account: Account, rate: int | None) -> None:
    with account.stack.database(), platform_scope("tests"):
        TenantSettings.objects.update_or_create(tenant=account.who.tenant, defaults={"s3_rate": rate})
        snapshot.changed("tenants")


def refusal(account: Account) -> ClientError | None:
    try:
        account.s3(retries={"total_max_attempts": 1}).list_buckets()
    except ClientError as error:
        return error
    return None


def test_a_tenants_rate_is_kept_over_all_its_keys(stack: Stack) -> None:
    """The snapshot brings the rate within moments; a refusal is S3's own, which every client knows to retry."""
    one, neighbour = stack.account("admin"), stack.account("admin")
    with stack.database():
        second = stack.key_of(one.who)
    set_rate(one, 3)
    refused = until(lambda: refusal(one), 20, "the rate holds")
    assert refused is not None
    answer = cast("dict[str, Any]", refused.response)
    assert answer["Error"]["Code"] == "SlowDown"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert 1 <= int(answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) <= 20
    also = refusal(second)
    assert also is not None and also.response["Error"]["Code"] == "SlowDown"
    assert refusal(neighbour) is None
    set_rate(one, 0)
    until(lambda: refusal(one) is None, 20, "the rate is lifted")


def test_who_is_not_proven_uses_up_nobodys_rate(stack: Stack) -> None:
    """A key's id is no secret: requests in its name with a wrong signature must not count for it."""
    one = stack.account("admin")
    set_rate(one, 5)
    now = datetime.now(UTC)
    claimed = f"AWS4-HMAC-SHA256 Credential={one.key_id}/{now:%Y%m%d}/us-east-1/s3/aws4_request"
    for _ in range(20):
        answer = httpx.get(
            f"{stack.url}/s3/",
            headers={
                "Authorization": f"{claimed}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={'0' * 64}",
                "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
                "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD",
            },
        )
        assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True), answer.text
    assert refusal(one) is None


def key(access_key_id: str, tenant_id: int) -> AccessKeyInfo:
    return AccessKeyInfo(access_key_id, "", tenant_id, "t", 1, frozenset(), "somebody")


def front_with(rates: dict[int, int]) -> Front:
    ctx = SimpleNamespace(
        limits=Limits(now=lambda: 0.0),
        snapshot=SimpleNamespace(get=lambda part: rates if part is RATES else {}),
        settings=SimpleNamespace(S3_RATE_LIMIT=2),
    )
    front = Front.__new__(Front)
    front.ctx = cast("Any", ctx)
    return front


def test_each_key_has_the_platforms_rate_where_its_tenant_says_nothing() -> None:
    front = front_with({7: 1})
    for name in ("a", "b"):
        front.count(key(name, 1), "192.0.2.1")
        front.count(key(name, 1), "192.0.2.1")
        with pytest.raises(S3Error, match="SlowDown") as refused:
            front.count(key(name, 1), "192.0.2.1")
        assert refused.value.headers["Retry-After"] == "30"
    front.count(key("c", 7), "192.0.2.1")
    with pytest.raises(S3Error, match="SlowDown"):
        front.count(key("d", 7), "192.0.2.1")


def test_who_shows_no_key_counts_by_address_and_spends_nothing_of_the_tenants() -> None:
    front = front_with({7: 1})
    nobody = key("", 7)
    front.count(nobody, "192.0.2.1")
    with pytest.raises(S3Error, match="SlowDown"):
        front.count(nobody, "192.0.2.1")
    front.count(nobody, "192.0.2.2")
    front.count(key("", 8), "192.0.2.1")
    front.count(key("a", 7), "192.0.2.1")
