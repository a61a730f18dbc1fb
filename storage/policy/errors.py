"""What is wrong with a policy's text."""


class PolicyError(ValueError):
    """A policy that cannot be kept. `path` says where: `Statement[0].Action`, or empty for the whole."""

    def __init__(self, message: str, path: str = "") -> None:
        self.message = message
        self.path = path
        super().__init__(f"{message} ({path})" if path else message)
