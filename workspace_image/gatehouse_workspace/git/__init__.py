"""Git tools: libgit2 for what is asked often, the git program for the rest, hardened against the repository."""
