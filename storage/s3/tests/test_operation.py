"""From the wire to bucket, key and operation: nothing normalised, nothing half-understood."""

import pytest

from storage.s3.errors import CODES, S3Error, document
from storage.s3.operation import PERMISSIONS, Operation, classify
from storage.s3.target import Target, has_prefix, in_domain, locate, parse_query

DOMAIN = "s3.localhost"


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        ("127.0.0.1", "/s3", "", ""),
        ("127.0.0.1", "/s3/", "", ""),
        ("127.0.0.1", "/s3/docs", "docs", ""),
        ("127.0.0.1", "/s3/docs/", "docs", ""),
        ("127.0.0.1", "/s3/docs/a", "docs", "a"),
        ("127.0.0.1", "/s3/docs/a/", "docs", "a/"),
        ("127.0.0.1", "/s3/docs//a", "docs", "/a"),
        ("127.0.0.1", "/s3/docs/a//x", "docs", "a//x"),
        ("127.0.0.1", "/s3/docs/../../etc", "docs", "../../etc"),
        ("127.0.0.1", "/s3/docs/%2e%2e/x", "docs", "../x"),
        ("127.0.0.1", "/s3/docs/a%2Fb", "docs", "a/b"),
        ("127.0.0.1", "/s3/docs/a%252Fb", "docs", "a%2Fb"),
        ("127.0.0.1", "/s3/docs/a+b", "docs", "a+b"),
        ("127.0.0.1", "/s3/docs/a%20b/%C3%BC%2B%25.txt", "docs", "a b/ü+%.txt"),
        ("127.0.0.1", "/s3/docs/\xc3\xbc", "docs", "ü"),
        ("127.0.0.1", "/s3/docs/%", "docs", "%"),
        (DOMAIN, "/", "", ""),
        (DOMAIN, "/docs/a", "docs", "a"),
        (DOMAIN, "/s3/docs", "s3", "docs"),
        ("docs.s3.localhost", "/", "docs", ""),
        ("docs.s3.localhost", "/a//b", "docs", "a//b"),
        ("docs.s3.localhost", "/s3/a", "docs", "s3/a"),
        ("a.b.s3.localhost", "//", "a.b", "/"),
    ],
)
def test_where_a_request_points(host: str, path: str, bucket: str, key: str) -> None:
    assert in_domain(host, DOMAIN) or has_prefix(path)
    assert locate(host, path, DOMAIN) == Target(bucket, key)


