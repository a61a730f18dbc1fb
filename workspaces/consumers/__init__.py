"""Terminals and logs as they are written: connections of the `live` process (docs/services.md)."""
