"""What is wrong with a policy's text."""


class PolicyError(ValueError):
    """A policy that cannot be kept. `path` says where: `Statement[0].Action`, or empty for the whole."""

    def __init__(self, message: str, path: str = "") -> None:
        # JSON can say halves of characters, which no answer could repeat.
        self.message, self.path = (text.encode(errors="replace").decode() for text in (message, path))
        super().__init__(f"{self.message} ({self.path})" if path else self.message)
