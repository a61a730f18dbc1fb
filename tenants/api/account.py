"""auth/*: one's own account, its sign-ins and its second factors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api.auth import principal
from gateway.api.views import ApiView
from gateway.db.scope import platform_scope
from gateway.errors import Forbidden, Invalid
from tenants.models import SecondFactor, SignIn, User
from tenants.principal import Principal
from tenants.services import login, profile, sessions, sign_ins, token_families
from tenants.services.second_factors import checking, factors

from .serializers import account as s
from .serializers.auth import TokensSerializer


class AccountView(ApiView):
    """Of the caller alone, also of one who must set up a second factor first."""

    account = True

    def person(self) -> tuple[Principal, User]:
        """Raises Forbidden for keys: these are the affairs of somebody who is signed in."""
        caller = principal(self.request)
        if caller.user is None or not caller.credential.sign_in:
            raise Forbidden(
                "This is for somebody who is signed in; a key cannot do it.", code="sign_in_needed"
            )
        return caller, caller.user


class MeView(ApiView):
    """The caller, in the tenant acted in."""

    account = True

    @extend_schema(responses=s.MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(_me(principal(request)))

    @extend_schema(request=s.ProfileSerializer, responses=s.MeSerializer)
    def patch(self, request: Request) -> Response:
        """Another name or address; the address asks for the password entered lately (`auth/confirm`)."""
        user = profile.update(**self.body(s.ProfileSerializer), actor=principal(request))
        return Response(_me(principal(request)) | {"name": user.name, "email": user.email})


def _me(caller: Principal) -> dict[str, Any]:
    assert caller.user is not None
    memberships = sessions.tenants_of(caller.user)
    return {
        "id": caller.user.public_id,
        "username": caller.user.username,
        "name": caller.user.name,
        "email": caller.user.email,
        "is_staff": caller.user.is_staff,
        "tenant": caller.tenant.slug,
        "role": caller.role,
        "permissions": sorted(caller.permissions),
        "tenants": [{"slug": m.tenant.slug, "name": m.tenant.name, "role": m.role.slug} for m in memberships],
        "second_factors": checking.methods(caller.user),
        "barred": caller.barred,
    }


class ConfirmView(AccountView):
    """Enter the password again: for ten minutes, what changes how one signs in is open."""

    limit = "auth"

    @extend_schema(request=s.ConfirmPasswordSerializer, responses={204: None})
    def post(self, request: Request) -> Response:
        caller, _ = self.person()
        profile.confirm_password(self.body(s.ConfirmPasswordSerializer)["password"], actor=caller)
        return Response(status=204)


class PasswordView(AccountView):
    """Another password. All other sign-ins end; a caller with a token gets new ones, for the old are bound to it."""

    limit = "auth"

    @extend_schema(request=s.PasswordSerializer, responses={200: TokensSerializer, 204: None})
    def post(self, request: Request) -> Response:
        caller, _ = self.person()
        body = self.body(s.PasswordSerializer)
        user = profile.change_password(body["current_password"], body["new_password"], actor=caller)
        if caller.credential.kind == "jwt":
            return Response(token_families.renew_for(caller))
        login.keep_session(request._request, user)
        return Response(status=204)


class SignInsView(AccountView):
    """Where one is signed in."""

    @extend_schema(responses=s.SignInSerializer(many=True))
    def get(self, request: Request) -> Response:
        caller, _ = self.person()
        with platform_scope("sign-ins are an account's, not a tenant's"):
            rows = self.paginate_queryset(sign_ins.mine(caller)) or []
            context = {"current": caller.credential.sign_in}
            return self.get_paginated_response(s.SignInSerializer(rows, many=True, context=context).data)

    @extend_schema(operation_id="auth_sessions_end_others", responses={204: None})
    def delete(self, request: Request) -> Response:
        """End all but the one that asks."""
        caller, user = self.person()
        sign_ins.end_all(user, SignIn.Reason.ENDED, actor=caller, keep=caller.credential.sign_in)
        return Response(status=204)


class SignInView(AccountView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """End one of one's own."""
        caller, _ = self.person()
        sign_ins.end(sign_ins.one_of(public_id, actor=caller), SignIn.Reason.ENDED, actor=caller)
        return Response(status=204)


class SecondFactorsView(AccountView):
    """What one shows beside the password."""

    @extend_schema(responses=s.SecondFactorsSerializer)
    def get(self, request: Request) -> Response:
        _, user = self.person()
        found = {"factors": factors.of_account(user), "recovery_codes_left": factors.codes_left(user)}
        return Response(s.SecondFactorsSerializer(found).data)

    @extend_schema(request=s.NewSecondFactorSerializer, responses={201: s.BegunSecondFactorSerializer})
    def post(self, request: Request) -> Response:
        """Begin one, which counts once it is confirmed. Asks for the password entered lately (`auth/confirm`)."""
        caller, _ = self.person()
        body = self.body(s.NewSecondFactorSerializer)
        verb = factors.begin_totp if body["kind"] == SecondFactor.Kind.TOTP else factors.begin_webauthn
        begun = verb(body["name"], actor=caller)
        factor = begun.factor
        answer: dict[str, Any] = {"id": factor.public_id, "kind": factor.kind, "name": factor.name}
        if begun.options is not None:
            answer["options"] = begun.options
        else:
            answer |= {"secret": begun.secret, "uri": begun.uri}
        return Response(answer, status=201)


class SecondFactorView(AccountView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, public_id: UUID) -> Response:
        """Take one away; not the last where a tenant of the caller's requires one."""
        caller, _ = self.person()
        factors.remove(public_id, actor=caller)
        return Response(status=204)


class ConfirmSecondFactorView(AccountView):
    limit = "auth"

    @extend_schema(request=s.ConfirmSecondFactorSerializer, responses=s.RecoveryCodesSerializer)
    def post(self, request: Request, public_id: UUID) -> Response:
        """By a code of the app or the key's answer. With the first factor come recovery codes, else none."""
        caller, _ = self.person()
        body = self.body(s.ConfirmSecondFactorSerializer)
        if len(body) != 1:
            raise Invalid("Send one of code and webauthn.")
        codes = factors.confirm(
            public_id, code=body.get("code", ""), credential=body.get("webauthn"), actor=caller
        )
        return Response({"recovery_codes": codes})


class RecoveryCodesView(AccountView):
    @extend_schema(request=None, responses={201: s.RecoveryCodesSerializer})
    def post(self, request: Request) -> Response:
        """New ones in place of all before."""
        caller, _ = self.person()
        return Response({"recovery_codes": factors.new_codes(actor=caller)}, status=201)
