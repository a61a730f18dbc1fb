"""botocore's exceptions as ours, in words for who set the backend up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from botocore import exceptions
from botocore.parsers import ResponseParserError

from gateway.outside import addresses
from storage.providers.base import Connection, Locked, ProviderError, Refused, Unreachable
from storage.providers.dialling import NotDialled

from .client import CONNECT_SECONDS, READ_SECONDS

MISSING = {"404", "NoSuchKey", "NotFound", "NoSuchBucket"}
_DIAGNOSES = {
    "InvalidAccessKeyId": "the access key is unknown there",
    "SignatureDoesNotMatch": "the secret key is wrong, or the endpoint's name is not the one it signs for",
    "AccessDenied": "the access key has no right to do this",
    "403": "the access key or the secret key is wrong, or has no right to do this",
    "AuthorizationHeaderMalformed": "the region is not the endpoint's",
    "PermanentRedirect": "the bucket lives in another region, or the endpoint is not its own",
    "301": "the bucket lives in another region, or the endpoint is not its own",
    "RequestTimeTooSkewed": "the clocks differ by more than 15 minutes",
    "TooManyBuckets": "the account may not have more buckets",
    "InvalidBucketName": "it takes no bucket names as the platform makes them",
}
_LATER = {"500", "502", "503", "504", "InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout"}
_LOCKED = {"ObjectLocked", "InvalidObjectState"}


@contextmanager
def explained(connection: Connection, doing: str = "") -> Iterator[None]:
    """Raises ProviderErrors instead of botocore's. `doing` says what was tried, where that is not plain."""
    where = connection.endpoint or f"AWS in {connection.region}"
    if doing:
        where = f"{where} ({doing})"
    try:
        yield
    except exceptions.ClientError as e:
        raise _of_answer(where, e) from e
    except exceptions.SSLError as e:
        raise Refused(f"{where}: {_of_tls(e)}") from e
    except exceptions.ConnectTimeoutError as e:
        raise Unreachable(
            f"{where} does not answer within {CONNECT_SECONDS} seconds: a firewall, or a wrong port?"
        ) from e
    except exceptions.ReadTimeoutError as e:
        raise Unreachable(
            f"{where} took the request but does not answer within {READ_SECONDS} seconds."
        ) from e
    except exceptions.EndpointConnectionError as e:
        raise Unreachable(f"{where} cannot be reached: {_of_connecting(connection, e)}.") from e
    except exceptions.ConnectionClosedError as e:
        raise Unreachable(f"{where} closed the connection without an answer: does it speak HTTPS?") from e
    except ResponseParserError as e:
        raise Refused(
            f"{where} is no S3 server: it answers something else than S3's documents. Is a path or port missing?"
        ) from e
    except exceptions.HTTPClientError as e:
        cause = e.kwargs.get("error")
        if isinstance(cause, NotDialled):
            raise Refused(f"{where}: {cause}.") from e
        raise Unreachable(f"{where}: {_short(e)}") from e
    except exceptions.BotoCoreError as e:
        raise Unreachable(f"{where}: {_short(e)}") from e


def _of_answer(where: str, e: exceptions.ClientError) -> ProviderError:
    error = e.response.get("Error", {})
    metadata = e.response.get("ResponseMetadata", {})
    code, status = str(error.get("Code", "")), str(metadata.get("HTTPStatusCode", ""))
    message = error.get("Message") or ""
    if code in _LATER or status in _LATER:
        return Unreachable(f"{where} answers {code} {message}".strip())
    if code in _LOCKED:
        return Locked(f"{where}: the version is locked.")
    content = metadata.get("HTTPHeaders", {}).get("content-type", "")
    if code == status and content.startswith("text/html"):
        return Refused(f"{where} is no S3 server: it answers {status} with a web page.")
    reason = _DIAGNOSES.get(code) or _DIAGNOSES.get(status) or message or "it gives no reason"
    if code == "AuthorizationHeaderMalformed" and error.get("Region"):
        reason = f"the region is not the endpoint's: it is {error['Region']}"
    if code == "RequestTimeTooSkewed":
        reason = f"{reason}: it is {datetime.now(UTC):%H:%M:%S} UTC here"
        if error.get("ServerTime"):
            reason = f"{reason} and {error['ServerTime']} there"
    return Refused(f"{where} refuses ({code or status}): {reason}.")


def _of_tls(e: Exception) -> str:
    text = _short(e)
    if "WRONG_VERSION_NUMBER" in text or "unknown protocol" in text.lower():
        return "it does not speak TLS there: should the endpoint begin with http://?"
    if "Hostname mismatch" in text or "doesn't match" in text:
        return f"its certificate is for another name: {text}. Path style may help, or another endpoint name."
    if "self-signed" in text or "unable to get" in text:
        return f"the TLS certificate cannot be trusted: {text}. Give the certificates of its own CA."
    return f"the TLS certificate cannot be trusted: {text}"


def _of_connecting(connection: Connection, e: Any) -> str:
    host = urlsplit(str(e.kwargs.get("endpoint_url", ""))).hostname or ""
    given = urlsplit(connection.endpoint).hostname or ""
    if not host or addresses(host):
        return "nothing listens there"
    if given and host != given and addresses(given):
        return f"there is no host {host}; buckets are no names there, so it needs path style"
    return f"there is no host {host} (its name does not resolve)"


def _short(e: Exception) -> str:
    return re.sub(r"\s+", " ", str(e))[:300]
