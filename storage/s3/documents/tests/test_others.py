"""The small documents: each as it is written, and what it may not say."""

from __future__ import annotations

import pytest

from storage.s3.documents import (
    acl,
    creation,
    encryption,
    fixed,
    notification,
    ownership,
    public_access,
    versioning,
)
from storage.s3.errors import S3Error


def code_of(read: object, body: str) -> str:
    with pytest.raises(S3Error) as caught:
        read(body.encode())  # type: ignore[operator]
    return caught.value.code


def test_versioning() -> None:
    for status in ("Enabled", "Suspended"):
        assert versioning.read(versioning.write(status)) == status
    assert b"Status" not in versioning.write("")
    wrapped = "<VersioningConfiguration>{}</VersioningConfiguration>".format
    assert (
        versioning.read(wrapped("<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete>").encode())
        == "Enabled"
    )
    assert code_of(versioning.read, wrapped("<Status>enabled</Status>")) == "MalformedXML"
    assert code_of(versioning.read, wrapped("")) == "IllegalVersioningConfigurationException"
    assert (
        code_of(versioning.read, wrapped("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"))
        == "NotImplemented"
    )


def test_public_access() -> None:
    some = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": False,
    }
    assert public_access.read(public_access.write(some)) == some
    assert public_access.check({"BlockPublicAcls": True, "BlockPublicPolicy": True}) == some
    wrapped = "<PublicAccessBlockConfiguration>{}</PublicAccessBlockConfiguration>".format
    assert code_of(public_access.read, wrapped("<BlockPublicAcls>maybe</BlockPublicAcls>")) == "MalformedXML"
    assert b"<IsPublic>true</IsPublic>" in public_access.policy_status(is_public=True)
    with pytest.raises(S3Error):
        public_access.check({"BlockPublicAcls": "true"})


def test_ownership() -> None:
    assert ownership.read(ownership.write()) == "BucketOwnerEnforced"
    rule = "<Rule><ObjectOwnership>{}</ObjectOwnership></Rule>".format
    wrapped = "<OwnershipControls>{}</OwnershipControls>".format
    assert code_of(ownership.read, wrapped(rule("ObjectWriter"))) == "NotImplemented"
    assert code_of(ownership.read, wrapped(rule("Somebody"))) == "MalformedXML"
    assert code_of(ownership.read, wrapped(rule("BucketOwnerEnforced") * 2)) == "MalformedXML"
    assert code_of(ownership.read, wrapped("")) == "MalformedXML"
    with pytest.raises(S3Error, match="InvalidArgument"):
        ownership.supported("Somebody")


def test_encryption() -> None:
    assert encryption.read(encryption.write("AES256")) == "AES256"
    root, default = "ServerSideEncryptionConfiguration", "ApplyServerSideEncryptionByDefault"

    def wrapped(algorithm: str, more: str = "", after: str = "") -> str:
        inner = f"<{default}><SSEAlgorithm>{algorithm}</SSEAlgorithm>{more}</{default}>"
        return f"<{root}><Rule>{inner}{after}</Rule></{root}>"

    key = "<KMSMasterKeyID>k</KMSMasterKeyID>"
    blocked = "<BlockedEncryptionTypes><EncryptionType>{}</EncryptionType></BlockedEncryptionTypes>".format
    assert encryption.read(wrapped("AES256", after=blocked("NONE")).encode()) == "AES256"
    assert code_of(encryption.read, wrapped("aws:kms", key)) == "NotImplemented"
    assert code_of(encryption.read, wrapped("AES128")) == "MalformedXML"
    assert code_of(encryption.read, wrapped("AES256", key)) == "InvalidArgument"
    assert code_of(encryption.read, wrapped("AES256", after=blocked("SSE-C"))) == "NotImplemented"
    assert code_of(encryption.read, f"<{root}/>") == "MalformedXML"
    assert code_of(encryption.read, f"<{root}><Rule/></{root}>") == "MalformedXML"
    with pytest.raises(S3Error, match="InvalidArgument"):
        encryption.check("rot13")


def test_notification() -> None:
    wrapped = "<NotificationConfiguration>{}</NotificationConfiguration>".format
    bridge: dict[str, object] = {"EventBridgeConfiguration": {}}
    assert notification.read(wrapped("<EventBridgeConfiguration/>").encode()) == bridge
    assert notification.read(wrapped("").encode()) == {}
    assert notification.read(notification.write(bridge)) == bridge
    assert notification.check(bridge) == bridge
    prefix = "<S3Key><FilterRule><Name>prefix</Name><Value>a</Value></FilterRule></S3Key>"
    event = f"<Event>s3:ObjectCreated:*</Event><Filter>{prefix}</Filter>"
    for element, arn in (("Topic", "sns"), ("Queue", "sqs"), ("CloudFunction", "lambda")):
        inner = f"<Id>a</Id><{element}>arn:aws:{arn}:::x</{element}>{event}"
        body = wrapped(f"<{element}Configuration>{inner}</{element}Configuration>")
        assert code_of(notification.read, body) == "InvalidArgument"
    assert code_of(notification.read, wrapped("<QueueConfiguration/>")) == "MalformedXML"


