"""One module per group of operations: a proven request in, an answer or a decision out, S3Error for a refusal."""
