"""A tenant's users as a file, and a file of users taken in."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse

from gateway.errors import DomainError, Invalid
from gateway.tables import Row, csv_text, read_csv, read_json
from gateway.ui import PageRequest, page, show
from tenants.forms.members import ImportForm
from tenants.services import user_tables


@page("user.read")
def export(request: PageRequest) -> HttpResponse:
    rows = user_tables.rows_of(request.principal.tenant, actor=request.principal)
    headers = {"Content-Disposition": 'attachment; filename="users.csv"'}
    content = "".join(csv_text(user_tables.COLUMNS, rows))
    return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)


@page("user.write", methods=("GET", "HEAD", "POST"))
def import_users(request: PageRequest) -> HttpResponse:
    """Take a file in, after a look at what would become of each row."""
    form = ImportForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {"form": form, "columns": user_tables.COLUMNS}
    if request.method == "POST" and form.is_valid():
        dry_run = request.POST.get("do") != "import"
        tenant, actor = request.principal.tenant, request.principal
        try:
            rows = rows_in(form.cleaned_data["file"])
            context["outcomes"] = user_tables.take(tenant, rows, dry_run=True, actor=actor)
            context["refused"] = sum(outcome.outcome == "refused" for outcome in context["outcomes"])
            if not dry_run and not context["refused"]:
                context["outcomes"] = user_tables.take(tenant, rows, dry_run=False, actor=actor)
                context["done"] = True
        except DomainError as error:
            form.refuse(error)
    status = 422 if form.is_bound and (form.errors or context.get("refused")) else 200
    return show(request, "tenants/import_users.html", context, status=status)


def rows_in(file: Any) -> list[Row]:
    """The rows of an uploaded file. Raises Invalid."""
    content: bytes = file.read()
    if not (file.name or "").lower().endswith(".json"):
        return read_csv(content, user_tables.COLUMNS)
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise Invalid("The file is not JSON.", code="not_a_table") from None
    return read_json(parsed, user_tables.COLUMNS)
