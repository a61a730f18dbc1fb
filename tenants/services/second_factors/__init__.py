"""What is shown beside the password: set up, checked, and taken away again."""
