"""What the supervisor does with its children while it runs."""

from __future__ import annotations

import signal

from tests.supervisor.conftest import PYTHON, SLEEP, kill, until

TELLS_PID = [PYTHON, "-uc", "import os, time; print('pid', os.getpid()); time.sleep(300)"]


def test_a_killed_child_is_started_again(supervise):
    standin = supervise({"name": "web", "command": TELLS_PID})
    (first,) = until(lambda: standin.pids("web"))

    kill(first)

    standin.says("web ended (SIGKILL), starting it again in 0.5 s")
    until(lambda: len(standin.pids("web")) == 2)
    assert first not in standin.running()


def test_pauses_between_restarts_grow(supervise):
    standin = supervise(
        {
            "name": "web",
            "command": [PYTHON, "-c", "import time; time.sleep(0.3); raise SystemExit(7)"],
        }
    )

    standin.says("web ended (exit 7), starting it again in 0.5 s")
    standin.says("web ended (exit 7), starting it again in 1.0 s")


def test_what_never_starts_is_given_up_with_its_reason(supervise):
    quits = [PYTHON, "-c", "print('FATAL: no such table'); raise SystemExit(1)"]
    standin = supervise({"name": "base", "command": SLEEP}, {"name": "web", "command": quits, "ready": False})

    assert standin.ends() == 1
    assert standin.text().endswith("web does not start: FATAL: no such table\n")
    assert not standin.left()


def test_a_missing_program_is_one_line(supervise):
    standin = supervise({"name": "web", "command": ["/nowhere/at-all"]})

    assert standin.ends() == 1
    assert standin.text() == "cannot start web: No such file or directory: /nowhere/at-all\n"
    assert not standin.left()


def test_what_a_child_leaves_behind_is_ended_with_it(supervise):
    forks = "import time, subprocess; subprocess.Popen(['sleep', '300']); print('forked'); time.sleep(300)"
    standin = supervise({"name": "web", "command": [PYTHON, "-uc", forks]})
    standin.says("forked")
    leader, grandchild = sorted(until(lambda: (found := standin.running()) and len(found) == 2 and found))

    kill(leader)

    standin.says("starting it again")
    assert grandchild not in standin.running()


def test_lines_bear_the_name_of_their_process(supervise):
    long_line = "x" * 100_000
    prints = f"import time; print('one\\ntwo', end='\\n'); print({long_line!r}, flush=True); time.sleep(300)"
    standin = supervise({"name": "beat", "command": [PYTHON, "-c", prints]})

    standin.says("beat     | xxx")
    assert "beat     | one\nbeat     | two\n" in standin.text()
    assert "\x1b" not in standin.text()


def test_a_killed_watcher_is_replaced(supervise):
    standin = supervise({"name": "web", "command": SLEEP})
    standin.says("up")
    (first,) = standin.watchers()

    kill(first)
    (second,) = until(lambda: [pid for pid in standin.watchers() if pid != first])

    kill(standin.process.pid)
    until(lambda: not standin.left())
    assert second


def test_a_program_waits_for_what_it_needs_and_goes_before_it(supervise):
    tells = (
        "import signal, sys, time; print('begins', flush=True)\n"
        "def stop(*_): print('stops', flush=True); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "time.sleep(300)"
    )
    command = [PYTHON, "-c", tells]
    standin = supervise(
        {"name": "web", "command": command, "needs": ["base"], "patience": 60},
        {"name": "base", "command": command, "patience": 60},
    )
    standin.says("web      | begins")
    kill(standin.process.pid, signal.SIGTERM)

    assert standin.ends() == 0
    text = standin.text()
    assert text.index("base     | begins") < text.index("web      | begins")
    assert text.index("web      | stops") < text.index("base     | stops")