@pytest.mark.parametrize(
    ("host", "path"), [("h", "/"), ("h", "/s3x"), ("h", "/x/s3/"), ("xs3.localhost", "/")]
)
def test_what_is_not_ours(host: str, path: str) -> None:
    assert not in_domain(host, DOMAIN)
    assert not has_prefix(path)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/s3/docs/%FF", "InvalidURI"),
        ("/s3/docs/%00", "InvalidURI"),
        ("/s3/%C3/x", "InvalidURI"),
        ("/s3/docs/" + "a" * 1025, "KeyTooLongError"),
        ("/s3/docs/" + "%C3%BC" * 513, "KeyTooLongError"),
    ],
)
def test_keys_that_cannot_be(path: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        locate("h", path, DOMAIN)
    assert caught.value.code == code


def test_the_longest_key() -> None:
    assert locate("h", "/s3/docs/" + "%C3%BC" * 512, DOMAIN).key == "ü" * 512


def test_the_query_is_decoded_once() -> None:
    assert parse_query("prefix=a%2Bb+c%252F&delimiter=%2F&uploads&prefix=x") == {
        "prefix": "a+b c%2F",
        "delimiter": "/",
        "uploads": "",
    }
    for bad in ("prefix=%FF", "prefix=a%00"):
        with pytest.raises(S3Error, match="InvalidURI"):
            parse_query(bad)


@pytest.mark.parametrize(
    ("method", "bucket", "key", "query", "operation"),
    [
        ("GET", "", "", "", Operation.LIST_BUCKETS),
        ("GET", "", "", "x-id=ListBuckets", Operation.LIST_BUCKETS),
        ("GET", "b", "", "", Operation.LIST_OBJECTS),
        ("GET", "b", "", "list-type=2&prefix=acl", Operation.LIST_OBJECTS_V2),
        ("GET", "b", "", "location", Operation.GET_BUCKET_LOCATION),
        ("GET", "b", "", "versioning", Operation.GET_BUCKET_VERSIONING),
        ("GET", "b", "", "uploads", Operation.LIST_MULTIPART_UPLOADS),
        ("HEAD", "b", "", "", Operation.HEAD_BUCKET),
        ("PUT", "b", "", "", Operation.CREATE_BUCKET),
        ("DELETE", "b", "", "", Operation.DELETE_BUCKET),
        ("POST", "b", "", "delete", Operation.DELETE_OBJECTS),
        ("GET", "b", "k", "x-id=GetObject", Operation.GET_OBJECT),
        ("GET", "b", "k", "uploadId=1", Operation.LIST_PARTS),
        ("HEAD", "b", "k", "versionId=null", Operation.HEAD_OBJECT),
        ("PUT", "b", "k", "", Operation.PUT_OBJECT),
        ("PUT", "b", "k", "partNumber=1&uploadId=1", Operation.UPLOAD_PART),
        ("DELETE", "b", "k", "", Operation.DELETE_OBJECT),
        ("DELETE", "b", "k", "uploadId=1", Operation.ABORT_MULTIPART_UPLOAD),
        ("POST", "b", "k", "uploads", Operation.CREATE_MULTIPART_UPLOAD),
        ("POST", "b", "k", "uploadId=1", Operation.COMPLETE_MULTIPART_UPLOAD),
    ],
)
def test_operations(method: str, bucket: str, key: str, query: str, operation: Operation) -> None:
    assert classify(method, Target(bucket, key), parse_query(query), {}) is operation


def test_a_copy_is_a_put_with_a_source() -> None:
    source = {"x-amz-copy-source": "/b/k"}
    assert classify("PUT", Target("b", "k"), {}, source) is Operation.COPY_OBJECT
    part = {"partNumber": "1", "uploadId": "x"}
    assert classify("PUT", Target("b", "k"), part, source) is Operation.UPLOAD_PART_COPY


@pytest.mark.parametrize(
    ("method", "bucket", "key", "query", "code"),
    [
        ("POST", "", "", "", "MethodNotAllowed"),
        ("POST", "b", "k", "", "MethodNotAllowed"),
        ("PATCH", "b", "k", "", "MethodNotAllowed"),
        ("HEAD", "", "", "", "MethodNotAllowed"),
        ("GET", "b", "", "list-type=3", "InvalidArgument"),
        ("PUT", "b", "", "website", "NotImplemented"),
        ("PUT", "b", "k", "renameObject", "NotImplemented"),
        ("GET", "b", "k", "torrent", "NotImplemented"),
        ("POST", "b", "k", "select&select-type=2", "NotImplemented"),
        ("GET", "b", "k", "acl&tagging", "NotImplemented"),
        ("PUT", "b", "k", "partNumber=1", "InvalidArgument"),
        ("PUT", "b", "k", "versionId=1", "InvalidArgument"),
        ("POST", "b", "k", "uploads&versionId=1", "InvalidArgument"),
    ],
)
def test_refused_operations(method: str, bucket: str, key: str, query: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        classify(method, Target(bucket, key), parse_query(query), {})
    assert caught.value.code == code


def test_every_operation_needs_a_permission_that_exists() -> None:
    from tenants.permissions import PERMISSIONS as KNOWN

    assert set(PERMISSIONS) == set(Operation) - {Operation.PREFLIGHT}
    assert set(PERMISSIONS.values()) <= set(KNOWN)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_says_something(code: str) -> None:
    error = S3Error(code)
    text = document(error, '/b/<k>&"', "r", "h").decode()
    assert f"<Code>{code}</Code><Message>{error.message.replace(chr(34), '&quot;')}</Message>" in text
    assert "<Resource>/b/&lt;k&gt;&amp;&quot;</Resource><RequestId>r</RequestId>" in text
    assert 300 <= error.status < 600
