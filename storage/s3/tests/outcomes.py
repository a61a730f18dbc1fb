"""What boto3's calls came to."""

from typing import Any

import pytest
from botocore.exceptions import ClientError


def refusal(function: Any, **parameters: Any) -> tuple[int, str]:
    """The call's status and code: it must be refused."""
    with pytest.raises(ClientError) as caught:
        function(**parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def status(answer: Any) -> int:
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])