def test_creation() -> None:
    wrapped = "<CreateBucketConfiguration>{}</CreateBucketConfiguration>".format
    assert creation.read(b" \n") == creation.Creation("", {})
    tagged = wrapped(
        "<LocationConstraint>eu</LocationConstraint><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>"
    )
    assert creation.read(tagged.encode()) == creation.Creation("eu", {"a": "b"})
    directory = (
        "<Location><Name>x</Name><Type>LocalZone</Type></Location><Bucket><Type>Directory</Type></Bucket>"
    )
    assert code_of(creation.read, wrapped(directory)) == "NotImplemented"
    assert code_of(creation.read, wrapped("<LocationConstraint>e u</LocationConstraint>")) == (
        "InvalidLocationConstraint"
    )
    place = wrapped("<LocationConstraint>us-east-1</LocationConstraint>")
    assert creation.read(place.encode()).location == ""
    xmlns = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
    for said in ("", "eu-west-1"):
        told = creation.location(said).decode()
        assert told.endswith(f"<LocationConstraint {xmlns}>{said}</LocationConstraint>")


def test_what_has_one_value() -> None:
    assert b"<Payer>BucketOwner</Payer>" in fixed.payment()
    assert b"<BucketLoggingStatus " in fixed.logging()
    assert b"<AccelerateConfiguration " in fixed.acceleration()


XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
OWNER = "<Owner><ID>acme</ID></Owner>"


def grant(kind: str, inner: str, permission: str = "FULL_CONTROL") -> str:
    return f'<Grant><Grantee {XSI} xsi:type="{kind}">{inner}</Grantee><Permission>{permission}</Permission></Grant>'


def acl_code(*grants: str, owner: str = OWNER, blocked: bool = False) -> str:
    body = f"<AccessControlPolicy>{owner}<AccessControlList>{''.join(grants)}</AccessControlList></AccessControlPolicy>"
    try:
        acl.check_document(body.encode(), "acme", public_blocked=blocked)
    except S3Error as error:
        return error.code
    return ""


OWN = grant("CanonicalUser", "<ID>acme</ID><DisplayName>acme</DisplayName>")
PUBLIC = grant("Group", "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>", "READ")


def test_the_one_access_list() -> None:
    acl.check_document(acl.write("acme", "acme"), "acme", public_blocked=True)
    assert acl_code(OWN) == ""


@pytest.mark.parametrize(
    ("grants", "code"),
    [
        ([], "AccessControlListNotSupported"),
        ([OWN, PUBLIC], "AccessControlListNotSupported"),
        ([grant("CanonicalUser", "<ID>other</ID>")], "AccessControlListNotSupported"),
        ([grant("CanonicalUser", "<ID>acme</ID>", "READ")], "AccessControlListNotSupported"),
        ([OWN, grant("CanonicalUser", "<ID>_foo</ID>")], "InvalidArgument"),
        ([grant("CanonicalUser", "")], "InvalidArgument"),
        ([grant("Group", "<URI>http://example.org/all</URI>")], "InvalidArgument"),
        (
            [grant("AmazonCustomerByEmail", "<EmailAddress>a@example.org</EmailAddress>")],
            "UnresolvableGrantByEmailAddress",
        ),
        ([grant("CanonicalUser", "<ID>acme</ID>", "EVERYTHING")], "MalformedACLError"),
        ([grant("Somebody", "<ID>acme</ID>")], "MalformedACLError"),
    ],
)
def test_other_access_lists(grants: list[str], code: str) -> None:
    assert acl_code(*grants) == code


def test_access_lists_where_public_ones_are_blocked() -> None:
    assert acl_code(OWN, PUBLIC, blocked=True) == "AccessDenied"
    assert acl_code(OWN, owner="<Owner><ID>other</ID></Owner>") == "AccessControlListNotSupported"


@pytest.mark.parametrize(
    ("headers", "blocked", "code"),
    [
        ({"x-amz-acl": "public-read"}, False, "AccessControlListNotSupported"),
        ({"x-amz-acl": "authenticated-read"}, True, "AccessDenied"),
        ({"x-amz-acl": "log-delivery-write"}, True, "AccessControlListNotSupported"),
        ({"x-amz-acl": "everybody"}, True, "InvalidArgument"),
        ({"x-amz-grant-read": "id=other"}, True, "AccessControlListNotSupported"),
        (
            {"x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'},
            True,
            "AccessDenied",
        ),
    ],
)
def test_headers(headers: dict[str, str], blocked: bool, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        acl.check_headers(headers, public_blocked=blocked)
    assert caught.value.code == code


def test_headers_that_ask_for_what_is_so() -> None:
    assert acl.check_headers({"x-amz-acl": "private"}, public_blocked=True)
    assert acl.check_headers({"x-amz-acl": "bucket-owner-full-control"}, public_blocked=True)
    assert not acl.check_headers({}, public_blocked=True)


def test_private_is_another_acl_where_the_ownership_was_asked_for() -> None:
    assert acl.check_headers({"x-amz-acl": "bucket-owner-full-control"}, public_blocked=False, enforced=True)
    with pytest.raises(S3Error) as caught:
        acl.check_headers({"x-amz-acl": "private"}, public_blocked=False, enforced=True)
    assert caught.value.code == "AccessControlListNotSupported"
