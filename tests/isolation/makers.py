"""A row of every tenant-scoped model, made for a tenant: by the verb where there is one.

Every text that a tenant may choose has the tenant's slug in it, so that a leak is recognised wherever it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db.models import Model
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from realtime.models import Event
from realtime.services import publish
from storage import models as storage
from storage.services import access_keys, backends, buckets, share_links
from storage.tests.test_api import make_object
from tenants import models as tenants
from tenants.principal import Principal
from tenants.services import api_keys, domains, invitations, roles, service_accounts
from tenants.services.audit import sealing
from tests import factories
from workspaces import models as workspaces
from workspaces.providers import registry
from workspaces.providers.fake import FakeProvider
from workspaces.services import instances, shares, snapshots, templates
from workspaces.services.workspaces import create_workspace

Maker = Callable[[Principal], Model]
MAKERS: dict[type[Model], Maker] = {}


def makes(model: type[Model]) -> Callable[[Maker], Maker]:
    def register(maker: Maker) -> Maker:
        MAKERS[model] = maker
        return maker

    return register


def make_rows(admin: Principal) -> dict[type[Model], Model]:
    """A row of every model in the tenant of `admin`, who asks for them; and a service account."""
    with tenant_scope(admin.tenant.pk):
        service_accounts.create("robot", "member", actor=admin)
        return {model: maker(admin) for model, maker in MAKERS.items()}


def _own(model: Any) -> Maker:
    """For rows that others brought along: the tenant's newest."""

    def find(admin: Principal) -> Model:
        found: Model = model.objects.filter(tenant=admin.tenant).order_by("-pk")[0]
        return found

    return find


@makes(tenants.AuditSeal)  # first: it takes the entries away that wait to be sealed
def audit_seal(admin: Principal) -> Model:
    sealing.seal_tenant(admin.tenant)
    return _own(tenants.AuditSeal)(admin)


@makes(tenants.Domain)
def domain(admin: Principal) -> Model:
    return domains.add_domain(admin.tenant, f"{admin.tenant.slug}.example.org", actor=admin)


@makes(tenants.Role)
def role(admin: Principal) -> Model:
    name = f"{admin.tenant.slug} reader"
    parent = roles.create_role(admin.tenant, f"{name} of little", permissions=["event.read"], actor=admin)
    return roles.create_role(admin.tenant, name, permissions=["user.read"], extends=parent.slug, actor=admin)


@makes(tenants.Membership)
def membership(admin: Principal) -> Model:
    user = factories.member(admin.tenant, "member").user
    found: Model = tenants.Membership.objects.get(user=user, tenant=admin.tenant)
    return found


@makes(tenants.Invitation)
def invitation(admin: Principal) -> Model:
    email = f"somebody@{admin.tenant.slug}.example.org"
    return invitations.invite(admin.tenant, email, role="viewer", actor=admin)


@makes(tenants.ApiKey)
def api_key(admin: Principal) -> Model:
    return api_keys.issue_key(f"{admin.tenant.slug} key", actor=admin)[0]


@makes(storage.Backend)
def backend(admin: Principal) -> Model:
    name = f"{admin.tenant.slug}-backend"
    return backends.create_backend(
        name, endpoint="https://s3.example.org", access_key=name, secret_key="secret", actor=admin
    )


@makes(storage.Bucket)
def bucket(admin: Principal) -> Model:
    backends.ensure_default_backends()
    return buckets.create_bucket(f"{admin.tenant.slug}-bucket", backend="local", actor=admin)


@makes(storage.Placement)
def placement(admin: Principal) -> Model:
    return storage.Placement.objects.get(bucket__name=f"{admin.tenant.slug}-bucket")


@makes(storage.AccessKey)
def access_key(admin: Principal) -> Model:
    return access_keys.issue_access_key(f"{admin.tenant.slug} S3 key", actor=admin)[0]


@makes(storage.Object)
def an_object(admin: Principal) -> Model:
    key = f"{admin.tenant.slug} object"
    make_object(admin.tenant, f"{admin.tenant.slug}-bucket", key)
    found: Model = storage.Object.objects.get(key=key)
    return found


@makes(storage.ShareLink)
def share_link(admin: Principal) -> Model:
    slug = admin.tenant.slug
    bucket = storage.Bucket.objects.get(name=f"{slug}-bucket")
    return share_links.create(bucket, f"{slug} object", lasts=timedelta(days=1), actor=admin)[0]


