"""Templates: made, changed, deleted, chosen for a new workspace, and those that the first start makes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Invalid, NotFound
from gateway.validation import validated
from realtime import services as realtime
from tenants.models import Quota
from tenants.principal import Principal
from tenants.services import audit
from workspaces.models import Template
from workspaces.providers import registry
from workspaces.providers.base import Capability

from . import checks

FIELDS = (
    "name", "description", "is_default", "provider", "image", "environment", "required_secrets", "ports",
    "memory_bytes", "cpu_millis", "pids", "idle_minutes", "run_command",
)  # fmt: skip
_MOST_REQUIRED = 50


def create_template(*, shared: bool = False, actor: Principal, **fields: Any) -> Template:
    """A template of the caller's tenant, or with `shared` (platform staff) one for all tenants; of FIELDS.

    Raises Forbidden, Invalid, QuotaExceeded (limits above the tenant's), Conflict where the name is taken.
    """
    actor.require("platform.templates" if shared else "template.write")
    template = Template(tenant=None if shared else actor.tenant)
    _set(template, fields)
    with _writing(), transaction.atomic():
        _save(template)
        audit.record(actor, "workspaces.template.create", target=template.name, after=_public(template))
        _tell(template, "created", actor)
    return template


def update_template(template: Template, *, actor: Principal, **changes: Any) -> Template:
    """Change any of FIELDS. Workspaces that were made from it stay as they are. Raises as `create_template`."""
    _require_write(template, actor)
    with _writing(), transaction.atomic():
        template = Template.objects.select_for_update(of=("self",)).get(pk=template.pk)
        before = _public(template)
        _set(template, changes)
        after = _public(template)
        if before != after:
            _save(template)
            audit.record(
                actor, "workspaces.template.update", target=template.name, before=before, after=after
            )
            _tell(template, "updated", actor)
    return template


def delete_template(template: Template, *, actor: Principal) -> None:
    """Forget a template. Workspaces that were made from it stay as they are. Raises Forbidden, NotFound."""
    _require_write(template, actor)
    with _writing(), transaction.atomic():
        template = Template.objects.select_for_update(of=("self",)).get(pk=template.pk)
        audit.record(actor, "workspaces.template.delete", target=template.name, before=_public(template))
        _tell(template, "deleted", actor)
        template.delete()


def get_template(public_id: UUID, *, actor: Principal) -> Template:
    """One of the tenant's own or the shared ones. Raises NotFound."""
    found: Template | None = Template.objects.visible_to(actor).filter(public_id=public_id).first()
    if found is None:
        raise NotFound("No such template.", code="template_not_found")
    return found


def choose(wanted: str | None, *, actor: Principal) -> Template:
    """The template that a new workspace asks for by name or id, else the tenant's default, else the platform's.

    A tenant's own hides a shared one of the same name. Raises Invalid, code `unknown_template`.
    """
    within_reach: QuerySet[Template] = Template.objects.visible_to(actor).order_by(
        "tenant_id"
    )  # NULL is last
    if not wanted:
        found = within_reach.filter(is_default=True).first()
    else:
        try:
            found = within_reach.filter(public_id=UUID(wanted)).first()
        except ValueError:
            found = within_reach.filter(name=wanted).first() if "\0" not in wanted else None
    if found is None:
        text = "Unknown." if wanted else "There is no default template: name one."
        raise Invalid(f"template: {text}", code="unknown_template", errors={"template": [text]})
    return found


def ensure_default_templates() -> None:
    """First start: `default`, whose tools run no commands, and `shell`, whose tools do; for all tenants.

    May run again; what exists is left as it is.
    """
    with platform_scope("shared templates are no tenant's rows"), transaction.atomic():
        shared = Template.objects.filter(tenant__isnull=True)
        if shared.exists():
            return
        shared.create(
            name="default", description="Files, git and GitLab; tools run no commands", is_default=True
        )
        shared.create(name="shell", description="As default, and tools may run any command", run_command=True)


def _require_write(template: Template, actor: Principal) -> None:
    if template.tenant_id is None:
        actor.require("platform.templates")
        return
    actor.require("template.write")
    if template.tenant_id != actor.tenant.pk:
        raise NotFound("No such template.", code="template_not_found")


def _writing() -> Any:
    return platform_scope("a shared template is no tenant's row; the verb checked who asks")


def _set(template: Template, fields: dict[str, Any]) -> None:
    """Raises Invalid, QuotaExceeded."""
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise Invalid(f"{unknown[0]} cannot be set.", errors={unknown[0]: ["Unknown."]})
    for name, value in fields.items():
        setattr(template, name, value)
    checks.check_name(template.name)
    checks.check_variables("environment", template.environment)
    if len(template.required_secrets) > _MOST_REQUIRED:
        raise Invalid("Too many secrets.", errors={"required_secrets": [f"At most {_MOST_REQUIRED}."]})
    for name in template.required_secrets:
        checks.check_variable_name("required_secrets", name)
    checks.check_ports(template.ports)
    checks.check_idle(template.idle_minutes)
    checks.check_limits(template, Quota.objects.filter(tenant=template.tenant_id).first())
    if template.provider and template.provider not in registry.names():
        raise Invalid(f"There is no provider {template.provider}.", errors={"provider": ["Unknown."]})
    if template.image and template.provider and not _runs_images(template.provider):
        text = f"{template.provider} runs no images."
        raise Invalid(f"image: {text}", errors={"image": [text]})
    validated(template, exclude=("tenant",))


def _runs_images(name: str) -> bool:
    try:
        return Capability.SERVICES in registry.provider(name).capabilities
    except ImportError:
        return True  # it is not there: nothing can be said of it


def _save(template: Template) -> None:
    if template.is_default:
        others = Template.objects.filter(tenant=template.tenant, is_default=True)
        others.exclude(pk=template.pk).update(is_default=False)
    try:
        with transaction.atomic():
            template.save()
    except IntegrityError:
        raise Conflict(f"There is a template {template.name} already.", errors={"name": ["Taken."]}) from None


def _public(template: Template) -> dict[str, object]:
    """As the audit log has it, which blanks whatever is called a secret."""
    told = {name: getattr(template, name) for name in FIELDS if name != "required_secrets"}
    return {**told, "required": template.required_secrets, "shared": template.tenant_id is None}


def _tell(template: Template, participle: str, actor: Principal) -> None:
    """In the tenant where it was done: a shared one is nobody's."""
    realtime.publish(
        actor.tenant.pk,
        f"workspaces.template.{participle}",
        subject=template.name,
        data={"id": str(template.public_id)},
        actor=actor,
    )
