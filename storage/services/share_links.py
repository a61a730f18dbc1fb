"""Links to share one object with people who have no account: made, listed, revoked, and followed."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import quote

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Forbidden, Gone, Invalid, NotFound, QuotaExceeded, Unauthenticated
from realtime import services as realtime
from storage.models import Bucket, ShareLink
from tenants import resolver
from tenants.principal import Credential, Principal
from tenants.services import audit, key_reach, quotas

from . import decisions, objects, versions

LASTS_AT_MOST: Final = timedelta(days=30)
MOST_LIVE: Final = 5000
_KEPT: Final = timedelta(days=30)
_BATCH: Final = 500
_CLICK: Final = timedelta(minutes=5)
_GONE: Final = "What this link was for is not there any more. Ask whoever sent it to you."


@dataclass(frozen=True, slots=True)
class Shared:
    """What a link's bearer may download, and as whom."""

    link: ShareLink
    version: versions.Version
    maker: Principal

    @property
    def name(self) -> str:
        """The key's last part."""
        return file_name(self.version.key)


def create(
    bucket: Bucket,
    key: str,
    *,
    version_id: str = "",
    lasts: timedelta,
    base_url: str | None = None,
    actor: Principal,
) -> tuple[ShareLink, str]:
    """A link, and its URL, which is told this once. `base_url`: the origin the caller sees us at.

    Made with an API key it ends with that. Raises Forbidden, NotFound, QuotaExceeded beyond MOST_LIVE in the tenant,
    Invalid for what browsers cannot download and beyond LASTS_AT_MOST.
    """
    actor.require("storage.object.read")
    decisions.require(bucket, "s3:GetObjectVersion" if version_id else "s3:GetObject", key, actor=actor)
    _check_shareable(versions.find(bucket, key, version_id))
    if not timedelta(seconds=1) <= lasts <= LASTS_AT_MOST:
        text = f"A link to share lasts 1 second to {LASTS_AT_MOST.days} days."
        raise Invalid(text, errors={"expires_in": [text]})
    if actor.user is None:
        raise Invalid("A link to share belongs to a user.")
    now, token = timezone.now(), secrets.token_urlsafe(32)
    api_key = key_reach.key_of(actor)
    ends = now + lasts
    if api_key is not None and api_key.expires_at is not None:
        ends = min(ends, api_key.expires_at)
    with transaction.atomic():
        quotas.lock(actor.tenant.pk)
        if not Bucket.objects.select_for_update(of=("self",)).filter(pk=bucket.pk).exists():
            raise NotFound("No such bucket.", code="no_such_bucket")
        if ShareLink.objects.filter(_working(), tenant=actor.tenant).count() >= MOST_LIVE:
            raise QuotaExceeded(f"A tenant has at most {MOST_LIVE} links to share that work.")
        link = ShareLink.objects.create(
            tenant=actor.tenant,
            bucket=bucket,
            user=actor.user,
            api_key=api_key,
            key=key,
            version_id=version_id,
            token_digest=_digest(token),
            created_at=now,
            expires_at=ends,
        )
        _tell(link, "create", "created", actor)
    base = (base_url or settings.PUBLIC_BASE_URL).rstrip("/")
    return link, base + reverse("shared", args=[token])


def visible(actor: Principal) -> QuerySet[ShareLink]:
    """Own links; all of the tenant's with storage.bucket.write."""
    rows: QuerySet[ShareLink] = ShareLink.objects.visible_to(actor).select_related(
        "user", "bucket", "api_key"
    )
    return rows if actor.can("storage.bucket.write") else rows.filter(user=actor.user)


def live(actor: Principal, bucket: Bucket, key: str) -> QuerySet[ShareLink]:
    """Those of `visible` that work for one object."""
    return visible(actor).filter(_working(), bucket=bucket, key=key)


def revoke(link: ShareLink, *, actor: Principal) -> None:
    """End a link that `visible` shows. Again, and of one that is over, changes nothing."""
    if actor.user is None or link.user_id != actor.user.pk:
        actor.require("storage.bucket.write")
    with transaction.atomic():
        if ShareLink.objects.filter(_working(), pk=link.pk).update(revoked_at=timezone.now()):
            _tell(link, "revoke", "revoked", actor)


