"""Policies and what they answer: the examples of AWS's documentation rebuilt, then operators one by one."""

# ruff: noqa: E501 - a row of a table is a line

from __future__ import annotations

from typing import Any

import pytest

from storage.policy.principals import Caller, Scope
from storage.policy.reader import session_policy

from .policies import ARN, BARE, BUCKET, MARY, NOBODY, OWN, STRANGER, VIEWER, ask, document, member, statement

ANY_READ = document(statement())
OTHER_ACCOUNT = document(
    statement(Principal={"AWS": "arn:aws:iam::123456789012:root"}, Action="s3:PutObject")
)
ONE_USER = document(statement(Principal={"AWS": f"arn:aws:iam::{OWN}:user/bob"}))
FULL_CONTROL = document(
    statement(
        Principal={"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::444455556666:root"]},
        Action=["s3:PutObject", "s3:PutObjectAcl"],
        Condition={"StringEquals": {"s3:x-amz-acl": ["public-read"]}},
    )
)
BY_ADDRESS = document(
    statement(
        Action="s3:*",
        Condition={
            "IpAddress": {"aws:SourceIp": "192.0.2.0/24"},
            "NotIpAddress": {"aws:SourceIp": "192.0.2.188/32"},
        },
    )
)
BOTH_VERSIONS = document(
    statement(
        Action="s3:*",
        Condition={"IpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:DB8:1234:5678::/64"]}},
    )
)
REFERER = document(
    statement(
        Action=["s3:GetObject", "s3:GetObjectVersion"],
        Condition={"StringLike": {"aws:Referer": ["http://www.example.com/*", "http://example.com/*"]}},
    )
)
ONLY_TLS = document(
    statement(
        "Deny",
        Action="s3:*",
        Resource=[ARN, f"{ARN}/*"],
        Condition={"Bool": {"aws:SecureTransport": "false"}},
    )
)
HOMES = document(
    statement(Action="s3:ListBucket", Resource=ARN, Condition={"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}}),
    statement(Action="s3:*", Resource=[f"{ARN}/home/${{aws:username}}", f"{ARN}/home/${{aws:username}}/*"]),
)  # fmt: skip
ENCRYPTED = document(
    statement("Deny", Action="s3:PutObject", Condition={"Null": {"s3:x-amz-server-side-encryption": "true"}}),
    statement("Deny", Action="s3:PutObject", Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}),
)  # fmt: skip
BY_TAG = document(
    statement(
        Action=["s3:GetObject", "s3:GetObjectVersion"],
        Condition={"StringEquals": {"s3:ExistingObjectTag/environment": "production"}},
    )
)
TAG_KEYS = document(
    statement(
        Principal={"AWS": ["arn:aws:iam::111122223333:user/JohnDoe"]},
        Action=["s3:PutObjectTagging"],
        Condition={"ForAllValues:StringLike": {"s3:RequestObjectTagKeys": ["Owner", "CreationDate"]}},
    )
)
COPY_SOURCE = document(
    statement(Action="s3:PutObject", Condition={"StringLike": {"s3:x-amz-copy-source": "awsexamplebucket1/public/*"}})
)  # fmt: skip
MAX_KEYS = document(
    statement(Action="s3:ListBucket", Resource=ARN, Condition={"NumericLessThanEquals": {"s3:max-keys": "10"}})
)  # fmt: skip
PRESIGNED = document(
    statement("Deny", Action="s3:*", Condition={"NumericGreaterThan": {"s3:signatureAge": 600000}}),
    statement("Deny", Action="s3:*", Condition={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}),
)
RETENTION = document(
    statement(
        "Deny",
        Action=["s3:PutObjectRetention"],
        Condition={"NumericGreaterThan": {"s3:object-lock-remaining-retention-days": "10"}},
    )
)
NOT_PRINCIPAL = document(
    statement("Deny", NotPrincipal={"AWS": f"arn:aws:iam::{OWN}:user/mary"}, Action="s3:*", Resource=[ARN, f"{ARN}/*"])
)  # fmt: skip
NOT_ACTION = document(statement("Deny", NotAction="s3:Get*"))
NOT_RESOURCE = document(statement("Deny", NotResource=f"{ARN}/public/*", Action="s3:GetObject"))
DATES = document(
    statement(
        Condition={
            "DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"},
            "DateLessThan": {"aws:EpochTime": "1798761600"},
        }
    )
)

