"""A bucket's policy: its editor, and who may do what by it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from gateway.errors import DomainError
from gateway.ui import PageRequest, page
from storage.forms.policies import PolicyForm, SimulateForm, StatementForm
from storage.models import Bucket
from storage.services import bucket_settings, decisions
from tenants.models import Membership

from . import shown

MOST_MEMBERS = 500


@page("storage.bucket.read", methods=("GET", "HEAD", "POST"))
def policy(request: PageRequest, name: str) -> HttpResponse:
    """POST saves it, removes it (`do=remove`), or adds a statement to what is being typed (`do=add`)."""
    row = shown.bucket(request, name)
    if request.method != "POST":
        return _show(request, row)
    request.principal.require("storage.bucket.write")
    do = request.POST.get("do", "")
    if do == "add":
        return _with_statement(request, row)
    form = PolicyForm({"policy": ""} if do == "remove" else request.POST)
    if form.is_valid():
        try:
            row = bucket_settings.set_policy(row, form.cleaned_data["policy"], actor=request.principal)
        except DomainError as error:
            form.refuse(error)
        else:
            done = f"The policy of {row.name} is {'saved' if row.policy else 'removed'}."
            return _show(request, shown.bucket(request, name), done=done)
    return _show(request, row, form=form, status=422)


def _with_statement(request: PageRequest, row: Bucket) -> HttpResponse:
    chosen = StatementForm(request.POST)
    typed = request.POST.get("policy", "")
    form = PolicyForm(initial={"policy": typed})
    if not chosen.is_valid():
        return _show(request, row, form=form, statement=chosen, status=422)
    try:
        form = PolicyForm(initial={"policy": chosen.added_to(typed, row)})
    except (ValueError, RecursionError):
        form = PolicyForm(request.POST)
        form.add_error("policy", "This is no JSON object, so nothing can be added to it. Mend it first.")
        return _show(request, row, form=form, statement=chosen, status=422)
    return _show(request, row, form=form, done="Added, not saved yet.")


def _show(
    request: PageRequest,
    row: Bucket,
    *,
    form: PolicyForm | None = None,
    statement: StatementForm | None = None,
    question: SimulateForm | None = None,
    decision: Any = None,
    status: int = 200,
    done: str = "",
) -> HttpResponse:
    members = Membership.objects.filter(tenant_id=row.tenant_id, is_active=True)
    context = {
        "form": form or PolicyForm.of(row),
        "statement": statement or StatementForm(),
        "question": question or SimulateForm(),
        "decision": decision,
        "warnings": decisions.warnings(row),
        "block": bucket_settings.public_access_of(row),
        "members": members.order_by("user__username").values_list("user__username", flat=True)[:MOST_MEMBERS],
        "actions": decisions.ACTION_NAMES,
    }
    return shown.show_tab(
        request,
        row,
        "policy",
        "storage/policy.html",
        context,
        part="storage/_policy.html",
        status=status,
        done=done,
    )


@page("storage.bucket.read", methods=("POST",))
def simulate(request: PageRequest, name: str) -> HttpResponse:
    """What somebody would be answered. Nothing is done."""
    row = shown.bucket(request, name)
    question = SimulateForm(request.POST)
    decision, status = None, 422
    if question.is_valid():
        try:
            decision, status = question.decided(row, request.principal), 200
        except DomainError as error:
            question.refuse(error)
    context = {"question": question, "decision": decision, "bucket": row}
    if request.headers.get("HX-Request") == "true":
        return shown.show_tab(
            request,
            row,
            "policy",
            "storage/policy.html",
            context,
            part="storage/_simulate.html",
            status=status,
        )
    return _show(request, row, question=question, decision=decision, status=status)
