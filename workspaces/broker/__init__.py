"""The only way to the container engine: `python -m workspaces.broker`, on `<home>/run/broker.sock`.

Whoever may talk to the engine is root on its machine. So nothing of the platform may but this process, which knows no
tenant, holds no secret and has no other door: it parses each call, builds it anew from what is allowed
(`routes`, `bodies`), adds the hardening itself, and acts only on what bears this platform's label (`owned`).
"""
