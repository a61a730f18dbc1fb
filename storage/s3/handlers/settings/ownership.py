"""Object ownership: the bucket owner's, always."""

from gateway.decision.types import Answer, Decision
from storage.s3 import answers
from storage.s3.body import Receive
from storage.s3.documents import ownership
from storage.s3.front import Front
from storage.s3.handlers import verbs
from storage.s3.request import Request


async def get(request: Request, front: Front) -> Decision:
    return answers.xml(ownership.write(ownership.ENFORCED))


async def put(request: Request, front: Front, receive_body: Receive) -> Answer:
    ownership.read(await verbs.document(request, receive_body))
    return answers.empty()


async def delete(request: Request, front: Front, receive_body: Receive) -> Answer:
    """What is left without controls is what there was: the owner's."""
    return answers.empty(204)
