"""The GitLab tools against a small server of that shape, with TLS of an own authority."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gatehouse_workspace.tests.remotes import Authority, gitlab
from gatehouse_workspace.tests.running import Workspace

Asked = list[dict[str, Any]]


@pytest.fixture
def lab(workspace: Workspace, authority: Authority) -> Iterator[tuple[Workspace, Asked]]:
    """The workspace as a client sees it that sends its GitLab's address and token."""
    with gitlab(authority) as (url, asked):
        mine = Workspace(workspace.url, workspace.root, workspace.process, workspace.log)
        mine.headers = {"X-GitLab-URL": url + "/", "X-GitLab-Token": "glpat-abc"}
        yield mine, asked


async def test_a_call_has_the_clients_token(lab: tuple[Workspace, Asked]) -> None:
    workspace, asked = lab
    text = await workspace.text(
        "gitlab_api",
        path="/projects/a%2Fb/issues",
        method="POST",
        query={"labels": ["x", "y"], "per_page": 2},
        body={"title": "t"},
    )
    head, _, body = text.partition("\n")
    assert head == "HTTP 200 (next-page: 2, total: 30)"
    assert json.loads(body)["as"] == "abc"
    assert json.loads(body)["got"] == '{"title":"t"}'
    assert asked[-1]["path"].startswith("/api/v4/projects/a%2Fb/issues?labels%5B%5D=x&labels%5B%5D=y")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "personal_access_tokens"),
        ("GET", "application/settings"),
        ("POST", "users"),
        ("POST", "user/keys"),
        ("GET", "projects/1/variables"),
        ("GET", "projects/1/%76ariables"),
        ("GET", "projects/1/variables.json"),
        ("POST", "projects/1/members"),
        ("POST", "projects/1/access_tokens"),
        ("GET", "projects/../application/settings"),
        ("GET", "projects/%2e%2e/application/settings"),
        ("GET", "//evil.example/projects"),
        ("GET", "https://evil.example/projects"),
        ("GET", "projects?private_token=1"),
        ("DELETE", "groups/1/hooks/2"),
    ],
)
async def test_calls_that_are_not_allowed(lab: tuple[Workspace, Asked], method: str, path: str) -> None:
    workspace, asked = lab
    await workspace.refused("gitlab_api", path=path, method=method)
    assert asked == []


async def test_answers_are_bounded_and_explained(lab: tuple[Workspace, Asked]) -> None:
    workspace, _ = lab
    assert "not followed" in await workspace.text("gitlab_api", path="projects/9/redirect")
    long = await workspace.text("gitlab_api", path="projects/9/long")
    assert long.endswith("[cut: ask for fewer with per_page]")
    assert "200 bytes of binary data" in await workspace.text("gitlab_api", path="projects/9/binary")
    assert "no such thing" in await workspace.refused("gitlab_api", path="projects/9/missing")
    workspace.headers = {**workspace.headers, "X-GitLab-Token": "bad"}
    text = await workspace.refused("gitlab_api", path="projects/9")
    assert "does not accept the token" in text


async def test_operations_are_found_and_shown(lab: tuple[Workspace, Asked]) -> None:
    workspace, asked = lab
    found = (await workspace.call("gitlab_openapi")).structured_content
    assert found == {"title": "A small GitLab", "version": "4", "operations": 3, "tags": ["merge_requests"]}
    matches = (
        await workspace.call("gitlab_search_operations", query="create merge request")
    ).structured_content
    assert matches is not None
    assert matches["operations"][0]["operation_id"] == "createMergeRequest"
    shown = await workspace.text("gitlab_show_operation", operation="listMergeRequests")
    assert '"in": "path"' in shown
    again = await workspace.text("gitlab_show_operation", operation="GET /projects/{id}/merge_requests")
    assert again == shown
    assert "near ones: " in await workspace.refused("gitlab_show_operation", operation="deleteIssues")
    assert sum(item["path"] == "/api/v4/openapi.yaml" for item in asked) == 1


async def test_without_a_gitlab_or_one_that_is_not_there(workspace: Workspace, authority: Authority) -> None:
    assert "X-GitLab-URL" in await workspace.refused("gitlab_api", path="projects")
    mine = Workspace(workspace.url, workspace.root, workspace.process, workspace.log)
    for url, words in {
        "http://localhost:1": "cannot be reached",
        "https://no.invalid": "cannot be resolved",
        "ftp://localhost": "not an http or https address",
    }.items():
        mine.headers = {"X-GitLab-URL": url, "X-GitLab-Token": "glpat-hush"}
        text = await mine.refused("gitlab_api", path="projects")
        assert words in text
        assert "hush" not in text


async def test_the_workspaces_token_is_for_its_gitlab_only(tmp_path: Any, authority: Authority) -> None:
    from gatehouse_workspace.session import gitlab as chosen
    from gatehouse_workspace.settings import Settings

    class Client:
        headers: dict[str, str] = {}

    settings = Settings("w", tmp_path, gitlab_url="https://a.example", gitlab_token="glpat-own")
    client: Any = Client()
    assert chosen(settings, client).token == "glpat-own"
    client.headers = {"x-gitlab-url": "https://b.example"}
    assert (chosen(settings, client).url, chosen(settings, client).token) == ("https://b.example", "")
    client.headers = {"x-gitlab-url": "https://a.example/", "x-gitlab-token": "glpat-mine"}
    assert chosen(settings, client).token == "glpat-mine"
    assert "glpat" not in repr(settings) + repr(chosen(settings, client))
