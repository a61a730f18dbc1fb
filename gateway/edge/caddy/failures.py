"""What is answered where something failed: by whoever decided, else in fixed words."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.decision import answers, wire
from gateway.edge.settings import EdgeSettings

from .pieces import REQUEST_ID, RID, Json
from .question import ask, decided


def strict_transport(settings: EdgeSettings) -> list[Json]:
    """On whatever answer there will be; the routes of errors begin anew."""
    if not settings.strict_transport:
        return []
    response = {"set": {"Strict-Transport-Security": [settings.strict_transport]}, "deferred": True}
    return [{"handler": "headers", "response": response}]


def apology(settings: EdgeSettings) -> list[Json]:
    """Error routes: the decider that decided answers in its language, or a fixed text does."""
    status = {wire.STATUS: "{http.error.status_code}", **decided()}
    return [
        {
            "handler": "headers",  # those of a missing blob, already copied, are not the error's
            "response": {"delete": ["*"]},
        },
        *strict_transport(settings),
        {
            "handler": "subroute",
            "routes": [
                {
                    "match": [{"not": [{"vars": {wire.DECIDER: [""]}}]}],
                    "handle": [ask(settings, "/failed", status)],
                    "terminal": True,
                },
                *_fixed_texts(settings),
            ],
            "errors": {"routes": list(_fixed_texts(settings))},
        },
    ]


def _fixed_texts(settings: EdgeSettings) -> Iterator[Json]:
    ours: Json = {"expression": "{http.error.status_code} >= 500"}
    domain = settings.s3_domain
    yield {"handle": [{"handler": "headers", "response": {"set": {REQUEST_ID: [RID]}}}]}
    yield {
        "match": [{**ours, "path": ["/s3/*"]}, {**ours, "host": [domain, f"*.{domain}"]}],
        "handle": [
            {
                "handler": "static_response",
                "status_code": 503,
                "headers": {"Content-Type": ["application/xml"], "Retry-After": ["1"]},
                "body": '<?xml version="1.0" encoding="UTF-8"?>\n'
                "<Error><Code>ServiceUnavailable</Code><Message>The service is not ready; try again shortly."
                f"</Message><RequestId>{RID}</RequestId></Error>",
            }
        ],
        "terminal": True,
    }
    yield {
        "match": [ours],
        "handle": [_problem(503, "Service Unavailable", "The service is not ready; try again shortly.")],
        "terminal": True,
    }
    yield {
        "handle": [_problem("{http.error.status_code}", "{http.error.status_text}", "Refused at the edge.")]
    }


def _problem(status: int | str, title: str, detail: str) -> Json:
    headers = {"Content-Type": ["application/problem+json"], "Cache-Control": ["no-store"]}
    headers |= {name: [value] for name, value in answers.HARMLESS}
    if status == 503:
        headers["Retry-After"] = ["1"]
    code = title.lower().replace(" ", "_") if isinstance(status, int) else "bad_request"
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": headers,
        "body": f'{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}",'
        f'"code":"{code}","errors":{{}},"request_id":"{RID}","error":"{title}"}}',
    }
