"""Prompts that clients show as commands."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from pydantic import Field


def review_changes(
    base: Annotated[str, Field(description="Branch or commit to compare with")] = "HEAD",
) -> str:
    """Review what changed in the workspace."""
    return (
        f"Review the changes of this workspace against {base}. Use git_status and git_diff (revision={base!r}), read "
        "the files around the changes where the diff is not enough, and report: faults first, with file and line; "
        "then risks and missing tests; then style. Change nothing."
    )


def commit_changes() -> str:
    """Commit what changed, with a good message."""
    return (
        "Look at the changes of this workspace with git_status and git_diff, and at the style of git_log. Stage what "
        "belongs together with git_add and commit it with git_commit: a first line of at most 72 characters that says "
        "what changes, and a body that says why. Make several commits where there are several matters. Do not push."
    )


def explain_repository(
    focus: Annotated[str, Field(description="Part or question to look at")] = "",
) -> str:
    """Explain how the repository is built."""
    about = f" Look at this above all: {focus}." if focus else ""
    return (
        "Explain this repository to a developer who is new to it: what it does, how it is laid out, where to begin "
        f"reading, how to build and test it.{about} Use directory_tree, read_file and search_content; name files."
    )


def fix_issue(
    project: Annotated[str, Field(description="GitLab project, as group/name")],
    issue: Annotated[str, Field(description="Number of the issue")],
) -> str:
    """Work on an issue in GitLab."""
    path = project.replace("/", "%2F")
    return (
        f"Read the issue with gitlab_api (path projects/{path}/issues/{issue}, and its notes), find what it is about "
        "in this workspace, make a branch with git_checkout, change the code and its tests, and commit. Then show the "
        "diff and ask before you push or open a merge request."
    )


def register(server: MCPServer[Any]) -> None:
    """Add them to the server."""
    for prompt in (review_changes, commit_changes, explain_repository, fix_issue):
        server.prompt()(prompt)
