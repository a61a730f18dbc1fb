"""Tokens of an external issuer, whose keys a real little HTTP server publishes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from django.core.cache import cache
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope
from gateway.errors import Unauthenticated
from tenants import resolver, tasks
from tenants.models import Membership, User
from tenants.principal import Principal
from tenants.services import nexusgate_keys, standing
from tenants.services.users import create_user
from tests import factories
from tests.factories import client

pytestmark = pytest.mark.django_db
API = "/api/v1/"
ISSUER, AUDIENCE = "https://issuer.example", "gatehouse"
SECRET = "a-secret-that-two-systems-share-1234567890"


class Issuer:
    """Publishes keys and signs with them. `asked` counts how often the keys were fetched."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.asked = 0
        self.answer: bytes | None = None
        self.status = 200
        self.pause = 0.0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                self.send_response(issuer.status)
                if issuer.status == 302:
                    self.send_header("Location", f"{issuer.url}/elsewhere")
                self.end_headers()
                body = issuer.body()
                try:
                    if issuer.pause:
                        for byte in body:
                            self.wfile.write(bytes([byte]))
                            time.sleep(issuer.pause)
                    else:
                        self.wfile.write(body)
                except OSError:
                    pass  # the caller has had enough

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def body(self) -> bytes:
        if self.answer is not None:
            return self.answer
        entries = []
        for kid, private in self.keys.items():
            algorithm = (
                jwt.algorithms.RSAAlgorithm
                if isinstance(private, RSAPrivateKey)
                else jwt.algorithms.ECAlgorithm
            )
            entries.append({**algorithm.to_jwk(private.public_key(), as_dict=True), "kid": kid, "use": "sig"})
        return json.dumps({"keys": entries}).encode()

    def token(self, subject: Any, kid: str = "one", **other: Any) -> str:
        private = self.keys.get(kid) or _KEYS["two"]
        algorithm = "RS256" if isinstance(private, RSAPrivateKey) else "ES256"
        return jwt.encode(claims(subject, **other), private, algorithm, headers={"kid": kid})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


_KEYS = {name: generate_private_key(65537, 2048) for name in ("one", "two")}


def claims(subject: Any, **other: Any) -> dict[str, Any]:
    body = {
        "sub": subject,
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": int(time.time()) + 300,
        "email": "eve@example.org",
    }
    return {name: value for name, value in (body | other).items() if value is not None}


@pytest.fixture
def issuer(settings) -> Iterator[Issuer]:
    made = Issuer()
    made.keys["one"] = _KEYS["one"]
    settings.NEXUSGATE_INTEGRATION_ENABLED = True
    settings.NEXUSGATE_ISSUER, settings.NEXUSGATE_AUDIENCE = ISSUER, AUDIENCE
    settings.NEXUSGATE_JWKS_URL = f"{made.url}/jwks"
    nexusgate_keys.forget()
    cache.delete_many(["nexusgate:keys", "nexusgate:keys:fetched"])
    yield made
    made.close()
    nexusgate_keys.forget()
    cache.delete_many(["nexusgate:keys", "nexusgate:keys:fetched"])


@pytest.fixture
def linked() -> Principal:
    """A member whose account has the external id `subject-1`."""
    who = factories.member(factories.tenant())
    assert who.user is not None
    staff = client(factories.staff(), **{"X-Tenant": who.tenant.slug})
    path = f"{API}users/{who.user.public_id}"
    assert staff.patch(path, {"nexusgate_user_id": "subject-1"}, format="json").status_code == 200
    return who


def status(token: str, **headers: str) -> int:
    return int(client(None, Authorization=f"Bearer {token}", **headers).get(API + "auth/me").status_code)


def test_a_token_acts_as_the_account_with_its_subject(issuer: Issuer, linked: Principal) -> None:
    answer = client(None, Authorization=f"Bearer {issuer.token('subject-1')}").get(API + "auth/me")
    assert (answer.status_code, answer.json()["data"]["username"]) == (200, linked.label)
    assert status(issuer.token("subject-2")) == 401
    assert status(issuer.token("subject-1"), **{"X-Tenant": "platform"}) == 404


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "elsewhere"},
        {"aud": None},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": 10**18},
        {"nbf": int(time.time()) + 86_400},
        {"sub": None},
        {"sub": ""},
        {"sub": ["subject-1"]},
        {"sub": "x" * 256},
        {"sub": "subject-1\0"},
    ],
    ids=",".join,
)
def test_a_token_with_a_wrong_or_missing_claim_is_refused(
    issuer: Issuer, linked: Principal, other: dict[str, Any]
) -> None:
    assert status(issuer.token("subject-1", **other)) == 401


