"""Access control lists where the bucket's owner owns everything in it, as S3 treats them now.

There is one list, the owner's full control. To ask for that one is allowed; access for others is the bucket policy's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from storage.s3.documents import schema
from storage.s3.documents.schema import Choice, Field, Json, Struct, Text
from storage.s3.errors import S3Error

HEADER: Final = "x-amz-acl"
GRANTS: Final = "x-amz-grant-"

_OWN: Final = frozenset({"private", "bucket-owner-full-control", "bucket-owner-read"})
_ENFORCED: Final = frozenset({"bucket-owner-full-control"})
_PUBLIC: Final = frozenset({"public-read", "public-read-write", "authenticated-read"})
_OTHER: Final = frozenset({"aws-exec-read", "log-delivery-write"})
_PUBLIC_GROUPS: Final = frozenset(
    f"http://acs.amazonaws.com/groups/global/{name}" for name in ("AllUsers", "AuthenticatedUsers")
)
_GROUPS: Final = _PUBLIC_GROUPS | {"http://acs.amazonaws.com/groups/s3/LogDelivery"}
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")

_ROOT: Final = "AccessControlPolicy"
_OWNER: Final = Struct((Field("ID", Text(), required=True), Field("DisplayName", Text())))
_GRANTEE: Final = Struct(
    (
        Field("Type", Choice(("CanonicalUser", "AmazonCustomerByEmail", "Group")), attribute=True),
        Field("ID", Text()),
        Field("DisplayName", Text()),
        Field("EmailAddress", Text()),
        Field("URI", Text()),
    )
)
_GRANT: Final = Struct(
    (
        Field("Grantee", _GRANTEE, required=True),
        Field(
            "Permission", Choice(("FULL_CONTROL", "WRITE", "WRITE_ACP", "READ", "READ_ACP")), required=True
        ),
    )
)
_KIND: Final = Struct(
    (
        Field("Owner", _OWNER, required=True),
        Field("Grants", _GRANT, element="AccessControlList", wrapped="Grant", many=True, required=True),
    )
)


def write(owner_id: str, owner_name: str) -> bytes:
    """The answer of GetBucketAcl and GetObjectAcl."""
    owner = {"ID": owner_id, "DisplayName": owner_name}
    grant = {"Grantee": {"Type": "CanonicalUser", **owner}, "Permission": "FULL_CONTROL"}
    return schema.write(_KIND, _ROOT, {"Owner": owner, "Grants": [grant]})


def check_document(body: bytes, owner_id: str, *, public_blocked: bool) -> None:
    """Return when the document asks for the owner's full control and nothing else.

    Raises MalformedACLError, InvalidArgument, UnresolvableGrantByEmailAddress, AccessControlListNotSupported, and
    AccessDenied for public access where `public_blocked` (BlockPublicAcls).
    """
    try:
        found = schema.read(_KIND, _ROOT, body)
    except S3Error as error:
        raise S3Error("MalformedACLError", error.message) from None
    grants: list[Json] = found["Grants"]
    for grant in grants:
        _check_grantee(grant["Grantee"])
    if public_blocked and any(grant["Grantee"].get("URI") in _PUBLIC_GROUPS for grant in grants):
        raise S3Error("AccessDenied")
    own = [("CanonicalUser", owner_id, "FULL_CONTROL")]
    asked = [
        (grant["Grantee"].get("Type"), grant["Grantee"].get("ID"), grant["Permission"]) for grant in grants
    ]
    if asked != own or found["Owner"]["ID"] != owner_id:
        raise S3Error("AccessControlListNotSupported")


def check_headers(headers: Mapping[str, str], *, public_blocked: bool, enforced: bool = False) -> bool:
    """Whether headers name an access list, which is then the owner's full control.

    Where the ownership is `enforced`, because somebody asked for that, S3 takes `private` for another one. Raises
    AccessDenied for public access where `public_blocked` (BlockPublicAcls), InvalidArgument for a word that S3 does
    not know, AccessControlListNotSupported.
    """
    canned = headers.get(HEADER, "")
    granted = [value for name, value in headers.items() if name.startswith(GRANTS)]
    public = canned in _PUBLIC or any(group in value for value in granted for group in _PUBLIC_GROUPS)
    if public and public_blocked:
        raise S3Error("AccessDenied")
    if canned and canned not in _OWN | _PUBLIC | _OTHER:
        raise S3Error("InvalidArgument", extra={"ArgumentName": HEADER, "ArgumentValue": canned})
    if granted or (canned and canned not in (_ENFORCED if enforced else _OWN)):
        raise S3Error("AccessControlListNotSupported")
    return bool(canned)


def _check_grantee(grantee: Json) -> None:
    if "EmailAddress" in grantee:
        raise S3Error("UnresolvableGrantByEmailAddress")
    if "URI" in grantee:
        if grantee["URI"] not in _GROUPS:
            raise S3Error("InvalidArgument", "Invalid group uri")
    elif not _ID.fullmatch(grantee.get("ID", "")):
        raise S3Error(
            "InvalidArgument",
            "Invalid id",
            extra={"ArgumentName": "CanonicalUser/ID", "ArgumentValue": grantee.get("ID", "")},
        )
