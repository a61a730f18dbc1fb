"""What the processes count, in Prometheus' terms (docs/operations.md lists the series).

Each process counts in its own memory and, every few seconds, leaves a file of it in `<home>/run/metrics`; whichever web
process is asked for `/metrics` adds them up. A file and no memory shared by mapping it: a full disk then costs figures
and no process. Label values are few by construction: names from the code, never a path, a tenant or a key.
"""

from .series import REGISTRY, Plain, Reading

__all__ = ["REGISTRY", "Plain", "Reading"]
