"""`python -m gateway.supervisor`: says so when this Python is too old, else runs the command.

This file keeps to a syntax that every Python 3 can read.
"""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "gatehouse: Python 3.11 or newer is needed, this is {}.{} ({}): "
        "install a newer one, or name it with `make up PYTHON=/path/to/python3`\n".format(
            sys.version_info[0], sys.version_info[1], sys.executable
        )
    )
    sys.exit(1)

from gateway.supervisor.cli import main

sys.exit(main())
