"""AWS's Security Token Service, as far as SDKs need it to get credentials by themselves.

POST of a form to the root of S3_DOMAIN (or to `/s3`), answers in XML: AssumeRoleWithWebIdentity for a token of ours
(a JWT, an API key), GetSessionToken and GetCallerIdentity for an access key. The role's ARN names the tenant,
`arn:aws:iam::<tenant>:role/<anything>`; what may be done is what the caller's role there may.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from gateway.db.scope import tenant_scope
from gateway.decision.callers import Shown
from gateway.decision.database import DatabaseBusy
from gateway.decision.types import Answer, RequestHead
from gateway.errors import DomainError, Forbidden, Invalid, NotFound, Unauthenticated
from storage.policy.principals import read_name
from storage.s3 import sigv4, sigv4_claim
from storage.s3.body import Receive
from storage.s3.errors import INSECURE, S3Error
from storage.s3.front import Front
from storage.s3.request import by_name
from storage.s3.target import PREFIX
from storage.s3.text import escape
from storage.services import credentials
from storage.snapshot import AccessKeyInfo
from storage.temporary import Issued
from tenants import networks, resolver
from tenants.principal import Credential, Principal

T = TypeVar("T")

VERSION: Final = "2011-06-15"
MAX_BODY: Final = 64 << 10
_NAMESPACE: Final = f"https://sts.amazonaws.com/doc/{VERSION}/"
_FORM: Final = "application/x-www-form-urlencoded"
_PER_MINUTE: Final = 60  # by address: nobody has proven anything before a token is looked at


class StsError(Exception):
    """A refusal in STS's own words."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status
        super().__init__(f"{code}: {message}")


def asks(head: RequestHead, domain: str) -> bool:
    """Whether a request for S3 is one for STS: S3 itself has no POST there."""
    if head.method != "POST" or (head.headers.get("content-type") or "").partition(";")[0].strip() != _FORM:
        return False
    return head.raw_path == "/" if head.host == domain else head.raw_path in (PREFIX, f"{PREFIX}/")


def insecure(head: RequestHead) -> Answer:
    """The refusal of a request over plain HTTP where `ENFORCE_HTTPS` says so."""
    return _refused(StsError("AccessDenied", INSECURE, 403), head)


async def answer(head: RequestHead, receive: Receive, front: Front) -> Answer:
    """What STS answers, errors included."""
    try:
        body = await _read(head, receive)
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50))
        action = form.get("Action", "")
        act = _ACTIONS.get(action)
        if act is None:
            raise StsError("InvalidAction", f"Could not find operation {action[:50]} for version {VERSION}")
        result = await act(head, form, body, front)
        meta = f"<ResponseMetadata><RequestId>{escape(head.request_id)}</RequestId></ResponseMetadata>"
        result = f"<{action}Result>{result}</{action}Result>"
        xml = f'<{action}Response xmlns="{_NAMESPACE}">{result}{meta}</{action}Response>'
        return Answer(200, [("Content-Type", "text/xml"), ("Cache-Control", "no-store")], xml.encode())
    except StsError as error:
        return _refused(error, head)
    except S3Error as error:
        return _refused(StsError(_CODES.get(error.code, error.code), error.message, error.status), head)
    except ValueError:
        return _refused(StsError("ValidationError", "The form cannot be read."), head)
    except DatabaseBusy:
        return _refused(StsError("ServiceUnavailable", "Try again shortly.", 503), head)


_CODES: Final = {
    "InvalidAccessKeyId": "InvalidClientTokenId",
    "InvalidToken": "InvalidClientTokenId",
    "AuthorizationHeaderMalformed": "IncompleteSignature",
    "SlowDown": "Throttling",
}


async def _assume_role(head: RequestHead, form: Mapping[str, str], body: bytes, front: Front) -> str:
    if front.ctx.limits.take("sts", head.client_ip, _PER_MINUTE):
        raise StsError("Throttling", "Rate exceeded", 400)
    token = form.get("WebIdentityToken", "")
    session = form.get("RoleSessionName", "")
    if not token or not session:
        raise StsError("ValidationError", "WebIdentityToken and RoleSessionName are required.")
    tenant = _tenant_of(form.get("RoleArn", ""))
    try:
        actor = await front.ctx.callers.find(head, Shown("token", token), tenant=tenant)
        if tenant and actor.tenant.slug != tenant:  # an API key names its tenant itself
            raise NotFound("The key is of another tenant.")
    except Unauthenticated as error:
        raise StsError("InvalidIdentityToken", error.detail) from None
    except (NotFound, Forbidden):
        raise StsError(
            "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403
        ) from None
    lifetime, policy = _lifetime(form), form.get("Policy", "")
    issued = await _verb(front, actor, lambda: credentials.issue(lifetime, policy=policy, actor=actor))
    arn = f"arn:aws:sts::{actor.tenant.slug}:assumed-role/{actor.label}/{session}"
    subject = escape(actor.label)
    return (
        f"<SubjectFromWebIdentityToken>{subject}</SubjectFromWebIdentityToken>"
        f"<AssumedRoleUser><Arn>{escape(arn)}</Arn><AssumedRoleId>{subject}:{escape(session)}</AssumedRoleId>"
        f"</AssumedRoleUser>{_credentials(issued)}"
    )


