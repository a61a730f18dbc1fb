"""Services call each other and their tasks, so any of them may be the first that a process imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each is imported in a fork of a process that has nothing of ours but models, and all that is not ours already.
EACH = """
import os, sys
from importlib import import_module
from pkgutil import iter_modules
import django

django.setup()
sys.stdout.flush()
apps = ("gateway", "tenants", "storage", "workspaces", "realtime")
package = sys.argv[1]
names = [f"{package}.services.{one.name}" for one in iter_modules([f"{package}/services"])]
names = [*names, f"{package}.tasks"]

def forked(work):
    reading, writing = os.pipe()
    if not os.fork():
        os.close(reading)
        try:
            said = work()
        except BaseException as e:
            said = repr(e)
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.wait()
    return said

def strangers():
    for name in names:
        import_module(name)
    return " ".join(name for name in sys.modules if name.partition(".")[0] not in apps)

def first(name):
    import_module(name)
    return ""

for name in forked(strangers).split():
    try:
        import_module(name)
    except Exception:
        pass  # a part of a library that is not imported by its name
for name in names:
    assert name not in sys.modules, f"{name} is there before its turn"
    if said := forked(lambda: first(name)):
        print(name, said)
print(len(names), "imported")
"""


@pytest.mark.parametrize("package", ["tenants", "storage", "workspaces"])
def test_any_service_may_be_imported_first(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EACH, package],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "gateway.settings"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    count, _, rest = done.stdout.partition(" ")
    assert (int(count) > 10, rest) == (True, "imported\n"), done.stdout
