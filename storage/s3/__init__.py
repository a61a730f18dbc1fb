"""The S3 front door: protocol pieces without I/O, and handlers that join them to the store and the index."""
