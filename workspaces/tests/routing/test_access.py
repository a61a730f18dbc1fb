"""Who reaches a workspace through the edge, with which credential."""

from __future__ import annotations

import time

import httpx
import pytest

from tenants.principal import Principal

from .conftest import Platform

MCP = "/ws/dev/mcp"


def get(platform: Platform, path: str = MCP, **headers: str) -> httpx.Response:
    return platform.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def key(platform: Platform, who: Principal) -> dict[str, str]:
    return {"Authorization": f"Bearer {platform.key(who)}"}


@pytest.mark.parametrize("path", [MCP, "/ws/nothing/mcp", "/ws/dev/3000/", "/ws/dev", "/ws/"])
def test_without_a_credential_nothing_is_told(platform: Platform, owner: Principal, path: str) -> None:
    answer = get(platform, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="gatehouse"'
    assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize(
    "header", ["Bearer mcp_abcdefghij_" + "x" * 40, "Bearer a.b.c", "Basic eDp5", "Bearer", "Bearer gha_abc"]
)
def test_a_bad_credential_is_refused(platform: Platform, owner: Principal, header: str) -> None:
    assert get(platform, Authorization=header).status_code == 401


def test_each_form_of_credential(platform: Platform, owner: Principal) -> None:
    text = platform.key(owner)
    assert get(platform, Authorization=f"Bearer {text}").status_code == 200
    assert get(platform, Authorization=f"bearer  {text}").status_code == 200
    assert get(platform, X_API_Key=text).status_code == 200
    assert get(platform, Authorization=platform.token(owner)).status_code == 200


def test_who_reaches_it(platform: Platform, owner: Principal) -> None:
    home = owner.tenant
    people = {role: platform.member(home, role) for role in ("viewer", "member", "admin")}
    statuses = {
        name: get(platform, Authorization=platform.token(who)).status_code for name, who in people.items()
    }
    assert statuses == {"viewer": 403, "member": 404, "admin": 200}
    assert get(platform, **key(platform, platform.member(platform.tenant(), "admin"))).status_code == 404
    staff = f"Bearer {platform.web.tokens('root-of-all')['access']}"
    assert get(platform, Authorization=staff, X_Tenant=home.slug).status_code == 200
    assert get(platform, Authorization=staff).status_code == 404


def test_a_share_opens_it(platform: Platform) -> None:
    owner, guest = (platform.member(home) for home in [platform.tenant()] * 2)
    row = platform.workspace(owner)
    headers = key(platform, guest)
    assert get(platform, **headers).status_code == 404
    platform.share(row, guest)
    assert get(platform, **headers).status_code == 200


def test_a_hidden_one_is_for_who_manages_them(platform: Platform) -> None:
    owner = platform.member(platform.tenant())
    platform.workspace(owner, is_hidden=True)
    assert get(platform, **key(platform, owner)).status_code == 404
    assert get(platform, **key(platform, platform.member(owner.tenant, "admin"))).status_code == 200


def test_a_key_without_the_permission(platform: Platform, owner: Principal) -> None:
    text = platform.key(owner, permissions=["workspace.read"])
    answer = get(platform, X_API_Key=text)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_missing")


def test_a_revoked_key_is_refused_within_two_seconds(platform: Platform, owner: Principal) -> None:
    text, boss = platform.key(owner), platform.token(owner)
    assert get(platform, X_API_Key=text).status_code == 200
    headers = {"Authorization": boss, "X-Tenant": owner.tenant.slug}
    mine = platform.http.get("/api/v1/api-keys", headers=headers).json()["data"]
    (found,) = (row["id"] for row in mine if text.startswith(row["prefix"]) or row["prefix"] in text)
    assert platform.http.delete(f"/api/v1/api-keys/{found}", headers=headers).status_code == 204
    until = time.monotonic() + 2
    while get(platform, X_API_Key=text).status_code == 200:
        assert time.monotonic() < until
    assert get(platform, X_API_Key=text).status_code == 401


@pytest.fixture
def browser(platform: Platform, owner: Principal) -> dict[str, str]:
    """The cookies of the owner's session."""
    return {"Cookie": platform.web.cookie(owner.label)}


def test_a_session_counts_for_what_our_own_pages_ask(platform: Platform, browser: dict[str, str]) -> None:
    def post(**headers: str) -> int:
        return platform.http.post(MCP, headers=browser | headers).status_code

    assert get(platform, "/ws/dev/app/", **browser).status_code == 200
    assert get(platform, "/ws/dev/app/", **browser, Origin="http://evil.example").status_code == 403
    assert get(platform, "/ws/dev/app/", **browser, Sec_Fetch_Site="cross-site").status_code == 403
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert get(platform, "/ws/dev/app/", **browser, **followed).status_code == 200
    assert post() == 403
    assert post(Origin="null") == 403
    assert post(Origin="http://evil.example") == 403
    assert post(Origin=platform.stack.url) == 200


def test_a_script_of_a_workspace_is_none_of_our_pages(platform: Platform, browser: dict[str, str]) -> None:
    asked = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}
    assert get(platform, "/ws/dev/app/x.js", **browser, **asked).status_code == 403


def test_who_follows_a_link_is_led_to_sign_in(platform: Platform, owner: Principal) -> None:
    followed = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = get(platform, "/ws/dev/app/x?y=1", **followed)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/app/login?next=%2Fws%2Fdev%2Fapp%2Fx%3Fy%3D1",
    )
    assert get(platform, MCP, **followed).status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", 403), ("null", 403), ("vscode-file://vscode-app", 200), ("", 200)],
)
def test_tools_are_called_by_no_page_of_another_site(
    platform: Platform, bearer: dict[str, str], origin: str, status: int
) -> None:
    """MCP 2025-11-25, Streamable HTTP, security warning."""
    assert get(platform, **bearer, **({"Origin": origin} if origin else {})).status_code == status


def test_another_host_name_is_misdirected(platform: Platform, bearer: dict[str, str]) -> None:
    assert get(platform, **bearer, Host="evil.example").status_code == 421
