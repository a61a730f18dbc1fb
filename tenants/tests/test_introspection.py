"""Introspection: what a token means, to whom, and that nothing is learned by asking (RFC 7662)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from tenants.models import ApiKey
from tenants.principal import Principal
from tenants.services import key_secrets
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"
PATH = API + "auth/introspect"
SECRET = "an-introspection-secret-of-40-characters"


def issued(who: Principal, **fields: Any) -> str:
    answer = client(who).post(API + "api-keys", {"name": "x", **fields}, format="json")
    return str(answer.json()["data"]["api_key"])


def asked(who: APIClient, token: str) -> Any:
    answer = who.post(PATH, {"token": token}, format="json")
    assert answer.status_code == 200, answer.content
    assert answer["Cache-Control"] == "no-store" and answer["Content-Type"] == "application/json"
    return answer.json()


@pytest.fixture
def admin() -> Principal:
    return factories.member(factories.tenant())


def test_a_key_as_the_rfc_names_it(admin: Principal, settings) -> None:
    ends = timezone.now() + timedelta(hours=1)
    token = issued(
        admin,
        permissions=["tenant.read", "user.read"],
        expires_at=ends.isoformat(),
        allowed_networks=["10.0.0.0/8"],
    )
    assert admin.user is not None
    found = asked(client(admin), token)
    assert found | {"iat": 0, "jti": ""} == {
        "active": True,
        "scope": "tenant.read user.read",
        "client_id": token.rpartition("_")[0],
        "username": admin.label,
        "token_type": "Bearer",
        "exp": int(ends.timestamp()),
        "iat": 0,
        "sub": str(admin.user.public_id),
        "aud": settings.JWT_AUDIENCE,
        "iss": settings.JWT_ISSUER,
        "jti": "",
        "credential": "api_key",
        "tenant": admin.tenant.slug,
        "role": "admin",
        "allowed_networks": ["10.0.0.0/8"],
    }


def test_an_access_token_as_the_rfc_names_it(admin: Principal, settings) -> None:
    token = factories.bearer(admin).removeprefix("Bearer ")
    found = asked(client(admin), token)
    assert found["active"] is True and found["exp"] > found["iat"]
    assert (found["iss"], found["aud"], found["credential"]) == (
        settings.JWT_ISSUER,
        settings.JWT_AUDIENCE,
        "jwt",
    )


def test_asking_about_a_key_is_no_use_of_it(admin: Principal) -> None:
    token = issued(admin, allowed_networks=["10.0.0.0/8"])
    assert asked(client(admin), token)["active"] is True
    with platform_scope("test"):
        assert ApiKey.objects.get(prefix=token.split("_")[1]).last_used_at is None


def test_a_form_is_as_good_as_json_and_more_parameters_do_no_harm(admin: Principal) -> None:
    body = f"token={issued(admin)}&token_type_hint=access_token&more=1"
    answer = client(admin).post(PATH, body, content_type="application/x-www-form-urlencoded")
    assert answer.json()["active"] is True
    assert client(admin).post(PATH, {}, format="json").status_code == 400


def test_a_tenants_caller_learns_of_its_own_tenant_alone(admin: Principal, settings) -> None:
    settings.INTROSPECT_SECRET = SECRET
    foreign = factories.member(factories.tenant())
    with_secret = APIClient(HTTP_X_INTROSPECT_SECRET=SECRET)
    for token in (issued(foreign), factories.bearer(foreign).removeprefix("Bearer ")):
        assert asked(client(admin), token) == {"active": False}
        for who in (client(foreign), client(factories.staff()), with_secret):
            assert asked(who, token)["tenant"] == foreign.tenant.slug


def test_a_tenants_caller_is_not_told_what_staff_may_do_elsewhere(admin: Principal, settings) -> None:
    settings.INTROSPECT_SECRET = SECRET
    token = factories.bearer(factories.staff()).removeprefix("Bearer ")
    told = asked(client(admin), token)
    assert (told["active"], told["role"]) == (True, "staff")
    assert not [scope for scope in told["scope"].split() if scope.startswith("platform.")]
    assert "platform.tenants" in asked(client(factories.staff()), token)["scope"].split()


def test_what_ended_is_not_active(admin: Principal) -> None:
    member = factories.member(admin.tenant, "member")
    assert member.user is not None
    revoked, expired, theirs = issued(admin), issued(admin), issued(member)
    token = factories.bearer(member).removeprefix("Bearer ")
    with platform_scope("the clock cannot be turned"):
        past = timezone.now() - timedelta(seconds=1)
        ApiKey.objects.filter(prefix=expired.split("_")[1]).update(expires_at=past)
        ApiKey.objects.filter(prefix=revoked.split("_")[1]).update(revoked_at=past)
    assert asked(client(admin), theirs)["active"] is asked(client(admin), token)["active"] is True
    assert client(admin).delete(f"{API}users/{member.user.public_id}").status_code == 204
    for ended in (revoked, expired, theirs, token):
        assert asked(client(admin), ended) == {"active": False}


@pytest.mark.parametrize("header", ["", "wrong", SECRET[:-1], SECRET + "x", "é" * 40])
def test_a_wrong_secret_is_no_credential(settings, header: str) -> None:
    settings.INTROSPECT_SECRET = SECRET
    asking = APIClient(HTTP_X_INTROSPECT_SECRET=header)
    assert asking.post(PATH, {"token": "x"}, format="json").status_code == 401
    settings.INTROSPECT_SECRET = ""
    assert APIClient(HTTP_X_INTROSPECT_SECRET="").post(PATH, {"token": "x"}, format="json").status_code == 401


def test_guesses_are_throttled_and_right_answers_are_not(admin: Principal, settings) -> None:
    settings.AUTH_RATE_LIMIT = 3
    token, who = issued(admin), client(admin)
    statuses = [who.post(PATH, {"token": f"mcp_a{n}_b"}, format="json").status_code for n in range(6)]
    assert statuses.count(429) >= 2
    assert all(asked(who, token)["active"] for _ in range(6))


def test_unknown_and_known_keys_cost_the_same_work(admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []

    class Counting(type(key_secrets._HASHER)):  # type: ignore[misc]
        def verify(self, hashed: str, secret: str) -> bool:
            verified.append(hashed)
            return bool(super().verify(hashed, secret))

    monkeypatch.setattr(key_secrets, "_HASHER", Counting(time_cost=2, memory_cost=19_456, parallelism=1))
    token, rotated, expired = issued(admin), issued(admin), issued(admin)
    with platform_scope("the clock cannot be turned"):
        key = ApiKey.objects.get(prefix=rotated.split("_")[1])
        ApiKey.objects.filter(prefix=expired.split("_")[1]).update(
            expires_at=timezone.now() - timedelta(days=1)
        )
    client(admin).post(f"{API}api-keys/{key.public_id}/rotate", {}, format="json")
    who, wrong = client(admin), "x" * 40
    with platform_scope("test"):
        new_prefix = ApiKey.objects.get(pk=key.pk).prefix
    for prefix in ("nobodys123", token.split("_")[1], key.prefix, new_prefix, expired.split("_")[1]):
        verified.clear()
        assert asked(who, f"mcp_{prefix}_{wrong}") == {"active": False}
        assert len(verified) == 1, prefix
        assert verified[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
