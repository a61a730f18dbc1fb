"""Signing in, one's own account and its sign-ins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils import timezone

from gateway.db.scope import platform_scope
from tenants.models import SecondFactor, SignIn
from tenants.principal import Credential
from tenants.services.second_factors import factors
from tests import factories

from .table import OK, OPEN, PUBLIC, SIGNED_IN, api, page
from .world import Maker, World, sign_in

# Of somebody who is signed in, which no key is.
PERSON = SIGNED_IN.but(narrow=403)
# A row of an administrator's own account, which is nobody else's business.
THEIR_OWN = PERSON.but(viewer=404, member=404, staff=404)


def _sign_in(world: World) -> Any:
    sign_in(world.admin)
    with platform_scope("tests"):
        return SignIn.objects.filter(user=world.admin.user).latest("pk").public_id


def _factor(world: World) -> Any:
    here = factories.sign_in(world.admin, confirmed_at=timezone.now())
    actor = replace(world.admin, credential=Credential("jwt", sign_in=str(here.public_id)))
    return factors.begin_totp("app", actor=actor).factor.public_id


def _confirmed_factor(world: World) -> Any:
    made = _factor(world)
    with platform_scope("tests"):
        SecondFactor.objects.filter(public_id=made).update(confirmed_at=timezone.now())
        SignIn.objects.filter(user=world.admin.user).update(second_factor=SignIn.Shown.TOTP)
    return made


MAKERS: dict[str, Maker] = {
    "sign_in": _sign_in,
    "factor": _factor,
    "confirmed_factor": _confirmed_factor,
    "refresh": lambda world: sign_in(world.admin)["refresh"],
    "username": lambda world: world.admin.label,
}

LOGIN = {"username": "{username}", "password": factories.PASSWORD}
SIGN_IN = {"username": "nobody", "password": "wrong"}
ANOTHER = {"current_password": factories.PASSWORD, "new_password": "Another~xk9!Wv%Jb@Py&"}
NEW_PASSWORD = {"password": "Another~xk9!Wv%Jb@Py&", "again": "Another~xk9!Wv%Jb@Py&"}
# The sign-in page sends on whoever is signed in.
AT_THE_DOOR = OPEN.but(viewer=302, member=302, admin=302, staff=302)

ROWS = [
    api("POST", "auth/login", PUBLIC, 200, LOGIN),
    api("POST", "auth/login/second-factor", PUBLIC, 401, {"challenge": "unknown", "code": "000000"}),
    api("POST", "auth/login/second-factor/options", PUBLIC, 401, {"challenge": "unknown"}),
    api("POST", "auth/refresh", PUBLIC, 200, {"refresh": "{refresh}"}),
    api("POST", "auth/logout", SIGNED_IN.but(anonymous=OK), 204, {"refresh": "{refresh}"}),
    api("POST", "auth/password-reset", PUBLIC, 202, {"username": "{username}"}),
    api("POST", "auth/password-reset/confirm", PUBLIC, 400, {"token": "unknown", "password": "x"}),
    api("GET", "auth/me", SIGNED_IN),
    api("PATCH", "auth/me", PERSON, body={"name": "New"}),
    api("POST", "auth/confirm", PERSON, 204, {"password": factories.PASSWORD}),
    api("POST", "auth/password", PERSON, 200, ANOTHER),
    api("GET", "auth/sessions", PERSON),
    api("DELETE", "auth/sessions", PERSON),
    api("DELETE", "auth/sessions/{sign_in}", THEIR_OWN),
    api("GET", "auth/second-factors", PERSON),
    api("POST", "auth/second-factors", PERSON, body={"kind": "totp", "name": "app"}),
    api("DELETE", "auth/second-factors/{confirmed_factor}", THEIR_OWN),
    api("POST", "auth/second-factors/{factor}/confirm", THEIR_OWN, 400, {"code": "000000"}),
    api("POST", "auth/second-factors/recovery-codes", PERSON, 409),
    page("GET", "/app/login", AT_THE_DOOR),
    page("POST", "/app/login", OPEN, 422, SIGN_IN),
    page("GET", "/app/login/second-factor", AT_THE_DOOR),
    page("POST", "/app/login/second-factor", AT_THE_DOOR, 200, {"code": "000000"}),
    page("POST", "/app/logout", OPEN, 302),
    page("GET", "/app/password-reset", OPEN),
    page("POST", "/app/password-reset", OPEN, 200, {"identifier": "{username}"}),
    page("GET", "/app/password-reset/unknown", OPEN, 400),
    page("POST", "/app/password-reset/unknown", OPEN, 400, NEW_PASSWORD),
    page("GET", "/app/account", SIGNED_IN),
    page("POST", "/app/account", SIGNED_IN, 302, {"name": "New", "email": ""}),
    page("POST", "/app/account/password", SIGNED_IN, 302, ANOTHER),
    page("GET", "/app/account/confirm", SIGNED_IN),
    page("POST", "/app/account/confirm", SIGNED_IN, 302, {"password": factories.PASSWORD}),
    page("GET", "/app/account/sessions", SIGNED_IN),
    page("POST", "/app/account/sessions/end-others", SIGNED_IN),
    page("POST", "/app/account/sessions/{sign_in}/end", THEIR_OWN),
    page("GET", "/app/account/second-factor", SIGNED_IN),
    page("POST", "/app/account/second-factor/recovery-codes", SIGNED_IN, 409),
    page("GET", "/app/account/second-factor/new/totp", SIGNED_IN),
    page("POST", "/app/account/second-factor/new/totp", SIGNED_IN, 302, {"name": "app"}),
    page("GET", "/app/account/second-factor/{factor}", THEIR_OWN),
    page("POST", "/app/account/second-factor/{factor}", THEIR_OWN, 422, {"code": "000000"}),
    page("POST", "/app/account/second-factor/{confirmed_factor}/remove", THEIR_OWN),
]