@makes(storage.ObjectVersion)
def an_object_version(admin: Principal) -> Model:
    """A delete marker, as it would stand in a bucket that keeps versions."""
    slug = admin.tenant.slug
    return storage.ObjectVersion.objects.create(
        tenant=admin.tenant, bucket=storage.Bucket.objects.get(name=f"{slug}-bucket"), key=f"{slug} deleted",
        version_id="row", version_seq=1, size=0, etag="", content_type="", last_modified=timezone.now(),
        writer=admin.label, is_delete_marker=True,
    )  # fmt: skip


@makes(storage.UsageSample)
def usage_sample(admin: Principal) -> Model:
    bucket = storage.Bucket.objects.get(name=f"{admin.tenant.slug}-bucket")
    return storage.UsageSample.objects.create(
        tenant=admin.tenant, bucket=bucket, at=timezone.now(), bytes=1, objects_count=1
    )


def _in_bucket(admin: Principal) -> dict[str, Any]:
    slug = admin.tenant.slug
    bucket = storage.Bucket.objects.get(name=f"{slug}-bucket")
    return {"tenant": admin.tenant, "bucket": bucket, "key": f"{slug} upload", "writer": admin.label}


# What the data plane writes by SQL functions while bytes come in is written here as it would stand then.


@makes(storage.Upload)
def upload(admin: Principal) -> Model:
    return storage.Upload.objects.create(**_in_bucket(admin), initiated_at=timezone.now())


@makes(storage.UploadPart)
def upload_part(admin: Principal) -> Model:
    whole = storage.Upload.objects.get(writer=admin.label)
    return storage.UploadPart.objects.create(
        tenant=admin.tenant, upload=whole, number=admin.tenant.pk, size=1, etag="e",
        last_modified=timezone.now(), blob=uuid4().hex,
    )  # fmt: skip


@makes(storage.WriteIntent)
def write_intent(admin: Principal) -> Model:
    return storage.WriteIntent.objects.create(**_in_bucket(admin), kind="put")


@makes(storage.BlobGarbage)
def blob_garbage(admin: Principal) -> Model:
    return storage.BlobGarbage.objects.create(tenant=admin.tenant, blob=uuid4().hex, due_at=timezone.now())


@makes(workspaces.Template)
def template(admin: Principal) -> Model:
    registry.MADE.setdefault("fake", FakeProvider())
    return templates.create_template(name=f"{admin.tenant.slug}-template", provider="fake", actor=admin)


@makes(workspaces.Workspace)
def workspace(admin: Principal) -> Model:
    slug = admin.tenant.slug
    return create_workspace(
        f"{slug}-workspace",
        template=f"{slug}-template",
        description=f"{slug} notes",
        metadata={slug: slug},
        secrets={"TOKEN": slug},
        actor=admin,
    )


@makes(workspaces.WorkspaceShare)
def workspace_share(admin: Principal) -> Model:
    member = factories.member(admin.tenant, "member").user
    assert member is not None
    return shares.share(workspaces.Workspace.objects.get(tenant=admin.tenant), member.public_id, actor=admin)


@makes(workspaces.VolumeSnapshot)
def volume_snapshot(admin: Principal) -> Model:
    held = workspaces.Workspace.objects.get(tenant=admin.tenant)
    return snapshots.create_snapshot(held, f"{admin.tenant.slug} snapshot", actor=admin)


@makes(workspaces.Service)
def service(admin: Principal) -> Model:
    return workspaces.Service.objects.create(
        tenant=admin.tenant,
        owner=admin.user,
        name=f"{admin.tenant.slug}-service",
        provider="fake",
        offset=instances.take_offset(),
    )


@makes(workspaces.Port)
def port(admin: Principal) -> Model:
    held = workspaces.Service.objects.get(tenant=admin.tenant)
    name = f"{admin.tenant.slug}-port"
    return workspaces.Port.objects.create(
        tenant=admin.tenant,
        service=held,
        name=name,
        container_port=1 + admin.tenant.pk % 65_000,
        public_port=40_000 + admin.tenant.pk % 9999,
    )


@makes(workspaces.Sample)
def sample(admin: Principal) -> Model:
    held = workspaces.Workspace.objects.get(tenant=admin.tenant)
    return workspaces.Sample.objects.create(
        tenant=admin.tenant, key=held.key, at=timezone.now(), cpu_millis=1, cpu_seconds=1, memory_bytes=1
    )


@makes(Event)
def event(admin: Principal) -> Model:
    slug = admin.tenant.slug
    number = publish(admin.tenant.pk, "storage.object.created", subject=f"{slug} event", actor=admin)
    with platform_scope("tests"):
        return Event.objects.get(pk=number)


for _model in (
    tenants.Quota,
    tenants.TenantSettings,
    tenants.AuditEntry,
    tenants.UnsealedEntry,
    storage.Usage,
    storage.BucketUsage,
):
    makes(_model)(_own(_model))
