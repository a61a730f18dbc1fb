"""GitLab tools: one call for all of its API that is allowed, and its OpenAPI document to find what to call."""
