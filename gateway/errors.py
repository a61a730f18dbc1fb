"""Errors that the product means: what went wrong in words for the caller, a code for programs, a status.

Services raise them; one handler renders each as RFC 9457 problem details (`gateway.api.exceptions`), pages
and the admin show `detail`. Anything else that is raised is a defect and answers 500.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class DomainError(Exception):
    """`code` is a stable word for programs; `errors` lists messages by field of the input.

    `members` are told beside them: extension members of the problem (RFC 9457, section 3.2).
    """

    status = 400
    title = "Bad request"
    code = "bad_request"
    members: Mapping[str, object] = {}

    def __init__(
        self, detail: str, *, code: str | None = None, errors: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.errors = {k: list(v) for k, v in (errors or {}).items()}


class Invalid(DomainError):
    status, title, code = 400, "Invalid input", "invalid"


class Unauthenticated(DomainError):
    status, title, code = 401, "Authentication required", "unauthenticated"


class Forbidden(DomainError):
    status, title, code = 403, "Forbidden", "forbidden"


class NotFound(DomainError):
    status, title, code = 404, "Not found", "not_found"


class Conflict(DomainError):
    status, title, code = 409, "Conflict", "conflict"


class Gone(DomainError):
    """Something that was there once, and told so to those who hold what names it."""

    status, title, code = 410, "No longer there", "gone"


class QuotaExceeded(DomainError):
    status, title, code = 403, "Quota exceeded", "quota_exceeded"


class LengthRequired(DomainError):
    status, title, code = 411, "Length required", "length_required"


class TooLarge(DomainError):
    status, title, code = 413, "Content too large", "too_large"


class RateLimited(DomainError):
    """`retry_after` in whole seconds."""

    status, title, code = 429, "Too many requests", "rate_limited"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """Something that the platform depends on does not answer; the same call may succeed later."""

    status, title, code = 503, "Temporarily unavailable", "unavailable"


class UpstreamFailed(DomainError):
    """What was to be asked for the caller cannot be reached, or answered what nobody understands."""

    status, title, code = 502, "Bad gateway", "upstream_failed"


class UpstreamTimeout(DomainError):
    """What was asked for the caller did not answer in the time it was given."""

    status, title, code = 504, "Gateway timeout", "upstream_timeout"