TABLE: list[tuple[str, str, Caller, str, str, dict[str, Any], bool]] = [
    # policy, caller, action, key, values, allowed
    ("anonymous read", ANY_READ, NOBODY, "s3:GetObject", "a", {}, True),
    ("of another action", ANY_READ, NOBODY, "s3:PutObject", "a", {}, False),
    ("of a version", ANY_READ, NOBODY, "s3:GetObjectVersion", "a", {}, False),
    ("of the bucket", ANY_READ, NOBODY, "s3:ListBucket", "", {}, False),
    ("of a stranger", ANY_READ, STRANGER, "s3:GetObject", "a", {}, True),
    ("actions have no case", document(statement(Action="S3:getobject")), NOBODY, "s3:GetObject", "a", {}, True),
    ("all actions", document(statement(Action="*")), NOBODY, "s3:GetObject", "a", {}, True),
    ("another tenant", OTHER_ACCOUNT, STRANGER, "s3:PutObject", "a", {}, True),
    ("its members by role", OTHER_ACCOUNT, member("123456789012", "v", "viewer"), "s3:PutObject", "a", {}, False),
    ("not others", OTHER_ACCOUNT, member("999", "x"), "s3:PutObject", "a", {}, False),
    ("not anonymous", OTHER_ACCOUNT, NOBODY, "s3:PutObject", "a", {}, False),
    ("not its name alone", OTHER_ACCOUNT, member("1234567890123", "x"), "s3:PutObject", "a", {}, False),
    ("own user without a role", ONE_USER, BARE, "s3:GetObject", "a", {}, True),
    ("its namesake elsewhere", ONE_USER, member("other", "bob", "none"), "s3:GetObject", "a", {}, False),
    ("in another case", ONE_USER, member(user="Bob", role="none"), "s3:GetObject", "a", {}, False),
    ("own tenant says nothing new", document(statement(Principal={"AWS": OWN})), BARE, "s3:GetObject", "a", {}, False),
    ("acl as wanted", FULL_CONTROL, STRANGER, "s3:PutObject", "a", {"s3:x-amz-acl": "public-read"}, True),
    ("acl missing", FULL_CONTROL, STRANGER, "s3:PutObject", "a", {}, False),
    ("address", BY_ADDRESS, NOBODY, "s3:GetObject", "a", {"aws:SourceIp": "192.0.2.7"}, True),
    ("address excepted", BY_ADDRESS, NOBODY, "s3:GetObject", "a", {"aws:SourceIp": "192.0.2.188"}, False),
    ("address outside", BY_ADDRESS, NOBODY, "s3:GetObject", "a", {"aws:SourceIp": "192.0.3.7"}, False),
    ("address unknown", BY_ADDRESS, NOBODY, "s3:GetObject", "a", {}, False),
    ("address mapped", BY_ADDRESS, NOBODY, "s3:GetObject", "a", {"aws:SourceIp": "::ffff:192.0.2.7"}, True),
    ("IPv6", BOTH_VERSIONS, NOBODY, "s3:GetObject", "a", {"aws:SourceIp": "2001:db8:1234:5678::1"}, True),
    ("IPv6 outside", BOTH_VERSIONS, NOBODY, "s3:GetObject", "a", {"aws:SourceIp": "2001:db8:1234:5679::1"}, False),
    ("referer", REFERER, NOBODY, "s3:GetObject", "a", {"aws:Referer": "http://example.com/x"}, True),
    ("referer that begins elsewhere", REFERER, NOBODY, "s3:GetObject", "a", {"aws:Referer": "http://evil/?http://example.com/"}, False),
    ("no referer", REFERER, NOBODY, "s3:GetObject", "a", {}, False),
    ("plain HTTP denied", ONLY_TLS, MARY, "s3:GetObject", "a", {"aws:SecureTransport": "false"}, False),
    ("TLS by role", ONLY_TLS, MARY, "s3:GetObject", "a", {"aws:SecureTransport": "true"}, True),
    ("own home", HOMES, BARE, "s3:PutObject", "home/bob/x", {"aws:username": "bob"}, True),
    ("another's home", HOMES, BARE, "s3:PutObject", "home/bobby/x", {"aws:username": "bob"}, False),
    ("a user named *", HOMES, BARE, "s3:PutObject", "home/bobby/x", {"aws:username": "*"}, False),
    ("a user named ${*}", HOMES, BARE, "s3:PutObject", "home/bobby/x", {"aws:username": "${*}"}, False),
    ("a home of nobody", HOMES, NOBODY, "s3:GetObject", "home//x", {}, False),
    ("no climbing", HOMES, BARE, "s3:GetObject", "home/bob/../mary/x", {"aws:username": "bobby"}, False),
    ("own list", HOMES, BARE, "s3:ListBucket", "", {"aws:username": "bob", "s3:prefix": "home/bob/x"}, True),
    ("another's list", HOMES, BARE, "s3:ListBucket", "", {"aws:username": "bob", "s3:prefix": "home/m"}, False),
    ("a list without prefix", HOMES, BARE, "s3:ListBucket", "", {"aws:username": "bob"}, False),
    ("a list of the empty prefix", HOMES, BARE, "s3:ListBucket", "", {"aws:username": "bob", "s3:prefix": ""}, True),
    ("not encrypted", ENCRYPTED, MARY, "s3:PutObject", "a", {}, False),
    ("encrypted", ENCRYPTED, MARY, "s3:PutObject", "a", {"s3:x-amz-server-side-encryption": "AES256"}, True),
    ("encrypted otherwise", ENCRYPTED, MARY, "s3:PutObject", "a", {"s3:x-amz-server-side-encryption": "aws:kms"}, False),
    ("tagged", BY_TAG, NOBODY, "s3:GetObject", "a", {"s3:ExistingObjectTag/environment": "production"}, True),
    ("tagged otherwise", BY_TAG, NOBODY, "s3:GetObject", "a", {"s3:ExistingObjectTag/environment": "test"}, False),
    ("tags have case", BY_TAG, NOBODY, "s3:GetObject", "a", {"s3:ExistingObjectTag/Environment": "production"}, False),
    ("tag keys", TAG_KEYS, member("111122223333", "JohnDoe"), "s3:PutObjectTagging", "a", {"s3:RequestObjectTagKeys": ["Owner"]}, True),
    ("one tag key too many", TAG_KEYS, member("111122223333", "JohnDoe"), "s3:PutObjectTagging", "a", {"s3:RequestObjectTagKeys": ["Owner", "x"]}, False),
    ("copy source", COPY_SOURCE, NOBODY, "s3:PutObject", "a", {"s3:x-amz-copy-source": ["awsexamplebucket1/public/x"]}, True),
    ("copy source with a slash", COPY_SOURCE, NOBODY, "s3:PutObject", "a", {"s3:x-amz-copy-source": ["awsexamplebucket1/private/x", "/awsexamplebucket1/private/x"]}, False),
    ("few keys", MAX_KEYS, NOBODY, "s3:ListBucket", "", {"s3:max-keys": "10"}, True),
    ("many keys", MAX_KEYS, NOBODY, "s3:ListBucket", "", {"s3:max-keys": "11"}, False),
    ("a number that is none", MAX_KEYS, NOBODY, "s3:ListBucket", "", {"s3:max-keys": "x"}, False),
    ("an old signature", PRESIGNED, MARY, "s3:GetObject", "a", {"s3:signatureAge": "600001"}, False),
    ("a fresh one", PRESIGNED, MARY, "s3:GetObject", "a", {"s3:signatureAge": "5", "s3:authType": "REST-HEADER"}, True),
    ("presigned", PRESIGNED, MARY, "s3:GetObject", "a", {"s3:signatureAge": "5", "s3:authType": "REST-QUERY-STRING"}, False),
    ("long retention", RETENTION, member(role="admin"), "s3:PutObjectRetention", "a", {"s3:object-lock-remaining-retention-days": "11"}, False),
    ("short retention", RETENTION, member(role="admin"), "s3:PutObjectRetention", "a", {"s3:object-lock-remaining-retention-days": "9"}, True),
    ("all but mary", NOT_PRINCIPAL, MARY, "s3:GetObject", "a", {}, True),
    ("all but mary: vera", NOT_PRINCIPAL, VIEWER, "s3:GetObject", "a", {}, False),
    ("all but mary: anonymous", NOT_PRINCIPAL, NOBODY, "s3:GetObject", "a", {}, False),
    ("reads are not denied", NOT_ACTION, MARY, "s3:GetObject", "a", {}, True),
    ("all else is", NOT_ACTION, MARY, "s3:PutObject", "a", {}, False),
    ("below public", NOT_RESOURCE, MARY, "s3:GetObject", "public/a", {}, True),
    ("elsewhere", NOT_RESOURCE, MARY, "s3:GetObject", "private/a", {}, False),
    ("by climbing", NOT_RESOURCE, MARY, "s3:GetObject", "publi/../public/a", {}, False),
    ("in time", DATES, NOBODY, "s3:GetObject", "a", {"aws:CurrentTime": "2026-06-01T00:00:00Z", "aws:EpochTime": "1780000000"}, True),
    ("too early", DATES, NOBODY, "s3:GetObject", "a", {"aws:CurrentTime": "2025-06-01T00:00:00Z", "aws:EpochTime": "1750000000"}, False),
    ("by role without a word", document(statement(Action="s3:ListBucket", Resource=ARN)), MARY, "s3:PutObject", "a", {}, True),
    ("a viewer does not write", ANY_READ, VIEWER, "s3:PutObject", "a", {}, False),
    ("the bucket is not its objects", document(statement(Action="s3:PutObject", Resource=ARN)), NOBODY, "s3:PutObject", "a", {}, False),
    ("a key that looks like the bucket", document(statement(Resource=f"{ARN}/a")), NOBODY, "s3:GetObject", "a/b", {}, False),
    ("a wildcard over buckets", document(statement(Resource=["arn:aws:s3:::*", "arn:aws:s3:::*/*"])), NOBODY, "s3:GetObject", "x/y", {}, True),
    ("one character", document(statement(Resource=f"{ARN}/a?c")), NOBODY, "s3:GetObject", "abc", {}, True),
    ("keys have case", document(statement(Resource=f"{ARN}/A")), NOBODY, "s3:GetObject", "a", {}, False),
    ("an action nobody knows", ANY_READ, MARY, "s3:Nonsense", "a", {}, False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "caller", "action", "key", "values", "allowed"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_policies_answer(
    text: str, caller: Caller, action: str, key: str, values: dict[str, Any], allowed: bool
) -> None:
    decision = ask(text, caller, action, key, values=values)
    assert decision.allowed == allowed, decision.text


# operator, the policy's value, the request's (None: it has none), holds
CONDITIONS: list[tuple[str, Any, Any, bool]] = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", "a", None, False),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", "a", None, True),
    ("StringNotEqualsIfExists", "a", "a", False),
    ("StringEqualsIgnoreCase", "aB", "Ab", True),
    ("StringNotEqualsIgnoreCase", "aB", "Ab", False),
    ("StringLike", "a*c", "abbc", True),
    ("StringLike", "a*c", "abbd", False),
    ("StringNotLike", "a*", "abc", False),
    ("StringNotLike", "a*", "b", True),
    ("StringLikeIfExists", "a*", None, True),
    ("StringLikeIfExists", "a*", "b", False),
    ("stringequals", "a", "a", True),
    ("NumericEquals", 5, "5.0", True),
    ("NumericNotEquals", 5, "6", True),
    ("NumericLessThan", 5, "5", False),
    ("NumericLessThanEquals", "5", "5", True),
    ("NumericGreaterThan", 5, "6", True),
    ("NumericGreaterThanEquals", 5, "4", False),
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
    ("DateNotEquals", "2026-01-01", "2026-01-02T00:00:00Z", True),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", True),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2026-01-01T00:00:00Z", "2025-12-31T00:00:00Z", False),
    ("DateGreaterThanEquals", "1767225600", "2026-01-01T00:00:00Z", True),
    ("Bool", True, "true", True),
    ("Bool", "true", "false", False),
    ("Bool", "false", None, False),
    ("BoolIfExists", "false", None, True),
    ("BinaryEquals", "YQ==", "YQ==", True),
    ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
    ("IpAddress", "203.0.113.9", "203.0.113.9", True),
    ("IpAddress", "203.0.113.77/24", "203.0.113.9", True),
    ("IpAddress", "203.0.113.0/24", "nonsense", False),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.9", False),
    ("NotIpAddress", "203.0.113.0/24", None, True),
    ("ArnEquals", "arn:aws:iam::acme:user/*", "arn:aws:iam::acme:user/bob", True),
    ("ArnLike", "arn:aws:iam::*:user/bob", "arn:aws:iam::acme:user/bob", True),
    ("ArnLike", "arn:*:user/bob:x:y:z", "arn:aws:iam::acme:user/bob", False),
    ("ArnNotEquals", "arn:aws:iam::acme:user/bob", "arn:aws:iam::acme:user/bob", False),
    ("ArnNotLike", "arn:aws:iam::acme:user/m*", "arn:aws:iam::acme:user/bob", True),
    ("Null", "true", None, True),
    ("Null", "true", "x", False),
    ("Null", False, "x", True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["x", "b"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["x", "y"], False),
    ("ForAnyValue:StringEquals", "a", None, False),
    ("ForAnyValue:StringNotEquals", "a", ["a", "b"], True),
    ("ForAnyValue:StringNotEquals", "a", ["a"], False),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "b", "a"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "c"], False),
    ("ForAllValues:StringEquals", ["a", "b"], None, True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["c", "a"], False),
    ("ForAllValues:StringLike", ["a*"], ["ab", "ac"], True),
]


