"""A stream ends with the credential that opened it: within two seconds, and with the reason."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from websockets.exceptions import ConnectionClosed

from gateway.db.scope import platform_scope, tenant_scope
from realtime.tests.clients import Stream, api_key, cookie, emit, token
from realtime.tests.conftest import Live
from realtime.tests.test_websocket import open_socket
from tenants.models import Membership, Role, Tenant, User
from tenants.principal import Principal
from tenants.services import api_keys, settings, sign_ins, users
from tenants.services.tenants import update_tenant
from tenants.tokens import AccessToken
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
MOST_SECONDS = 2.2  # two, and what this machine needs to notice


def _membership(who: Principal) -> Membership:
    with platform_scope("tests"):
        rows = Membership.objects.select_related("user", "tenant", "role")
        membership: Membership = rows.get(user=who.user, tenant=who.tenant)
        return membership


def deactivate(who: Principal) -> None:
    with tenant_scope(who.tenant.pk):
        users.deactivate_user(_membership(who), actor=factories.staff())


def suspend(who: Principal) -> None:
    update_tenant(who.tenant, status=Tenant.Status.SUSPENDED, actor=factories.staff())


def take_permission(who: Principal) -> None:
    with platform_scope("tests"):
        role = Role.objects.create(tenant=who.tenant, slug="blind", name="Blind", granted=["user.read"])
        Membership.objects.filter(user=who.user).update(role=role)


def end_sign_ins(who: Principal) -> None:
    assert who.user is not None
    sign_ins.sign_out_everywhere(who.user, actor=factories.staff())


def require_second_factor(who: Principal) -> None:
    settings.change(who.tenant, {"require_second_factor": True}, actor=factories.staff())


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        (deactivate, 401, "unauthenticated"),
        (suspend, 403, "tenant_suspended"),
        (take_permission, 403, "permission_missing"),
        (end_sign_ins, 401, "unauthenticated"),
        (require_second_factor, 403, "second_factor_setup_required"),
    ],
)
def test_a_tokens_stream_ends(
    live: Live, change: Callable[[Principal], None], status: int, code: str
) -> None:
    who = factories.member(factories.tenant(), role="viewer")
    with Stream(live.port, token=token(who)) as stream:
        assert stream.take(1, seconds=1.5) == []
        change(who)
        assert stream.seconds_to_end() < MOST_SECONDS
        assert (stream.error["status"], stream.error["code"]) == (status, code)


def test_a_revoked_key_ends_its_own_streams_only(live: Live) -> None:
    who = factories.member(factories.tenant())
    (key, text), (_, other) = api_key(who), api_key(who)
    with Stream(live.port, X_API_Key=text) as stream, Stream(live.port, X_API_Key=other) as spared:
        with tenant_scope(who.tenant.pk):
            api_keys.revoke_key(key, actor=who)
        assert stream.seconds_to_end() < MOST_SECONDS
        assert stream.error["code"] == "unauthenticated"
        emit(who.tenant.pk, "still there")
        assert "still there" in [event["subject"] for event in spared.take(2, seconds=2)]
    with Stream(live.port, X_API_Key=text) as again:  # the server may have kept the principal a moment longer
        assert again.status == 401 or again.seconds_to_end() < MOST_SECONDS


def test_a_token_ends_with_its_time(live: Live) -> None:
    who = factories.member(factories.tenant())
    assert who.user is not None
    short = AccessToken.for_user(who.user)
    short["sid"] = str(factories.sign_in(who).public_id)
    short.set_exp(lifetime=timedelta(seconds=4))
    with Stream(live.port, token=str(short)) as stream:
        assert stream.status == 200
        assert stream.seconds_to_end() < 4 + MOST_SECONDS
        assert time.time() >= short["exp"]
        assert stream.error["code"] == "unauthenticated"


@pytest.mark.parametrize("how", ["sign out", "password", "ended"])
def test_a_session_ends(live: Live, how: str) -> None:
    who = factories.member(factories.tenant())
    assert who.user is not None
    signed_in = cookie(who)
    own = f"http://127.0.0.1:{live.port}"
    with Stream(live.port, Cookie=signed_in) as stream, open_socket(live, Cookie=signed_in, Origin=own) as ws:
        assert stream.take(1, seconds=1.5) == []
        with platform_scope("tests"):
            if how == "password":
                user = User.objects.get(pk=who.user.pk)
                user.set_password(factories.PASSWORD + "!")
                user.save()
            elif how == "ended":
                end_sign_ins(who)
            else:
                from django.contrib.sessions.models import Session

                Session.objects.all().delete()
        assert stream.seconds_to_end() < MOST_SECONDS
        assert stream.error["detail"] == "The session has ended."
        with pytest.raises(ConnectionClosed) as closed:
            while True:  # of the end there may be an event first
                ws.recv(timeout=30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "The session has ended.")


def test_a_key_ends_with_its_time(live: Live) -> None:
    who = factories.member(factories.tenant())
    with tenant_scope(who.tenant.pk):
        ends = timezone.now() + timedelta(seconds=4)
        _, text = api_keys.issue_key("short", expires_at=ends, actor=who)
    with Stream(live.port, X_API_Key=text) as stream:
        assert stream.status == 200
        assert stream.seconds_to_end() < 4 + MOST_SECONDS
        assert timezone.now() >= ends
        assert stream.error["code"] == "unauthenticated"