def sweep() -> int:
    """Forget links that ended a month ago; how many."""
    ended = timezone.now() - _KEPT
    over = Q(expires_at__lt=ended) | Q(revoked_at__lt=ended) | Q(api_key__revoked_at__lt=ended)
    forgotten = 0
    with platform_scope("a sweep looks at all tenants"):
        while True:
            some = list(ShareLink.objects.filter(over).order_by().values_list("pk", flat=True)[:_BATCH])
            forgotten += ShareLink.objects.filter(pk__in=some).delete()[0]
            if len(some) < _BATCH:
                return forgotten


def find(token: str, *, ip: str | None) -> Shared:
    """What the token of a link shares. `ip` is who asks, for policies that care.

    Raises NotFound (`share_link_unknown`), Gone (`share_link_expired`, `share_link_revoked`, or `share_link_gone` where
    the object or the maker's right to it is not there any more).
    """
    with platform_scope("the link's bearer is in no tenant"):
        link = (
            ShareLink.objects.select_related("bucket__placement__backend", "user", "tenant", "api_key")
            .filter(token_digest=_digest(token))
            .first()
        )
    if link is None:
        raise NotFound("There is no such link. Was it copied whole?", code="share_link_unknown")
    if link.state == "expired":
        raise Gone(
            "This link has expired. Ask whoever sent it to you for another.", code="share_link_expired"
        )
    if link.state != "works":
        raise Gone(
            "This link was revoked. Ask whoever sent it to you for another.", code="share_link_revoked"
        )
    try:
        maker = resolver.renewed(link.user_id, link.tenant_id, Credential("s3_key", str(link.public_id)), ip)
        if link.api_key is not None and link.api_key.permissions is not None:
            maker = replace(maker, permissions=maker.permissions & frozenset(link.api_key.permissions))
        with tenant_scope(link.tenant_id):
            maker.require("storage.object.read")
            action = "s3:GetObjectVersion" if link.version_id else "s3:GetObject"
            decisions.require(link.bucket, action, link.key, actor=maker)
            version = versions.find(link.bucket, link.key, link.version_id)
            _check_shareable(version)
    except (Unauthenticated, Forbidden, NotFound, Invalid) as error:
        raise Gone(_GONE, code="share_link_gone") from error
    return Shared(link, version, maker)


def follow(token: str, *, base_url: str, ip: str | None) -> str:
    """The URL to download by, for some minutes; the download is counted. Raises as `find` does."""
    shared = find(token, ip=ip)
    link = shared.link
    with tenant_scope(link.tenant_id):
        answer = {"content-disposition": disposition(link.key)}
        try:
            url = objects.download_link(
                link.bucket,
                link.key,
                version_id=link.version_id,
                base_url=base_url,
                lasts=min(_CLICK, max(link.expires_at - timezone.now(), timedelta(seconds=1))),
                answer=answer,
                actor=shared.maker,
            ).url
        except (Forbidden, NotFound) as error:
            raise Gone(_GONE, code="share_link_gone") from error
        ShareLink.objects.filter(pk=link.pk).update(
            downloads_count=F("downloads_count") + 1, downloaded_at=timezone.now()
        )
    return url


def file_name(key: str) -> str:
    """The last part of a key, as people call the file."""
    return key.rstrip("/").rpartition("/")[2] or key


def disposition(key: str) -> str:
    """`Content-Disposition` that has browsers save the object under its name (RFC 6266)."""
    name = file_name(key)
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _working() -> Q:
    """Those whose state is `works`."""
    now = timezone.now()
    lasting_key = Q(api_key=None) | Q(api_key__expires_at=None) | Q(api_key__expires_at__gt=now)
    return lasting_key & Q(revoked_at=None, expires_at__gt=now, api_key__revoked_at=None)


def _check_shareable(version: versions.Version) -> None:
    if version.is_delete_marker:
        raise NotFound("The object is deleted.", code="no_such_key")
    if version.is_customers:
        raise Invalid("Only who has its key can read it, so it cannot be shared.", code="not_shareable")
    if objects.is_unaddressable(version.key):
        raise Invalid("A browser cannot address this key, so it cannot be shared.", code="not_shareable")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _tell(link: ShareLink, verb: str, participle: str, actor: Principal) -> None:
    """The audit entry and the event."""
    target = f"{link.bucket.name}/{link.key}"
    data: dict[str, object] = {"id": str(link.public_id), "expires_at": link.expires_at.isoformat()}
    if link.version_id:
        data["version_id"] = link.version_id
    audit.record(actor, f"storage.share_link.{verb}", target=target, after=data)
    realtime.publish(
        link.tenant_id, f"storage.share_link.{participle}", subject=target, data=data, actor=actor
    )
