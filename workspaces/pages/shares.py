"""Who else reaches a workspace."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, sheet
from tenants.models import Membership, User
from workspaces.forms.workspaces import ShareForm
from workspaces.models import Workspace, WorkspaceShare
from workspaces.services import shares as verbs

from . import shown, workspaces


def _form(request: PageRequest, row: Workspace) -> ShareForm:
    """With the members who do not reach it yet."""
    reached = WorkspaceShare.objects.filter(workspace=row).values("user_id")
    members = Membership.objects.filter(tenant_id=row.tenant_id, is_active=True).select_related("user")
    members = members.exclude(user_id__in=reached).exclude(user_id=row.owner_id).order_by("user__username")
    choices = [(str(one.user.public_id), one.user.username) for one in members[:500]]
    return ShareForm(request.POST if request.method == "POST" else None, members=choices)


@page("workspace.write", methods=("GET", "HEAD", "POST"))
def workspace_shares(request: PageRequest, public_id: UUID) -> HttpResponse:
    """The form that shares it; POST does."""
    row = shown.workspace(request, public_id)
    form = _form(request, row)
    if request.method == "POST" and form.is_valid():
        try:
            share = verbs.share(row, UUID(form.cleaned_data["user"]), actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            done = f"{row.name} is shared with {share.user.username}."
            response = workspaces.overview(request, row, done, closes="sheet")
            response["HX-Retarget"] = "#overview"
            return response
    context = {"form": form, "instance": row}
    return sheet(request, "workspaces/_share_form.html", context, status=422 if form.is_bound else 200)


@page("workspace.write", methods=("POST",))
def remove_share(request: PageRequest, public_id: UUID, user_id: UUID) -> HttpResponse:
    row = shown.workspace(request, public_id)
    user = User.objects.filter(public_id=user_id).first()
    verbs.unshare(row, user_id, actor=request.principal)
    return workspaces.overview(request, row, f"{user} no longer reaches {row.name} by sharing.")