@pytest.mark.parametrize(("operator", "wanted", "given", "expected"), CONDITIONS)
def test_operators_hold(operator: str, wanted: Any, given: Any, expected: bool) -> None:
    text = document(statement(Condition={operator: {"aws:UserAgent": wanted}}))
    values = {} if given is None else {"aws:UserAgent": given}
    assert ask(text, key="a", values=values).allowed == expected


def test_all_conditions_must_hold_and_all_keys_of_each() -> None:
    text = document(
        statement(
            Condition={
                "StringEquals": {"aws:UserAgent": "a", "aws:Referer": "r"},
                "Bool": {"aws:SecureTransport": "true"},
            }
        )
    )
    held = {"aws:UserAgent": "a", "aws:Referer": "r", "aws:SecureTransport": "true"}
    assert ask(text, key="a", values=held).allowed
    for name in held:
        assert not ask(text, key="a", values={**held, name: "x"}).allowed


def test_a_variable_in_a_condition_is_the_request_s() -> None:
    text = document(statement(Condition={"StringLike": {"s3:ExistingObjectTag/owner": "${aws:username}"}}))
    assert ask(text, key="a", values={"s3:ExistingObjectTag/owner": "bob", "aws:username": "bob"}).allowed
    assert not ask(text, key="a", values={"s3:ExistingObjectTag/owner": "bob", "aws:username": "b*"}).allowed
    assert not ask(text, key="a", values={"s3:ExistingObjectTag/owner": ""}).allowed


