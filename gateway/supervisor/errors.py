"""The one error of the supervisor."""


class Refusal(Exception):
    """Why the platform cannot start, as one line that says what to do; the command prints it and exits 1."""
