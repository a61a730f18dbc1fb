"""After a rotation of the encryption keys nothing needs the old one any more."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from gateway import crypto, resealing
from gateway.db.scope import platform_scope, tenant_scope
from storage.models import Bucket, Object, ObjectVersion, Upload
from storage.s3.encryption import place_of
from storage.services import access_keys, backends, buckets
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

DATA_KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def _forget_keys() -> Iterator[None]:
    yield
    crypto._keys.cache_clear()
    crypto._digest_key.cache_clear()


def use(settings: Any, *pairs: str) -> None:
    settings.ENCRYPTION_KEYS, settings.TENANT_SECRET_PASSPHRASE = ",".join(pairs), ""
    crypto._keys.cache_clear()


def pair(key_id: str) -> str:
    return f"{key_id}:{base64.b64encode(os.urandom(32)).decode()}"


def run() -> str:
    out = StringIO()
    call_command("reseal", stdout=out)
    return out.getvalue()


def store(bucket: Bucket) -> None:
    """An object, a version and an upload that are sealed, and an object that is not."""
    tenant = bucket.tenant
    sealed = base64.b64encode(crypto.seal(DATA_KEY, place_of(tenant.pk))).decode()
    sse = {"mode": "AES256", "key": sealed, "sizes": [[1, 1]], "salts": "AAAA"}
    common: dict[str, Any] = {"tenant": tenant, "bucket": bucket, "content_type": "", "writer": "w"}
    row = {**common, "size": 1, "etag": "e", "last_modified": timezone.now()}
    with platform_scope("tests"):
        Object.objects.create(key="a", sse=sse, version_seq=1, **row)
        Object.objects.create(key="plain", sse=None, version_seq=1, **row)
        Object.objects.create(key="theirs", sse={"mode": "customer", "key": "AAAA"}, version_seq=1, **row)
        ObjectVersion.objects.create(key="a", sse=sse, version_id="v", version_seq=0, **row)
        Upload.objects.create(key="b", sse=sse, initiated_at=timezone.now(), **common)


def test_an_old_key_can_go(settings: Any) -> None:
    old, new = pair("old"), pair("new")
    use(settings, old)
    backends.ensure_default_backends()
    who = factories.member(factories.tenant(), "admin")
    with tenant_scope(who.tenant.pk):
        key, secret = access_keys.issue_access_key("k", actor=who)
        bucket = buckets.create_bucket("docs", actor=who)
    store(bucket)
    use(settings, new, old)
    told = run()
    for place in (
        "storage.AccessKey.secret_sealed",
        *(f"storage.{n}.sse" for n in ("Object", "ObjectVersion", "Upload")),
    ):
        assert f"{place}: 1 sealed anew, 0 cannot be opened" in told
    assert run() == "everything is sealed under the first key\n"
    use(settings, new)
    with platform_scope("tests"):
        key.refresh_from_db()
        assert access_keys.secret_of(key) == secret
        for model in (Object, ObjectVersion, Upload):
            [row] = model.objects.filter(sse__mode="AES256")
            assert crypto.open_sealed(base64.b64decode(row.sse["key"]), place_of(row.tenant_id)) == DATA_KEY
            assert row.sse["sizes"] == [[1, 1]]
        assert Object.objects.get(key="theirs").sse == {"mode": "customer", "key": "AAAA"}


def test_what_no_key_opens_is_told(settings: Any) -> None:
    use(settings, pair("old"))
    who = factories.member(factories.tenant(), "admin")
    with tenant_scope(who.tenant.pk):
        access_keys.issue_access_key("k", actor=who)
    use(settings, pair("new"))
    with pytest.raises(CommandError, match="1 values"):
        run()


def test_every_sealed_column_is_known() -> None:
    named = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.BinaryField) and field.name.endswith("sealed")
    }
    found = resealing.columns()
    assert named - {f"{model._meta.label}.{field}" for model, field in found} == {"tenants.Mail.body_sealed"}
    assert all(hasattr(model, resealing.BOUND_BY[field]) for model, field in found)
