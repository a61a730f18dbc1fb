"""Pages of the tenant acted in: its settings and its limits."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, show
from tenants.features import FEATURES
from tenants.forms.tenants import TenantForm
from tenants.services import counts, settings, tenants, usage
from tenants.services.quotas import LIMITS

_LABELS = {
    "storage_bytes": ("folder", "Stored"),
    "users": ("users", "Members"),
    "api_keys": ("terminal", "API keys"),
    "buckets": ("bucket", "Buckets"),
    "access_keys": ("key", "S3 access keys"),
    "workspaces": ("screen", "Workspaces"),
    "workspaces_per_user": ("user", "Workspaces of one member"),
    "services": ("box", "Services"),
    "instance_memory_bytes": ("gauge", "Memory of one workspace or service"),
    "instance_cpu_millis": ("gauge", "Processor of one workspace or service"),
    "devices": ("pulse", "Devices"),
}
_OF_EACH = ("workspaces_per_user", "instance_memory_bytes", "instance_cpu_millis")  # nothing to count


@page("tenant.read", methods=("GET", "HEAD", "POST"))
def tenant_settings(request: PageRequest) -> HttpResponse:
    """Name and settings; POST changes those that are the tenant's own to decide."""
    caller = request.principal
    if request.method == "POST":
        caller.require("tenant.write")
    row = settings.of_tenant(caller.tenant)
    before = {
        "name": caller.tenant.name,
        "require_second_factor": row.require_second_factor,
        "audit_retention_days": row.audit_retention_days,
    }
    form = TenantForm(request.POST if request.method == "POST" else None, initial=before)
    if request.method == "POST" and form.is_valid():
        values = dict(form.cleaned_data)
        try:
            name = values.pop("name")
            settings.change(caller.tenant, values, actor=caller)
            tenants.update_tenant(caller.tenant, name=name, actor=caller)
        except DomainError as error:
            form.refuse(error)
        else:
            messages.success(request, "The settings are saved.")
            return redirect("tenant-settings")
    features = [(feature, feature.name not in row.disabled_features) for feature in FEATURES.values()]
    context = {"form": form, "settings": row, "features": features}
    return show(request, "tenants/settings.html", context, status=422 if form.errors else 200)


@page("tenant.read")
def limits(request: PageRequest) -> HttpResponse:
    """What is used of what is limited."""
    tenant_id = request.principal.tenant.pk
    used, most = usage.of_tenant(tenant_id), counts.limits(tenant_id)
    rows: list[dict[str, Any]] = []
    for name in LIMITS:
        icon, label = _LABELS[name]
        limit = getattr(most, name)
        if name in used or limit is not None:
            rows.append(
                {
                    "name": name,
                    "icon": icon,
                    "label": label,
                    "used": used.get(name),
                    "limit": limit,
                    "in_bytes": name.endswith("_bytes"),
                    "of_each": name in _OF_EACH,
                }
            )
    return show(request, "tenants/limits.html", {"rows": rows}, part="tenants/_limits.html")
