"""The audit log: written by `record` within the caller's transaction, sealed, verified, exported, kept for a time."""

from .entries import record, record_refusal

__all__ = ["record", "record_refusal"]
