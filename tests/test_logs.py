"""What the processes write down holds no secret, whatever is sent and refused."""

from __future__ import annotations

import httpx

from tests import factories
from tests.stack import Stack

API = "/api/v1/"


def test_no_secret_is_in_a_log(stack: Stack) -> None:
    account = stack.account("admin")
    secrets = {
        "password": factories.PASSWORD,
        "wrong password": "Wrong-horse-27182818",
        "S3 secret": account.secret,
        "forged key": "mcp_abcdefgh_31415926535897932384",
        "forged token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiI0NzExIn0.",
        "introspection secret": "guessed-introspection-secret",
    }
    with httpx.Client(base_url=stack.url) as http:
        name = account.who.label
        told = http.post(API + "auth/login", json={"username": name, "password": secrets["password"]}).json()
        secrets["access token"] = told["data"]["access"]
        secrets["refresh token"] = told["data"]["refresh"]
        bearer = {"Authorization": f"Bearer {secrets['access token']}"}
        key = http.post(API + "api-keys", json={"name": "logged"}, headers=bearer).json()["data"]["api_key"]
        secrets["API key"] = key
        ticket = http.post(API + "realtime/tickets", json={}, headers=bearer).json()["data"]
        secrets["ticket"] = ticket["ticket"]
        http.post(API + "auth/login", json={"username": name, "password": secrets["wrong password"]})
        http.get(API + "tenants", headers={"X-API-Key": secrets["forged key"]})
        http.get(API + "tenants", headers={"Authorization": f"Bearer {secrets['forged token']}"})
        http.get(f"{API}realtime/events?ticket={secrets['ticket'][::-1]}")
        http.post(
            API + "auth/introspect",
            json={"token": key},
            headers={"X-Introspect-Secret": secrets["introspection secret"]},
        )
        http.post(API + "auth/refresh", json={"refresh": secrets["refresh token"]})
        http.post("/app/login", data={"username": name, "password": secrets["password"]})
    account.s3().list_buckets()
    link = account.s3(signature_version="s3v4").generate_presigned_url("list_buckets", ExpiresIn=60)
    secrets["signature"] = link.rsplit("Signature=", 1)[1].split("&")[0]
    assert httpx.get(link).status_code == 200
    logs = list(stack.home.glob("*.log"))
    assert len(logs) >= 4
    text = "\n".join(log.read_text(errors="replace") for log in logs)
    assert not [what for what, secret in secrets.items() if secret in text]