async def _session_token(head: RequestHead, form: Mapping[str, str], body: bytes, front: Front) -> str:
    access = await _proven(head, body, front)
    if not access.kept:
        raise StsError("AccessDenied", "Temporary credentials make no further ones.", 403)
    lifetime = _lifetime(form)

    def make() -> Issued:
        credential = Credential("s3_key", access.access_key_id)
        actor = resolver.renewed(access.user_id, access.tenant_id, credential, head.client_ip)
        with tenant_scope(access.tenant_id):
            return credentials.issue_of_key(access.access_key_id, lifetime, actor=actor)

    return _credentials(await _run(front, make))


async def _caller_identity(head: RequestHead, form: Mapping[str, str], body: bytes, front: Front) -> str:
    access = await _proven(head, body, front)
    caller = access.caller
    return (
        f"<Arn>{escape(caller.arn)}</Arn><UserId>{escape(caller.user_id)}</UserId>"
        f"<Account>{escape(caller.account)}</Account>"
    )


_ACTIONS: Final = {
    "AssumeRoleWithWebIdentity": _assume_role,
    "GetSessionToken": _session_token,
    "GetCallerIdentity": _caller_identity,
}


async def _proven(head: RequestHead, body: bytes, front: Front) -> AccessKeyInfo:
    """The access key that signed the request for the service `sts`. Raises S3Error, StsError."""
    headers = by_name(head) | {"x-amz-content-sha256": hashlib.sha256(body).hexdigest()}
    authorization = headers.get("authorization", "")
    if not authorization.startswith(sigv4.ALGORITHM + " "):
        raise StsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
    claim = sigv4_claim.from_header(headers, authorization, datetime.now(UTC), service="sts")
    access = await front.access_key(claim.access_key_id, claim.security_token)
    sigv4.prove(claim, access.secret, head.method, head.raw_path, head.raw_query, headers)
    front.count(access, head.client_ip)
    if access.expires_at is not None and access.expires_at <= datetime.now(UTC):
        raise StsError("ExpiredToken", "The security token included in the request is expired", 403)
    if access.networks and not networks.allow(head.client_ip, access.networks):
        raise StsError("AccessDenied", "The key is not taken from this address.", 403)
    front.used(access)
    return access


def _tenant_of(arn: str) -> str | None:
    """The tenant that a role's ARN names; None leaves it to the token."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[:3] != ["arn", "aws", "iam"] or not parts[5].startswith("role/"):
        raise StsError("ValidationError", "RoleArn: expected arn:aws:iam::<tenant>:role/<name>")
    try:
        name = read_name("AWS", f"arn:aws:iam::{parts[4]}:root", "RoleArn")
    except ValueError as error:
        raise StsError("ValidationError", str(error)) from None
    return name.account or None if name else None


def _lifetime(form: Mapping[str, str]) -> timedelta:
    text = form.get("DurationSeconds") or "3600"
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise StsError("ValidationError", "DurationSeconds must be a number")
    return timedelta(seconds=int(text))


async def _verb(front: Front, actor: Principal, verb: Callable[[], T]) -> T:
    def run() -> T:
        with tenant_scope(actor.tenant.pk):
            return verb()

    return await _run(front, run)


async def _run(front: Front, work: Callable[[], T]) -> T:
    try:
        return await front.ctx.callers.run(work)
    except Invalid as error:
        code = "MalformedPolicyDocument" if "policy" in (error.errors or {}) else "ValidationError"
        raise StsError(code, error.detail) from None
    except DomainError as error:
        raise StsError("AccessDenied", error.detail, 403) from None


async def _read(head: RequestHead, receive: Receive) -> bytes:
    if head.content_length is None or head.content_length > MAX_BODY:
        raise StsError("ValidationError", f"A form has a length, at most {MAX_BODY} bytes.")
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise StsError("ValidationError", "The body ended early.")
        body += bytes(message.get("body", b""))
        if len(body) > MAX_BODY:
            raise StsError("ValidationError", "The body is too long.")
        if not message.get("more_body"):
            return body


def _credentials(issued: Issued) -> str:
    ends = issued.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"<Credentials><AccessKeyId>{issued.access_key_id}</AccessKeyId>"
        f"<SecretAccessKey>{issued.secret_access_key}</SecretAccessKey>"
        f"<SessionToken>{issued.session_token}</SessionToken><Expiration>{ends}</Expiration></Credentials>"
    )


def _refused(error: StsError, head: RequestHead) -> Answer:
    xml = (
        f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{escape(head.request_id)}</RequestId>"
        "</ErrorResponse>"
    )
    return Answer(error.status, [("Content-Type", "text/xml"), ("Cache-Control", "no-store")], xml.encode())
