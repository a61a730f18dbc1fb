"""NotificationConfiguration. Events of a bucket always go to the platform's event log.

EventBridge, which takes every event and no filter, is that log. Queues, topics and functions are AWS' own services:
there are none here, so a configuration that names one is refused as AWS refuses one that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from storage.s3.documents import schema
from storage.s3.documents.schema import Field, Json, Struct, Text
from storage.s3.errors import S3Error

_ROOT: Final = "NotificationConfiguration"
_FILTER_RULE: Final = Struct((Field("Name", Text(most=64)), Field("Value", Text())))
_KEY: Final = Struct((Field("FilterRules", _FILTER_RULE, element="FilterRule", many=True),))
_FILTER: Final = Struct((Field("Key", _KEY, element="S3Key"),))


def _destinations(name: str, element: str, arn: str, arn_element: str) -> Field:
    kind = Struct(
        (
            Field("Id", Text(most=255)),
            Field(arn, Text(), element=arn_element, required=True),
            Field("Events", Text(most=128), element="Event", many=True, required=True),
            Field("Filter", _FILTER),
        )
    )
    return Field(name, kind, element=element, many=True)


_KIND: Final = Struct(
    (
        _destinations("TopicConfigurations", "TopicConfiguration", "TopicArn", "Topic"),
        _destinations("QueueConfigurations", "QueueConfiguration", "QueueArn", "Queue"),
        _destinations(
            "LambdaFunctionConfigurations", "CloudFunctionConfiguration", "LambdaFunctionArn", "CloudFunction"
        ),
        Field("EventBridgeConfiguration", Struct(())),
    )
)


def read(body: bytes) -> Json:
    """`{}` or `{"EventBridgeConfiguration": {}}`. Raises MalformedXML, InvalidArgument for other destinations."""
    return _sound(schema.read(_KIND, _ROOT, body))


def check(value: object) -> Json:
    """The same, given as JSON."""
    return _sound(schema.check(_KIND, _ROOT, value))


def write(value: Mapping[str, Any]) -> bytes:
    return schema.write(_KIND, _ROOT, value)


def _sound(value: Json) -> Json:
    for name, configured in value.items():
        if name != "EventBridgeConfiguration" and configured:
            arn = next(text for member, text in configured[0].items() if member.endswith("Arn"))
            raise S3Error(
                "InvalidArgument",
                "Unable to validate the following destination configurations: here events go to the platform's "
                "event log (EventBridgeConfiguration), and to no queue, topic or function.",
                extra={"ArgumentName": arn, "ArgumentValue": "The destination does not exist."},
            )
    return {name: configured for name, configured in value.items() if name == "EventBridgeConfiguration"}
