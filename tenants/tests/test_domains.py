"""Domains: claimed by anybody, verified by proof, told to nobody else, and lost when the proof is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from gateway.db.scope import platform_scope
from realtime.models import Event
from tenants import resolver
from tenants.models import AuditEntry, Domain, Tenant
from tenants.services import domains, proofs
from tests import factories, names
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"
HOST = "files.example.org"


@pytest.fixture
def dns(settings: Any) -> Iterator[names.NameServer]:
    with names.name_server() as server:
        settings.DNS_RESOLVERS = [server.address]
        settings.DOMAIN_CHECK_PRIVATE = False
        yield server


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, settings: Any, dns: names.NameServer) -> Iterator[names.WebServer]:
    with names.web_server() as server:
        monkeypatch.setattr(proofs, "PORT", server.port)
        settings.DOMAIN_CHECK_PRIVATE = True
        dns.records[(HOST, "A")] = ["127.0.0.1"]
        yield server


def _claim(tenant: Tenant, hostname: str = HOST) -> Domain:
    admin = client(factories.member(tenant))
    answer = admin.post(f"{API}tenants/{tenant.public_id}/domains", {"hostname": hostname}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["data"]["state"] == "pending"
    with platform_scope("test"):
        found: Domain = Domain.objects.select_related("tenant").get(public_id=answer.json()["data"]["id"])
    return found


def _checked(domain: Domain) -> Domain:
    with platform_scope("test"):
        Domain.objects.filter(pk=domain.pk).update(next_check_at=timezone.now())
    domains.check(domain.pk)
    return _fresh(domain)


def _fresh(domain: Domain) -> Domain:
    with platform_scope("test"):
        found: Domain = Domain.objects.select_related("tenant").get(pk=domain.pk)
    return found


def _wanted(host: str = HOST) -> Tenant | None:
    with platform_scope("test"):
        return resolver._wanted_tenant(resolver.Asked(None, host))


def _told(domain: Domain) -> list[str]:
    with platform_scope("test"):
        rows = Event.objects.filter(tenant=domain.tenant, subject=domain.hostname).order_by("id")
        return [kind.removeprefix("tenants.domain.") for kind in rows.values_list("type", flat=True)]


def test_a_txt_record_verifies_and_only_then_requests_are_routed(dns: names.NameServer) -> None:
    tenant = factories.tenant()
    domain = _claim(tenant)
    assert _wanted() is None
    domain = _checked(domain)
    assert (domain.state, domain.attempts) == ("pending", 1)
    assert "has no TXT record" in domain.check_error
    dns.records[(f"_gatehouse-challenge.{HOST}", "TXT")] = ["something else"]
    assert "another text" in _checked(domain).check_error
    dns.records[(f"_gatehouse-challenge.{HOST}", "TXT")] = ["something else", domain.token]
    domain = _checked(domain)
    assert (domain.state, domain.method, domain.check_error) == ("verified", "dns", "")
    assert _wanted() == tenant
    assert _told(domain) == ["created", "verified"]
    with platform_scope("test"):
        entry = AuditEntry.objects.get(tenant=tenant, action="tenants.domain.verify")
        assert (entry.actor, entry.after) == ("system", {"method": "dns"})


def test_a_file_on_the_web_server_verifies(web: names.WebServer) -> None:
    domain = _claim(factories.tenant())
    path = f"/.well-known/gatehouse-challenge/{domain.token}"
    web.answers[path] = (200, {}, domain.token.encode() + b"\n")
    domain = _checked(domain)
    assert (domain.state, domain.method) == ("verified", "http")
    assert web.asked == [(f"{HOST}:{web.port}", path)]


@pytest.mark.parametrize(
    ("status", "headers", "body", "says"),
    [
        (302, {"Location": "http://169.254.169.254/"}, b"", "answers 302"),
        (404, {}, b"", "answers 404"),
        (200, {}, b"another", "another text"),
        (200, {"Content-Length": "100000000"}, b"x" * 5000, "another text"),
        (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b bomb", "another text"),
    ],
)
def test_what_a_web_server_says_instead(
    status: int, headers: dict[str, str], body: bytes, says: str, web: names.WebServer
) -> None:
    domain = _claim(factories.tenant())
    web.answers[f"/.well-known/gatehouse-challenge/{domain.token}"] = (status, headers, body)
    domain = _checked(domain)
    assert domain.state == "pending"
    assert says in domain.check_error
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("A", "127.0.0.1"), ("A", "10.1.2.3"), ("A", "169.254.169.254"), ("A", "0.0.0.0"), ("A", "100.64.0.1"),
        ("AAAA", "::1"), ("AAAA", "fe80::1"), ("AAAA", "fd00::1"), ("AAAA", "::ffff:127.0.0.1"),
        ("AAAA", "2002:7f00:1::"), ("AAAA", "64:ff9b::7f00:1"),
    ],
)  # fmt: skip
def test_nothing_but_public_addresses_is_connected_to(
    kind: str, address: str, web: names.WebServer, dns: names.NameServer, settings: Any
) -> None:
    settings.DOMAIN_CHECK_PRIVATE = False
    domain = _claim(factories.tenant())
    dns.records.clear()
    dns.records[(HOST, kind)] = [address]
    if kind == "A":  # one that is public does not make up for it
        dns.records[(HOST, kind)].append("93.184.216.34")
    web.answers[f"/.well-known/gatehouse-challenge/{domain.token}"] = (200, {}, domain.token.encode())
    domain = _checked(domain)
    assert domain.state == "pending"
    assert "not public" in domain.check_error
    assert not web.asked


def test_several_claim_one_has_it_and_nobody_learns(dns: names.NameServer) -> None:
    one, other = _claim(factories.tenant()), _claim(factories.tenant())
    assert one.token != other.token
    record = (f"_gatehouse-challenge.{HOST}", "TXT")
    dns.records[record] = [one.token]
    assert _checked(one).state == "verified"
    other = _checked(other)
    assert (other.state, "in use" in other.check_error) == ("pending", False)
    dns.records[record] = [one.token, other.token]  # only who has shown the proof is told
    other = _checked(other)
    assert (other.state, "in use" in other.check_error) == ("pending", True)
    assert _wanted() == one.tenant
    with platform_scope("even there"), pytest.raises(IntegrityError), transaction.atomic():
        Domain.objects.filter(pk=other.pk).update(verified_at=timezone.now())
    root = client(factories.staff())
    path = f"{API}tenants/{other.tenant.public_id}/domains"
    answer = root.post(f"{path}/{other.public_id}/verify", {"vouch": True}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "domain_taken")
    third = client(factories.member(factories.tenant()))
    assert third.get(f"{API}tenants/{one.tenant.public_id}/domains").status_code == 404


def test_a_lost_proof_is_told_and_ends_the_routing_after_the_grace(dns: names.NameServer) -> None:
    domain = _claim(factories.tenant())
    record = (f"_gatehouse-challenge.{HOST}", "TXT")
    dns.records[record] = [domain.token]
    domain = _checked(domain)
    assert domain.next_check_at is not None
    assert domain.next_check_at - timezone.now() > timedelta(hours=23)
    del dns.records[record]
    domain = _checked(domain)
    assert domain.state == "failing"
    assert _wanted() == domain.tenant
    dns.records[record] = [domain.token]
    assert _checked(domain).state == "verified"
    del dns.records[record]
    _checked(domain)
    with platform_scope("test"):
        Domain.objects.filter(pk=domain.pk).update(lost_at=timezone.now() - domains.GRACE)
    domain = _checked(domain)
    assert domain.state == "pending"
    assert _wanted() is None
    assert _told(domain) == ["created", "verified", "proof_lost", "recovered", "proof_lost", "expired"]


def test_pauses_grow_and_claims_are_given_up(dns: names.NameServer) -> None:
    domain, pauses = _claim(factories.tenant()), []
    for _ in range(12):
        domain = _checked(domain)
        assert domain.next_check_at is not None
        assert domain.checked_at is not None
        pauses.append(round((domain.next_check_at - domain.checked_at).total_seconds() / 60))
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == 360
    with platform_scope("test"):
        Domain.objects.filter(pk=domain.pk).update(created_at=timezone.now() - domains.GIVEN_UP_AFTER)
    domain = _checked(domain)
    assert domain.next_check_at is None
    domains.check(domain.pk)
    assert _fresh(domain).attempts == domain.attempts  # nobody looks any more, until somebody asks
    admin = client(factories.member(domain.tenant))
    path = f"{API}tenants/{domain.tenant.public_id}/domains/{domain.public_id}/verify"
    assert admin.post(path, {}, format="json").status_code == 202
    domain = _fresh(domain)
    assert domain.next_check_at is not None
    assert domain.attempts == 0


def test_the_sweep_checks_what_is_due(dns: names.NameServer, settings: Any) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = True
    from gateway.celery import app

    app.conf.task_always_eager = True
    try:
        due, later = _claim(factories.tenant()), _claim(factories.tenant())
        with platform_scope("test"):
            Domain.objects.filter(pk=due.pk).update(next_check_at=timezone.now() - timedelta(minutes=1))
        domains.sweep()
    finally:
        app.conf.task_always_eager = False
    assert (_fresh(due).attempts, _fresh(later).attempts) == (1, 0)


def test_a_silent_name_server_is_waited_for_a_while(
    dns: names.NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "PATIENCE_SECONDS", 0.3)
    dns.silent = True
    assert "could not be looked up" in _checked(_claim(factories.tenant())).check_error


def test_staff_vouch_and_nobody_else(dns: names.NameServer) -> None:
    tenant = factories.tenant()
    root, admin, member = (
        client(factories.staff()), client(factories.member(tenant)), client(factories.member(tenant, "member")),
    )  # fmt: skip
    path = f"{API}tenants/{tenant.public_id}/domains"
    assert admin.post(path, {"hostname": HOST, "verified": True}, format="json").status_code == 403
    assert member.post(path, {"hostname": HOST}, format="json").status_code == 403
    assert (
        root.post(path, {"hostname": HOST, "verified": False}, format="json").json()["data"]["state"]
        == "pending"
    )
    (row,) = admin.get(path).json()["data"]
    assert row["challenge"]["dns"] == {
        "name": f"_gatehouse-challenge.{HOST}", "type": "TXT", "value": row["challenge"]["http"]["body"],
    }  # fmt: skip
    assert admin.post(f"{path}/{row['id']}/verify", {"vouch": True}, format="json").status_code == 403
    vouched = root.post(f"{path}/{row['id']}/verify", {"vouch": True}, format="json")
    assert (vouched.status_code, vouched.json()["data"]["method"]) == (200, "staff")
    with platform_scope("test"):
        assert Domain.objects.get(tenant=tenant).next_check_at is None  # nobody looks for a proof
    assert _wanted() == tenant
    answer = admin.post(path, {"hostname": HOST.upper() + "."}, format="json")
    assert (answer.status_code, answer.json()["errors"]) == (409, {"hostname": ["Taken."]})
    assert admin.delete(f"{path}/{row['id']}").status_code == 204
    assert admin.delete(f"{path}/{row['id']}").status_code == 404
    assert _wanted() is None


@pytest.mark.parametrize(
    "hostname",
    ["", "localhost", "a b.example", "10.0.0.1", "1.2.3", "x.s3.localhost", "s3.localhost", "a" * 300, 7],
)
def test_what_is_no_name_to_claim(hostname: object) -> None:
    tenant = factories.tenant()
    admin = client(factories.member(tenant))
    answer = admin.post(f"{API}tenants/{tenant.public_id}/domains", {"hostname": hostname}, format="json")
    assert answer.status_code == 400, answer.content
    assert "hostname" in answer.json()["errors"]


def test_a_deleted_tenants_domains_do_not_route() -> None:
    tenant = factories.tenant()
    domains.add_domain(tenant, HOST, actor=factories.staff())
    assert _wanted() == tenant
    client(factories.staff()).delete(f"{API}tenants/{tenant.public_id}")
    assert _wanted() is None
    assert Client(HTTP_HOST=HOST).get("/app/login").status_code == 200
