"""Ready-made answers that any decider may give."""

from http import HTTPStatus

import orjson

from gateway.decision.types import Answer, RequestHead

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
    body = orjson.dumps(
        {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail if detail is not None else TITLES.get(status, title),
            "code": code or title.lower().replace(" ", "_").replace("-", "_"),
            "errors": {},
            "request_id": head.request_id,
            "error": title,
        }
    )
    headers = [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store"), *HARMLESS]
    if status == 503:
        headers.append(("Retry-After", "1"))
    return Answer(status, headers, body)
