"""Headers that every answer of S3 has."""

import pytest

from gateway.decision import reading
from gateway.decision.types import Answer, Forward, Handle, SendFile
from storage.s3 import answers


@pytest.mark.parametrize(("target", "sandboxed"), [("/s3/b/page.html", True), ("/b/page.html", False)])
def test_a_page_in_a_bucket_cannot_act_on_the_platforms_host(target: str, sandboxed: bool) -> None:
    head = reading.read_head([(b"host", b"localhost"), (b"x-gw-head", f"GET 1.2.3.4 80  {target}".encode())])
    for decision in (Answer(200), SendFile("ab/c", [], ""), Forward("h:1", "/")):
        stamped = answers.stamp(decision, head)
        assert not isinstance(stamped, Handle)
        headers = stamped.set_response_headers if isinstance(stamped, Forward) else dict(stamped.headers)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert (headers.get("Content-Security-Policy") == "sandbox") is sandboxed
