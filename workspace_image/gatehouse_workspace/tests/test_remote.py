"""Git over a real HTTP server: credentials, progress, errors that people understand, an end on cancellation."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from mcp.client import Client

from gatehouse_workspace.tests.remotes import Authority, git_server
from gatehouse_workspace.tests.running import Workspace, git, repository, running

PASSWORD = "pa%ss w:rd@1"


def served(folder: Path) -> Path:
    """A bare repository that takes pushes, made from one with a commit."""
    repository(folder / "origin")
    git(folder, "clone", "--quiet", "--bare", "origin", "r.git")
    git(folder / "r.git", "config", "http.receivepack", "true")
    return folder / "r.git"


async def test_clone_change_push_and_pull(workspace: Workspace, here: Path, tmp_path: Path) -> None:
    served(tmp_path)
    with git_server(tmp_path) as url:
        await workspace.text("git_clone", url=f"{url}/r.git", directory=f"{here.name}/one")
        await workspace.text("git_clone", url=f"{url}/r.git", directory=f"{here.name}/two", depth=1)
        one, two = f"{here.name}/one", f"{here.name}/two"
        assert "is there" not in await workspace.refused("git_clone", url=f"{url}/r.git", directory=one)
        (here / "one/b.txt").write_text("b\n")
        await workspace.text("git_add", repository=one, paths=["b.txt"])
        await workspace.text("git_commit", repository=one, message="second")
        await workspace.text("git_push", repository=one)
        await workspace.text("git_fetch", repository=two)
        found = (await workspace.call("git_status", repository=two)).structured_content
        assert found is not None
        assert (found["upstream"], found["behind"]) == ("origin/main", 1)
        await workspace.text("git_pull", repository=two)
        assert (here / "two/b.txt").read_text() == "b\n"
        assert "nothing like it" not in await workspace.refused("git_pull", repository=two, branch="nowhere")
    assert git(tmp_path / "r.git", "log", "--format=%s", "main").split() == ["second", "first"]


async def test_credentials_of_an_address_are_used_and_not_kept(
    workspace: Workspace, here: Path, tmp_path: Path
) -> None:
    served(tmp_path)
    with git_server(tmp_path, password=PASSWORD) as url:
        secret = "ann:pa%25ss%20w%3Ard%401@"
        address = f"{url}/r.git".replace("://", f"://{secret}")
        await workspace.text("git_clone", url=address, directory=f"{here.name}/c")
        config = (here / "c/.git/config").read_text()
        assert f"url = {url}/r.git" in config
        assert "pa%" not in config
        refused = await workspace.refused(
            "git_clone", url=address.replace("ann:", "bob:"), directory=f"{here.name}/d"
        )
        assert "refused the credentials" in refused
        assert "pa%" not in refused
        assert "asks for a user name and password" in await workspace.refused(
            "git_fetch", repository=f"{here.name}/c"
        )
    assert sorted(os.listdir(here)) == ["c"]


async def test_the_clients_token_is_for_its_gitlab_only(
    workspace: Workspace, here: Path, tmp_path: Path
) -> None:
    served(tmp_path)
    with git_server(tmp_path, password=PASSWORD) as url, git_server(tmp_path, password=PASSWORD) as other:
        mine = Workspace(workspace.url, workspace.root, workspace.process, workspace.log)
        mine.headers = {"X-GitLab-URL": url, "X-GitLab-Token": PASSWORD}
        await mine.text("git_clone", url=f"{url}/r.git", directory=f"{here.name}/c")
        assert "asks for a user name" in await mine.refused(
            "git_clone", url=f"{other}/r.git", directory=f"{here.name}/d"
        )


async def test_remotes_that_are_not_there(workspace: Workspace, here: Path, tmp_path: Path) -> None:
    with git_server(tmp_path) as url:
        text = await workspace.refused("git_clone", url=f"{url}/no.git", directory=f"{here.name}/c")
        assert "was not found at this address" in text
    text = await workspace.refused("git_clone", url=f"{url}/r.git", directory=f"{here.name}/c")
    assert "nothing answers at this address" in text
    text = await workspace.refused("git_clone", url="https://no.invalid/r.git", directory=f"{here.name}/c")
    assert "cannot be resolved" in text
    assert os.listdir(here) == []


async def test_an_own_authority_is_trusted(
    workspace: Workspace, here: Path, tmp_path: Path, authority: Authority
) -> None:
    served(tmp_path)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    with git_server(tmp_path, tls=authority) as url:
        await workspace.text("git_clone", url=f"{url}/r.git", directory=f"{here.name}/c")
    with git_server(tmp_path, tls=Authority(stranger)) as url:
        text = await workspace.refused("git_clone", url=f"{url}/r.git", directory=f"{here.name}/d")
        assert "certificate that the workspace does not trust" in text


async def test_progress_is_told(workspace: Workspace, here: Path, tmp_path: Path) -> None:
    folder = served(tmp_path).with_name("origin")
    for number in range(300):
        (folder / f"{number}.bin").write_bytes(os.urandom(2000))
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=much")
    git(folder, "push", "--quiet", str(tmp_path / "r.git"), "main")
    for mode in ("auto", "legacy"):
        told: list[float] = []

        async def take(
            progress: float, total: float | None, message: str | None, told: list[float] = told
        ) -> None:
            told.append(progress)

        with git_server(tmp_path) as url:
            async with Client(f"{workspace.url}/mcp", mode=mode) as client:
                found = await client.call_tool(
                    "git_clone",
                    {"url": f"{url}/r.git", "directory": f"{here.name}/{mode}"},
                    progress_callback=take,
                )
        assert not found.is_error
        assert told
        assert told == sorted(set(told))


async def test_a_cancelled_clone_ends_and_leaves_nothing(
    workspace: Workspace, here: Path, tmp_path: Path
) -> None:
    served(tmp_path)
    with git_server(tmp_path, delay=20) as url:
        async with Client(f"{workspace.url}/mcp") as client:
            arguments = {"url": f"{url}/r.git", "directory": f"{here.name}/c"}
            call = asyncio.ensure_future(client.call_tool("git_clone", arguments))
            while not (here / "c").exists():
                await asyncio.sleep(0.02)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
        while os.listdir(here) or workspace.status()["in_flight"]:
            await asyncio.sleep(0.05)
        assert (
            url
            not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        )


async def test_secrets_are_not_in_the_arguments_of_processes(
    workspace: Workspace, here: Path, tmp_path: Path
) -> None:
    with git_server(tmp_path, password="hush-hush", delay=1) as url:
        address = f"{url}/r.git".replace("://", "://ann:hush-hush@")
        call = asyncio.ensure_future(workspace.call("git_clone", url=address, directory=f"{here.name}/c"))
        seen = ""
        while not call.done():
            seen += subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
            await asyncio.sleep(0.1)
    assert f"{url}/r.git" in seen
    assert "hush-hush" not in seen
    assert "hush-hush" not in workspace.log.read_text()


def test_the_first_clone(tmp_path: Path) -> None:
    folder = served(tmp_path)
    git(folder, "branch", "side")
    with git_server(tmp_path, password="hush-hush") as url:
        given = {
            "GATEHOUSE_GIT_URL": f"{url}/r.git",
            "GATEHOUSE_GIT_BRANCH": "side",
            "GATEHOUSE_GIT_USERNAME": "ann",
            "GATEHOUSE_GIT_PASSWORD": "hush-hush",
        }
        with running(tmp_path / "root", given=given) as workspace:
            assert workspace.until("ready")["error"] == ""
        assert sorted(os.listdir(tmp_path / "root")) == [".git", "a.txt"]
        assert git(tmp_path / "root", "branch", "--show-current") == "side\n"
        assert "hush-hush" not in (tmp_path / "root/.git/config").read_text()
        # A crash before the first checkout was done: the next start does it.
        (tmp_path / "root/a.txt").unlink()
        (tmp_path / "root/.git/gatehouse-unfinished").touch()
        with running(tmp_path / "root", given=given) as workspace:
            workspace.until("ready")
        assert (tmp_path / "root/a.txt").read_text() == "one\ntwo\n"


async def test_a_first_clone_that_fails_is_told(tmp_path: Path) -> None:
    served(tmp_path)
    with git_server(tmp_path, password="hush-hush") as url:
        given = {"GATEHOUSE_GIT_URL": f"{url}/r.git", "GATEHOUSE_GIT_PASSWORD": "wrong-word"}
        with running(tmp_path / "root", given=given) as workspace:
            error = workspace.until("failed")["error"]
            assert "refused the credentials" in error
            assert "wrong-word" not in error
            assert "refused the credentials" in await workspace.refused("git_status")
            assert "could not be prepared" in await workspace.refused("list_directory")
    assert os.listdir(tmp_path / "root") == []


async def test_tools_say_that_the_clone_goes_on(tmp_path: Path) -> None:
    served(tmp_path)
    with (
        git_server(tmp_path, delay=30) as url,
        running(tmp_path / "root", GATEHOUSE_GIT_URL=f"{url}/r.git") as workspace,
    ):
        workspace.until("cloning")
        assert "is being cloned" in await workspace.refused("git_status")


def test_an_existing_volume_is_kept(tmp_path: Path) -> None:
    folder = repository(tmp_path / "root")
    (folder / "mine").write_text("mine")
    with running(folder, GATEHOUSE_GIT_URL="https://no.invalid/r.git") as workspace:
        workspace.until("ready")
    assert (folder / "mine").read_text() == "mine"
    (tmp_path / "files").mkdir()
    (tmp_path / "files/a").write_text("a")
    with running(tmp_path / "files") as workspace:
        workspace.until("ready")
    assert sorted(os.listdir(tmp_path / "files")) == [".git", "a"]
