"""What the broker answers instead of asking the engine."""

from __future__ import annotations


class Refusal(Exception):
    """An answer in the engine's form, `{"message": …}`; no detail of what is not the caller's."""

    def __init__(self, status: int, message: str, *, absent: bool = False) -> None:
        """`absent`: there is no engine for us, rather than one that fails; told to who asks after its health."""
        super().__init__(message)
        self.status, self.message, self.absent = status, message, absent

    @property
    def body(self) -> dict[str, object]:
        return {"message": self.message, **({"absent": True} if self.absent else {})}


def forbidden(message: str) -> Refusal:
    return Refusal(403, f"broker: {message}")
