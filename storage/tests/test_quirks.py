"""What is known of vendors."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.providers import quirks

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "backends.md"


@pytest.mark.parametrize(
    ("endpoint", "vendor", "region"),
    [
        ("", "aws", ""),
        ("https://s3.eu-west-1.amazonaws.com", "aws", "eu-west-1"),
        ("https://s3.eu-central-2.wasabisys.com", "wasabi", "eu-central-2"),
        ("https://0123.r2.cloudflarestorage.com", "r2", "auto"),
        ("https://storage.googleapis.com", "gcs", "auto"),
        ("https://s3.us-west-004.backblazeb2.com", "b2", "us-west-004"),
        ("https://fra1.digitaloceanspaces.com", "do-spaces", "fra1"),
        ("https://oss-eu-central-1.aliyuncs.com", "oss", "oss-eu-central-1"),
        ("https://storage.example.org:9000", "generic", ""),
        ("https://notamazonaws.com", "generic", ""),
        ("http://[::1", "generic", ""),
    ],
)
def test_a_vendor_is_guessed_by_the_host_name(endpoint: str, vendor: str, region: str) -> None:
    guessed = quirks.guess(endpoint)
    assert (guessed.name, quirks.region_of(guessed, endpoint)) == (vendor, region)


@pytest.mark.parametrize(
    ("headers", "vendor"),
    [
        ({"x-amz-request-id": "tx000002e986bf6774f0bd8-006b02ec04-100d-default"}, "ceph"),
        ({"x-amz-request-id": "tx0123-0061", "x-trans-id": "tx0123-0061"}, "swift"),
        ({"server": "MinIO"}, "minio"),
        ({"server": "AmazonS3"}, "generic"),
        ({}, "generic"),
    ],
)
def test_a_vendor_is_seen_in_its_answers(headers: dict[str, str], vendor: str) -> None:
    assert quirks.by_answer(headers).name == vendor


@pytest.mark.parametrize("vendor", quirks.VENDORS.values(), ids=lambda vendor: vendor.name)
def test_the_document_has_what_is_known(vendor: quirks.Vendor) -> None:
    assert vendor.source
    style = {True: "path", False: "virtual host", None: "as given"}[vendor.path_style]
    checksums = {"when_supported": "yes", "when_required": "off", None: "as given"}[vendor.checksum_mode]
    lacks = ", ".join(sorted(name.replace("_", " ") for name in vendor.lacks))
    row = f"| `{vendor.name}` | {vendor.title} | {style} | {checksums} |{f' {lacks} ' if lacks else ' '}|"
    assert row in DOCUMENT.read_text().splitlines()