def test_variables_in_arns_are_whole() -> None:
    text = document(
        statement(
            Condition={"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::${aws:PrincipalAccount}:user/bob"}}
        )
    )
    held = {"aws:PrincipalArn": "arn:aws:iam::acme:user/bob", "aws:PrincipalAccount": "acme"}
    assert ask(text, key="a", values=held).allowed
    assert not ask(text, key="a", values={**held, "aws:PrincipalAccount": "*"}).allowed


def test_the_old_version_knows_no_variables() -> None:
    text = document(statement(Resource=f"{ARN}/${{aws:username}}/*"), version="2008-10-17")
    assert not ask(text, key="bob/x", values={"aws:username": "bob"}).allowed
    assert ask(text, key="${aws:username}/x", values={"aws:username": "bob"}).allowed


def test_a_deny_wins_over_everything_but_the_owner_s_reach_for_the_policy() -> None:
    text = document(statement("Deny", Action="s3:*", Resource=[ARN, f"{ARN}/*"]), statement())
    owner = member(user="olga", role="owner")
    assert ask(text, NOBODY, key="a").reason == "policy_deny"
    assert ask(text, owner, key="a").reason == "policy_deny"
    for action in ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"):
        assert ask(text, owner, action).reason == "owner"
        assert ask(text, member(role="admin"), action).reason == "policy_deny"
        assert ask(text, member("other", role="owner"), action).reason == "policy_deny"
    assert not ask(text, owner, "s3:PutBucketVersioning").allowed


