"""The process that owns every sandbox where there is no Docker: `python -m workspaces.runner`.

It knows neither Django nor the database: `workspaces.providers.process` tells it what shall be, over a socket.
docs/providers.md says what a sandbox is and what it does not isolate.
"""
