"""What runs, in the admin: to be looked at, and steered through the verbs."""
