"""Backends, buckets, objects and S3 access keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from gateway.db.scope import tenant_scope
from storage.models import Object
from storage.services import access_keys, backends, buckets, objects, share_links
from storage.tests.test_api import make_object

from .table import ADMIN, MEMBER, OPEN, SIGNED_IN, STAFF, VIEWER, api, page
from .world import World


def _backend(world: World, *, shared: bool = False) -> object:
    """One that refuses connections at once; only staff may name such an address."""
    staff = replace(world.principals["staff"], tenant=world.home)
    return backends.create_backend(
        "row",
        endpoint="http://127.0.0.1:1",
        access_key="key",
        secret_key="secret",
        shared=shared,
        actor=staff,
    ).public_id


def _bucket(world: World, name: str = "row") -> object:
    backends.ensure_default_backends()
    with tenant_scope(world.home.pk):
        return buckets.create_bucket(name, actor=world.admin).public_id


def _object(world: World) -> str:
    _bucket(world, "filled")
    make_object(world.home, "filled", "key")
    return "filled"


def _kept(world: World, *, deleted: bool = False) -> str:
    """A bucket that keeps versions and may lock them, with an object."""
    backends.ensure_default_backends()
    with tenant_scope(world.home.pk):
        made = buckets.create_bucket("kept", object_lock=True, actor=world.admin)
        make_object(world.home, "kept", "key")
        if deleted:
            objects.delete_object(made, "key", actor=world.admin)
    return "kept"


def _version(world: World) -> str:
    """The version of what `_kept` made."""
    with tenant_scope(world.home.pk):
        return str(Object.objects.get(bucket__name="kept").version_id)


def _key(world: World, of: str) -> object:
    with tenant_scope(world.home.pk):
        return access_keys.issue_access_key("row", actor=world.principals[of])[0].public_id


def _share_link(world: World, of: str) -> tuple[object, str]:
    """Its id, and the token in its URL."""
    _object(world)
    with tenant_scope(world.home.pk):
        bucket = buckets.get_bucket("filled", actor=world.admin)
        link, url = share_links.create(bucket, "key", lasts=timedelta(hours=1), actor=world.principals[of])
    return link.public_id, url.rpartition("/")[2]


def _default(world: World) -> str:
    backends.ensure_default_backends()
    return "local"


MAKERS = {
    "backend": _backend,
    "shared_backend": lambda world: _backend(world, shared=True),
    "bucket": _bucket,
    "bucket_name": lambda world: _bucket(world) and "row",
    "filled": _object,
    "default": _default,
    "kept": _kept,
    "deleted_object": lambda world: _kept(world, deleted=True),
    "version": _version,
    "access_key": lambda world: _key(world, "admin"),
    "own_access_key": lambda world: _key(world, "member"),
    "share_link": lambda world: _share_link(world, "admin")[0],
    "own_share_link": lambda world: _share_link(world, "viewer")[0],
    "share_token": lambda world: _share_link(world, "admin")[1],
}

NEW_BACKEND = {
    "name": "new",
    "endpoint": "https://s3.example.org",
    "access_key": "key",
    "secret_key": "secret",
}
CHANGED_BACKEND = {"name": "renamed", "endpoint": "https://s3.example.org", "style": "path"}
POLICY = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:DeleteObject",
        "Resource": "arn:aws:s3:::row/*",
    },
}
QUESTION = {"principal": "anonymous", "action": "s3:GetObject", "key": "a"}
OBJECT = {"bucket": "{filled}", "key": "key"}
RENAMED = {"name": "row", "scope": "all"}
KEPT = {"bucket": "{kept}", "key": "key"}
VERSION = KEPT | {"version_id": "{version}"}

ROWS = [
    api("GET", "storage/backends", ADMIN),
    api("POST", "storage/backends", ADMIN, body=NEW_BACKEND),
    api("POST", "storage/backends", STAFF, body=NEW_BACKEND | {"shared": True}, case="shared"),
    api("GET", "storage/backends/{backend}", ADMIN),
    api("PATCH", "storage/backends/{backend}", ADMIN, body={"name": "renamed", "endpoint": "https://s3.example.org"}),
    api("PATCH", "storage/backends/{shared_backend}", STAFF, body={"name": "renamed"}, case="shared"),
    api("DELETE", "storage/backends/{backend}", ADMIN),
    api("DELETE", "storage/backends/{shared_backend}", STAFF, case="shared"),
    api("POST", "storage/backends/{backend}/check", ADMIN, 200),
    api("GET", "storage/buckets", VIEWER),
    api("POST", "storage/buckets", MEMBER, body={"name": "new", "backend": "{default}"}),
    api("GET", "storage/buckets/{bucket}", VIEWER),
    api("PATCH", "storage/buckets/{bucket}", MEMBER, body={"tags": {"team": "a"}}),
    api("DELETE", "storage/buckets/{bucket}", ADMIN),
    api("GET", "storage/buckets/{bucket}/usage", VIEWER),
    api("POST", "storage/buckets/{bucket}/scan", MEMBER, 400, case="of our own store"),
    api("GET", "storage/buckets/{bucket}/policy", VIEWER),
    api("PUT", "storage/buckets/{bucket}/policy", MEMBER, body={"policy": POLICY}),
    api("DELETE", "storage/buckets/{bucket}/policy", MEMBER),
    api("POST", "storage/buckets/{bucket}/policy/simulate", VIEWER, 200, body=QUESTION),
    api("POST", "storage/credentials", SIGNED_IN, body={}),
    api("GET", "storage/access-keys", MEMBER),
    api("POST", "storage/access-keys", MEMBER, body={"name": "new"}),
    api("GET", "storage/access-keys/{access_key}", ADMIN.but(member=404), case="an administrator's"),
    api("GET", "storage/access-keys/{own_access_key}", MEMBER, case="a member's"),
    api("PATCH", "storage/access-keys/{own_access_key}", MEMBER, body={"buckets": ["docs"]}, case="a member's"),
    api(
        "POST", "storage/access-keys/{own_access_key}/rotate", MEMBER.but(admin=403, staff=403), body={},
        case="a member's",
    ),
    api("DELETE", "storage/access-keys/{access_key}", ADMIN.but(member=404), case="an administrator's"),
    api("DELETE", "storage/access-keys/{own_access_key}", MEMBER, case="a member's"),
    api("GET", "storage/objects", VIEWER, query=OBJECT | {"key": ""}),
    api("DELETE", "storage/objects", MEMBER, query=OBJECT),
    api("DELETE", "storage/objects", MEMBER, query=VERSION, case="a version"),
    api("GET", "storage/objects/details", VIEWER, query=OBJECT),
    api("GET", "storage/objects/versions", VIEWER, query=OBJECT | {"key": ""}),
    api("GET", "storage/objects/tags", VIEWER, query=OBJECT),
    api("PUT", "storage/objects/tags", MEMBER, body=OBJECT | {"tags": {"a": "b"}}),
    api("PUT", "storage/objects/retention", ADMIN, body={**KEPT, "mode": None, "until": None}),
    api("PUT", "storage/objects/legal-hold", ADMIN, body={**KEPT, "held": True}),
    api("POST", "storage/objects/undelete", MEMBER, 200, body={"bucket": "{deleted_object}", "key": "key"}),
    api("POST", "storage/objects/restore", MEMBER, 409, body=VERSION, case="the current one"),
    api("POST", "storage/objects/bulk-delete", MEMBER, 200, body={"bucket": "{filled}", "prefix": "k"}),
    api("POST", "storage/objects/links", VIEWER, body=OBJECT, case="to download"),
    api(
        "POST", "storage/objects/links", MEMBER, body=OBJECT | {"method": "PUT"}, needs="storage.object.write",
        case="to upload",
    ),
    api("GET", "storage/share-links", VIEWER),
    api("POST", "storage/share-links", VIEWER, body=OBJECT),
    api("DELETE", "storage/share-links/{share_link}", VIEWER.but(viewer=404), case="an administrator's"),
    api("DELETE", "storage/share-links/{own_share_link}", VIEWER, case="a viewer's"),
    page("GET", "/app/backends", ADMIN),
    page("GET", "/app/backends/new", ADMIN),
    page("POST", "/app/backends/new", ADMIN, 302, body=NEW_BACKEND),
    page("GET", "/app/backends/{backend}", ADMIN),
    page("POST", "/app/backends/{backend}", ADMIN, 302, body=CHANGED_BACKEND),
    page("POST", "/app/backends/{shared_backend}", STAFF, 302, body=CHANGED_BACKEND, case="shared"),
    page("POST", "/app/backends/{backend}/test", ADMIN, 302),
    page("POST", "/app/backends/{shared_backend}/test", STAFF, 302, case="shared"),
    page("POST", "/app/backends/{backend}/delete", ADMIN, 302),
    page("POST", "/app/backends/{shared_backend}/delete", STAFF, 302, case="shared"),
    page("GET", "/app/buckets", VIEWER),
    page("POST", "/app/buckets", MEMBER, 302, body={"name": "new", "backend": "{default}"}),
    page("GET", "/app/buckets/new", MEMBER),
    page("GET", "/app/buckets/{bucket_name}", VIEWER),
    page("POST", "/app/buckets/{bucket_name}/delete", ADMIN),
    page("GET", "/app/buckets/{bucket_name}/settings", VIEWER),
    page("POST", "/app/buckets/{bucket_name}/settings/tags", MEMBER, 302, body={"tags": "team=a"}),
    page("GET", "/app/buckets/{bucket_name}/policy", VIEWER),
    page("POST", "/app/buckets/{bucket_name}/policy", MEMBER, body={"policy": ""}),
    page("POST", "/app/buckets/{bucket_name}/policy/simulate", VIEWER, body=QUESTION),
    page("GET", "/app/buckets/{bucket_name}/usage", VIEWER),
    page("GET", "/app/buckets/{filled}/object", VIEWER, query={"key": "key"}),
    page("GET", "/app/buckets/{filled}/object/open", VIEWER, 404, query={"key": "key"}, case="no PDF"),
    page("POST", "/app/buckets/{filled}/object/share", VIEWER, body={"lasts": "3600"}, query={"key": "key"}),
    page("POST", "/app/buckets/{filled}/object/change", MEMBER, body={"do": "tags"}, query={"key": "key"}),
    page("POST", "/app/buckets/{filled}/links", VIEWER, json={"method": "GET", "key": "key"}, case="to download"),
    page("POST", "/app/buckets/{filled}/links", MEMBER, json={"method": "PUT", "key": "key"}, case="to upload"),
    page("POST", "/app/buckets/{filled}/delete-objects", MEMBER, json={"keys": ["key"]}),
    page("GET", "/app/share-links", VIEWER),
    page("POST", "/app/share-links/{share_link}/revoke", VIEWER.but(viewer=404), case="an administrator's"),
    page("POST", "/app/share-links/{own_share_link}/revoke", VIEWER, case="a viewer's"),
    page("GET", "/app/shared/{share_token}", OPEN),
    page("POST", "/app/shared/{share_token}", OPEN, 302),
    page("GET", "/app/access-keys", MEMBER),
    page("POST", "/app/access-keys", MEMBER, body={"name": "new"}),
    page("GET", "/app/access-keys/new", MEMBER),
    page("GET", "/app/access-keys/{own_access_key}", MEMBER, case="a member's"),
    page("POST", "/app/access-keys/{own_access_key}", MEMBER, 302, body=RENAMED, case="a member's"),
    page("POST", "/app/access-keys/{access_key}/revoke", ADMIN.but(member=404), case="an administrator's"),
    page("POST", "/app/access-keys/{own_access_key}/revoke", MEMBER, case="a member's"),
]  # fmt: skip
