"""What a presigned URL or a form says as headers stays within them: nobody writes lines of the answers to others."""

from __future__ import annotations

from urllib.parse import quote

import pytest
import requests
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from storage.s3.tests.signer import call
from tests.stack import Account, Stack


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket("injected")
    return made


def presigned(account: Account, method: str, target: str) -> str:
    request = AWSRequest(method, account.stack.url + target)
    S3SigV4QueryAuth(Credentials(account.key_id, account.secret), "s3", "us-east-1", expires=60).add_auth(
        request
    )
    url: str = request.url
    return url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-meta-a: b\r\nx-injected", "yes"),
        ("x-amz-meta-a", "b\r\nx-injected: yes"),
        ("x-amz-meta-a b", "c"),
        ("x-amz-website-redirect-location", "/a\r\nx-injected: yes"),
    ],
    ids=["name", "value", "space", "redirect"],
)
@pytest.mark.parametrize("sealed", ["", "&x-amz-server-side-encryption=AES256"], ids=["plain", "sealed"])
def test_presigned_parameters_make_no_lines(account: Account, name: str, value: str, sealed: str) -> None:
    target = f"/s3/injected/k?{quote(name)}={quote(value)}{sealed}"
    put = requests.put(presigned(account, "PUT", target), data=b"x", timeout=30)
    got = call(account, "GET", "/s3/injected/k")
    assert "x-injected" not in got.headers
    assert put.status_code == 400


def test_a_forms_field_names_make_no_lines(account: Account) -> None:
    public = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",'
    public += ' "Resource": "arn:aws:s3:::injected/*"}}'
    account.s3().put_bucket_policy(Bucket="injected", Policy=public)
    parts = [('name="key"', "f"), ('name="x-amz-meta-a\nx-injected: b"', "yes"), ('name="file"', "bytes")]
    body = "".join(f"--B\r\nContent-Disposition: form-data; {name}\r\n\r\n{said}\r\n" for name, said in parts)
    kind = {"Content-Type": "multipart/form-data; boundary=B"}
    answer = requests.post(
        f"{account.stack.url}/s3/injected", (body + "--B--\r\n").encode(), headers=kind, timeout=30
    )
    got = call(account, "GET", "/s3/injected/f")
    assert "x-injected" not in got.headers
    assert answer.status_code == 400