def test_switched_off_nothing_of_theirs_is_taken(issuer: Issuer, linked: Principal, settings) -> None:
    settings.NEXUSGATE_INTEGRATION_ENABLED = False
    assert status(issuer.token("subject-1")) == 401 and issuer.asked == 0


def test_forgeries_are_refused(issuer: Issuer, linked: Principal, settings) -> None:
    body = claims("subject-1")
    settings.JWT_SECRET_KEY = SECRET
    forged = [
        jwt.encode(body, None, "none", headers={"kid": "one"}),  # type: ignore[arg-type]
        jwt.encode(body, SECRET, "HS256", headers={"kid": "one"}),
        jwt.encode(body, _KEYS["two"], "RS256", headers={"kid": "one"}),
        jwt.encode(
            body, _KEYS["two"], "RS256", headers={"jwk": {}, "jku": f"{issuer.url}/mine", "kid": "mine"}
        ),
        jwt.encode(body | {"sub": str(uuid4())}, _KEYS["one"], "RS256", headers={"kid": "one"}),
    ]
    assert [status(token) for token in forged] == [401] * 5


def test_a_shared_secret_and_a_symmetric_key_in_the_set_are_told_apart(
    issuer: Issuer, linked: Principal, settings
) -> None:
    issuer.answer = json.dumps(
        {
            "keys": [
                {"kty": "oct", "kid": "one", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQ"}
            ]
        }
    ).encode()
    token = jwt.encode(
        claims("subject-1"), "secret-secret-secret-secret-secret-secret", "HS256", headers={"kid": "one"}
    )
    assert status(token) == 401
    settings.NEXUSGATE_JWKS_URL, settings.NEXUSGATE_JWT_SECRET = "", SECRET
    assert status(jwt.encode(claims("subject-1"), SECRET, "HS256")) == 200
    assert status(jwt.encode(claims("subject-1"), SECRET + "x", "HS256")) == 401
    assert status(issuer.token("subject-1")) == 401


def test_elliptic_keys_and_a_set_without_ids(issuer: Issuer, linked: Principal) -> None:
    issuer.keys = {"ec": ec.generate_private_key(ec.SECP256R1())}
    assert status(issuer.token("subject-1", "ec")) == 200


def test_keys_are_fetched_once_and_for_an_unknown_one_not_too_often(
    issuer: Issuer, linked: Principal
) -> None:
    for _ in range(3):
        assert status(issuer.token("subject-1", jti=uuid4().hex)) == 200
    assert issuer.asked == 1
    for _ in range(5):
        assert status(issuer.token("subject-1", "two", jti=uuid4().hex)) == 401
    assert issuer.asked == 1  # it was fetched a moment ago
    issuer.keys["two"] = _KEYS["two"]
    nexusgate_keys.forget()
    cache.delete("nexusgate:keys:fetched")
    assert status(issuer.token("subject-1", "two")) == 200 and issuer.asked == 2
    nexusgate_keys.forget()  # another process
    assert status(issuer.token("subject-1", "two", jti="x")) == 200 and issuer.asked == 2


def test_a_withdrawn_key_ends_with_the_next_run_of_the_job(issuer: Issuer, linked: Principal) -> None:
    assert status(issuer.token("subject-1")) == 200
    issuer.keys = {"two": _KEYS["two"]}
    tasks.refresh_nexusgate_keys()
    token = jwt.encode(claims("subject-1", jti="new"), _KEYS["one"], "RS256", headers={"kid": "one"})
    assert status(token) == 401 and status(issuer.token("subject-1", "two")) == 200


@pytest.mark.parametrize("what", ["500", "302", "no json", "no keys", "too much", "gone"])
def test_while_the_issuer_does_not_answer_the_known_keys_hold(
    issuer: Issuer, linked: Principal, what: str
) -> None:
    tasks.refresh_nexusgate_keys()
    issuer.status = int(what) if what.isdigit() else 200
    issuer.answer = {"no json": b"<html>", "no keys": b'{"keys": 5}', "too much": b" " * (300 << 10)}.get(
        what
    )
    if what == "gone":
        issuer.close()
    with pytest.raises(nexusgate_keys.NotFetched):
        nexusgate_keys.refresh()
    tasks.refresh_nexusgate_keys()
    nexusgate_keys.forget()
    assert status(issuer.token("subject-1")) == 200


def test_an_answer_that_drips_is_left(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nexusgate_keys, "FETCH_SECONDS", 0.3)
    issuer.pause = 0.05
    with pytest.raises(nexusgate_keys.NotFetched, match="took more than"):
        nexusgate_keys.refresh()


def test_a_local_deactivation_wins(issuer: Issuer, linked: Principal) -> None:
    token = issuer.token("subject-1")
    found = resolver.from_token(token, resolver.Asked(None, "", None))
    holder = standing.holder_of(found, None)
    assert standing.renew(holder).user == linked.user and status(token) == 200
    assert linked.user is not None
    staff = client(factories.staff(), **{"X-Tenant": linked.tenant.slug})
    path = f"{API}users/{linked.user.public_id}"
    assert staff.delete(path).status_code == 204
    assert status(token) == 401
    with pytest.raises(Unauthenticated):
        standing.renew(holder)
    staff.patch(path, {"is_active": True}, format="json")
    assert status(token) == 200
    staff.patch(path, {"nexusgate_user_id": None}, format="json")
    assert status(token) == 401
    with pytest.raises(Unauthenticated):
        standing.renew(holder)


def test_the_tenant_may_be_the_tokens_to_say(issuer: Issuer, linked: Principal, settings) -> None:
    settings.NEXUSGATE_TENANT_CLAIM, settings.NEXUSGATE_SUBJECT_CLAIM = "org", "uid"
    slug = linked.tenant.slug
    assert status(issuer.token("x", uid="subject-1", org=slug)) == 200
    assert status(issuer.token("x", uid="subject-1", org=slug), **{"X-Tenant": slug}) == 200
    assert status(issuer.token("x", uid="subject-1", org=slug), **{"X-Tenant": "platform"}) == 404
    assert status(issuer.token("x", uid="subject-1", org="platform")) == 404
    assert status(issuer.token("x", uid="subject-1")) == 401
    assert status(issuer.token("subject-1", org=slug)) == 401


def test_an_unknown_subject_is_made_a_member_where_that_is_switched_on(issuer: Issuer, settings) -> None:
    tenant = factories.tenant()
    settings.NEXUSGATE_TENANT_CLAIM = "org"
    token = issuer.token("new-1", org=tenant.slug)
    assert status(token) == 401
    settings.NEXUSGATE_PROVISION_ROLE = "viewer"
    for _ in range(2):
        me = client(None, Authorization=f"Bearer {token}").get(API + "auth/me").json()["data"]
        assert (me["username"], me["role"], me["tenant"]) == ("eve@example.org", "viewer", tenant.slug)
    with platform_scope("test"):
        user = User.objects.get(nexusgate_user_id="new-1")
        assert not user.has_usable_password() and Membership.objects.filter(user=user).count() == 1
    assert status(issuer.token("new-2", org="nowhere")) == 401


def test_an_address_is_no_proof_of_an_account(issuer: Issuer, settings) -> None:
    tenant = factories.tenant()
    made = create_user(
        tenant,
        "eve@example.org",
        email="eve@example.org",
        password=None,
        role="admin",
        actor=factories.staff(),
    )
    settings.NEXUSGATE_TENANT_CLAIM, settings.NEXUSGATE_PROVISION_ROLE = "org", "viewer"
    assert status(issuer.token("new-1", org=tenant.slug)) == 401
    with platform_scope("test"):
        assert User.objects.get(pk=made.user_id).nexusgate_user_id is None


def test_introspection_knows_them(issuer: Issuer, linked: Principal) -> None:
    token = issuer.token("subject-1")
    answer = client(linked).post(API + "auth/introspect", {"token": token}, format="json").json()
    assert (answer["active"], answer["iss"], answer["credential"]) == (True, ISSUER, "nexusgate")
    assert answer["username"] == linked.label and APIClient().get("/jwks").json() == {"keys": []}
