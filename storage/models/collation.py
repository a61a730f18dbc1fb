"""How keys are ordered."""

BYTES = "C"
"""The collation of keys: S3 lists them in the order of their bytes."""
