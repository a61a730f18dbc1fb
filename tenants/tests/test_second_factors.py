"""Second factors: set up, shown at sign-in, required by a tenant, lost and reset; and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from realtime.models import Event
from tenants.models import AuditEntry, RecoveryCode, SecondFactor, SignIn, TenantSettings
from tenants.principal import Principal
from tenants.services import snapshot
from tenants.services.second_factors import factors
from tests import factories
from tests.factories import PASSWORD, client

from .authenticator import SecurityKey, code, stopped_clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]
__all__ = ["stopped_clock"]
API = "/api/v1/"


def post(api: APIClient, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
    """What is answered: the data, or the problem."""
    answer = api.post(API + path, body or {}, format="json")
    assert answer.status_code == status, answer.content
    parsed = answer.json() if answer.content else {}
    return parsed.get("data", parsed)


def with_app(who: Principal) -> tuple[APIClient, str, list[str]]:
    """A client of somebody who has just set up an app, its secret, and the recovery codes."""
    api = client(who)
    begun = post(api, "auth/second-factors", {"kind": "totp", "name": "phone"}, 201)
    done = post(api, f"auth/second-factors/{begun['id']}/confirm", {"code": code(begun["secret"], -1)})
    return api, begun["secret"], done["recovery_codes"]


def with_key(who: Principal) -> tuple[APIClient, SecurityKey]:
    api, key = client(who), SecurityKey()
    begun = post(api, "auth/second-factors", {"kind": "webauthn", "name": "yellow"}, 201)
    body = {"webauthn": key.create(begun["options"])}
    post(api, f"auth/second-factors/{begun['id']}/confirm", body)
    return api, key


def challenge(who: Principal) -> dict[str, Any]:
    """What the password alone gets."""
    problem = post(APIClient(), "auth/login", {"username": who.label, "password": PASSWORD}, 401)
    assert problem["code"] == "second_factor_required"
    return dict(problem)


def show(token: str, status: int = 200, **shown: Any) -> Any:
    return post(APIClient(), "auth/login/second-factor", {"challenge": token, **shown}, status)


def require(tenant: Any, required: bool = True) -> None:
    with platform_scope("test"):
        TenantSettings.objects.filter(tenant=tenant).update(require_second_factor=required)
        snapshot.changed("tenants")


def test_an_app_is_set_up_and_shown_at_the_next_sign_in() -> None:
    who = factories.member(factories.tenant())
    api, secret, codes = with_app(who)
    assert len(codes) == 10 and len(set(codes)) == 10
    asked = challenge(who)
    assert asked["methods"] == ["totp", "recovery_code"] and asked["expires_in"] == 300
    assert "access" not in asked
    tokens = show(asked["challenge"], code=code(secret))
    mine = APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    listed = mine.get(API + "auth/sessions").json()["data"]
    assert [row["second_factor"] for row in listed if row["is_current"]] == ["totp"]
    assert api.get(API + "auth/me").json()["data"]["second_factors"] == ["totp", "recovery_code"]
    with platform_scope("test"):
        row = SecondFactor.objects.get(user=who.user)
        assert secret.encode() not in bytes(row.sealed)
        assert AuditEntry.objects.filter(action="tenants.second_factor.add", target=who.label).exists()
        assert Event.objects.filter(type="tenants.second_factor.added", subject=who.label).exists()
        for kept in (
            *AuditEntry.objects.values_list("after", flat=True),
            *Event.objects.values_list("data", flat=True),
        ):
            assert secret not in str(kept) and not any(each in str(kept) for each in codes)


@pytest.mark.parametrize("wrong", ["000000", "", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\0"])
def test_a_wrong_code_opens_nothing(wrong: str) -> None:
    who = factories.member(factories.tenant())
    with_app(who)
    answer = APIClient().post(
        API + "auth/login/second-factor",
        {"challenge": challenge(who)["challenge"], "code": wrong},
        format="json",
    )
    assert answer.status_code in (400, 401)
    assert answer.json()["code"] in ("invalid", "second_factor_wrong")
    with platform_scope("test"):
        assert SignIn.objects.filter(user=who.user).count() == 1


def test_a_code_is_taken_once_even_with_another_challenge() -> None:
    who = factories.member(factories.tenant())
    _, secret, _ = with_app(who)
    now = code(secret)
    show(challenge(who)["challenge"], code=now)
    assert show(challenge(who)["challenge"], 401, code=now)["code"] == "second_factor_wrong"
    assert show(challenge(who)["challenge"], 401, code=code(secret, -1))["code"] == "second_factor_wrong"
    show(challenge(who)["challenge"], code=code(secret, 1))


def test_a_challenge_is_one_persons_and_works_once() -> None:
    tenant = factories.tenant()
    one, other = factories.member(tenant), factories.member(tenant)
    _, secret, codes = with_app(one)
    _, _, others = with_app(other)
    token = challenge(other)["challenge"]
    assert show(token, 401, code=code(secret))["code"] == "second_factor_wrong"
    assert show(token, 401, recovery_code=codes[0])["code"] == "second_factor_wrong"
    show(token, recovery_code=others[0])
    assert show(token, 401, recovery_code=others[1])["code"] == "challenge_expired"


def test_a_challenge_ends_with_its_time_and_with_the_password() -> None:
    who = factories.member(factories.tenant())
    _, secret, _ = with_app(who)
    assert show("no-such-challenge", 401, code=code(secret))["code"] == "challenge_expired"
    late = challenge(who)["challenge"]
    from tenants.services.second_factors import challenges

    cache.touch(challenges._name(late), 0)
    assert show(late, 401, code=code(secret))["code"] == "challenge_expired"
    token = challenge(who)["challenge"]
    assert who.user is not None
    with platform_scope("test"):
        who.user.set_password(PASSWORD + "!")
        who.user.save()
    assert show(token, 401, code=code(secret))["code"] == "challenge_expired"


def test_a_recovery_code_works_once_however_it_is_typed() -> None:
    who = factories.member(factories.tenant())
    api, _, codes = with_app(who)
    typed = codes[0].upper().replace("-", " ").replace("0", "O")
    show(challenge(who)["challenge"], recovery_code=typed)
    assert show(challenge(who)["challenge"], 401, recovery_code=codes[0])["code"] == "second_factor_wrong"
    assert api.get(API + "auth/second-factors").json()["data"]["recovery_codes_left"] == 9
    fresh = post(api, "auth/second-factors/recovery-codes", status=201)["recovery_codes"]
    assert show(challenge(who)["challenge"], 401, recovery_code=codes[1])["code"] == "second_factor_wrong"
    show(challenge(who)["challenge"], recovery_code=fresh[0])
    with platform_scope("test"):
        assert not RecoveryCode.objects.filter(digest=codes[1].encode()).exists()


@pytest.mark.parametrize(
    "shown", [{}, {"code": "123456", "recovery_code": "x"}, {"code": 123456}, {"webauthn": "x"}]
)
def test_one_thing_is_shown_at_a_time(shown: dict[str, Any]) -> None:
    who = factories.member(factories.tenant())
    with_app(who)
    assert show(challenge(who)["challenge"], 400, **shown)["code"] == "invalid"


def test_guesses_at_codes_are_slowed_down() -> None:
    who = factories.member(factories.tenant())
    with_app(who)
    token = challenge(who)["challenge"]
    answers = [
        APIClient().post(
            API + "auth/login/second-factor", {"challenge": token, "code": "000000"}, format="json"
        )
        for _ in range(8)
    ]
    assert [a.status_code for a in answers][:6] == [401] * 6
    assert answers[-1].status_code == 429 and int(answers[-1]["Retry-After"]) >= 1
    assert answers[-1].json()["retry_after"] >= 1


def test_a_security_key_signs_in() -> None:
    who = factories.member(factories.tenant())
    _, key = with_key(who)
    token = challenge(who)["challenge"]
    options = post(APIClient(), "auth/login/second-factor/options", {"challenge": token})["options"]
    assert options["rpId"] == "localhost" and len(options["allowCredentials"]) == 1
    answer = key.get(options)
    assert show(token, webauthn=answer)["access"]
    again = challenge(who)["challenge"]
    assert show(again, 401, webauthn=answer)["code"] == "second_factor_wrong"  # of another challenge
    options = post(APIClient(), "auth/login/second-factor/options", {"challenge": again})["options"]
    key.counter = 0
    assert show(again, 401, webauthn=key.get(options))["code"] == "second_factor_wrong"  # a copy lags behind


@pytest.mark.parametrize("origin", ["https://localhost:8080", "http://evil.example", "http://localhost:8081"])
def test_another_sites_page_cannot_pass_a_keys_answer_on(origin: str) -> None:
    who = factories.member(factories.tenant())
    _, key = with_key(who)
    token = challenge(who)["challenge"]
    options = post(APIClient(), "auth/login/second-factor/options", {"challenge": token})["options"]
    key.origin = origin
    assert show(token, 401, webauthn=key.get(options))["code"] == "second_factor_wrong"


@pytest.mark.parametrize(
    "made_up",
    [
        {},
        {"id": "x"},
        {"id": "é", "rawId": "é", "type": "public-key", "response": {}},
        {"id": 5, "response": []},
        {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {"clientDataJSON": "e30"}},
    ],
)  # fmt: skip
def test_what_no_key_answers_is_wrong_and_no_defect(made_up: dict[str, Any]) -> None:
    who = factories.member(factories.tenant())
    api, key = with_key(who)
    token = challenge(who)["challenge"]
    assert show(token, 401, webauthn=made_up)["code"] == "second_factor_wrong"
    genuine = key.get(post(APIClient(), "auth/login/second-factor/options", {"challenge": token})["options"])
    for field in ("clientDataJSON", "authenticatorData", "signature"):
        broken = {**genuine, "response": {**genuine["response"], field: made_up.get("id", "AAAA")}}
        answer = APIClient().post(
            API + "auth/login/second-factor", {"challenge": token, "webauthn": broken}, format="json"
        )
        assert answer.json()["code"] in ("second_factor_wrong", "rate_limited")
    begun = post(api, "auth/second-factors", {"kind": "webauthn", "name": "other"}, 201)
    refused = api.post(
        API + f"auth/second-factors/{begun['id']}/confirm", {"webauthn": made_up}, format="json"
    )
    assert refused.json()["code"] in ("second_factor_wrong", "rate_limited")


def test_a_key_belongs_to_one_account() -> None:
    tenant = factories.tenant()
    _, key = with_key(factories.member(tenant))
    api = client(factories.member(tenant))
    begun = post(api, "auth/second-factors", {"kind": "webauthn", "name": "mine too"}, 201)
    body = {"webauthn": key.create(begun["options"])}
    assert post(api, f"auth/second-factors/{begun['id']}/confirm", body, 409)["code"] == "conflict"


def test_setting_up_asks_for_the_password_entered_lately() -> None:
    who = factories.member(factories.tenant())
    api, _, _ = with_app(who)
    with platform_scope("the clock cannot be turned"):
        SignIn.objects.update(confirmed_at=timezone.now() - timedelta(minutes=11))
        factor = SecondFactor.objects.get(user=who.user)
    body = {"kind": "totp", "name": "x"}
    assert post(api, "auth/second-factors", body, 403)["code"] == "password_needed"
    assert post(api, "auth/second-factors/recovery-codes", status=403)["code"] == "password_needed"
    refused = api.delete(API + f"auth/second-factors/{factor.public_id}")
    assert (refused.status_code, refused.json()["code"]) == (403, "password_needed")
    assert (
        api.patch(API + "auth/me", {"email": "x@example.org"}, format="json").json()["code"]
        == "password_needed"
    )
    assert post(api, "auth/confirm", {"password": "wrong"}, 400)["code"] == "password_wrong"
    post(api, "auth/confirm", {"password": PASSWORD}, 204)
    assert api.delete(API + f"auth/second-factors/{factor.public_id}").status_code == 204
    with platform_scope("test"):
        assert not RecoveryCode.objects.filter(user=who.user).exists()
        assert set(SignIn.objects.filter(user=who.user).values_list("second_factor", flat=True)) == {""}
    assert post(APIClient(), "auth/login", {"username": who.label, "password": PASSWORD})["access"]


def test_a_sign_in_of_the_password_alone_changes_nothing_once_there_is_a_factor() -> None:
    """Whoever has an older session and the password would take the factor away, or the address."""
    who = factories.member(factories.tenant())
    older = client(who)
    with_app(who)
    with platform_scope("test"):
        factor = SecondFactor.objects.get(user=who.user)
    post(older, "auth/confirm", {"password": PASSWORD}, 204)
    for refused in (
        older.delete(API + f"auth/second-factors/{factor.public_id}"),
        older.post(API + "auth/second-factors", {"kind": "totp", "name": "mine"}, format="json"),
        older.post(API + "auth/second-factors/recovery-codes"),
        older.patch(API + "auth/me", {"email": "mine@example.org"}, format="json"),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")


def test_a_factor_that_is_not_confirmed_counts_for_nothing_and_is_forgotten() -> None:
    who = factories.member(factories.tenant())
    api = client(who)
    begun = post(api, "auth/second-factors", {"kind": "totp", "name": "phone"}, 201)
    path = f"auth/second-factors/{begun['id']}/confirm"
    assert post(api, path, {"code": "000000"}, 400)["code"] == "second_factor_wrong"
    assert post(api, path, {}, 400)["code"] == "invalid"
    assert post(APIClient(), "auth/login", {"username": who.label, "password": PASSWORD})["access"]
    stranger = client(factories.member(who.tenant))
    assert post(stranger, path, {"code": code(begun["secret"])}, 404)["code"] == "not_found"
    with platform_scope("the clock cannot be turned"):
        SecondFactor.objects.update(created_at=timezone.now() - timedelta(minutes=16))
    assert post(api, path, {"code": code(begun["secret"])}, 404)["code"] == "not_found"
    factors.tidy()
    with platform_scope("test"):
        assert not SecondFactor.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "sms", "name": "x"},
        {"kind": "totp"},
        {"kind": "totp", "name": ""},
        {"kind": "totp", "name": "x" * 101},
        {"kind": "totp", "name": "x", "user": 1},
        {"kind": "totp", "name": 5},
    ],
)
def test_what_is_no_second_factor(body: dict[str, Any]) -> None:
    api = client(factories.member(factories.tenant()))
    assert post(api, "auth/second-factors", body, 400)["code"] == "invalid"
    with platform_scope("test"):
        assert not SecondFactor.objects.exists()


def test_a_key_of_a_program_changes_nothing_about_its_owner() -> None:
    who = factories.member(factories.tenant())
    key = post(client(who), "api-keys", {"name": "x"}, 201)["api_key"]
    program = APIClient(HTTP_X_API_KEY=key)
    for path, body in (
        ("auth/second-factors", {"kind": "totp", "name": "x"}),
        ("auth/password", {"current_password": PASSWORD, "new_password": PASSWORD + "!"}),
        ("auth/confirm", {"password": PASSWORD}),
    ):
        assert post(program, path, body, 403)["code"] == "sign_in_needed"
    assert program.patch(API + "auth/me", {"name": "x"}, format="json").json()["code"] == "sign_in_needed"
    assert program.get(API + "auth/sessions").json()["code"] == "sign_in_needed"


def test_a_tenant_that_requires_one_lets_nobody_in_without() -> None:
    who = factories.member(factories.tenant())
    bystander = factories.member(factories.tenant())
    key = post(client(who), "api-keys", {"name": "x"}, 201)["api_key"]
    require(who.tenant)
    api = client(who)
    for path in ("users", "api-keys", "audit", "storage/buckets", "tenants", "roles"):
        refused = api.get(API + path)
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_setup_required"), path
    assert client(bystander).get(API + "users").status_code == 200
    assert APIClient(HTTP_X_API_KEY=key).get(API + "users").status_code == 200
    me = api.get(API + "auth/me").json()["data"]
    assert (me["barred"], me["permissions"]) == ("second_factor_setup_required", [])

    api, secret, _ = with_app(who)
    assert api.get(API + "users").status_code == 200
    older = client(who)  # signed in by the password alone
    assert older.get(API + "users").json()["code"] == "second_factor_required"
    tokens = show(challenge(who)["challenge"], code=code(secret))
    assert APIClient(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}").get(API + "users").status_code == 200
    require(who.tenant, False)
    assert older.get(API + "users").status_code == 200


def test_the_last_factor_stays_where_a_tenant_requires_one() -> None:
    who = factories.member(factories.tenant())
    api, _, _ = with_app(who)
    require(who.tenant)
    with platform_scope("test"):
        first = SecondFactor.objects.get(user=who.user)
    refused = api.delete(API + f"auth/second-factors/{first.public_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "second_factor_needed")
    begun = post(api, "auth/second-factors", {"kind": "webauthn", "name": "key"}, 201)
    done = post(
        api,
        f"auth/second-factors/{begun['id']}/confirm",
        {"webauthn": SecurityKey().create(begun["options"])},
    )
    assert done["recovery_codes"] == []
    assert api.delete(API + f"auth/second-factors/{first.public_id}").status_code == 204
    assert api.delete(API + f"auth/second-factors/{uuid4()}").status_code == 404
    assert api.get(API + "users").status_code == 200


def test_staff_reset_what_somebody_lost() -> None:
    who = factories.member(factories.tenant())
    api, _, _ = with_app(who)
    assert who.user is not None
    factors.reset(who.user, actor=factories.staff())
    assert api.get(API + "auth/me").status_code == 401
    assert post(APIClient(), "auth/login", {"username": who.label, "password": PASSWORD})["access"]
    with platform_scope("test"):
        entry = AuditEntry.objects.get(action="tenants.second_factor.reset", target=who.label)
        assert (entry.actor, entry.tenant) == ("root-of-all", who.tenant)


def test_somebody_elses_is_not_theirs_to_reset() -> None:
    from gateway.errors import Forbidden

    tenant = factories.tenant()
    who = factories.member(tenant)
    with_app(who)
    assert who.user is not None
    with pytest.raises(Forbidden):
        factors.reset(who.user, actor=factories.member(tenant, "owner"))
    with platform_scope("test"):
        assert SecondFactor.objects.filter(user=who.user).exists()
