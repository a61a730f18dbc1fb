"""What is no policy, and what is public or reaches out."""

# ruff: noqa: E501 - a row of a table is a line

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.policy import exposure, reader
from storage.policy.errors import PolicyError

from .policies import ARN, BUCKET, OWN, document, statement

GOOD = statement()
BAD: list[tuple[str, str, str]] = [
    ("", "not valid JSON", ""),
    ("[]", "JSON object", ""),
    ("nope", "not valid JSON", ""),
    ('{"Version": NaN}', "not valid JSON", ""),
    ("[" * 20000, "not valid JSON", ""),
    (json.dumps({"Statement": [GOOD], "Extra": 1}), "unknown element 'Extra'", ""),
    (json.dumps({"Version": "2012-10-18", "Statement": [GOOD]}), "version", "Version"),
    (json.dumps({"Version": "2012-10-17"}), "Missing required field Statement", "Statement"),
    (json.dumps({"Id": 1, "Statement": [GOOD]}), "text", "Id"),
    ('{"Version": "2012-10-17", "Version": "2012-10-17", "Statement": []}', "Duplicate", ""),
    (json.dumps({"Statement": []}), "empty", "Statement"),
    (json.dumps({"Statement": ["x"]}), "object", "Statement[0]"),
    (document(statement(Effekt="Allow")), "unknown element 'Effekt'", "Statement[0]"),
    (document(statement("allow")), "Effect", "Statement[0].Effect"),
    (document(statement(Effect=None)), "Effect", "Statement[0].Effect"),
    (document(statement(Sid=5)), "text", "Statement[0].Sid"),
    (document(statement(Sid="a"), statement(Sid="a")), "unique", "Statement"),
    (document(statement(Principal=None)), "Missing required field Principal", "Statement[0]"),
    (document(statement(NotPrincipal={"AWS": "x"})), "Allow with NotPrincipal", "Statement[0].NotPrincipal"),
    (document({**statement("Deny"), "NotPrincipal": "*"}), "not both", "Statement[0]"),
    (document(statement(Principal={})), "Invalid principal", "Statement[0].Principal"),
    (document(statement(Principal=[])), "Invalid principal", "Statement[0].Principal"),
    (document(statement(Principal={"AWS": []})), "list of texts", "Statement[0].Principal.AWS"),
    (document(statement(Principal={"AWS": "arn:aws:iam::a:user/*"})), "Invalid principal", "Statement[0].Principal.AWS"),
    (document(statement(Principal={"AWS": "arn:aws:iam::a:user/${aws:username}"})), "Invalid principal", "Statement[0].Principal.AWS"),
    (document(statement(Principal={"AWS": "arn:aws:iam::a:role/x"})), "Invalid principal", "Statement[0].Principal.AWS"),
    (document(statement(Principal={"AWS": "arn:aws:iam::*:root"})), "Invalid principal", "Statement[0].Principal.AWS"),
    (document(statement(Principal={"Federated": "x"})), "not known", "Statement[0].Principal.Federated"),
    (document(statement(Action=None)), "Missing required field Action", "Statement[0]"),
    (document({**GOOD, "NotAction": "s3:*"}), "not both", "Statement[0]"),
    (document(statement(Action="ec2:RunInstances")), "invalid action", "Statement[0].Action"),
    (document(statement(Action=["s3:GetObject", "s3:GetObjekt"])), "no 's3:GetObjekt'", "Statement[0].Action[1]"),
    (document(statement(Action="s3:Nothing*")), "invalid action", "Statement[0].Action"),
    (document(statement(Action=[])), "list of texts", "Statement[0].Action"),
    (document(statement(Action=[1])), "text", "Statement[0].Action[0]"),
    (document(statement(Resource=None)), "Missing required field Resource", "Statement[0]"),
    (document(statement(Resource="arn:aws:s3:::other/*")), "not of the bucket", "Statement[0].Resource"),
    (document(statement(Resource=f"{ARN}-2/*")), "not of the bucket", "Statement[0].Resource"),
    (document(statement(Resource="arn:aws:sqs:::x")), "no ARN of S3", "Statement[0].Resource"),
    (document(statement(Resource=BUCKET)), "no ARN of S3", "Statement[0].Resource"),
    (document(statement(Resource="arn:aws:s3:::")), "invalid resource", "Statement[0].Resource"),
    (document(statement(Resource=f"{ARN}/${{aws:nonsense}}")), "no policy variable", "Statement[0].Resource"),
    (document(statement(Resource=f"{ARN}/${{aws:username")), "not closed", "Statement[0].Resource"),
    (document(statement(Resource=f"{ARN}/\0")), "characters", "Statement[0].Resource"),
    (document(statement(Condition=[])), "object", "Statement[0].Condition"),
    (document(statement(Condition={"StringIs": {"aws:Referer": "x"}})), "Invalid condition type", "Statement[0].Condition.StringIs"),
    (document(statement(Condition={"ForSome:StringEquals": {"aws:Referer": "x"}})), "Invalid condition type", "Statement[0].Condition.ForSome:StringEquals"),
    (document(statement(Condition={"NullIfExists": {"aws:Referer": "true"}})), "Invalid condition type", "Statement[0].Condition.NullIfExists"),
    (document(statement(Condition={"StringEquals": {}})), "condition keys", "Statement[0].Condition.StringEquals"),
    (document(statement(Condition={"StringEquals": {"aws:PrincipalOrgID": "o"}})), "not known here", "Statement[0].Condition.StringEquals.aws:PrincipalOrgID"),
    (document(statement(Condition={"StringEquals": {"s3:ExistingObjectTag/": "o"}})), "not known here", "Statement[0].Condition.StringEquals.s3:ExistingObjectTag/"),
    (document(statement(Condition={"IpAddress": {"aws:SourceIp": "300.1.1.1"}})), "IpAddress", "Statement[0].Condition.IpAddress.aws:SourceIp"),
    (document(statement(Condition={"NumericEquals": {"s3:max-keys": "many"}})), "no number", "Statement[0].Condition.NumericEquals.s3:max-keys"),
    (document(statement(Condition={"DateEquals": {"aws:CurrentTime": "soon"}})), "no date", "Statement[0].Condition.DateEquals.aws:CurrentTime"),
    (document(statement(Condition={"Bool": {"aws:SecureTransport": "yes"}})), "neither", "Statement[0].Condition.Bool.aws:SecureTransport"),
    (document(statement(Condition={"Null": {"aws:Referer": "maybe"}})), "neither", "Statement[0].Condition.Null.aws:Referer"),
    (document(statement(Condition={"ArnEquals": {"aws:PrincipalArn": "bob"}})), "no ARN", "Statement[0].Condition.ArnEquals.aws:PrincipalArn"),
    (document(statement(Condition={"StringEquals": {"aws:Referer": []}})), "empty", "Statement[0].Condition.StringEquals.aws:Referer"),
    (document(statement(Condition={"StringEquals": {"aws:Referer": {}}})), "truth value", "Statement[0].Condition.StringEquals.aws:Referer"),
    (document(statement(Sid="\ud800")), "characters", "Statement[0].Sid"),
    (json.dumps({"Id": "\ud800", "Statement": [GOOD]}), "characters", "Id"),
    (document(statement(Principal={"\ud800": "x"})), "is not known here", "Statement[0].Principal.?"),
    (document(statement(Condition={"StringEquals": {"aws:\ud800": "x"}})), "not known here", "Statement[0].Condition.StringEquals.aws:?"),
    (document(statement(Sid="x" * 21000)), "longer than 20480", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "path"), BAD, ids=[f"{i}-{row[1]}" for i, row in enumerate(BAD)])
