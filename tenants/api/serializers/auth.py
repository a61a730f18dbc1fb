"""How signing in looks in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Text


class LoginSerializer(Body):
    username = Text(max_length=150)
    password = Text(max_length=256, trim_whitespace=False, write_only=True)


class ChallengeSerializer(Body):
    challenge = Text(max_length=100)


class SecondFactorSerializer(Body):
    challenge = Text(max_length=100)
    code = Text(max_length=16, required=False)
    recovery_code = Text(max_length=64, required=False)
    webauthn = serializers.DictField(required=False, help_text="The browser's PublicKeyCredential as JSON")


class OptionsSerializer(serializers.Serializer[Any]):
    options = serializers.DictField(help_text="WebAuthn Level 3's JSON, with base64url")


class TokensSerializer(serializers.Serializer[Any]):
    access = Text()
    refresh = Text()
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires")
    token_type = Text()


class RefreshSerializer(Body):
    refresh = Text(max_length=4096)


class LogoutSerializer(Body):
    refresh = Text(max_length=4096, required=False)
