"""The audit log: written by `record` within the caller's transaction, sealed, verified, exported, kept for a time."""

from .entries import SignIn, record, record_refusal, record_sign_in

__all__ = ["SignIn", "record", "record_refusal", "record_sign_in"]
