"""Many deletions on a backend: bounded in time, and clear about what was not done."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.db.scope import tenant_scope
from gateway.errors import Unavailable
from storage.models import Bucket, Object
from storage.services import backends, buckets, bulk, objects
from tenants.principal import Principal
from tests import factories

from .test_api import make_object

pytestmark = pytest.mark.django_db
KEYS = ["a/1", "a/2", "a/3"]
NAMED = [(key, "") for key in KEYS]


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())


@pytest.fixture
def bucket(admin: Principal) -> Bucket:
    """On a backend that refuses connections."""
    keys: dict[str, Any] = {"access_key": "AK", "secret_key": "SK"}
    backends.create_backend(
        "far", endpoint="http://127.0.0.1:1", shared=True, actor=factories.staff(), **keys
    )
    with tenant_scope(admin.tenant.pk):
        made = buckets.create_bucket("docs", backend="far", actor=admin)
    for key in KEYS:
        make_object(admin.tenant, "docs", key)
    return made


def test_a_backend_that_does_not_answer_ends_it(admin: Principal, bucket: Bucket) -> None:
    with tenant_scope(admin.tenant.pk):
        for attempt in (
            lambda: bulk.delete_keys(bucket, NAMED, actor=admin),
            lambda: bulk.delete_below(bucket, "a/", actor=admin),
        ):
            with pytest.raises(Unavailable):
                attempt()
        assert Object.objects.count() == 3


def test_what_it_does_not_come_to_is_told(
    admin: Principal, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[str] = []

    def one_goes(bucket: Bucket, key: str, *, actor: Principal) -> None:
        if gone:
            raise Unavailable("It is away.")
        gone.append(key)

    monkeypatch.setattr(objects, "delete_object", one_goes)
    with tenant_scope(admin.tenant.pk):
        outcome = bulk.delete_keys(bucket, NAMED, actor=admin)
        assert outcome.deleted == 1
        assert outcome.refused == [("a/2", "", "It is away."), ("a/3", "", "It is away.")]
        gone.clear()
        outcome = bulk.delete_below(bucket, "a/", actor=admin)
        assert (outcome.deleted, outcome.refused, outcome.next) == (1, [], ("a/1", ""))
        monkeypatch.setattr(bulk, "_SECONDS", -1.0)
        outcome = bulk.delete_keys(bucket, NAMED, actor=admin)
        assert [why for _, _, why in outcome.refused] == ["There was no time left for it: ask again."] * 3
