"""What several verbs refuse in the same words."""

from gateway.errors import Forbidden


def locked() -> Forbidden:
    """Of a version that is retained or held."""
    return Forbidden("The version is locked: it may not go yet.", code="object_locked")
