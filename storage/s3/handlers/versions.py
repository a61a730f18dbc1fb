"""ListObjectVersions."""

from gateway.decision.types import Decision
from storage.s3 import answers, xml, xml_lists
from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.request import Request
from storage.s3.versions import valid


async def list_all(request: Request, front: Front) -> Decision:
    """Versions and delete markers of all keys, each key's newest first."""
    query = request.query
    xml.Encoding(query)
    max_keys = request.number("max-keys", xml.MAX_KEYS)
    bucket = request.bucket
    page = await front.index.list_versions(
        bucket, query.get("prefix", ""), query.get("delimiter", ""), _marker(request), max_keys
    )
    return answers.xml(xml_lists.versions(bucket.name, query, page, max_keys, request.owner))


def _marker(request: Request) -> tuple[str, str] | None:
    """Where the page begins. Raises InvalidArgument."""
    key, version_id = request.query.get("key-marker", ""), request.query.get("version-id-marker", "")
    if version_id and not key:
        raise S3Error(
            "InvalidArgument",
            "A version-id marker cannot be specified without a key marker.",
            extra={"ArgumentName": "version-id-marker", "ArgumentValue": version_id},
        )
    if not key:
        return None
    if request.query.get("version-id-marker") == "":
        raise S3Error(
            "InvalidArgument",
            "A version-id marker cannot be empty.",
            extra={"ArgumentName": "version-id-marker", "ArgumentValue": ""},
        )
    return key, valid(version_id) if version_id else ""
