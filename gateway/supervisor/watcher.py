"""The supervisor's second: a process of its own that ends the instance when the supervisor is killed.

It reads session ids (`+12\n`, `-12\n`) from its standard input. At end of file the supervisor is gone, by
itself (nothing is left then) or by SIGKILL: the children have got their parent-death signal from the kernel
and may stop by themselves for a moment, what still runs after that is killed, grandchildren too.
"""

import signal
import sys
import time

from gateway.supervisor import sessions

PATIENCE_SECONDS = 4.0


def main() -> int:
    """Watch until the supervisor and all of its instance is gone. Argument: the instance's mark."""
    mark = sys.argv[1]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    known: set[int] = set()
    for line in sys.stdin:
        (known.add if line.startswith("+") else known.discard)(int(line[1:]))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := sessions.members(known, mark):
        if time.monotonic() > deadline:
            sessions.kill(left)
        time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