def test_the_public_access_block_keeps_strangers_out_of_a_public_bucket_only() -> None:
    assert ask(ANY_READ, NOBODY, key="a", restricts_public=True).reason == "public_access_block"
    assert ask(ANY_READ, STRANGER, key="a", restricts_public=True).reason == "public_access_block"
    assert ask(ANY_READ, BARE, key="a", restricts_public=True).allowed
    assert ask(OTHER_ACCOUNT, STRANGER, "s3:PutObject", "a", restricts_public=True).allowed


def test_the_credential_bounds_what_its_user_may_wherever_it_comes_from() -> None:
    narrow = member(own=frozenset({"storage.object.read"}))
    assert ask(ANY_READ, narrow, key="a").allowed
    assert ask(document(statement(Action="s3:*")), narrow, "s3:PutObject", "a").reason == "key_permissions"
    scoped = member(scope=Scope(buckets=("other",)))
    assert ask(ANY_READ, scoped, key="a").reason == "key_scope"


@pytest.mark.parametrize(
    ("scope", "action", "key", "prefix", "allowed"),
    [
        (Scope(prefixes=("in/",)), "s3:GetObject", "in/a", None, True),
        (Scope(prefixes=("in/",)), "s3:GetObject", "in", None, False),
        (Scope(prefixes=("in/",)), "s3:GetObject", "xin/a", None, False),
        (Scope(prefixes=("in/",)), "s3:ListBucket", "", "in/a", True),
        (Scope(prefixes=("in/",)), "s3:ListBucket", "", "i", False),
        (Scope(prefixes=("in/",)), "s3:ListBucket", "", None, False),
        (Scope(prefixes=("in/",)), "s3:GetBucketLocation", "", None, True),
        (Scope(prefixes=("in/",)), "s3:PutBucketPolicy", "", None, False),
        (Scope(actions=("s3:Get*",)), "s3:GetObject", "a", None, True),
        (Scope(actions=("s3:Get*",)), "s3:PutObject", "a", None, False),
        (Scope(actions=("s3:getobject",)), "s3:GetObject", "a", None, True),
        (Scope(buckets=("amzn-s3-demo-bucket",), actions=("s3:Put*",)), "s3:PutObject", "a", None, True),
        (Scope(buckets=("amzn-s3-demo",)), "s3:GetObject", "a", None, False),
        (Scope(buckets=("amzn-s3-demo",)), "s3:ListAllMyBuckets", "", None, True),
        (Scope(actions=("s3:GetObject",)), "s3:ListAllMyBuckets", "", None, False),
    ],
)
def test_a_scope(scope: Scope, action: str, key: str, prefix: str | None, allowed: bool) -> None:
    values = {} if prefix is None else {"s3:prefix": prefix}
    assert ask(ANY_READ, member(role="owner", scope=scope), action, key, values=values).allowed == allowed


def test_a_session_s_policy_only_narrows() -> None:
    text = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*/in/*"}}'
    session = session_policy(text)
    assert ask(ANY_READ, member(session=session), key="in/a").allowed
    assert ask(ANY_READ, member(session=session), key="out/a").reason == "session_policy"
    viewer = member(user="vera", role="viewer", session=session)
    assert ask(ANY_READ, viewer, "s3:PutObject", "in/a").reason == "role_lacks"


@pytest.mark.parametrize(
    ("named", "own", "another"),
    [
        (BUCKET, True, False),
        (f"{OWN}:{BUCKET}", False, True),
        (f"other:{BUCKET}", False, False),
    ],
)
def test_a_credential_names_buckets_of_its_own_tenant(named: str, own: bool, another: bool) -> None:
    allowed = document({"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{named}/*"})
    limits: list[dict[str, Any]] = [
        {"scope": Scope(buckets=(named,))},
        {"session": session_policy(allowed)},
    ]
    for limit in limits:
        assert ask(ANY_READ, member(**limit), key="a").allowed is own
        assert ask(ANY_READ, member("123456789012", **limit), key="a").allowed is another
    every = document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    assert ask(ANY_READ, member("123456789012", session=session_policy(every)), key="a").allowed
