"""Two tenants, their people and strangers at the real front."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from django.db import transaction

from gateway.db.scope import tenant_scope
from storage.models import Bucket
from storage.policy import exposure, reader
from storage.services import access_keys
from storage.services.access_key_reach import Limits
from tenants.models import Membership, Role
from tenants.services import snapshot
from tests import aws, factories
from tests.instance import until
from tests.stack import Account, Stack


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    code: str


def outcome(call: Callable[..., Any], **parameters: Any) -> str:
    """`ok`, or the error's code; of HEAD, which has no body, its status."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "ok"


def anonymous(stack: Stack, host: str | None = None) -> Any:
    """A client without a credential, at the platform's own host."""
    return aws.client(
        "s3",
        endpoint_url=stack.url + "/s3",
        region_name="us-east-1",
        config=Config(
            signature_version=UNSIGNED,
            s3={"addressing_style": "path"},
            retries={"max_attempts": 1},
            proxies={},
        ),
    )


def plain(stack: Stack, method: str, target: str, host: str | None = None, **headers: str) -> Reply:
    """A request as it is, with whatever target and host."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", f"{host or '127.0.0.1'}:{stack.port}")
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode("utf-8", "replace")
    connection.close()
    code = body.partition("<Code>")[2].partition("</Code>")[0]
    return Reply(answer.status, code)


def colleague(stack: Stack, account: Account, role: str = "viewer", **limits: Any) -> Account:
    """Another member of the account's tenant, with a key of their own; nobody sees it before the role is theirs."""
    tenant = account.who.tenant
    with stack.database(), tenant_scope(tenant.pk), transaction.atomic():
        who = factories.member(tenant, "member")
        made = _with_key(stack, who, **limits)
        given = Role.objects.get(tenant=tenant, slug=role)
        Membership.objects.filter(tenant=tenant, user=who.user).update(role=given)
        snapshot.changed("members")
    return made


def limited(stack: Stack, account: Account, **limits: Any) -> Account:
    """The same person with a further key."""
    with stack.database(), tenant_scope(account.who.tenant.pk):
        return _with_key(stack, account.who, **limits)


def _with_key(stack: Stack, who: Any, **limits: Any) -> Account:
    key, secret = access_keys.issue_access_key("k", Limits(**limits), actor=who)
    return Account(stack, who, key.access_key_id, secret)


def allow(*, bucket: str = "docs", **more: Any) -> dict[str, Any]:
    """A statement that lets everybody read all objects, but for what `more` says."""
    row: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return row | more


def put_policy(
    stack: Stack, account: Account, *statements: dict[str, Any], bucket: str = "docs", **block: bool
) -> None:
    """Set a bucket's policy and public access block as its verbs leave the row."""
    text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    policy = reader.bucket_policy(text, bucket)
    claims = exposure.grants_outsiders(policy, account.slug)
    with stack.database(), tenant_scope(account.who.tenant.pk):
        Bucket.objects.filter(tenant=account.who.tenant, name=bucket).update(
            policy=text, public_name=bucket if claims else None, public_access_block=block or None
        )
        snapshot.changed("buckets")


def eventually(check: Callable[[], bool]) -> None:
    """Return once it is so: what the deciders hold follows within a moment."""
    until(check, 30, "what was changed is heard of", pause=0.05)


def as_key(account: Account, key_id: str, secret: str) -> Account:
    return replace(account, key_id=key_id, secret=secret)
