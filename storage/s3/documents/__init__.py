"""S3's documents for settings of buckets and objects: read strictly, written exactly, one module per document.

Each is declared once, as a `schema.Struct`. What `read` makes of XML is what the rows keep and what the API and the
pages give (to `check`) and get: rules of CORS and lifecycle are JSON with the names of AWS' command line.
"""
