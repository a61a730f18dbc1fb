"""Puts the workspace's server together from the environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

from gatehouse_workspace import __version__, certificates, prompts
from gatehouse_workspace.activity import Activity
from gatehouse_workspace.command import CommandTools
from gatehouse_workspace.files.tools import FileTools
from gatehouse_workspace.git.opened import Repositories
from gatehouse_workspace.git.remote_tools import RemoteTools
from gatehouse_workspace.git.tools import GitTools
from gatehouse_workspace.gitlab.tools import GitLabTools
from gatehouse_workspace.repository import Repository
from gatehouse_workspace.resources import Resources
from gatehouse_workspace.root import Root
from gatehouse_workspace.settings import Settings
from gatehouse_workspace.tools import (
    CHANGE,
    COMMAND,
    NETWORK,
    NETWORK_OVERWRITE,
    NETWORK_READ,
    OVERWRITE,
    READ,
    Gate,
    WorkspaceTool,
    make,
)
from gatehouse_workspace.transport import Transport

INSTRUCTIONS = """\
Tools for one workspace: a folder with a git repository at its root. Paths are relative to that root. Tools named
git_… take `repository` for another repository in a directory of the workspace. Answers are bounded; a note in
brackets says what was cut and how to ask for the rest."""

Declared = tuple[Callable[..., object], ToolAnnotations, str, bool | None]


def build(settings: Settings, activity: Activity) -> tuple[Transport, Callable[[], Awaitable[None]]]:
    """The application, and the preparation of the volume that goes on beside it.

    Raises OSError where the volume is not there, Misconfigured where GITLAB_CA is no certificate.
    """
    root = Root(settings.root)
    ca_file = certificates.bundle(settings.gitlab_ca)
    repository = Repository(settings, root, ca_file)
    repositories = Repositories(root)
    server: MCPServer[None] = MCPServer(
        settings.name,
        version=__version__,
        instructions=INSTRUCTIONS,
        log_level="WARNING",
        tools=[*tools(repositories, settings, ca_file, repository.gate)],
    )
    Resources(root, repositories, repository.gate).register(server)
    prompts.register(server)
    return Transport(server, activity, repository.as_json), repository.prepare


def tools(
    repositories: Repositories, settings: Settings, ca_file: str | None, gate: Gate
) -> list[WorkspaceTool]:
    """Every tool that this workspace has."""
    root = repositories.root
    declared = [*_files(FileTools(root)), *_git(GitTools(repositories))]
    declared += _remote(RemoteTools(repositories, settings, ca_file))
    declared += _gitlab(GitLabTools(root, settings))
    if settings.run_command:
        declared.append((CommandTools(root).run_command, COMMAND, "Run a command", None))
    return [make(fn, gate, hints, title, structured=structured) for fn, hints, title, structured in declared]


def _files(files: FileTools) -> list[Declared]:
    return [
        (files.read_file, READ, "Read a file", False),
        (files.read_file_bytes, READ, "Read bytes of a file", None),
        (files.write_file, OVERWRITE, "Write a file", False),
        (files.edit_file, OVERWRITE, "Edit a file", False),
        (files.list_directory, READ, "List a directory", None),
        (files.directory_tree, READ, "Show a directory tree", False),
        (files.search_files, READ, "Find files by name", None),
        (files.search_content, READ, "Search in files", False),
        (files.move_file, OVERWRITE, "Move a file", False),
        (files.copy_file, OVERWRITE, "Copy a file", False),
        (files.delete_file, OVERWRITE, "Delete a file", False),
        (files.create_directory, CHANGE, "Make a directory", False),
        (files.get_file_info, READ, "Show what is known of a file", None),
    ]


def _git(git: GitTools) -> list[Declared]:
    return [
        (git.git_status, READ, "Git status", None),
        (git.git_log, READ, "Git log", None),
        (git.git_branches, READ, "Git branches", None),
        (git.git_diff, READ, "Git diff", False),
        (git.git_show, READ, "Git show", False),
        (git.git_blame, READ, "Git blame", False),
        (git.git_add, CHANGE, "Git add", False),
        (git.git_commit, CHANGE, "Git commit", False),
        (git.git_checkout, OVERWRITE, "Git checkout", False),
        (git.git_merge, CHANGE, "Git merge", False),
        (git.git_stash, OVERWRITE, "Git stash", False),
    ]


def _remote(git: RemoteTools) -> list[Declared]:
    return [
        (git.git_clone, NETWORK, "Git clone", False),
        (git.git_fetch, NETWORK, "Git fetch", False),
        (git.git_pull, NETWORK, "Git pull", False),
        (git.git_push, NETWORK_OVERWRITE, "Git push", False),
    ]


def _gitlab(gitlab: GitLabTools) -> list[Declared]:
    return [
        (gitlab.gitlab_api, NETWORK_OVERWRITE, "Call GitLab's API", False),
        (gitlab.gitlab_openapi, NETWORK_READ, "Fetch GitLab's OpenAPI document", None),
        (gitlab.gitlab_search_operations, NETWORK_READ, "Search GitLab's operations", None),
        (gitlab.gitlab_show_operation, NETWORK_READ, "Show an operation of GitLab", False),
    ]
