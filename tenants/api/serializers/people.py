"""How people, roles and invitations look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.fields import Body, Flag, Text
from tenants.models import Invitation, Membership, Role
from tenants.permissions import role_permissions


class PermissionSerializer(serializers.Serializer[Any]):
    name = Text()
    group = Text(help_text="Under which people find it")
    description = Text()


class RoleSerializer(serializers.ModelSerializer[Role]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    extends = Text(
        source="extends.slug", read_only=True, allow_null=True, default=None, help_text="A role's slug"
    )
    own_permissions = serializers.ListField(
        source="permissions",
        child=Text(),
        read_only=True,
        help_text="Without those inherited; none if built in",
    )
    permissions = serializers.SerializerMethodField(help_text="All that the role holds")

    class Meta:
        model = Role
        fields = ["id", "slug", "name", "is_builtin", "extends", "own_permissions", "permissions"]

    def get_permissions(self, role: Role) -> list[str]:
        return sorted(role_permissions(role))


class CreateRoleSerializer(Body):
    name = Text(max_length=100)
    slug = Text(max_length=63, required=False, allow_blank=True, help_text="Made of the name if left out")
    permissions = serializers.ListField(child=Text(max_length=64), max_length=200, default=list)
    extends = Text(max_length=63, required=False, allow_null=True)


class UpdateRoleSerializer(Body):
    name = Text(max_length=100, required=False)
    permissions = serializers.ListField(child=Text(max_length=64), max_length=200, required=False)
    extends = Text(max_length=63, required=False, allow_null=True, help_text="null: none")


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A user as one tenant sees them."""

    id = serializers.UUIDField(source="user.public_id", read_only=True)
    username = Text(source="user.username", read_only=True)
    email = Text(source="user.email", read_only=True)
    name = Text(source="user.name", read_only=True)
    kind = Text(source="user.kind", read_only=True, help_text="person, or service")
    role = Text(source="role.slug", read_only=True)
    nexusgate_user_id = Text(source="user.nexusgate_user_id", read_only=True, allow_null=True)
    last_login = serializers.DateTimeField(source="user.last_login", read_only=True, allow_null=True)

    class Meta:
        model = Membership
        fields = [
            "id",
            "username",
            "email",
            "name",
            "kind",
            "role",
            "is_active",
            "nexusgate_user_id",
            "last_login",
            "created_at",
        ]


class CreateUserSerializer(Body):
    username = Text(max_length=150)
    email = serializers.EmailField(required=False, allow_blank=True, default="")
    name = Text(max_length=150, required=False, allow_blank=True)
    password = Text(
        max_length=256,
        trim_whitespace=False,
        write_only=True,
        required=False,
        allow_null=True,
        default=None,
        help_text="Without one nobody signs in with a password until one is set by a link",
    )
    role = Text(max_length=63, default="member")
    nexusgate_user_id = Text(max_length=255, required=False, allow_null=True)


class AddMemberSerializer(Body):
    username = Text(max_length=150)
    role = Text(max_length=63, default="member")


class UpdateUserSerializer(Body):
    role = Text(max_length=63, required=False)
    is_active = Flag(required=False)
    email = serializers.EmailField(required=False, allow_blank=True)
    name = Text(max_length=150, required=False, allow_blank=True)
    nexusgate_user_id = Text(max_length=255, required=False, allow_null=True)


class UserRowSerializer(serializers.Serializer[Any]):
    username = Text()
    email = Text()
    name = Text()
    role = Text()
    active = serializers.BooleanField()
    nexusgate_user_id = Text(allow_null=True)


class ImportUsersSerializer(Body):
    users = serializers.ListField(
        child=serializers.DictField(),
        help_text="Objects with the columns of an export; username or email at least",
    )


class OutcomeSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="Of a CSV the line's row in a spreadsheet, else counted from 1")
    subject = Text(help_text="The username or the address")
    outcome = serializers.ChoiceField(["created", "updated", "invited", "unchanged", "refused"])
    errors = serializers.DictField(child=serializers.ListField(child=Text()))  # type: ignore[assignment]


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    id = serializers.UUIDField(source="public_id", read_only=True)
    role = Text(source="role.slug", read_only=True, allow_null=True, default=None)
    state = serializers.ChoiceField(["pending", "accepted", "expired", "revoked"], read_only=True)

    class Meta:
        model = Invitation
        fields = [
            "id",
            "email",
            "name",
            "role",
            "state",
            "invited_by",
            "created_at",
            "expires_at",
            "accepted_at",
            "accepted_by",
            "revoked_at",
        ]


class InviteSerializer(Body):
    email = serializers.EmailField()
    role = Text(max_length=63, default="member")
    name = Text(max_length=150, required=False, allow_blank=True)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="A week from now if left out"
    )


class AcceptInvitationSerializer(Body):
    """With a session or a JWT `token` alone: join with that account. Otherwise a new one is made."""

    token = Text(max_length=200)
    username = Text(max_length=150, required=False)
    password = Text(max_length=256, trim_whitespace=False, write_only=True, required=False)
    name = Text(max_length=150, required=False, allow_blank=True)


class JoinedSerializer(serializers.Serializer[Any]):
    tenant = Text()
    username = Text()
    role = Text()


class PasswordResetSerializer(Body):
    """One of the two."""

    email = Text(max_length=254, required=False)
    username = Text(max_length=150, required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if len(data) != 1:
            raise serializers.ValidationError({"username": ["Give a username or an e-mail address."]})
        return data


class ConfirmPasswordResetSerializer(Body):
    token = Text(max_length=200)
    password = Text(max_length=256, trim_whitespace=False, write_only=True)
