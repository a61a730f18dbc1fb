"""docs/s3.md claims what tests show: no more and no less."""

from __future__ import annotations

import pytest

from storage.s3.errors import S3Error
from storage.s3.operation import Operation, classify
from storage.s3.target import Target
from storage.s3.tests import support


def test_the_documents_table_is_what_the_tests_show() -> None:
    document = support.DOCUMENT.read_text()
    assert support.BEGIN in document
    assert support.written(document) == document, "make s3-support"


def test_every_operation_has_a_test() -> None:
    assert [name for name, (local, remote) in support.claimed().items() if not (local or remote)] == []


def test_every_operation_is_one_of_s3s() -> None:
    """Browsers' two are in no client library."""
    assert {str(operation) for operation in Operation} - set(support.operations()) == {
        "PostObject",
        "OPTIONS",
    }


@pytest.mark.parametrize("name", support.missing())
def test_what_is_missing_is_not_implemented(name: str) -> None:
    http = support.model().operation_model(name).http
    path, _, parameters = http["requestUri"].partition("?")
    query = dict.fromkeys([part.partition("=")[0] for part in parameters.split("&") if part], "")
    target = Target("docs" if "{Bucket}" in path else "", "k" if "{Key" in path else "")
    with pytest.raises(S3Error) as caught:
        classify(http["method"], target, query, {})
    assert caught.value.code == "NotImplemented"
