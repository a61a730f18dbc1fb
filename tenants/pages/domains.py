"""Pages of a tenant's domains."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse

from gateway.errors import DomainError
from gateway.ui import PageRequest, page, sheet, show
from tenants.forms.tenants import DomainForm
from tenants.models import Domain
from tenants.services import domains as verbs
from tenants.services import proofs


def _show_domains(request: PageRequest, done: str = "", closes: str = "") -> HttpResponse:
    rows = Domain.objects.visible_to(request.principal)
    return show(
        request,
        "tenants/domains.html",
        {"domains": rows},
        part="tenants/_domains.html",
        done=done,
        closes=closes,
    )


def _show_domain(request: PageRequest, domain: Domain, *, changed: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "domain": domain,
        "record": proofs.record_name(domain.hostname),
        "address": proofs.address(domain.hostname, domain.token),
    }
    return sheet(request, "tenants/_domain.html", context, changed=changed)


@page("tenant.read", methods=("GET", "HEAD", "POST"))
def domains(request: PageRequest) -> HttpResponse:
    """The tenant's names; POST claims one, and answers with how to show that it is theirs."""
    if request.method != "POST":
        return _show_domains(request)
    request.principal.require("domain.write")
    form = DomainForm(request.POST)
    if form.is_valid():
        try:
            domain = verbs.add_domain(
                request.principal.tenant,
                form.cleaned_data["hostname"],
                verified=False,
                actor=request.principal,
            )
        except DomainError as error:
            form.refuse(error)
        else:
            return _show_domain(request, domain, changed="domains-changed")
    return sheet(request, "tenants/_domain_form.html", {"form": form}, status=422)


@page("domain.write")
def new_domain(request: PageRequest) -> HttpResponse:
    return sheet(request, "tenants/_domain_form.html", {"form": DomainForm()})


@page("tenant.read")
def domain(request: PageRequest, public_id: UUID) -> HttpResponse:
    """What to publish where, and what was found last."""
    return _show_domain(request, verbs.get_domain(request.principal.tenant, public_id))


@page("domain.write", methods=("POST",))
def verify_domain(request: PageRequest, public_id: UUID) -> HttpResponse:
    found = verbs.get_domain(request.principal.tenant, public_id)
    verbs.ask_check(found, actor=request.principal)
    return _show_domains(request, f"Looking for the proof of {found.hostname}.", closes="sheet")


@page("domain.write", methods=("POST",))
def remove_domain(request: PageRequest, public_id: UUID) -> HttpResponse:
    found = verbs.get_domain(request.principal.tenant, public_id)
    verbs.remove_domain(found, actor=request.principal)
    return _show_domains(request, f"{found.hostname} is removed.")
