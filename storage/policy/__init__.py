"""Bucket policies: the grammar of AWS's policy language, and what a policy answers. Pure: no I/O, no Django."""
