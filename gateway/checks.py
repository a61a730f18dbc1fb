"""System checks: each wrong setting or unprotected table has an id."""
