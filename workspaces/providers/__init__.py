"""Where workspaces and services run. `base` is the contract; each provider is a folder of its own."""