def test_what_is_no_policy_is_refused_with_its_place(text: str, message: str, path: str) -> None:
    with pytest.raises(PolicyError) as refused:
        reader.bucket_policy(text, BUCKET)
    assert message in refused.value.message
    assert refused.value.path == path


@pytest.mark.parametrize(
    "row",
    [
        statement(Principal={"Service": "logging.s3.amazonaws.com"}),
        statement(Principal={"AWS": ["123456789012", "arn:aws:iam:::user/bob"], "CanonicalUser": "acme"}),
        statement(Sid="Allow Public Access to All Objects", Resource="arn:aws:s3:::*"),
        statement(Action="s3:PutObject", Resource=ARN),
        statement(Resource=f"{ARN}/${{aws:username, 'nobody'}}/*"),
        statement(Resource="arn:aws:s3:::amzn-*/x"),
        statement(Resource="*"),
        statement("Deny", NotPrincipal={"AWS": "arn:aws:iam::a:user/b"}, Condition={}),
    ],
)
def test_what_is_a_policy(row: dict[str, Any]) -> None:
    assert reader.bucket_policy(document(row), BUCKET).statements
    assert reader.bucket_policy(json.dumps({"Statement": row}), BUCKET).version == "2008-10-17"


@pytest.mark.parametrize(
    ("row", "idle"),
    [
        (statement(Action="s3:GetObject", Resource=f"{ARN}/*"), []),
        (
            statement(Action=["s3:ListBucket", "s3:GetObject"], Resource=f"{ARN}/*"),
            [("s3:ListBucket", "bucket")],
        ),
        (statement("Deny", Action="s3:PutObject*", Resource=ARN), [("s3:PutObject*", "object")]),
        (statement(Action=["s3:*", "s3:Get*"], Resource=f"{ARN}/*"), []),
        (statement(Action=["S3:listbucket", "s3:GetObject"], Resource=[ARN, f"{ARN}/*"]), []),
        (statement(Action=["s3:ListBucket", "s3:GetObject"], Resource="*"), []),
        (statement(Action="s3:GetObject", Resource=f"{ARN}*"), []),
        (statement(Action=None, NotAction="s3:ListBucket", Resource=f"{ARN}/*"), []),
        (statement(Action="s3:ListBucket", Resource=None, NotResource=f"{ARN}/*"), []),
    ],
)
def test_what_no_request_asks_is_known(row: dict[str, Any], idle: list[tuple[str, str]]) -> None:
    (read,) = reader.bucket_policy(document(row), BUCKET).statements
    assert list(read.idle) == idle


