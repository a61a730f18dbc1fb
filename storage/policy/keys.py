"""The condition keys that requests have values of here, by lower-case name.

A key that no request ever has would silently make an Allow grant nothing, or a Deny refuse everybody: such keys are
refused when the policy is written.
"""

from __future__ import annotations

from typing import Final

_SINGLE: Final = """
    aws:SourceIp aws:SecureTransport aws:CurrentTime aws:EpochTime aws:UserAgent aws:Referer aws:username
    aws:userid aws:PrincipalArn aws:PrincipalAccount aws:PrincipalType aws:RequestedRegion aws:ResourceAccount
    aws:TokenIssueTime
    s3:prefix s3:delimiter s3:max-keys s3:VersionId s3:LocationConstraint s3:ResourceAccount
    s3:x-amz-acl s3:x-amz-copy-source s3:x-amz-metadata-directive s3:x-amz-storage-class
    s3:x-amz-server-side-encryption s3:x-amz-server-side-encryption-aws-kms-key-id
    s3:x-amz-server-side-encryption-customer-algorithm s3:x-amz-content-sha256
    s3:x-amz-website-redirect-location s3:x-amz-object-ownership
    s3:x-amz-grant-full-control s3:x-amz-grant-read s3:x-amz-grant-read-acp s3:x-amz-grant-write
    s3:x-amz-grant-write-acp
    s3:object-lock-mode s3:object-lock-retain-until-date s3:object-lock-remaining-retention-days
    s3:object-lock-legal-hold s3:if-match s3:if-none-match s3:ObjectCreationOperation
    s3:signatureversion s3:signatureAge s3:authType s3:TlsVersion
"""
MULTIVALUED: Final = frozenset({"s3:requestobjecttagkeys"})
_TAGGED: Final = ("s3:existingobjecttag/", "s3:requestobjecttag/")
_KNOWN: Final = {name.lower(): name for name in _SINGLE.split()} | {
    "s3:requestobjecttagkeys": "s3:RequestObjectTagKeys"
}
EXISTING_TAG: Final = _TAGGED[0]
REQUEST_TAG: Final = _TAGGED[1]


def is_known(key: str) -> bool:
    """Whether requests can have values of a key, given in lower case."""
    return key in _KNOWN or any(key.startswith(tag) and len(key) > len(tag) for tag in _TAGGED)


def names() -> list[str]:
    """All keys as AWS spells them, for an editor to offer; tags' with `<key>`."""
    return [*_KNOWN.values(), "s3:ExistingObjectTag/<key>", "s3:RequestObjectTag/<key>"]


def normal(key: str) -> str:
    """The name by which values are looked up. Names have no case, but a tag's own key does."""
    lower = key.lower()
    for tag in _TAGGED:
        if lower.startswith(tag):
            return tag + key[len(tag) :]
    return lower
