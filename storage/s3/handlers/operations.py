"""Which handler each operation has, and how it is called: with the request's body, or before anybody reads it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gateway.decision.registry import Receive
from gateway.decision.types import Answer, Decision
from storage.s3 import answers, remote
from storage.s3.front import Front
from storage.s3.operation import Operation
from storage.s3.request import Request

from . import (
    acls,
    attributes,
    buckets,
    copies,
    deletes,
    lists,
    locks,
    multipart,
    post_form,
    reads,
    settings,
    tagging,
    versions,
    writes,
)

Decided = Callable[[Request, Front], Awaitable[Decision]]
Handled = Callable[[Request, Front, Receive], Awaitable[Answer | answers.Stream]]

DECIDED: Final[Mapping[Operation, Decided]] = {
    Operation.LIST_BUCKETS: buckets.list_all,
    Operation.HEAD_BUCKET: buckets.head,
    Operation.GET_BUCKET_LOCATION: buckets.location,
    Operation.GET_BUCKET_VERSIONING: settings.versioning.get,
    Operation.GET_BUCKET_ACL: acls.get_bucket,
    Operation.GET_BUCKET_POLICY: settings.policy.get,
    Operation.GET_BUCKET_POLICY_STATUS: settings.policy.status,
    Operation.GET_BUCKET_CORS: settings.cors.get,
    Operation.GET_BUCKET_TAGGING: settings.tagging.get,
    Operation.GET_BUCKET_LIFECYCLE_CONFIGURATION: settings.lifecycle.get,
    Operation.GET_PUBLIC_ACCESS_BLOCK: settings.public_access.get,
    Operation.GET_BUCKET_OWNERSHIP_CONTROLS: settings.ownership.get,
    Operation.GET_BUCKET_ENCRYPTION: settings.encryption.get,
    Operation.GET_BUCKET_NOTIFICATION_CONFIGURATION: settings.notification.get,
    Operation.GET_OBJECT_LOCK_CONFIGURATION: settings.object_lock.get,
    Operation.GET_BUCKET_LOGGING: settings.absent.logging,
    Operation.GET_BUCKET_REQUEST_PAYMENT: settings.absent.request_payment,
    Operation.GET_BUCKET_ACCELERATE_CONFIGURATION: settings.absent.acceleration,
    Operation.GET_BUCKET_WEBSITE: settings.absent.website,
    Operation.GET_BUCKET_REPLICATION: settings.absent.replication,
    Operation.LIST_OBJECTS: lists.list_v1,
    Operation.LIST_OBJECTS_V2: lists.list_v2,
    Operation.LIST_OBJECT_VERSIONS: versions.list_all,
    Operation.LIST_MULTIPART_UPLOADS: multipart.list_uploads,
    Operation.GET_OBJECT: reads.read,
    Operation.HEAD_OBJECT: reads.read,
    Operation.GET_OBJECT_ACL: acls.get_object,
    Operation.GET_OBJECT_TAGGING: tagging.get,
    Operation.GET_OBJECT_RETENTION: locks.get_retention,
    Operation.GET_OBJECT_LEGAL_HOLD: locks.get_legal_hold,
    Operation.GET_OBJECT_ATTRIBUTES: attributes.get,
    Operation.LIST_PARTS: multipart.list_parts,
}
# GetObject among them: what is sealed passes through this process.
HANDLED: Final[Mapping[Operation, Handled]] = {
    Operation.CREATE_BUCKET: buckets.create,
    Operation.DELETE_BUCKET: buckets.delete,
    Operation.PUT_BUCKET_VERSIONING: settings.versioning.put,
    Operation.PUT_BUCKET_ACL: acls.put_bucket,
    Operation.PUT_BUCKET_POLICY: settings.policy.put,
    Operation.DELETE_BUCKET_POLICY: settings.policy.delete,
    Operation.PUT_BUCKET_CORS: settings.cors.put,
    Operation.DELETE_BUCKET_CORS: settings.cors.delete,
    Operation.PUT_BUCKET_TAGGING: settings.tagging.put,
    Operation.DELETE_BUCKET_TAGGING: settings.tagging.delete,
    Operation.PUT_BUCKET_LIFECYCLE_CONFIGURATION: settings.lifecycle.put,
    Operation.DELETE_BUCKET_LIFECYCLE: settings.lifecycle.delete,
    Operation.PUT_PUBLIC_ACCESS_BLOCK: settings.public_access.put,
    Operation.DELETE_PUBLIC_ACCESS_BLOCK: settings.public_access.delete,
    Operation.PUT_BUCKET_OWNERSHIP_CONTROLS: settings.ownership.put,
    Operation.DELETE_BUCKET_OWNERSHIP_CONTROLS: settings.ownership.delete,
    Operation.PUT_BUCKET_ENCRYPTION: settings.encryption.put,
    Operation.DELETE_BUCKET_ENCRYPTION: settings.encryption.delete,
    Operation.PUT_BUCKET_NOTIFICATION_CONFIGURATION: settings.notification.put,
    Operation.PUT_OBJECT_LOCK_CONFIGURATION: settings.object_lock.put,
    Operation.DELETE_OBJECTS: deletes.delete_many,
    Operation.POST_OBJECT: post_form.post,
    Operation.GET_OBJECT: reads.stream,
    Operation.HEAD_OBJECT: reads.stream,
    Operation.PUT_OBJECT: writes.put,
    Operation.COPY_OBJECT: copies.copy,
    Operation.DELETE_OBJECT: deletes.delete,
    Operation.PUT_OBJECT_ACL: acls.put_object,
    Operation.PUT_OBJECT_TAGGING: tagging.put,
    Operation.DELETE_OBJECT_TAGGING: tagging.delete,
    Operation.PUT_OBJECT_RETENTION: locks.put_retention,
    Operation.PUT_OBJECT_LEGAL_HOLD: locks.put_legal_hold,
    Operation.CREATE_MULTIPART_UPLOAD: multipart.create,
    Operation.UPLOAD_PART: multipart.upload_part,
    Operation.UPLOAD_PART_COPY: copies.copy_part,
    Operation.COMPLETE_MULTIPART_UPLOAD: multipart.complete,
    Operation.ABORT_MULTIPART_UPLOAD: multipart.abort,
}
# On a remote bucket the edge streams these by itself.
FORWARDED: Final = {
    Operation.PUT_OBJECT: remote.forward_put,
    Operation.UPLOAD_PART: remote.forward_part,
}