def test_a_session_s_policy_has_no_principal() -> None:
    with pytest.raises(PolicyError, match="no principal"):
        reader.session_policy(document(statement()))
    assert reader.session_policy(document(statement(Principal=None)))


SOURCE = "aws:SourceIp"
PUBLIC: list[tuple[str, dict[str, Any], bool, bool]] = [
    # statement, is public, reaches beyond the tenant
    ("everybody", statement(), True, True),
    ("everybody, spelt out", statement(Principal={"AWS": "*"}), True, True),
    ("everybody among others", statement(Principal={"AWS": [OWN, "*"]}), True, True),
    ("nobody more", statement("Deny"), False, False),
    ("another tenant", statement(Principal={"AWS": "arn:aws:iam::s3tenant1:root"}), False, True),
    ("the own tenant", statement(Principal={"AWS": f"arn:aws:iam::{OWN}:user/bob"}), False, False),
    ("the own tenant, short", statement(Principal={"AWS": "arn:aws:iam:::user/bob"}), False, False),
    ("a service", statement(Principal={"Service": "x.amazonaws.com"}), False, False),
    ("one address", statement(Condition={"IpAddress": {SOURCE: "10.0.0.0/32"}}), False, True),
    ("a private network", statement(Condition={"IpAddress": {SOURCE: "10.0.0.0/8"}}), False, True),
    ("a wide network", statement(Condition={"IpAddress": {SOURCE: "64.0.0.0/7"}}), True, True),
    ("one of them wide", statement(Condition={"IpAddress": {SOURCE: ["192.0.2.0/24", "0.0.0.0/0"]}}), True, True),
    ("a wide network of IPv6", statement(Condition={"IpAddress": {SOURCE: "2000::/3"}}), True, True),
    ("all but an address", statement(Condition={"NotIpAddress": {SOURCE: "192.0.2.0/24"}}), True, True),
    ("an address if there is one", statement(Condition={"IpAddressIfExists": {SOURCE: "192.0.2.0/24"}}), True, True),
    ("all of none", statement(Condition={"ForAllValues:IpAddress": {SOURCE: "192.0.2.0/24"}}), True, True),
    ("a referer", statement(Condition={"StringLike": {"aws:Referer": "http://example.com/*"}}), True, True),
    ("TLS", statement(Condition={"Bool": {"aws:SecureTransport": "true"}}), True, True),
    ("a user", statement(Condition={"StringEquals": {"aws:userid": "17"}}), False, True),
    ("users like", statement(Condition={"StringLike": {"aws:userid": "1*"}}), True, True),
    ("a variable", statement(Condition={"StringEquals": {"aws:userid": "${aws:userid}"}}), True, True),
    ("the own tenant by key", statement(Condition={"StringEquals": {"aws:PrincipalAccount": OWN}}), False, False),
    ("another by key", statement(Condition={"StringEquals": {"aws:PrincipalAccount": [OWN, "b"]}}), False, True),
    ("own people by key", statement(Condition={"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{OWN}:user/b"}}), False, False),
]  # fmt: skip


@pytest.mark.parametrize(("row", "public", "outside"), [r[1:] for r in PUBLIC], ids=[r[0] for r in PUBLIC])
def test_public_and_outsiders(row: dict[str, Any], public: bool, outside: bool) -> None:
    policy = reader.bucket_policy(document(row), BUCKET)
    assert policy.is_public == public
    assert exposure.grants_outsiders(policy, OWN) == outside
    harmless = statement(Principal={"AWS": OWN})
    assert reader.bucket_policy(document(harmless, row), BUCKET).is_public == public
