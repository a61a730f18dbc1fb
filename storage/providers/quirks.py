"""What is known of the vendors of S3: data, with its source on each row.

A vendor is guessed from the endpoint or named by who sets the backend up. It fills in what was not said of the
connection, and takes away from what the connection test finds: what looks right there and is known not to be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

Capability = Literal[
    "versioning",
    "object_lock",
    "encryption",
    "customer_keys",
    "conditional_writes",
    "conditional_deletes",
    "checksums",
    "part_numbers",
]
"""What not every backend can: keeping versions, locking them, SSE-S3, SSE-C, If-Match and If-None-Match of PUT and of
DELETE, keeping the checksums of newer SDKs, reading by part number."""

CAPABILITIES: Final[tuple[Capability, ...]] = get_args(Capability)


@dataclass(frozen=True, slots=True)
class Vendor:
    """`domains` are ends of endpoints' host names. `region` has the region of a host name as its group, or is it.

    `path_style` and `checksum_mode` are what suits; None: nothing known. `lacks` is never used, whatever a test finds.
    """

    name: str
    title: str
    source: str
    domains: tuple[str, ...] = ()
    region: str = ""
    path_style: bool | None = None
    checksum_mode: Literal["when_supported", "when_required"] | None = None
    lacks: frozenset[Capability] = frozenset()


GENERIC: Final = Vendor("generic", "Any other", source="The connection test alone.")
_VENDORS: Final = (
    Vendor(
        "aws",
        "Amazon S3",
        domains=("amazonaws.com", "amazonaws.com.cn"),
        region=r"s3[.-](?:dualstack\.)?([a-z0-9-]+)\.amazonaws\.com",
        path_style=False,
        checksum_mode="when_supported",
        source="Amazon S3 user guide: virtual hosting of buckets; data integrity protections of the SDKs.",
    ),
    Vendor(
        "ceph",
        "Ceph RADOS Gateway",
        path_style=True,
        checksum_mode="when_required",
        source="docs.ceph.com, S3 API; measured on 16.2.15.",
    ),
    Vendor(
        "wasabi",
        "Wasabi",
        domains=("wasabisys.com",),
        region=r"s3\.([a-z0-9-]+)\.wasabisys\.com",
        path_style=True,
        checksum_mode="when_required",
        source="Wasabi API guide: service URLs of its regions.",
    ),
    Vendor(
        "r2",
        "Cloudflare R2",
        domains=("r2.cloudflarestorage.com",),
        region="auto",
        path_style=True,
        checksum_mode="when_required",
        lacks=frozenset({"versioning", "object_lock"}),
        source="developers.cloudflare.com, R2: S3 API compatibility (region auto; no versions, no object lock).",
    ),
    Vendor(
        "gcs",
        "Google Cloud Storage (XML)",
        domains=("storage.googleapis.com",),
        region="auto",
        path_style=True,
        checksum_mode="when_required",
        # Its versions are generations: other ids, other headers. Checksums in trailers are refused.
        lacks=frozenset(
            {"versioning", "object_lock", "checksums", "conditional_writes", "conditional_deletes"}
        ),
        source="cloud.google.com, XML API: interoperability; botocore 1.36's default checksums are refused there.",
    ),
    Vendor(
        "swift",
        "OpenStack Swift (s3api)",
        path_style=True,
        checksum_mode="when_required",
        # A PUT takes If-None-Match: * and no If-Match.
        lacks=frozenset({"object_lock", "conditional_writes", "conditional_deletes", "checksums"}),
        source="docs.openstack.org, Swift: S3/Swift REST API comparison; run in no test.",
    ),
    Vendor(
        "minio",
        "MinIO",
        domains=("play.min.io",),
        path_style=True,
        checksum_mode="when_supported",
        source="MinIO documentation: S3 API compatibility.",
    ),
    Vendor(
        "garage",
        "Garage",
        region="garage",
        path_style=True,
        checksum_mode="when_required",
        lacks=frozenset({"versioning", "object_lock", "conditional_writes", "conditional_deletes"}),
        source="garagehq.deuxfleurs.fr, S3 compatibility status; it signs for the region of its configuration.",
    ),
    Vendor(
        "b2",
        "Backblaze B2",
        domains=("backblazeb2.com",),
        region=r"s3\.([a-z0-9-]+)\.backblazeb2\.com",
        path_style=True,
        checksum_mode="when_required",
        # Buckets always keep versions and cannot be told otherwise.
        lacks=frozenset({"versioning", "object_lock", "conditional_writes", "conditional_deletes"}),
        source="backblaze.com, S3-compatible API: supported calls.",
    ),
    Vendor(
        "do-spaces",
        "DigitalOcean Spaces",
        domains=("digitaloceanspaces.com",),
        region=r"([a-z0-9-]+)\.digitaloceanspaces\.com",
        path_style=False,
        checksum_mode="when_required",
        lacks=frozenset({"object_lock"}),
        source="docs.digitalocean.com, Spaces API: it is Ceph's, without object lock.",
    ),
    Vendor(
        "oss",
        "Alibaba Cloud OSS",
        domains=("aliyuncs.com",),
        region=r"(?:s3\.)?(oss-[a-z0-9-]+)\.aliyuncs\.com",
        path_style=False,
        checksum_mode="when_required",
        lacks=frozenset({"object_lock", "conditional_deletes", "checksums"}),
        source="alibabacloud.com, OSS: compatibility with S3 (no path style).",
    ),
    Vendor(
        "rclone",
        "rclone serve s3",
        path_style=True,
        checksum_mode="when_required",
        lacks=frozenset(
            {"versioning", "object_lock", "conditional_writes", "conditional_deletes", "checksums"}
        ),
        source="rclone.org, serve s3: bugs and limitations; measured.",
    ),
    GENERIC,
)

_RGW_REQUEST: Final = re.compile(r"tx[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-.+")

VENDORS: Final = {vendor.name: vendor for vendor in _VENDORS}


def vendor_of(name: str) -> Vendor:
    """The vendor of that name, GENERIC where there is none."""
    return VENDORS.get(name, GENERIC)


def guess(endpoint: str) -> Vendor:
    """Whose S3 it is, by the endpoint's host name alone; none is Amazon's."""
    if not endpoint:
        return VENDORS["aws"]
    host = _host(endpoint)
    for vendor in _VENDORS:
        if any(host == domain or host.endswith("." + domain) for domain in vendor.domains):
            return vendor
    return GENERIC


def region_of(vendor: Vendor, endpoint: str) -> str:
    """The region that requests to the endpoint are signed for; empty where the vendor takes any."""
    if "(" not in vendor.region:
        return vendor.region
    found = re.fullmatch(vendor.region, _host(endpoint))
    return found[1] if found else ""


def _host(endpoint: str) -> str:
    """The host name of an endpoint; empty for what is none."""
    try:
        return urlsplit(endpoint).hostname or ""
    except ValueError:
        return ""


def by_answer(headers: Mapping[str, str]) -> Vendor:
    """The vendor that an answer's headers (names in lower case) give away, else GENERIC."""
    # Many say AmazonS3 that are not.
    server = headers.get("server", "").lower()
    for name in ("ceph", "minio"):
        if server.startswith(name):
            return VENDORS[name]
    if "x-trans-id" in headers or "x-openstack-request-id" in headers:
        return VENDORS["swift"]
    if _RGW_REQUEST.fullmatch(headers.get("x-amz-request-id", "")):
        return VENDORS["ceph"]
    return GENERIC
