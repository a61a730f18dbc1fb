"""Files that are made while they are sent."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import StreamingHttpResponse


def attachment(pieces: Iterable[bytes], content_type: str, filename: str) -> StreamingHttpResponse:
    """An answer that browsers save. `filename` is ASCII without quotes.

    The pieces are made after the request's scope of the database has ended: they enter one of their own.
    """
    response = StreamingHttpResponse(pieces, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    response["Cache-Control"] = "no-store, private"
    return response
