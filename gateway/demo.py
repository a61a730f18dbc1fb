"""`make demo`: what a new user does first, against the running platform and with public tools only.

Makes a tenant, a user, keys and a bucket over the API, copies this repository's files and a large one in with the
AWS CLI, lists and reads them back, deletes one, and checks that the events of it all arrived meanwhile.
Prints each step; exits 1 at the first thing that is not as it should be. Standard library and `aws` only.
"""

from __future__ import annotations

import getpass
import hashlib
import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
HOST, PORT = "127.0.0.1", int(os.environ.get("GATEHOUSE_HTTP_PORT") or 8080)
BUCKET = "demo"
LARGE_BYTES = 256 << 20
EVENTS_LIMIT_SECONDS = 60.0


class Different(Exception):
    """Something is not as it should be; the text says what."""


class Api:
    """A caller of /api/v1, as an HTTP client without any knowledge of the platform's code."""

    def __init__(self, tenant: str | None = None) -> None:
        self._headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if tenant:
            self._headers["X-Tenant"] = tenant

    def sign_in(self, username: str, password: str) -> None:
        tokens = self.post("auth/login", {"username": username, "password": password})
        self._headers["Authorization"] = f"Bearer {tokens['access']}"

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """The `data` of the answer; raises Different for anything but 2xx."""
        connection = http.client.HTTPConnection(HOST, PORT, timeout=60)
        try:
            connection.request("POST", f"/api/v1/{path}", json.dumps(body), self._headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except OSError as error:
            raise Different(
                f"http://{HOST}:{PORT} does not answer ({error}): is `make up` running?"
            ) from error
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise Different(f"POST {path} answered {answer.status}: {text[:300]}")
        data: dict[str, Any] = json.loads(text)["data"]
        return data

    def events(self) -> http.client.HTTPResponse:
        """The open stream of the tenant's storage events."""
        connection = http.client.HTTPConnection(HOST, PORT, timeout=EVENTS_LIMIT_SECONDS)
        headers = {**self._headers, "Accept": "text/event-stream"}
        connection.request("GET", "/api/v1/realtime/events?channels=storage", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise Different(f"the event stream answered {answer.status}: {answer.read(300)!r}")
        return answer


class Events(threading.Thread):
    """Counts what arrives on the stream, by type and subject, while the rest goes on."""

    def __init__(self, stream: http.client.HTTPResponse) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.seen: Counter[tuple[str, str]] = Counter()
        self.start()

    def run(self) -> None:
        try:
            for line in self._stream:
                if line.startswith(b"data:"):
                    event = json.loads(line[5:])
                    self.seen[event["type"], event.get("subject", "")] += 1
        except (OSError, ValueError, http.client.HTTPException):
            return  # the stream ended; what is missing then is reported

    def wait_for(self, wanted: set[tuple[str, str]]) -> None:
        """Until each wanted event was seen; raises Different when one is missing in time or came twice."""
        deadline = time.monotonic() + EVENTS_LIMIT_SECONDS
        while missing := wanted - set(self.seen):
            if time.monotonic() > deadline:
                raise Different(f"{len(missing)} events did not arrive, among them {sorted(missing)[:3]}")
            time.sleep(0.1)
        if twice := [event for event in wanted if self.seen[event] != 1]:
            raise Different(f"{len(twice)} events arrived twice, among them {twice[:3]}")


class Aws:
    """The AWS CLI with one access key, untouched by the user's own configuration."""

    def __init__(self, key: dict[str, Any]) -> None:
        here = Path(sys.executable).parent  # of the environment, where `make demo` put it
        program = shutil.which("aws", path=f"{here}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
        if program is None:
            raise Different("the AWS CLI is missing: `make demo` installs it")
        self._command = [program, "--endpoint-url", f"http://{HOST}:{PORT}/s3", "--no-cli-pager"]
        if "aws-cli/1." in self._version(program):
            self._command.remove("--no-cli-pager")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_ACCESS_KEY_ID": key["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": HOST,
        }

    def __call__(self, *arguments: str) -> str:
        """Its output; raises Different when it fails."""
        done = subprocess.run(
            [*self._command, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Different(f"aws {' '.join(arguments)} failed: {done.stderr.strip()[-400:]}")
        return done.stdout

    def _version(self, program: str) -> str:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


def main() -> int:
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="gatehouse-demo-") as folder:
            _demo(Path(folder))
    except Different as difference:
        say(f"NOT AS IT SHOULD BE: {difference}")
        return 1
    say(f"all of it is as it should be ({time.monotonic() - began:.0f} s)")
    return 0


def _demo(folder: Path) -> None:
    admin = Api()
    name = os.environ.get("BOOTSTRAP_ADMIN_USERNAME") or "admin"
    admin.sign_in(name, _admin_password(name))
    slug = f"demo-{secrets.token_hex(3)}"
    tenant = admin.post("tenants", {"name": f"Demo {slug[5:]}", "slug": slug})
    password = secrets.token_urlsafe(16)
    user = {"username": slug, "email": f"{slug}@example.org", "password": password, "role": "admin"}
    admin.post(f"tenants/{tenant['id']}/users", user)
    say(f"tenant {slug} with its administrator {slug}, password {password}")

    member = Api(slug)
    member.sign_in(slug, password)
    member.post("api-keys", {"name": "demo"})
    member.post("storage/buckets", {"name": BUCKET})
    aws = Aws(member.post("storage/access-keys", {"name": "demo"}))
    events = Events(member.events())
    say(f"an API key, the bucket {BUCKET}, an access key, and the event stream is open")

    source = _files(folder / "in")
    size = sum(path.stat().st_size for path in source.values())
    took = _timed(
        lambda: aws("s3", "cp", "--recursive", "--no-progress", str(folder / "in"), f"s3://{BUCKET}/")
    )
    say(f"{len(source)} files, {size >> 20} MiB, copied in with the AWS CLI ({took:.1f} s)")

    listed = json.loads(aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--output", "json"))["Contents"]
    if {entry["Key"]: entry["Size"] for entry in listed} != {k: p.stat().st_size for k, p in source.items()}:
        raise Different(
            f"the bucket lists {len(listed)} objects, or other sizes than {len(source)} files have"
        )
    took = _timed(
        lambda: aws("s3", "cp", "--recursive", "--no-progress", f"s3://{BUCKET}/", str(folder / "out"))
    )
    for key, path in source.items():
        if _digest(folder / "out" / key) != _digest(path):
            raise Different(f"{key} came back with another checksum")
    say(f"listed, read back ({took:.1f} s), and every checksum is the same")

    gone = "README.md"
    aws("s3", "rm", f"s3://{BUCKET}/{gone}")
    after = json.loads(aws("s3api", "list-objects-v2", "--bucket", BUCKET, "--output", "json"))["Contents"]
    if {entry["Key"] for entry in after} != set(source) - {gone}:
        raise Different(f"after deleting {gone} the bucket lists {len(after)} objects")
    say(f"{gone} deleted")

    wanted = {("storage.object.created", f"{BUCKET}/{key}") for key in source}
    events.wait_for(wanted | {("storage.object.deleted", f"{BUCKET}/{gone}")})
    say(f"{len(wanted) + 1} events arrived, each once; look at http://localhost:{PORT}/app/ as {slug}")


def _files(folder: Path) -> dict[str, Path]:
    """Copies of this repository's files and a large one, by the key that each will have."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in tracked.stdout.split("\0") if name and (ROOT / name).is_file()]
    if not names:  # unpacked from an archive
        names = [str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.*"), *ROOT.glob("gateway/**/*.py")]]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    with (folder / "large.bin").open("wb") as file:
        for _ in range(LARGE_BYTES >> 20):
            file.write(os.urandom(1 << 20))
    return {name: folder / name for name in [*names, "large.bin"]}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _timed(act: Any) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def _admin_password(name: str) -> str:
    """From the environment (which `make demo` fills where the password was generated), else asked for."""
    given = os.environ.get("BOOTSTRAP_ADMIN_PASSWORD")
    if given:
        return given
    if file := os.environ.get("BOOTSTRAP_ADMIN_PASSWORD_FILE"):
        return Path(file).read_text().strip()
    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {name}: ")
    raise Different(
        f"the password of {name} is not known: wait until `make up` says that Gatehouse is up, "
        "or set BOOTSTRAP_ADMIN_PASSWORD where you chose it"
    )


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
