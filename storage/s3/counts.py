"""What the S3 front door counts: plain numbers, on the path of every request."""

from gateway.metrics import Plain

OPERATIONS = Plain(
    "gatehouse_s3_operations",
    "S3 requests by the status of the answer; `forwarded` ones are answered by the backend.",
    ("operation", "status"),
)
BYTES = Plain(
    "gatehouse_s3_bytes",
    "Bytes of objects taken in, and handed out by the platform itself (not those a backend sends).",
    ("direction",),
)
