"""The clients that people have, with their default settings, over every kind of bucket."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stack import BIN, Account, Stack

# Command-line clients take seconds to start each, and many times that where other tests run beside them.
pytestmark = pytest.mark.timeout(600)

FILES = {
    "a": b"one",
    "b/x.txt": b"two",
    "b/y z+ü%.txt": b"three" * 1000,
    "empty": b"",
    "big.bin": os.urandom(20 << 20),
}


@pytest.fixture(scope="module", params=["local", "moto", pytest.param("rclone", marks=pytest.mark.long)])
def place(request: pytest.FixtureRequest) -> str:
    """Where the bucket is: in our own store, or on somebody else's server."""
    return str(request.param)


@pytest.fixture(scope="module")
def account(request: pytest.FixtureRequest, stack: Stack, place: str) -> Account:
    made = stack.account()
    made.bucket(backend=None if place == "local" else request.getfixturevalue(place))
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, body in FILES.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "tree"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run(account: Account, *command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command, env=account.environment | environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.parametrize("scheme", ["http", pytest.param("https", marks=pytest.mark.long)])
def test_aws_cli(account: Account, stack: Stack, tree: Path, tmp_path: Path, scheme: str) -> None:
    url = (stack.url if scheme == "http" else stack.https_url) + "/s3"

    def aws(*arguments: str | Path) -> str:
        return run(account, BIN / "aws", "--endpoint-url", url, *arguments, AWS_CA_BUNDLE=str(stack.ca))

    where = f"s3://docs/{scheme}"
    aws("s3", "cp", "--recursive", "--no-progress", tree, where)
    aws("s3", "mv", "--no-progress", f"{where}/big.bin", f"{where}/moved.bin")
    aws("s3", "sync", "--no-progress", where, tmp_path / "back")
    (tmp_path / "back" / "moved.bin").rename(tmp_path / "back" / "big.bin")
    assert digests(tmp_path / "back") == digests(tree)
    aws("s3", "rm", "--recursive", where)
    assert scheme + "/" not in aws("s3", "ls", "--recursive", "s3://docs/")


def test_rclone(account: Account, stack: Stack, tree: Path, tmp_path: Path) -> None:
    def rclone(*arguments: str | Path) -> str:
        settings = {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_GH_TYPE": "s3",
            "RCLONE_CONFIG_GH_PROVIDER": "Other",
            "RCLONE_CONFIG_GH_ENDPOINT": stack.url + "/s3",
            "RCLONE_CONFIG_GH_ACCESS_KEY_ID": account.key_id,
            "RCLONE_CONFIG_GH_SECRET_ACCESS_KEY": account.secret,
            "RCLONE_S3_UPLOAD_CUTOFF": "8Mi",
            "RCLONE_S3_CHUNK_SIZE": "5Mi",
        }
        return run(account, BIN / "rclone", *arguments, **settings)

    rclone("copy", tree, "gh:docs/r")
    assert sorted(rclone("lsf", "-R", "--files-only", "gh:docs/r").split("\n")[:-1]) == sorted(FILES)
    rclone("check", "--download", tree, "gh:docs/r")
    rclone("moveto", "gh:docs/r/big.bin", "gh:docs/r/moved.bin")
    rclone("sync", "gh:docs/r", tmp_path / "back")
    assert (tmp_path / "back" / "moved.bin").read_bytes() == FILES["big.bin"]
    assert "one" in rclone("cat", "gh:docs/r/a")
    rclone("purge", "gh:docs/r")
    assert rclone("lsf", "-R", "gh:docs/r") == ""


# s3cmd knows no path in its endpoint, so it speaks to the domain's root; not every machine resolves that name.
RESOLVED = """
import runpy, socket, sys
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_s3cmd(account: Account, stack: Stack, tree: Path, tmp_path: Path) -> None:
    def s3cmd(*arguments: str | Path) -> str:
        host = f"s3.localhost:{stack.port}"
        options = (
            "--no-ssl",
            f"--host={host}",
            f"--host-bucket={host}",
            "--region=us-east-1",
            "--no-progress",
        )
        keys = (f"--access_key={account.key_id}", f"--secret_key={account.secret}", f"--config={os.devnull}")
        return run(account, sys.executable, "-c", RESOLVED, BIN / "s3cmd", *options, *keys, *arguments)

    s3cmd("put", "--recursive", "--multipart-chunk-size-mb=5", f"{tree}/", "s3://docs/c/")
    assert len(s3cmd("ls", "--recursive", "s3://docs/c/").splitlines()) == len(FILES)
    (tmp_path / "back").mkdir()
    s3cmd("get", "--recursive", "s3://docs/c/", f"{tmp_path}/back/")
    assert digests(tmp_path / "back") == digests(tree)
    s3cmd("cp", "s3://docs/c/a", "s3://docs/c/a2")
    assert "File size: 3" in s3cmd("info", "s3://docs/c/a2")
    s3cmd("del", "--recursive", "--force", "s3://docs/c/")
    assert s3cmd("ls", "--recursive", "s3://docs/c/") == ""


def test_obstore(account: Account, stack: Stack, place: str) -> None:
    from obstore.store import S3Store

    store: Any = S3Store(
        "docs",
        endpoint=stack.url + "/s3",
        region="us-east-1",
        access_key_id=account.key_id,
        secret_access_key=account.secret,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    for name, body in FILES.items():
        store.put(f"o/{name}", body)
    found = {row["path"]: row["size"] for page in store.list("o") for row in page}
    assert found == {f"o/{name}": len(body) for name, body in FILES.items()}
    for name, body in FILES.items():
        assert bytes(store.get(f"o/{name}").bytes()) == body
    if place != "rclone":  # whose server answers a range with 200
        assert bytes(store.get_range("o/big.bin", start=5, end=9)) == FILES["big.bin"][5:9]
    store.copy("o/a", "o/a2")
    store.rename("o/a2", "o/a3")
    assert bytes(store.get("o/a3").bytes()) == b"one"
    store.delete([row["path"] for page in store.list("o") for row in page])
    assert [row for page in store.list("o") for row in page] == []


def test_restic(account: Account, stack: Stack, tree: Path, tmp_path: Path) -> None:
    """Its client signs every chunk and knows no path in its endpoint, whose name only a proxy resolves everywhere."""

    def restic(*arguments: str | Path) -> str:
        settings = {
            "RESTIC_REPOSITORY": f"s3:http://s3.localhost:{stack.port}/docs/restic",
            "RESTIC_PASSWORD": "of-the-repository",
            "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
            "http_proxy": stack.url,
            "HTTP_PROXY": stack.url,
            "NO_PROXY": "",
            "no_proxy": "",
        }
        return run(account, "restic", *arguments, **settings)

    restic("init")
    restic("backup", tree)
    (tree / "a").write_bytes(b"changed")
    restic("backup", tree)
    restic("check", "--read-data")
    restic("restore", "latest", "--target", tmp_path / "back")
    assert digests(tmp_path / "back" / tree.relative_to("/")) == digests(tree)
    restic("forget", "--keep-last", "1", "--prune")
    restic("check")


def test_s3fs(account: Account, stack: Stack, place: str, tree: Path, tmp_path: Path) -> None:
    if place == "rclone":
        pytest.skip("rclone's server answers a range with 200, which s3fs does not survive")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK) or shutil.which("fusermount") is None:
        pytest.skip("s3fs mounts a file system, and this machine lets nobody (/dev/fuse, fusermount)")
    mounted, password = tmp_path / "mounted", tmp_path / "password"
    mounted.mkdir()
    password.write_text(f"{account.key_id}:{account.secret}")
    password.chmod(0o600)
    url = f"http://s3.localhost:{stack.port}"
    process = subprocess.Popen(
        ("s3fs", "docs:/", mounted, "-f", "-o", f"passwd_file={password},url={url},use_path_request_style"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 60
        while not mounted.is_mount():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"s3fs: {process.communicate()[0][-2000:]!r}")
            time.sleep(0.05)
        shutil.copytree(tree, mounted / "fs")
        (mounted / "fs" / "big.bin").rename(mounted / "fs" / "moved.bin")
        with (mounted / "fs" / "a").open("ab") as file:
            file.write(b" more")
        shutil.copytree(mounted / "fs", tmp_path / "back")
        assert (tmp_path / "back" / "a").read_bytes() == b"one more"
        assert (tmp_path / "back" / "moved.bin").read_bytes() == FILES["big.bin"]
        assert (tmp_path / "back" / "b" / "y z+ü%.txt").read_bytes() == FILES["b/y z+ü%.txt"]
        shutil.rmtree(mounted / "fs")
        assert not (mounted / "fs").exists()
    finally:
        subprocess.run(("fusermount", "-u", mounted), check=False)
        process.terminate()
        process.communicate(timeout=20)
