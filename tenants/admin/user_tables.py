"""Users of a tenant from a file and into one, for staff."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from gateway.admin_verbs import actor
from gateway.errors import DomainError
from gateway.tables import csv_text
from tenants.models import Tenant
from tenants.pages.user_tables import rows_in
from tenants.services import user_tables


class _Form(forms.Form):
    tenant = forms.ModelChoiceField(Tenant.objects.none(), widget=UnfoldAdminSelectWidget)
    file = forms.FileField(
        label="CSV or JSON file, to import", required=False, widget=UnfoldAdminFileFieldWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = Tenant.objects.filter(status=Tenant.Status.ACTIVE)  # type: ignore[attr-defined]


def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Look at what would become of a file's rows, take them in, or have the tenant's users as a file."""
    form = _Form(request.POST or None, request.FILES or None)
    shown: dict[str, Any] = {"title": "Import or export users", "form": form, "columns": user_tables.COLUMNS}
    if request.method == "POST" and form.is_valid():
        tenant, do = form.cleaned_data["tenant"], request.POST.get("do")
        if do == "export":
            return _export(request, tenant)
        try:
            shown["outcomes"] = _take(request, form, tenant, dry_run=do != "import")
            shown["done"] = do == "import"
        except DomainError as error:
            form.add_error("file", error.detail)
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "admin/user_tables.html", {**context, **shown}, status=status)


def _take(request: HttpRequest, form: _Form, tenant: Tenant, *, dry_run: bool) -> list[user_tables.Outcome]:
    file = form.cleaned_data["file"]
    if file is None:
        form.add_error("file", "Choose a file.")
        return []
    return user_tables.take(tenant, rows_in(file), dry_run=dry_run, actor=actor(request, tenant))


def _export(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    rows = user_tables.rows_of(tenant, actor=actor(request, tenant))
    headers = {"Content-Disposition": f'attachment; filename="users-{tenant.slug}.csv"'}
    content = "".join(csv_text(user_tables.COLUMNS, rows))
    return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)
