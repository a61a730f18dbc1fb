"""auth/*: tokens, and who one is."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import ratelimit
from gateway.api.views import ApiView
from tenants import resolver
from tenants.models import SignIn
from tenants.principal import Principal
from tenants.services import login, sign_ins, token_families
from tenants.services.second_factors import challenges, checking, factors, webauthn

from .serializers import auth as s


class LoginView(ApiView):
    """Tokens for a username and a password; where the account has a second factor, a challenge for it."""

    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.LoginSerializer, responses=s.TokensSerializer)
    def post(self, request: Request) -> Response:
        body = self.body(s.LoginSerializer)
        # By account as well, which one may try from many addresses; the page's attempts count too.
        ratelimit.count_account(request._request, body["username"])
        return Response(login.tokens(body["username"], body["password"], request=request._request))


class SecondFactorView(ApiView):
    """Tokens for a challenge and one of `code`, `recovery_code` and `webauthn`."""

    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.SecondFactorSerializer, responses=s.TokensSerializer)
    def post(self, request: Request) -> Response:
        body = self.body(s.SecondFactorSerializer)
        challenge = body.pop("challenge")
        shown = checking.Shown(**body)
        return Response(login.tokens_by_second_factor(challenge, shown, request=request._request))


class SecondFactorOptionsView(ApiView):
    """What a browser asks the account's security keys: `publicKey` of `navigator.credentials.get`."""

    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.ChallengeSerializer, responses=s.OptionsSerializer)
    def post(self, request: Request) -> Response:
        found = challenges.find(self.body(s.ChallengeSerializer)["challenge"])
        return Response({"options": webauthn.request_options(found.signed, factors.of_account(found.user))})


class RefreshView(ApiView):
    """A new pair of tokens for a refresh token, which can be used once: a second use ends its sign-in."""

    public = True
    authentication_classes: list[type] = []
    limit = "auth"

    @extend_schema(request=s.RefreshSerializer, responses=s.TokensSerializer)
    def post(self, request: Request) -> Response:
        text = self.body(s.RefreshSerializer)["refresh"]
        return Response(token_families.refresh(text, ip=resolver.client_ip(request._request)))


class LogoutView(ApiView):
    """End the sign-in of a refresh token; without one, the caller's own session or token's."""

    public = True
    limit = "auth"

    @extend_schema(request=s.LogoutSerializer, responses={204: None}, auth=[])
    def post(self, request: Request) -> Response:
        caller = request.auth if isinstance(request.auth, Principal) else None
        signed_in = caller is not None and caller.credential.sign_in
        if request.data != {} or not signed_in:
            text = self.body(s.RefreshSerializer)["refresh"]
            token_families.end(text, ip=resolver.client_ip(request._request))
        if caller is None or not signed_in:
            return Response(status=204)
        if caller.credential.kind == "session":
            login.end_session(request._request)
        elif request.data == {}:
            sign_ins.end(sign_ins.of_actor(caller), SignIn.Reason.SIGNED_OUT, actor=caller)
        return Response(status=204)
