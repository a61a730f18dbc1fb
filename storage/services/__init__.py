"""The verbs of storage: what doors call. Each checks the actor's permission and owns its transaction."""
