"""What the broker answers instead of asking the engine."""

from __future__ import annotations


class Refusal(Exception):
    """An answer in the engine's form, `{"message": …}`; no detail of what is not the caller's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def forbidden(message: str) -> Refusal:
    return Refusal(403, f"broker: {message}")
