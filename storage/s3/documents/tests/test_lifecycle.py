"""The document of lifecycle rules."""

from __future__ import annotations

import pytest

from storage.s3.documents import lifecycle
from storage.s3.errors import S3Error

EXPIRE = "<Expiration><Days>1</Days></Expiration>"
TAG = "<Tag><Key>a</Key><Value>b</Value></Tag>"


def rule(
    actions: str = EXPIRE, chosen: str = "<Filter/>", *, status: str = "Enabled", name: str = "one"
) -> str:
    return f"<Rule><ID>{name}</ID>{chosen}<Status>{status}</Status>{actions}</Rule>"


def read(rules: str) -> list[dict[str, object]]:
    return lifecycle.read(f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode())


def test_everything_comes_back_as_it_was() -> None:
    found = read(
        rule(chosen="<Prefix>logs/</Prefix>", name="legacy")
        + rule(
            "<Expiration><Date>2030-01-01</Date></Expiration>",
            "<Filter><Prefix>a</Prefix></Filter>",
            name="date",
        )
        + rule(
            "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            name="marker",
        )
        + rule(
            "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>"
            "<NewerNoncurrentVersions>3</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
            f"<Filter>{TAG}</Filter>",
            name="noncurrent",
        )
        + rule(
            EXPIRE,
            f"<Filter><And><Prefix>p</Prefix>{TAG}<Tag><Key>c</Key><Value/></Tag><ObjectSizeGreaterThan>1"
            "</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>",
            name="and",
        )
        + rule(
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload>",
            status="Disabled",
            name="abort",
        )
    )
    assert found == [
        {"ID": "legacy", "Prefix": "logs/", "Status": "Enabled", "Expiration": {"Days": 1}},
        {
            "ID": "date",
            "Filter": {"Prefix": "a"},
            "Status": "Enabled",
            "Expiration": {"Date": "2030-01-01T00:00:00.000Z"},
        },
        {
            "ID": "marker",
            "Filter": {},
            "Status": "Enabled",
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
        {
            "ID": "noncurrent",
            "Filter": {"Tag": {"Key": "a", "Value": "b"}},
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 3},
        },
        {
            "ID": "and",
            "Filter": {
                "And": {
                    "Prefix": "p",
                    "Tags": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": ""}],
                    "ObjectSizeGreaterThan": 1,
                    "ObjectSizeLessThan": 9,
                }
            },
            "Status": "Enabled",
            "Expiration": {"Days": 1},
        },
        {
            "ID": "abort",
            "Filter": {},
            "Status": "Disabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    assert lifecycle.read(lifecycle.write(found)) == found
    assert lifecycle.check(found) == found


def test_an_id_is_made_where_there_is_none() -> None:
    first, second = read((rule() + rule()).replace("<ID>one</ID>", ""))
    assert first["ID"] and second["ID"] and first["ID"] != second["ID"]


def test_a_switch_that_is_off_beside_days() -> None:
    off = "<ExpiredObjectDeleteMarker>false</ExpiredObjectDeleteMarker>"
    [found] = read(rule(f"<Expiration><Days>1</Days>{off}</Expiration>"))
    assert found["Expiration"] == {"Days": 1}


def expiration(inner: str) -> str:
    return rule(f"<Expiration>{inner}</Expiration>")


BAD = [
    ("", "MalformedXML"),
    (rule() * 1001, "MalformedXML"),
    (rule() * 2, "InvalidArgument"),
    (rule(name="x" * 256), "InvalidArgument"),
    (rule(status="enabled"), "MalformedXML"),
    (rule().replace("<Status>Enabled</Status>", ""), "MalformedXML"),
    (rule(chosen=""), "MalformedXML"),
    (rule(chosen="<Filter/><Prefix/>"), "MalformedXML"),
    (rule(chosen=f"<Filter><Prefix>a</Prefix>{TAG}</Filter>"), "MalformedXML"),
    (rule(chosen="<Filter><And/></Filter>"), "MalformedXML"),
    (rule(chosen=f"<Filter><And>{TAG}{TAG}</And></Filter>"), "InvalidTag"),
    (rule(chosen=f"<Prefix>{'x' * 1025}</Prefix>"), "MalformedXML"),
    (
        rule(
            chosen="<Filter><And><ObjectSizeGreaterThan>9</ObjectSizeGreaterThan>"
            "<ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>"
        ),
        "InvalidRequest",
    ),
    (rule(chosen="<Filter><ObjectSizeGreaterThan>-1</ObjectSizeGreaterThan></Filter>"), "InvalidRequest"),
    (rule(""), "InvalidRequest"),
    (expiration(""), "MalformedXML"),
    (expiration("<Days>0</Days>"), "InvalidArgument"),
    (expiration("<Days>-1</Days>"), "InvalidArgument"),
    (expiration("<Days>2147483648</Days>"), "InvalidArgument"),
    (expiration("<Days>1.5</Days>"), "MalformedXML"),
    (expiration("<Days>1</Days><Date>2030-01-01</Date>"), "MalformedXML"),
    (expiration("<Date>20300101</Date>"), "MalformedXML"),
    (expiration("<Date>2030-01-01T01:00:00Z</Date>"), "InvalidArgument"),
    (
        rule(
            "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            f"<Filter>{TAG}</Filter>",
        ),
        "InvalidRequest",
    ),
    (
        rule("<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"),
        "InvalidArgument",
    ),
    (
        rule(
            "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
            "<NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
        ),
        "InvalidArgument",
    ),
    (rule("<AbortIncompleteMultipartUpload/>"), "InvalidArgument"),
    (
        rule(
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
            "</AbortIncompleteMultipartUpload>",
            f"<Filter>{TAG}</Filter>",
        ),
        "InvalidRequest",
    ),
    (rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), "NotImplemented"),
    (rule("<Transition><Days>1</Days><StorageClass>ICE</StorageClass></Transition>"), "MalformedXML"),
    (
        rule(
            "<Transition><Date>2030-01-01T01:00:00Z</Date><StorageClass>GLACIER</StorageClass></Transition>"
        ),
        "InvalidArgument",
    ),
    (
        rule(
            "<NoncurrentVersionTransition><NoncurrentDays>1</NoncurrentDays><StorageClass>GLACIER</StorageClass>"
            "</NoncurrentVersionTransition>"
        ),
        "NotImplemented",
    ),
]


@pytest.mark.parametrize(("rules", "code"), BAD)
def test_no_rules(rules: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        read(rules)
    assert caught.value.code == code
