"""Ready-made answers that any decider may give."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus

import orjson

from gateway.decision.types import Answer, RequestHead
from gateway.errors import DomainError, RateLimited, Unauthenticated, Unavailable

TITLES = {
    404: "Nothing is served at this address.",
    413: "The body is longer than anything asked for here; objects are stored at /s3/.",
    421: "This server does not serve that host name.",
    429: "Too many requests.",
    500: "The request could not be decided because of an error here.",
    502: "The service behind this address cannot be reached.",
    503: "The service is not ready; try again shortly.",
    504: "The service behind this address did not answer in time.",
}


HARMLESS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
"""What a browser is told of an answer that is no page."""


def problem(status: int, head: RequestHead, *, detail: str | None = None, code: str | None = None) -> Answer:
    """An RFC 9457 answer, as the API gives them. The detail defaults to a sentence for the status."""
    title = HTTPStatus(status).phrase
    detail = detail if detail is not None else TITLES.get(status, title)
    code = code or title.lower().replace(" ", "_").replace("-", "_")
    return _rendered(head, status, title, detail, code, [("Retry-After", "1")] if status == 503 else [])


def refusal(error: DomainError, head: RequestHead, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    """The answer that the API gives to an error (`gateway.api.exceptions`), with further headers."""
    more, members = list(headers), dict(error.members)
    if isinstance(error, Unauthenticated):
        more.append(("WWW-Authenticate", 'Bearer realm="gatehouse"'))
    elif isinstance(error, RateLimited):
        more.append(("Retry-After", str(error.retry_after)))
        members["retry_after"] = error.retry_after
    elif isinstance(error, Unavailable):
        more.append(("Retry-After", "2"))
    return _rendered(
        head, error.status, error.title, error.detail, error.code, more, {"errors": error.errors, **members}
    )


def _rendered(
    head: RequestHead,
    status: int,
    title: str,
    detail: str,
    code: str,
    headers: Iterable[tuple[str, str]],
    members: Mapping[str, object] = {},
) -> Answer:
    problem = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": {},
        "request_id": head.request_id,
        "error": title,
        **members,
    }
    told = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store"), *HARMLESS, *headers]
    return Answer(status, told, orjson.dumps(problem))
