"""The whole platform under its supervisor, as its operator sees it: log lines, request ids, figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from prometheus_client.parser import text_string_to_metric_families

from tests.instance import ADMIN, PASSWORD, Instance, running, until

TOKEN = "of-the-metrics-4711-aBcDeFgH-8273645"
ENVIRONMENT = {
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "DEBUG",
    "EDGE_ACCESS_LOG": "true",
    "METRICS_TOKEN": TOKEN,
    "INTROSPECT_SECRET": "introspection-aBcDeFgH-27182818284590",
}
LINK = "of-a-link-in-an-e-mail-16180339887"
WRONG = "Wrong-horse-27182818"


@pytest.fixture(scope="module")
def instance() -> Iterator[Instance]:
    with running(**ENVIRONMENT) as started:
        yield started


def lines(instance: Instance) -> list[dict[str, Any]]:
    """Every whole line that was printed. Raises ValueError for one that is no JSON."""
    return [json.loads(line) for line in instance.said().split("\n")[:-1] if line]


def test_one_id_goes_from_the_edge_into_a_task(instance: Instance) -> None:
    member = instance.member()
    named = {**member.api.headers, "X-Request-ID": "followed-through-4711"}
    with httpx.Client(base_url=instance.url, trust_env=False, timeout=30, headers=named) as http:
        made = http.post("/api/v1/invitations", json={"email": "followed@example.org", "role": "member"})
        assert made.status_code == 201
        assert made.headers["X-Request-ID"] == "followed-through-4711"
        with http.stream("GET", "/api/v1/realtime/events") as stream:
            assert stream.status_code == 200

    def processes() -> set[str]:
        found = [line for line in lines(instance) if line.get("request_id") == "followed-through-4711"]
        return {line["process"] for line in found}

    expected = {"caddy", "decision", "web", "live", "worker"}
    until(lambda: processes() >= expected, 60, "the id is in the lines of every process")
    done = [
        line for line in lines(instance) if line["process"] == "worker" and "succeeded" in line["message"]
    ]
    assert any("send_mail" in line["message"] for line in done)


def test_every_line_is_an_object_that_says_when_who_and_what(instance: Instance) -> None:
    for line in lines(instance):
        assert {"time", "level", "message", "process"} <= line.keys(), line
        assert line["level"] in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


def test_no_secret_is_in_a_line(instance: Instance) -> None:
    member = instance.member()
    bucket = member.bucket("secretive")
    s3 = member.s3()
    s3.put_object(Bucket=bucket, Key="a", Body=b"x" * 100_000)
    secrets = {
        "admin": ADMIN[1],
        "password": PASSWORD,
        "wrong": WRONG,
        "link": LINK,
        "metrics": TOKEN,
        "introspection": ENVIRONMENT["INTROSPECT_SECRET"],
        "S3": member.secret_access_key,
        "API key": member.api.token,
    }
    signing = member.s3(signature_version="s3v4")
    link = signing.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    secrets["signature"] = link.rsplit("Signature=", 1)[1].split("&")[0]
    with httpx.Client(base_url=instance.url, trust_env=False, timeout=30) as http:
        told = http.post("/api/v1/auth/login", json={"username": ADMIN[0], "password": ADMIN[1]}).json()[
            "data"
        ]
        secrets |= {"access": told["access"], "refresh": told["refresh"]}
        http.post("/api/v1/auth/login", json={"username": ADMIN[0], "password": WRONG})
        http.post("/api/v1/auth/login", content=f'{{"password": "{PASSWORD}"')  # no JSON
        http.get("/api/v1/tenants", headers={"Authorization": f"Bearer {told['access'][:-3]}xyz"})
        http.post(
            "/api/v1/auth/introspect",
            json={"token": told["refresh"]},
            headers={"X-Introspect-Secret": ENVIRONMENT["INTROSPECT_SECRET"]},
        )
        http.get(f"/api/v1/realtime/events?ticket={WRONG}")
        for path in ("invitations", "password-reset"):
            http.get(f"/app/{path}/{LINK}")
        page = http.get("/app/login")
        csrf = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        form = {"username": ADMIN[0], "password": ADMIN[1], "csrfmiddlewaretoken": csrf}
        assert (
            http.post("/app/login", data=form, headers={"Referer": f"{instance.url}/app/login"}).status_code
            == 302
        )
        secrets |= {name: value for name, value in http.cookies.items() if "session" in name}
        http.get("/app/")
        http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert http.get(link).status_code == 200
        assert httpx.get(link[:-1] + ("0" if link[-1] != "0" else "1"), trust_env=False).status_code == 403
    with suppress(ClientError):
        s3.get_object(Bucket="no-such-bucket", Key="a")
    settings = (instance.home / ".env").read_text().splitlines()
    kept = dict(line.split("=", 1) for line in settings if "=" in line and not line.startswith("#"))
    secrets |= {name: kept[name] for name in ("SECRET_KEY", "JWT_SECRET_KEY") if name in kept}
    secrets |= json.loads((instance.home / "instance.json").read_text())["secrets"]
    assert len(secrets) > 12
    text = instance.said()
    assert [name for name, secret in secrets.items() if secret in text] == []


def figures(instance: Instance) -> dict[str, list[tuple[dict[str, str], float]]]:
    asked = {"Authorization": f"Bearer {TOKEN}"}
    answer = httpx.get(f"{instance.url}/metrics", headers=asked, trust_env=False, timeout=30)
    assert answer.status_code == 200
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_every_process_is_found_in_the_figures(instance: Instance) -> None:
    member = instance.member()
    bucket = member.bucket("counted")
    for number in range(3):
        member.s3().put_object(Bucket=bucket, Key=f"{number}", Body=b"x" * 50_000)

    def counted() -> bool:
        found = figures(instance)
        running = {labels["process"] for labels, _ in found["gatehouse_resident_bytes"]}
        puts = sum(
            value
            for labels, value in found.get("gatehouse_s3_operations_total", [])
            if labels == {"process": "decision", "operation": "PUT_OBJECT", "status": "200"}
        )
        jobs = {labels["state"] for labels, _ in found.get("gatehouse_tasks_total", [])}
        return {"web", "live", "decision", "worker", "beat"} <= running and puts >= 3 and "success" in jobs

    until(counted, 60, "all processes have told their figures", pause=0.5)
    found = figures(instance)
    up = {labels["component"]: value for labels, value in found["gatehouse_component_up"]}
    assert {up[name] for name in ("database", "cache", "broker", "edge", "store")} == {1}
    assert found["gatehouse_s3_bytes_total"]
    assert any(labels["pool"] == "wide" for labels, _ in found["gatehouse_database_connections"])
    assert all(member.slug not in str(labels) for rows in found.values() for labels, _ in rows)
    assert httpx.get(f"{instance.url}/metrics", trust_env=False).status_code == 200  # from this machine
