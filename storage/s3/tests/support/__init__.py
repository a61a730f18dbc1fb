"""docs/s3.md's table of operations, made from the tests: `python -m storage.s3.tests.support` writes it.

S3's operations are those that botocore knows. One counts as there when a test calls it through boto3, over our own
store or over a remote backend; what no test calls is not claimed.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import botocore.session
from botocore import xform_name

from storage.s3.operation import Operation

DOCUMENT: Final = Path(__file__).resolve().parents[4] / "docs" / "s3.md"
BEGIN: Final = "<!-- operations: made by `make s3-support` -->\n"
END: Final = "<!-- end -->\n"

_TESTS: Final = Path(__file__).resolve().parents[1]
_TABLE: Final = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
# Other endpoints' and other kinds of buckets'; the deprecated have newer names in the list.
_ELSEWHERE: Final = frozenset(
    {
        "CreateSession",
        "ListDirectoryBuckets",
        "WriteGetObjectResponse",
        "GetBucketLifecycle",
        "GetBucketNotification",
    }
    | {"PutBucketLifecycle", "PutBucketNotification"}
)
# Browsers', which boto3 has no call for; each is shown by the file that is named.
_UNCALLED: Final = {"PostObject": "test_post_form_live.py", "OPTIONS": "test_cors_live.py"}
_TRANSFERS: Final = {
    "upload_fileobj": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "upload_file": ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"),
    "download_fileobj": ("GetObject", "HeadObject"),
}


@cache
def model() -> Any:
    """botocore's description of S3."""
    return botocore.session.get_session().get_service_model("s3")


def operations() -> list[str]:
    """S3's operations by name."""
    return sorted(set(model().operation_names) - _ELSEWHERE)


def missing() -> list[str]:
    """Those that are answered NotImplemented."""
    ours = {str(operation) for operation in Operation}
    return [name for name in operations() if name not in ours]


@cache
def called(*, remote: bool) -> frozenset[str]:
    """The operations that live tests call, over remote backends or over our store."""
    files = [path for path in _TESTS.glob("test_*.py") if path.stem.startswith("test_remote_") is remote]
    texts = [path.read_text() for path in files if remote or path.stem.endswith("_live")]
    names = {xform_name(name): name for name in operations()}
    words = set(re.findall(r"\b[a-z_0-9]+\b", "\n".join(texts)))
    found = {names[word] for word in words & names.keys()}
    for word, implied in _TRANSFERS.items():
        if word in words:
            found.update(implied)
    return frozenset(found)


def claimed() -> dict[str, tuple[bool, bool]]:
    """By name, in the order of `Operation`: whether tests show it over our store, and over a remote backend."""
    local, remote = called(remote=False), called(remote=True)
    rows = {}
    for operation in map(str, Operation):
        if operation in _UNCALLED:
            rows[operation] = ((_TESTS / _UNCALLED[operation]).exists(), False)
        else:
            rows[operation] = (operation in local, operation in remote)
    return rows


def table() -> str:
    """The part of the document between its marks."""
    lines = ["| operation | our store | remote backend |", "|---|---|---|"]
    for name, (local, remote) in claimed().items():
        lines.append(f"| {name} | {_word(local)} | {_word(remote)} |")
    others = ", ".join(missing())
    return "\n".join([BEGIN.rstrip(), *lines, "", f"Answered `NotImplemented` (501): {others}.", END])


def written(document: str) -> str:
    """The document with the table as it is now."""
    return _TABLE.sub(lambda _: table(), document)


def _word(shown: bool) -> str:
    return "tested" if shown else ""
