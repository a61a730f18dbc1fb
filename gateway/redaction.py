"""The last defence against secrets in logs: what looks like a credential is taken out of a line.

Nothing may rely on it. Code that has a secret does not log it; this is for texts of others, such as an exception's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

GONE = "[redacted]"
_SHORTEST = 8  # a shorter setting is no secret, and would be found in any text

_NAMES = (
    r"(?:authorization|proxy-authorization|cookie|set-cookie|x-api-key|x-introspect-secret|x-csrf-?token|"
    r"x-amz-security-token|x-amz-[a-z-]*customer-key|x-gw-token)"
)
_FIELDS = (
    r"(?:pass(?:word|wd)?|(?:new|old|current)_password|secret(?:_?access)?(?:_?key)?|client_secret|api_?key|"
    r"(?:access_|refresh_|id_|bearer_)?token|ticket|challenge|csrfmiddlewaretoken|totp_secret|"
    r"x-amz-(?:signature|credential|security-token|[a-z-]*customer-key)|signature)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A header with its value, up to the end of the line or of the quotes around it.
    (re.compile(rf"(?i)\b({_NAMES}['\"]?\s*[:=,]\s*(?:b?['\"])?)[^\r\n'\"]+"), rf"\1{GONE}"),
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{GONE}"),
    (re.compile(r"(\bAWS4-HMAC-SHA256\s)[^\r\n'\"]+"), rf"\1{GONE}"),
    # Names of fields in JSON, in Python's notation, in queries and forms.
    (
        re.compile(
            rf"(?i)(['\"](?:access|refresh|{_FIELDS})['\"]\s*[:=]\s*)(?:b?'[^']*'|b?\"[^\"]*\"|[^\s,}}]+)"
        ),
        rf"\1{GONE}",
    ),
    (re.compile(rf"(?i)\b({_FIELDS}=)(?:'[^']*'|\"[^\"]*\"|[^\s&;,'\")]+)"), rf"\1{GONE}"),
    # user:password@ of a URL.
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)"), rf"\1{GONE}"),
    # Links whose last part opens something.
    (re.compile(r"(/app/(?:invitations|password-reset)/)[^\s/?#'\"]+"), rf"\1{GONE}"),
    # Links in e-mails.
    (re.compile(r"(/app/(?:invitations|password-reset)/)[^\s/?'\"]+"), rf"\1{GONE}"),
    # Ours, by their form: API keys, tokens (RFC 7519), password hashes, the secrets of S3 keys.
    (re.compile(r"\b(mcp_[A-Za-z0-9]{1,16}_)[A-Za-z0-9_-]{8,}"), rf"\1{GONE}"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), GONE),
    (re.compile(r"\bargon2\$[^\s'\"]+"), GONE),
    (
        re.compile(
            r"(?<![A-Za-z0-9/+=_.-])(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])"
            r"[A-Za-z0-9]{40}(?![A-Za-z0-9/+=_.-])"
        ),
        GONE,
    ),
)


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that takes out what looks like a credential, and `secrets` wherever they stand."""
    known = {
        form for secret in secrets if len(secret) >= _SHORTEST for form in (secret, quote(secret, safe=""))
    }
    exact = re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True)))) if known else None

    def redact(text: str) -> str:
        if exact is not None:
            text = exact.sub(GONE, text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    return redact
