"""Whether a proven caller may do what it asks for."""

from storage.s3.errors import S3Error
from storage.s3.front import Front
from storage.s3.operation import PERMISSIONS
from storage.s3.request import Request


async def authorise(request: Request, front: Front) -> None:
    """Return when the caller may. Raises AccessDenied."""
    permission = PERMISSIONS[request.operation]
    if permission not in request.access.permissions:
        raise S3Error("AccessDenied", f"The key's role lacks the permission {permission}.")
