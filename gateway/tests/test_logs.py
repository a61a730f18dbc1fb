"""What a log line looks like, and what is taken out of it."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from gateway import logs, redaction
from gateway.celery import app


def line(formatter: logging.Formatter, message: str, *arguments: object, failed: bool = False) -> str:
    record = logging.LogRecord(
        *("gateway.some", logging.WARNING, "", 1, message, arguments), sys.exc_info() if failed else None
    )
    return formatter.format(record)


def test_a_line_is_one_object() -> None:
    token = logs.request_id.set("of-a-request")
    try:
        told = json.loads(line(logs.Json(), "two\nlines of %s", "text"))
    finally:
        logs.request_id.reset(token)
    assert told.pop("time").endswith("+00:00")
    assert told == {
        "level": "WARNING",
        "logger": "gateway.some",
        "message": "two\nlines of text",
        "request_id": "of-a-request",
        "process": "manage",
    }


def test_a_traceback_is_in_the_object_and_without_secrets() -> None:
    try:
        raise ValueError("postgresql://gatehouse:Deep-secret-31415@db/gatehouse")
    except ValueError:
        told = line(logs.Json(), "it failed", failed=True)
        text = line(logs.Line(), "it failed", failed=True)
    assert "Traceback" in json.loads(told)["exception"]
    assert "Deep-secret" not in told + text
    assert text.startswith("WARNING gateway.some it failed [-]")


def test_a_task_without_a_request_goes_by_its_own_id_and_leaves_none_behind() -> None:
    @app.task(name="tests.seen")
    def seen() -> str:
        return logs.request_id.get()

    before = logs.request_id.get()
    try:
        assert seen.apply(task_id="its-own").get() == "its-own"
    finally:
        app.tasks.pop("tests.seen")
    assert logs.request_id.get() == before


@pytest.mark.parametrize(
    "text",
    [
        "GET / with Authorization: Bearer HUSH-hush-4711",
        "{'HTTP_AUTHORIZATION': 'x', 'Authorization': 'Basic HUSH-hush-4711'}",
        "headers [('cookie', 'gatehouse_session_8080=HUSH-hush-4711; a=b')]",
        "Set-Cookie: gatehouse_session_8080=HUSH-hush-4711; Path=/",
        "X-API-Key: HUSH-hush-4711",
        "the key mcp_abcdefghij_HUSHhush4711HUSHhush is refused",
        "eyJhbGciOiJIUzI1NiJ9.HUSH-hush-4711.c2ln does not verify",
        "redis://:HUSH-hush-4711@127.0.0.1:6379/0 is away",
        "postgresql://gatehouse:HUSH-hush-4711@db:5432/gatehouse",
        "GET /s3/b/k?X-Amz-Date=1&X-Amz-Signature=HUSH-hush-4711",
        "x-amz-server-side-encryption-customer-key: SFVTSC1odXNoLTQ3MTE=HUSH",
        "/api/v1/realtime/events?ticket=HUSH-hush-4711&types=x",
        '{"username": "ada", "password": "HUSH-hush-4711 and more", "x": 1}',
        "{'secret_access_key': 'HUSH-hush-4711'}",
        "{'refresh': 'HUSH-hush-4711'}",
        "the S3 secret HUSHhush4711HUSHhush4711HUSHhush4711HUSH is wrong",
        "argon2$argon2id$v=19$m=102400$HUSH-hush-4711",
        "GET /app/password-reset/HUSH-hush-4711 failed",
        "SECRET of ours: HUSH-own/4711 and HUSH-own%2F4711",
    ],
)
def test_what_looks_like_a_credential_is_taken_out(text: str) -> None:
    redacted = redaction.redactor(["HUSH-own/4711"])(text)
    assert "HUSH" not in redacted
    assert redaction.GONE in redacted


@pytest.mark.parametrize(
    "text",
    [
        "Task storage.tasks.sweep_intents[f96a73cf-4c7e-4231-a6cc-83c19741600d] succeeded in 0.2s: None",
        "object of da39a3ee5e6b4b0d3255bfef95601890afd80709 in http://127.0.0.1:8080/s3/b/k?list-type=2",
        "no access: 3 of 4 passes, token bucket, signature of the certificate",
    ],
)
def test_the_rest_stays(text: str) -> None:
    assert redaction.redactor()(text) == text
