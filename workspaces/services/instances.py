"""What workspaces and managed services share: found by key, asked for a state, numbered, with sealed secrets.

The verbs of each kind (`workspaces`, `managed`) call these within their transaction, once they asked for permission.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.errors import NotFound, QuotaExceeded, Unavailable
from gateway.queue import enqueue
from realtime import services as realtime
from tenants.models import Quota
from tenants.services import snapshot
from workspaces import tasks
from workspaces.models import Instance, Service, Workspace

if TYPE_CHECKING:
    from tenants.principal import Principal

I = TypeVar("I", bound=Instance)  # noqa: E741
KINDS: dict[str, type[Instance]] = {model.LETTER: model for model in (Workspace, Service)}
MOST_OFFSET = 60_000
LEAST_KEPT = 10

RUNNING, STOPPED, ABSENT = Instance.Desired.RUNNING, Instance.Desired.STOPPED, Instance.Desired.ABSENT
NOTHING, PERSON = Instance.StoppedFor.NOTHING, Instance.StoppedFor.PERSON
FAILED = Instance.Observed.FAILED


def rows(model: type[I]) -> QuerySet[I]:
    """All rows of a kind, as far as the scope shows them."""
    return model._default_manager.all()


def find(key: str) -> Instance | None:
    """The row of a key, with its tenant and owner, also a deleted one; None where there is none."""
    model = KINDS.get(key[:1])
    try:
        least, most = UUID(key[2:] + "0" * 16), UUID(key[2:] + "f" * 16)
    except ValueError:
        return None
    if model is None:
        return None
    found = rows(model).select_related("tenant", "owner").filter(public_id__range=(least, most))
    return found.first()


def every() -> Iterator[Instance]:
    """All rows of both kinds that the scope shows, deleted ones among them."""
    for model in KINDS.values():
        yield from rows(model).select_related("tenant").iterator(chunk_size=500)


def is_elsewhere(instance: Instance) -> bool:
    """Whether it runs somewhere that is not ours to steer."""
    return isinstance(instance, Service) and instance.kind == Service.Kind.EXTERNAL


def lock(instance: I) -> I:
    """The row as it is now, held to the end of the transaction. Raises NotFound where it is gone."""
    found = rows(type(instance)).select_for_update(of=("self",)).select_related("tenant", "owner")
    row = found.filter(pk=instance.pk).first()
    if row is None:
        raise NotFound(f"No such {noun(instance)}.", code=f"{noun(instance)}_not_found")
    return row


def noun(instance: Instance) -> str:
    """`workspace` or `service`: in events, audit entries and errors."""
    return str(instance._meta.model_name)


def ask(instance: Instance, desired: str, *, stopped_for: str = NOTHING, save: Sequence[str] = ()) -> None:
    """Write the next wish into a locked row, with its other changed fields `save`; the reconciler starts after the
    commit. Publish the event after this."""
    instance.desired_state, instance.stopped_for = desired, stopped_for
    instance.generation += 1
    instance.attempts, instance.error, instance.next_attempt_at = 0, "", timezone.now()
    if instance.observed_state == FAILED:  # what it will be is open again
        instance.observed_state = Instance.Observed.STOPPED
    if is_elsewhere(instance) and desired != ABSENT:  # nobody has to make it true
        instance.observed_generation, instance.observed_state = instance.generation, desired
    instance.save(
        update_fields=[
            "desired_state", "stopped_for", "generation", "attempts", "error", "next_attempt_at", "observed_state",
            "observed_generation",
            *save,
        ]
    )  # fmt: skip
    told(instance)
    enqueue(tasks.reconcile_instance, instance.key)


def told(instance: Instance) -> None:
    """Have the deciders read the instances of this kind again after the commit."""
    snapshot.changed(f"{noun(instance)}s")


def tell(instance: Instance, participle: str, *, actor: Principal | None = None, **data: object) -> None:
    """Publish `workspaces.<workspace|service>.<participle>`: the transaction's last act."""
    realtime.publish(
        instance.tenant_id,
        f"workspaces.{noun(instance)}.{participle}",
        subject=instance.name,
        data={"id": str(instance.public_id), **data},
        actor=actor,
    )


def start(instance: Instance) -> bool:
    """Wish a locked one to run; False where it is wished already and has not failed."""
    if instance.desired_state == RUNNING and instance.observed_state != FAILED:
        return False
    ask(instance, RUNNING)
    return True


def stop(instance: Instance, reason: str = PERSON) -> bool:
    """Wish a locked one to stop; False where that is wished already for a reason as strong.

    A person's wish outlives the platform's reasons, so it takes their place.
    """
    if instance.desired_state == ABSENT:
        return False
    if instance.desired_state == STOPPED:
        if reason != PERSON or instance.stopped_for == PERSON:
            return False
        instance.stopped_for = PERSON
        instance.save(update_fields=["stopped_for"])
        told(instance)
        return True
    ask(instance, STOPPED, stopped_for=reason)
    return True


def restart(instance: Instance) -> None:
    """Wish a locked one to run, from a new start."""
    instance.restart_number += 1
    ask(instance, RUNNING, save=["restart_number"])


def take_offset() -> int:
    """A number for a new instance's address, which nothing on the platform has. Raises Unavailable (`no_address`)."""
    with platform_scope("numbers are the platform's"), connection.cursor() as cursor:
        for _ in range(MOST_OFFSET):
            cursor.execute(
                'SELECT n, EXISTS (SELECT FROM workspaces_workspace WHERE "offset" = n)'
                ' OR EXISTS (SELECT FROM workspaces_service WHERE "offset" = n)'
                " FROM nextval('workspaces_offset') AS n"
            )
            number, taken = cursor.fetchone()
            if not taken:
                return int(number)
    raise Unavailable("The platform has no address left for another instance.", code="no_address")


def check_kept(model: type[Instance], tenant_id: int, limit: Literal["workspaces", "services"]) -> None:
    """Refuse another one while a tenant has as many deleted ones as it may have present ones (10 at least): each keeps
    its volumes, its ports and its number, of which the platform has so many. Raises QuotaExceeded."""
    most = Quota.objects.filter(tenant=tenant_id).values_list(limit, flat=True).first()
    kept = rows(model).filter(tenant_id=tenant_id, deleted_at__isnull=False)
    if most is not None and kept.count() >= max(most, LEAST_KEPT):
        raise QuotaExceeded("Too many deleted ones are kept: purge some of them.", code="too_many_deleted")


def seal_secrets(instance: Instance, secrets: Mapping[str, str]) -> None:
    """Put the secrets into the row, sealed; the caller saves `secrets_sealed`."""
    text = json.dumps(dict(secrets), sort_keys=True).encode()
    instance.secrets_sealed = crypto.seal(text, instance.secrets_aad) if secrets else b""


def open_secrets(instance: Instance) -> dict[str, str]:
    """The secrets in clear. Raises crypto.CannotOpen."""
    sealed = bytes(instance.secrets_sealed)
    if not sealed:
        return {}
    found: Any = json.loads(crypto.open_sealed(sealed, instance.secrets_aad))
    return dict(found)


def secret_names(instance: Instance) -> list[str]:
    """What secrets it has, as people may see them. Empty where they cannot be opened."""
    try:
        return sorted(open_secrets(instance))
    except crypto.CannotOpen:
        return []
