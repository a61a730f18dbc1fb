"""However the supervisor ends, no process stays."""

from __future__ import annotations

import os
import pty
import signal
import time

import pytest

from tests.supervisor.conftest import PYTHON, SLEEP, kill, until

# Ignores what asks it to stop, and has a grandchild that left its session, its group and its parent.
STUBBORN = """
import os, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("daemon", flush=True)
        time.sleep(300)
    os._exit(0)
print("stubborn", flush=True)
time.sleep(300)
"""
PROGRAMS = (
    {"name": "plain", "command": SLEEP},
    {"name": "stubborn", "command": [PYTHON, "-c", STUBBORN], "needs": ["plain"]},
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_in_time(supervise, number):
    standin = supervise(*PROGRAMS)
    standin.says("daemon")
    began = time.monotonic()

    kill(standin.process.pid, number)
    kill(standin.process.pid, number)  # `make` passes on what the terminal sent already

    assert standin.ends() == 0
    assert time.monotonic() - began < 8
    assert not standin.left()


def test_kill_minus_nine_of_the_supervisor_leaves_nothing(supervise):
    standin = supervise(*PROGRAMS)
    standin.says("daemon")
    assert len(standin.running()) == 3

    kill(standin.process.pid)

    until(lambda: not standin.left())


def test_kill_minus_nine_of_supervisor_and_watcher_reaches_the_children(supervise):
    standin = supervise({"name": "plain", "command": SLEEP})
    standin.says("up")

    kill(standin.watchers()[0])
    kill(standin.process.pid)

    until(lambda: not standin.left())


def test_a_closed_terminal_stops_everything(supervise):
    master, terminal = pty.openpty()

    def take_terminal() -> None:
        os.setsid()
        import fcntl
        import termios

        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    standin = supervise(
        *PROGRAMS,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=False,
        preexec_fn=take_terminal,
    )
    os.close(terminal)
    shown = b""
    while b"daemon" not in shown:
        shown += os.read(master, 4096)
    assert b"\x1b[" in shown  # on a terminal the names are coloured

    os.close(master)

    assert standin.ends() == 0
    assert not standin.left()


def test_ctrl_c_is_for_the_whole_group_and_children_are_outside_it(supervise):
    standin = supervise(*PROGRAMS)
    standin.says("daemon")

    os.killpg(standin.process.pid, signal.SIGINT)

    assert standin.ends() == 0
    assert not standin.left()


def test_a_signal_during_the_start_is_obeyed(supervise):
    standin = supervise({"name": "plain", "command": SLEEP})
    until(standin.running)

    standin.process.send_signal(signal.SIGTERM)

    assert standin.ends() == 0
    assert not standin.left()
