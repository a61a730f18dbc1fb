"""Every error of the API as RFC 9457 problem details."""

from __future__ import annotations

import logging
import traceback
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from gateway.errors import DomainError, Forbidden, NotFound, RateLimited, Unauthenticated, Unavailable
from gateway.logs import request_id
from tenants.principal import Principal
from tenants.services import audit

from .renderers import PROBLEM

log = logging.getLogger(__name__)


def details(error: DomainError) -> dict[str, Any]:
    """The problem object of an error."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title,
        "error": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "errors": error.errors,
        "request_id": request_id.get(),
        **error.members,
    }
    if isinstance(error, RateLimited):
        problem["retry_after"] = error.retry_after
    return problem


def problem(raised: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler. What nobody meant is logged with its trace and told only in development."""
    error = _meant(raised)
    if error is None:
        log.error("unexpected error", exc_info=raised)
        error = DomainError(
            "Something went wrong here; the request id finds it in the log.", code="internal_error"
        )
        error.status, error.title = 500, "Internal server error"
        if settings.DEVELOPMENT:
            error.detail = "".join(traceback.format_exception_only(raised)).strip()
    set_rollback()
    if isinstance(error, Forbidden) and error.code == "permission_missing":
        asked = context["request"]
        caller = getattr(
            asked, "_auth", None
        )  # request.auth would authenticate again, if that is what failed
        if isinstance(caller, Principal):
            audit.record_refusal(caller, target=f"{asked.method} {asked.path}", reason=error.detail)
    headers = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="gatehouse"'
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(raised, exceptions.MethodNotAllowed):
        headers["Allow"] = ", ".join(getattr(context.get("view"), "allowed_methods", []))
    return Response(details(error), status=error.status, headers=headers, content_type=PROBLEM)


def _meant(raised: Exception) -> DomainError | None:
    if isinstance(raised, DomainError):
        return raised
    if isinstance(raised, Http404):
        return NotFound(str(raised) or "There is nothing here.")
    if isinstance(raised, PermissionDenied):
        raised = exceptions.PermissionDenied()
    if isinstance(raised, OperationalError):
        log.error("the database does not answer: %s", raised)
        return Unavailable("The database does not answer; try again.")
    if isinstance(raised, exceptions.APIException):
        return _of_framework(raised)
    return None


def _of_framework(raised: exceptions.APIException) -> DomainError:
    errors: dict[str, list[str]] = {}
    detail = "The input is not valid."
    code = "invalid"
    if isinstance(raised, exceptions.ValidationError):
        _flatten("", raised.detail, errors)
        if errors:
            field, messages = next(iter(errors.items()))
            detail = f"{field}: {messages[0]}"
    else:
        detail, code = str(raised.detail), str(raised.default_code)
    error = DomainError(detail, code=code, errors=errors)
    error.status = raised.status_code
    error.title = HTTPStatus(raised.status_code).phrase
    return error


def _flatten(path: str, detail: Any, into: dict[str, list[str]]) -> None:
    """Nested messages by dotted path."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            _flatten(f"{path}.{name}" if path else str(name), inner, into)
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            if isinstance(inner, (dict, list)):
                _flatten(f"{path}.{position}" if path else str(position), inner, into)
            else:
                into.setdefault(path or "non_field_errors", []).append(str(inner))
    else:
        into.setdefault(path or "non_field_errors", []).append(str(detail))
